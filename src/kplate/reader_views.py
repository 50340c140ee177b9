"""Crops as the reader's network wants to see them."""

import math
from collections.abc import Sequence
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
#: Width and height of that view in px.
_VIEW: Final = (384, 192)
#: How many times finer than a straightened plate, which may be a small part of it, a crop is worth to be.
_SHARPEST: Final = 2
#: Scaling a picture down by more than this factor at once would leave pixels out.
_COARSER: Final = 2.0
#: What is added to the variance of a plate's brightness in 0..1, which in a blank one is zero.
LEAST_VARIANCE: Final = 4e-4
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


def straighten(image: Image, corners: Corners) -> View | None:
    """Turn a plate upright by its corners.

    Args:
        image: uint8 H x W x 3 BGR.
        corners: The plate's corners in px of the image.

    Returns:
        The view; ``None`` where the corners are no plate's: crossed, bent inwards or tiny.
    """
    quad = np.array(corners, np.float32)
    area = float(cv2.contourArea(quad))
    if not cv2.isContourConvex(quad) or area < _SMALLEST * image.shape[0] * image.shape[1]:
        return None
    width, height = _VIEW
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
    return np.ascontiguousarray(_stretched(image, size)[..., ::-1].transpose(2, 0, 1))


def as_batch(images: Sequence[Image], size: tuple[int, int]) -> NDArray[np.float32]:
    """Stretch crops to a network's input.

    Args:
        images: uint8 H x W x 3 BGR.
        size: Width and height.

    Returns:
        float32 (N, 3, height, width), RGB in 0..1.
    """
    stretched = [_stretched(image, size) for image in images]
    return np.asarray(cv2.dnn.blobFromImages(stretched, 1 / 255, swapRB=True), np.float32)


def without_excess(image: Image, size: tuple[int, int]) -> Image:
    """Scale down a crop that is finer than a straightened plate of a size can show: it would only alias.

    Args:
        image: uint8 H x W x 3 BGR.
        size: Width and height of the straightened plate.
    """
    limit = (_SHARPEST * size[0], _SHARPEST * size[1])
    exceeds = image.shape[1] > limit[0] and image.shape[0] > limit[1]
    return _stretched(image, limit) if exceeds else image


def upright(image: Image, corners: NDArray[np.float32], size: tuple[int, int]) -> Image:
    """Straighten a plate by its corners, by the exact projective map.

    Args:
        image: uint8 H x W x 3 BGR.
        corners: float32 (8,), x and y of top-left, top-right, bottom-right, bottom-left, as shares of the
            image.
        size: Width and height of the straightened plate.

    Returns:
        uint8 (height, width, 3) BGR; black where the corners lie outside the image.
    """
    width, height = size
    quad = corners.reshape(4, 2) * np.array(image.shape[1::-1], np.float32) - np.float32(0.5)
    target = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(np.asarray(quad, np.float32), target)
    return np.asarray(cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)


def normalised_batch(plates: Sequence[Image]) -> NDArray[np.float32]:
    """Give straightened plates a brightness of zero mean and unit variance.

    Args:
        plates: uint8 H x W x 3 BGR, of one size.

    Returns:
        float32 (N, 3, H, W), RGB.
    """
    rows = []
    for plate in plates:
        # As one column of pixels without colours, whose mean and deviation are those of all values.
        (mean,), (deviation,) = cv2.meanStdDev(plate.reshape(-1, 1))
        scale = 1 / math.sqrt(float(deviation[0]) ** 2 + LEAST_VARIANCE * 255**2)
        rows.append(cv2.dnn.blobFromImage(plate, scale, mean=(float(mean[0]),) * 3, swapRB=True))
    return np.asarray(rows[0] if len(rows) == 1 else np.concatenate(rows), np.float32)


def _stretched(image: Image, size: tuple[int, int]) -> Image:
    # By halves, each of which averages four pixels: averaging over areas in one go takes ten times as long.
    while min(image.shape[1] / size[0], image.shape[0] / size[1]) > _COARSER:
        image = _resized(image, (math.ceil(image.shape[1] / 2), math.ceil(image.shape[0] / 2)))
    return _resized(image, size)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
