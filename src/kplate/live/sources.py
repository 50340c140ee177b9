"""Opens what a command names: a video, a folder of frames, a camera of this machine or of the network."""

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from kplate.events.urls import without_credentials
from kplate.files import is_file, printable
from kplate.images import SUFFIXES
from kplate.live.cameras import Camera
from kplate.live.files import DEFAULT_RATE, FrameFolder, VideoFile
from kplate.live.model import Source, SourceError

#: Addresses that are opened as live cameras.
_SCHEMES: Final = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "srt")
_ADDRESS: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")


def open_source(
    text: str,
    *,
    start: float = 0.0,
    end: float | None = None,
    every: int = 1,
    rate: float = DEFAULT_RATE,
    clock: datetime | None = None,
    wait: bool = False,
) -> Source:
    """Open a source.

    Args:
        text: A video file, a folder of pictures, an address such as ``rtsp://host/stream``, or the number of
            a camera of this machine.
        start: Files: second to begin at.
        end: Files: second to stop before; None for the end.
        every: Of this many frames, one counts.
        rate: Folders: frames a second.
        clock: Files: when the first frame was taken; None to derive it from the file's own time.
        wait: Cameras: keep trying where one cannot be reached at first.

    Raises:
        SourceError: It cannot be opened, or the arguments do not fit.
    """
    address = _ADDRESS.match(text)
    if address and address[1].lower() not in _SCHEMES:
        name = without_credentials(text)
        raise SourceError(f"cannot open {name}: cameras have addresses with {', '.join(_SCHEMES)}")
    if address or (text.isdecimal() and not Path(text).exists()):
        if start or end is not None:
            raise SourceError("a camera has no start and no end: these are for files")
        return Camera(text if address else int(text), every=every, wait=wait)
    if Path(text).is_dir():
        return FrameFolder(text, rate=rate, start=start, end=end, every=every, clock=clock)
    if Path(text).suffix.lower() in SUFFIXES and is_file(text):
        raise SourceError(
            f"cannot open {printable(text)}: it is a picture and no video; `kplate read` reads it"
        )
    return VideoFile(text, start=start, end=end, every=every, clock=clock)
