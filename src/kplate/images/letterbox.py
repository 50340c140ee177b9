"""Scaling a picture to a network's input."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images.basics import Image

Array = NDArray[np.float32]

#: Size of a network's input: px of the longer side, or exact width and height.
Size = int | tuple[int, int]
#: Px that a side of a network's input may have: as many as the pictures of large cameras. A network looks at
#: all of them at once, and 8192 x 8192 are 800 MB before its first layer.
LARGEST_SIDE: Final = 8192

#: Padding of the letterbox: the middle grey that YOLO networks are used to.
_PADDING: Final = 114


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture scaled to a network's input, with padding to the right and below.

    Attributes:
        batch: float32 1 x 3 x H x W, RGB 0..1; H and W are multiples of the network's largest stride.
        scale_x: Px of the input per px of the picture, horizontally.
        scale_y: Likewise, vertically.
        width: Width of the picture in px.
        height: Height of the picture in px.
    """

    batch: Array
    scale_x: float
    scale_y: float
    width: int
    height: int

    def restore(self, boxes: Array) -> Array:
        """Boxes M x 4 (``x1, y1, x2, y2``) from px of the input to px of the picture, clipped to it."""
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        limit = np.array([self.width, self.height] * 2, np.float32)
        return np.asarray(np.clip(boxes / scale, 0, limit), np.float32)


def letterbox(image: Image, size: Size, multiple: int = 32) -> Letterbox:
    """Scales a picture to the largest size inside the given one, and pads it.

    Args:
        image: uint8 H x W x 3 BGR.
        size: Px of the longer side; then both sides are padded to the next multiple only, so that hardly
            anything of a 16:9 picture's input is padding. Or width and height, which the input gets exactly.
            Each a multiple of ``multiple``.
        multiple: The network's largest stride.
    """
    height, width = image.shape[:2]
    whole = (size, size) if isinstance(size, int) else size
    scale = min(whole[0] / width, whole[1] / height)
    new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
    small, factor = _halved(image, min(width / new_w, height / new_h))
    # Each halving drops a last odd row or column: what is scaled may be a little less than the picture.
    scale_x, scale_y = new_w / (small.shape[1] * factor), new_h / (small.shape[0] * factor)
    padded = whole
    if isinstance(size, int):
        padded = (-(-new_w // multiple) * multiple, -(-new_h // multiple) * multiple)
    canvas = np.full((padded[1], padded[0], 3), _PADDING, np.uint8)
    canvas[:new_h, :new_w] = cv2.resize(small, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
    blob = cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True)
    return Letterbox(np.asarray(blob, np.float32), scale_x, scale_y, width, height)


def _halved(image: Image, reduction: float) -> tuple[Image, int]:
    """Averages blocks of 2 x 2 px while a halving or more is wanted: no aliasing, in a tenth of the time.

    Returns:
        The picture, and how many px of the former one lie along a px of it.
    """
    factor = 1
    while reduction >= 2 * factor:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        even = image[: height * 2, : width * 2]
        image = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        factor *= 2
    return image, factor
