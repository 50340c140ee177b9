"""JPEG files: whether they are whole and undamaged, and their pixels.

JPEG has no checksums, and decoders go on after damage: they fill what is missing with grey, or shift the
rest of the picture, and remark on it. TurboJPEG, which decodes here, gives its first remark as an error
and prints nothing. Some remarks are about damage; others are about files that many cameras write.
"""

import re
from typing import Final

import numpy as np
import simplejpeg  # type: ignore[import-untyped] # its annotations are not marked as such

from kplate.images.basics import Image, Refusal

#: A marker other than stuffing (00), restarts (D0-D7) and fill bytes (FF): ITU-T T.81, table B.1.
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_END: Final = 0xD9
_SCAN: Final = 0xDA
_SEGMENTS: Final = frozenset([*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE])

#: Remarks of libjpeg's decoder (jerror.h) that mean damage.
_TRUNCATED: Final = "Premature end of JPEG file"
_DAMAGE: Final = re.compile(
    r"Corrupt JPEG data: "
    r"(premature end of data segment|bad Huffman code|bad arithmetic code|found marker .+ instead of RST\d)"
)
_LEFT_OVER: Final = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker")
#: So many bytes may be left over when a part of the picture is decoded: webcams leave up to ten in front of
#: restart markers, in pictures that are sound. Overwritten bytes leave 31 in the median, and seldom so few.
_LEFT_OVER_BY_CAMERAS: Final = 16


def check(data: bytes) -> bytes:
    """Refuse a JPEG file that ends early or has unknown markers, and drop what lies between its segments.

    A whole file has an end marker, and between its segments and in its compressed data no markers but the
    known ones. Some cameras leave stray bytes between the segments of the header: decoders pass over them
    but remark on it, and only their first remark is heard.

    Args:
        data: The file, beginning with its start marker.

    Returns:
        The file up to its end marker, without such bytes.

    Raises:
        Refusal: The file is truncated or damaged.
    """
    kept = [data[:2]]
    position, in_header = 2, True
    while match := _MARKER.search(data, position):
        marker = data[match.start() + 1]
        if marker == _END:
            kept.append(data[position : match.end()])
            return b"".join(kept)
        if marker not in _SEGMENTS:
            raise Refusal(f"the file is damaged (marker {marker:02X} in the JPEG data)")
        end = match.end() + int.from_bytes(data[match.end() : match.end() + 2])
        kept.append(data[match.start() if in_header else position : end])
        in_header = in_header and marker != _SCAN
        position = end
    raise Refusal("the file is truncated")


def decode(data: bytes) -> Image | None:
    """Decode a JPEG file as :func:`check` returned it.

    Returns:
        uint8, H x W x 3, BGR, not turned; or None where TurboJPEG does not know this kind of JPEG.

    Raises:
        Refusal: The file is damaged.
    """
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=True), np.uint8)
    except ValueError as error:
        _judge(str(error), data)
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=False), np.uint8)
    except ValueError:
        return None


def _judge(remark: str, data: bytes) -> None:
    """Refuse a file for a remark of the decoder, unless sound files have such remarks too."""
    if _TRUNCATED in remark:
        raise Refusal("the file is truncated")
    if damage := _DAMAGE.search(remark):
        raise Refusal(f"the file is damaged ({damage[1]})")
    if left_over := _LEFT_OVER.search(remark):
        count = int(left_over[1])
        # Whatever the count, the same byte over and over in front of the end marker (FF D9) only fills up.
        padding = len(set(data[-2 - count : -2])) == 1
        if count > _LEFT_OVER_BY_CAMERAS and not padding:
            raise Refusal(f"the file is damaged ({count} bytes are left over in the JPEG data)")
