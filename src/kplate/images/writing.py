"""Writing pictures, all or nothing."""

from pathlib import Path
from typing import Final

import cv2

from kplate.errors import OutputError
from kplate.files import StrPath, printable, write_atomic
from kplate.images.basics import Image

#: JPEG quality 95 and 4:4:4 keep coloured labels and thin lines free of smears.
_WRITE_OPTIONS: Final = {
    suffix: [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    for suffix in (".jpg", ".jpeg")
}


def write_image(path: StrPath, image: Image) -> None:
    """Write a picture, all or nothing; the suffix chooses the format.

    Args:
        path: Where to; the folder must exist.
        image: uint8, H x W x 3, BGR.

    Raises:
        OutputError: The suffix is none that can be written, the picture is too large for the format, or
            the file cannot be written.
    """
    name = printable(path)
    suffix = Path(path).suffix.lower()
    if not suffix:
        raise OutputError(f"cannot write {name}: the name needs a suffix such as .jpg or .png")
    try:
        done, data = cv2.imencode(suffix, image, _WRITE_OPTIONS.get(suffix, []))
    except cv2.error:
        done = False
    if not done:
        height, width = image.shape[:2]
        raise OutputError(f"cannot write {name}: {width}x{height} pixels cannot be stored as {suffix}")
    write_atomic(path, data.tobytes())
