"""PNG files: whether they are whole."""

import zlib

from kplate.images.basics import Refusal


def check(data: bytes) -> None:
    """Refuse a PNG file that ends early or whose critical chunks fail their checksum.

    Pillow passes over the checksums of compressed data.
    """
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        name = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            break
        # An upper-case first letter means that the picture cannot be shown without this chunk.
        if name[:1].isupper():
            checksum = int.from_bytes(data[end : end + 4])
            if checksum != zlib.crc32(memoryview(data)[position + 4 : end]):
                raise Refusal(f"the file is damaged (checksum of chunk {name.decode('latin-1')!r})")
        if name == b"IEND":
            return
        position = end + 4
    raise Refusal("the file is truncated")
