"""Videos and folders of frames as sources: every frame, in order, the same each time."""

import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import cv2

from kplate.errors import ImageError
from kplate.events.urls import without_credentials
from kplate.files import StrPath, printable, reason_of
from kplate.images import Image, find_images, read_image
from kplate.live.containers import why_undecodable
from kplate.live.model import Connection, Frame, SourceError, SourceState
from kplate.live.opencv import quiet_opencv

_log = logging.getLogger(__name__)

#: Frames a second of a folder of pictures, and of a video that does not say.
DEFAULT_RATE: Final = 25.0
#: A video that ends before this share of the frames that it promises is damaged; less may be an estimate.
_COMPLETE: Final = 0.9


class FileSource:
    """What videos and folders share: which frames count, and what time it is in each.

    Attributes:
        name: The path, fit to print.
        live: Always false.
        total: Frames to come, about; None where nobody knows.
    """

    live = False

    def __init__(
        self, path: StrPath, *, start: float, end: float | None, every: int, clock: datetime | None
    ) -> None:
        """Take note of what is wanted.

        Args:
            path: The file or folder.
            start: Second to begin at.
            end: Second to stop before; None for the end.
            every: Of this many frames, one counts.
            clock: When the first frame was taken; None to derive it from the file's own time.

        Raises:
            SourceError: The end is not after the start.
        """
        if end is not None and end <= start:
            raise SourceError(f"nothing lies between the start ({start:g} s) and the end ({end:g} s)")
        self.path = Path(path)
        self.name = without_credentials(printable(path))  # a mistyped address ends up here as well
        self.start, self.end, self.every, self.clock = start, end, every, clock
        self.total: int | None = None
        self._frames = 0
        self._began = 0.0
        self._ended = False

    @property
    def state(self) -> SourceState:
        """How it does just now."""
        connection = Connection.ENDED if self._ended else Connection.CONNECTED
        passed = time.monotonic() - self._began if self._frames else 0.0
        return SourceState(connection, frames=self._frames, rate=self._frames / passed if passed else 0.0)

    def close(self) -> None:
        """End the iteration."""
        self._ended = True

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _counts(self) -> bool:
        """Count one more frame between start and end; say whether it is one that is wanted."""
        if not self._frames:
            self._began = time.monotonic()
        self._frames += 1
        return (self._frames - 1) % self.every == 0

    def _refuse_nothing(self) -> None:
        """Called at the end: a source that ends before it was to begin is a mistake, and silence hides it."""
        if not self._frames:
            raise SourceError(f"{self.name} ends before second {self.start:g}, where it was to begin")

    def _expected(self, count: float, rate: float) -> int | None:
        """Say how many frames count, of all that there are."""
        if count <= 0:
            return None
        first = self.start * rate
        last = count if self.end is None else min(count, self.end * rate)
        return max(0, -(-int(last - first) // self.every))

    def _wall(self, seconds: float) -> datetime:
        assert self.clock is not None
        return self.clock + timedelta(seconds=seconds)


class VideoFile(FileSource):
    """A video file, decoded by the FFmpeg that OpenCV brings along."""

    def __init__(
        self,
        path: StrPath,
        *,
        start: float = 0.0,
        end: float | None = None,
        every: int = 1,
        clock: datetime | None = None,
    ) -> None:
        """Open the video.

        Args:
            path: The file.
            start: Second to begin at.
            end: Second to stop before; None for the end.
            every: Of this many frames, one counts.
            clock: When the first frame was taken; None for the file's modification time less its length,
                since a recording was last written to at its end.

        Raises:
            SourceError: The file is missing, cannot be read or is no video.
        """
        super().__init__(path, start=start, end=end, every=every, clock=clock)
        quiet_opencv()
        modified = self._checked()
        self._capture = self._open()
        self.rate = self._capture.get(cv2.CAP_PROP_FPS)
        if not 0 < self.rate < 1000:
            self.rate = DEFAULT_RATE
        self._count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.total = self._expected(self._count, self.rate)
        if self.clock is None:
            seconds = max(0.0, self._count / self.rate)
            self.clock = datetime.fromtimestamp(modified, UTC) - timedelta(seconds=seconds)

    def _checked(self) -> float:
        """Say what is wrong with the file where OpenCV would only say no; give its modification time."""
        try:
            with self.path.open("rb") as file:
                facts = os.fstat(file.fileno())
        except (OSError, ValueError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            raise SourceError(f"cannot read {self.name}: {reason}") from error
        if facts.st_size == 0 and self.path.is_file():
            raise SourceError(f"cannot read {self.name}: the file is empty")
        return facts.st_mtime

    def _open(self) -> cv2.VideoCapture:
        # Its full name, so that nothing in it is taken for an address.
        name = os.fspath(self.path.absolute())
        capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not capture.isOpened():
            try:
                reason = why_undecodable(self.path)
            except OSError as error:
                reason = reason_of(error)
            raise SourceError(f"cannot read {self.name}: {reason}")
        return capture

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames that count.

        Raises:
            SourceError: The video cannot be decoded, or ends too early.
        """
        index = self._seek()
        last = -1.0
        while not self._ended and self._capture.grab():
            now = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if now <= last:  # some files have no times, or the same one twice
                now = last + 1 / self.rate
            last = now
            if self.end is not None and now >= self.end:
                break
            number, index = index, index + 1
            if now < self.start or not self._counts():
                continue
            done, image = self._capture.retrieve()
            if done:
                yield Frame(number, now, self._wall(now), _bgr(image))
        else:
            self._complain(index)

    def _seek(self) -> int:
        """Go near the start, at best a little before it, and return the number of the next frame."""
        if self.start <= 0:
            return 0
        # Videos can only be entered at some frames; a second early, and what is too early is passed over.
        self._capture.set(cv2.CAP_PROP_POS_MSEC, max(0.0, self.start - 1) * 1000)
        index = int(self._capture.get(cv2.CAP_PROP_POS_FRAMES))
        if index < 0 or index / self.rate > self.start:
            self._capture.release()
            self._capture, index = self._open(), 0
        return index

    def _complain(self, index: int) -> None:
        """Say why there are no more frames, unless that is as it should be."""
        if self._ended:
            return
        if index == 0:
            code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
            letters = "".join(chr(code >> shift & 255) for shift in (0, 8, 16, 24))
            codec = f"its codec ({letters.strip()}) is unknown here, or " if letters.isprintable() else ""
            raise SourceError(f"cannot read {self.name}: {codec}it is damaged: no frame can be decoded")
        if index < self._count * _COMPLETE:
            raise SourceError(
                f"{self.name} ends early: {index} of {round(self._count)} frames could be decoded"
            )
        self._refuse_nothing()


class FrameFolder(FileSource):
    """A folder of pictures, taken as the frames of a video in the order of their names."""

    def __init__(
        self,
        path: StrPath,
        *,
        rate: float = DEFAULT_RATE,
        start: float = 0.0,
        end: float | None = None,
        every: int = 1,
        clock: datetime | None = None,
    ) -> None:
        """Look for the pictures.

        Args:
            path: The folder.
            rate: Frames a second.
            start: Second to begin at.
            end: Second to stop before; None for the end.
            every: Of this many frames, one counts.
            clock: When the first frame was taken; None for the first picture's modification time.

        Raises:
            SourceError: The folder cannot be read or holds no pictures.
        """
        super().__init__(path, start=start, end=end, every=every, clock=clock)
        self.rate = rate
        self._files: list[Path] = []
        for found in find_images([path]):
            if isinstance(found, ImageError):
                raise SourceError(str(found)) from found
            self._files.append(found)
        self.total = self._expected(len(self._files), rate)
        if self.clock is None:
            self.clock = datetime.fromtimestamp(self._files[0].stat().st_mtime, UTC)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames that count; pictures that cannot be read are told of in the log.

        Raises:
            SourceError: There are none.
        """
        good = 0
        for index, file in enumerate(self._files):
            now = index / self.rate
            if self._ended or (self.end is not None and now >= self.end):
                break
            if now < self.start or not self._counts():
                continue
            try:
                image = read_image(file)
            except ImageError as error:
                _log.warning("%s", error)
                continue
            good += 1
            yield Frame(index, now, self._wall(now), image)
        if self._ended:
            return
        self._refuse_nothing()
        if not good:
            raise SourceError(f"cannot read {self.name}: none of its pictures could be read")


def _bgr(image: object) -> Image:
    """Take a frame as OpenCV gives it: it is uint8 H x W x 3 BGR."""
    return image  # type: ignore[return-value]
