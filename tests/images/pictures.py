"""Pictures to try things on, and what is common to checking them."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from kplate.errors import ImageError
from kplate.images import Image, read_image


def picture(width: int = 96, height: int = 64) -> Image:
    """A smooth picture that looks different in every orientation."""
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    planes = [255 * x * (1 - y), 255 * y + 0 * x, 255 * (1 - x) * np.ones_like(y)]
    return np.stack(planes, axis=-1).round().astype(np.uint8)


def pillow_picture(mode: str = "RGB") -> Pillow.Image:
    return Pillow.fromarray(np.ascontiguousarray(picture()[..., ::-1])).convert(mode)


def saved(path: Path, image: Pillow.Image | None = None, **options: Any) -> Path:
    (image or pillow_picture()).save(path, **options)
    return path


def assert_close(found: Image, wanted: Image, tolerance: int = 4) -> None:
    assert found.shape == wanted.shape
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= tolerance


def refusal(path: Path | str) -> str:
    """Read a bad picture and return the message, which must be one line that names the file."""
    with pytest.raises(ImageError) as caught:
        read_image(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("cannot read ")
    assert caught.value.path == str(path)
    return message


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )
