"""Crops as the reader's network wants to see them."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.results import Point

Corners = tuple[Point, Point, Point, Point]
"""Top-left, top-right, bottom-right, bottom-left."""

#: Margins that a straightened plate keeps, as shares of the view: about what crops come with.
_MARGIN: Final = (0.06, 0.1)
#: Quadrilaterals of less than this share of their crop are no plate worth a second look.
_SMALLEST: Final = 0.05


@dataclass(frozen=True, slots=True)
class View:
    """A plate seen straight on.

    Attributes:
        image: uint8 H x W x 3 BGR.
        matrix: float64 (3, 3), from px of the crop to px of the view.
    """

    image: Image
    matrix: NDArray[np.float64]

    def back(self, corners: Corners) -> Corners:
        """Map points of the view to the crop."""
        points = np.array([corners], np.float64)
        mapped = cv2.perspectiveTransform(points, np.linalg.inv(self.matrix))[0]
        return _as_corners(mapped)


def straighten(image: Image, corners: Corners, size: tuple[int, int]) -> View | None:
    """Turn a plate upright by its corners.

    Args:
        image: uint8 H x W x 3 BGR.
        corners: The plate's corners in px of the image.
        size: Width and height of the network's input; the view has twice as many pixels either way.

    Returns:
        The view; ``None`` where the corners are no plate's: crossed, bent inwards or tiny.
    """
    quad = np.array(corners, np.float32)
    area = float(cv2.contourArea(quad))
    if not cv2.isContourConvex(quad) or area < _SMALLEST * image.shape[0] * image.shape[1]:
        return None
    width, height = 2 * size[0], 2 * size[1]
    left, top = _MARGIN[0] * width, _MARGIN[1] * height
    target = np.array(
        ((left, top), (width - left, top), (width - left, height - top), (left, height - top)), np.float32
    )
    matrix = cv2.getPerspectiveTransform(quad, target)
    turned = cv2.warpPerspective(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return View(turned.astype(np.uint8, copy=False), np.asarray(matrix, np.float64))


def to_pixels(values: NDArray[np.float32], width: int, height: int) -> Corners:
    """Turn a network's eight shares of the crop into corners in px."""
    return _as_corners(values.reshape(4, 2) * (width, height))


def _as_corners(points: NDArray[np.floating]) -> Corners:
    first, second, third, fourth = ((float(x), float(y)) for x, y in points)
    return first, second, third, fourth


def fit_to_input(image: Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Stretch a crop to the network's input.

    Args:
        image: uint8 H x W x 3 BGR.
        size: Width and height.

    Returns:
        uint8 (3, height, width), RGB.
    """
    height, width = image.shape[:2]
    shrinks = width > size[0] and height > size[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    stretched = cv2.resize(image, size, interpolation=method)
    return np.ascontiguousarray(stretched[..., ::-1].transpose(2, 0, 1), dtype=np.uint8)
