"""Says why a video file cannot be decoded: OpenCV only says that it cannot."""

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final

#: How the files of common recorders begin: place in the file, bytes, what such a file is called.
_BEGINNINGS: Final = (
    (4, b"ftyp", "MP4"),
    (4, b"moov", "MP4"),
    (4, b"mdat", "MP4"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (8, b"AVI ", "AVI"),
    (0, b"FLV\x01", "Flash"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
    (0, b"\x00\x00\x01\xba", "MPEG"),
)
#: An index is read up to this size, in bytes; that of a day's video is smaller.
_LARGEST_INDEX: Final = 64 << 20


def why_undecodable(path: Path) -> str:
    """Return why a file that can be read cannot be opened as a video, as the end of a sentence.

    Raises:
        OSError: It cannot be read after all.
    """
    with path.open("rb") as file:
        head = file.read(16)
        known = next((name for at, mark, name in _BEGINNINGS if head[at:].startswith(mark)), None)
        if known is None:
            return "it is no video, or none that is known here"
        if known != "MP4":
            return f"it is a {known} file, but it is damaged, or its codec is unknown here"
        index = _index(file)
    if index is None:
        return "its index (moov) is missing: the recording was cut off before its end"
    codecs = _codecs(index)
    if not codecs:
        return "it holds no pictures"
    return f"its codec ({', '.join(codecs)}) is unknown here, or it is damaged"


def _index(file: BinaryIO) -> bytes | None:
    """Return the index of an MP4 file (ISO/IEC 14496-12, box ``moov``); None where it is missing or cut."""
    size = os.fstat(file.fileno()).st_size
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1 and at + 16 <= size:
            (length,) = struct.unpack(">Q", file.read(8))
            head = 16
        length = length or size - at  # 0: up to the end
        if length < head:
            return None
        if kind == b"moov":
            return file.read(min(length, _LARGEST_INDEX) - head) if at + length <= size else None
        at += length
    return None


def _codecs(index: bytes) -> list[str]:
    """Return the four letters of each video track's codec."""
    found = []
    # A track says what it is (box hdlr) before it says how it is coded (box stsd).
    for track in index.split(b"trak")[1:]:
        entry = track.find(b"stsd")
        if b"vide" in track and entry >= 0:
            letters = track[entry + 16 : entry + 20].decode("latin-1")
            found.append(letters if letters.isprintable() else "unnamed")
    return found
