"""What reading, finding and writing pictures share."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: A picture: uint8, H x W x 3, BGR.
Image = NDArray[np.uint8]

#: Names that are taken for pictures when a folder is searched.
SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"}
)


class Refusal(Exception):  # noqa: N818 - never leaves this room
    """Why a file is not taken, without its name."""
