"""Writing videos, with what OpenCV brings along: MPEG-4 Part 2, or Motion JPEG in an ``.avi``."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Final, Self

import cv2

from kplate.errors import OutputError
from kplate.files import StrPath, printable, reason_of
from kplate.images import Image
from kplate.live.opencv import quiet_opencv

#: Suffix of the file -> four letters of its codec. OpenCV's wheels carry no H.264 encoder.
CODECS: Final = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}

#: OpenCV does not say when a disk is full, so the room that is left is looked at every so many frames.
_LOOK_EVERY: Final = 50
_LEAST_ROOM: Final = 16 << 20  # bytes


class VideoWriter:
    """Writes frames to a video that appears under its name when it is complete.

    Example:
        >>> with VideoWriter("clip.mp4", 25.0) as video:  # doctest: +SKIP
        ...     video.write(image)
    """

    def __init__(self, path: StrPath, rate: float) -> None:
        """Make sure that the file can be written.

        Args:
            path: The file; its suffix is one of :data:`CODECS`.
            rate: Frames a second.

        Raises:
            OutputError: The suffix is of no such video, or the folder cannot be written to.
        """
        self.path = Path(path)
        self.rate = rate
        self.frames = 0
        suffix = self.path.suffix.lower()
        if suffix not in CODECS:
            raise OutputError(f"cannot write {printable(path)}: its name must end in {', '.join(CODECS)}")
        if self.path.exists() and not self.path.is_file():
            raise OutputError(f"cannot write {printable(path)}: it is no ordinary file")
        self._part = self.path.with_name(f".kplate-{os.getpid()}-{secrets.token_hex(4)}.part{suffix}")
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._zero: float | None = None  # time of the first frame
        try:
            self._part.touch()
        except OSError as error:
            raise OutputError(f"cannot write {printable(path)}: {reason_of(error)}") from error

    def write(self, image: Image) -> None:
        """Add a frame, uint8 H x W x 3 BGR; the first one settles the size, others are scaled to it.

        Raises:
            OutputError: The disk is full, or OpenCV cannot write such a video.
        """
        height, width = image.shape[:2]
        # Before it is opened: that fails on a full disk, and OpenCV does not say why.
        if self.frames % _LOOK_EVERY == 0 and shutil.disk_usage(self._part.parent).free < _LEAST_ROOM:
            raise OutputError(f"cannot write {printable(self.path)}: the disk is full")
        if self._writer is None:
            self._size = (width - width % 2, height - height % 2)
            self._writer = self._open()
        if (width, height) != self._size:
            even = image[: height - height % 2, : width - width % 2]
            image = even if even.shape[1::-1] == self._size else _scaled(image, self._size)
        self._writer.write(image)
        self.frames += 1

    def write_at(self, image: Image, time: float) -> None:
        """Add a frame of a camera as often as its time asks for: cameras have no steady rate.

        Args:
            image: As above.
            time: Seconds since any beginning. Gaps of more than a second are left out.

        Raises:
            OutputError: As above.
        """
        if self._zero is None or (time - self._zero) * self.rate > self.frames + self.rate:
            self._zero = time - self.frames / self.rate
        due = round((time - self._zero) * self.rate)
        while self.frames <= due:
            self.write(image)

    def _open(self) -> cv2.VideoWriter:
        quiet_opencv()
        code = cv2.VideoWriter.fourcc(*CODECS[self.path.suffix.lower()])
        writer = cv2.VideoWriter(os.fspath(self._part), cv2.CAP_FFMPEG, code, self.rate, self._size)
        if not writer.isOpened():
            raise OutputError(f"cannot write {printable(self.path)}: this OpenCV has no encoder for it")
        return writer

    def close(self) -> None:
        """Complete the video and give it its name; without frames, there is no video.

        Raises:
            OutputError: Not all of it could be written.
        """
        if self._writer is None:
            self._part.unlink(missing_ok=True)
            return
        self._writer.release()
        self._writer = None
        try:
            whole = cv2.VideoCapture(os.fspath(self._part), cv2.CAP_FFMPEG)
            if int(whole.get(cv2.CAP_PROP_FRAME_COUNT)) < self.frames:
                raise OutputError(f"cannot write {printable(self.path)}: the disk may be full")
            self._part.replace(self.path)
        except OSError as error:
            raise OutputError(f"cannot write {printable(self.path)}: {reason_of(error)}") from error
        finally:
            self._part.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Leave no video behind."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Complete the video, also where watching ended early; after another failure, drop it."""
        if kind is None or kind is KeyboardInterrupt:
            self.close()
        else:
            self.abandon()


def _scaled(image: Image, size: tuple[int, int]) -> Image:
    scaled: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return scaled
