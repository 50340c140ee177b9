"""Where vehicles stand: shares of boxes within bays, and whether a polygon is one.

OpenCV's polygon filling and summed areas give a box's share within a bay of any shape in constant time, so
that no geometry library is needed.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.results import Box, Point

#: Cells along the longer side of the map on which shares are counted.
_CELLS: Final = 640
#: Share of a vehicle's height, from below, that counts as where it stands: from a camera above, its roof
#: covers the bays behind it, but its wheels stand in its own. A third to a half of the height of a car's box
#: is the ground that it stands on, for cameras at 2 to 4 m.
_FOOT: Final = 0.4


class Ground:
    """The bays of a picture, laid out so that shares of boxes can be looked up.

    Args:
        polygons: Shares (0..1) of the picture's width and height.
        width: Of the picture, in pixels.
        height: Likewise.
    """

    def __init__(self, polygons: Sequence[Sequence[Point]], width: int, height: int) -> None:
        scale = _CELLS / max(width, height)
        self._size = (max(1, round(width * scale)), max(1, round(height * scale)))
        self._scale = (self._size[0] / width, self._size[1] / height)
        self._sums = [cv2.integral(filled(polygon, self._size)) for polygon in polygons]

    def share(self, bay: int, box: Box) -> float:
        """Return the share (0..1) of a vehicle's foot that lies in a bay.

        Args:
            bay: Its index.
            box: The vehicle's box in pixels.
        """
        left, top, right, bottom = foot(box)
        x1, x2 = _cells(left, right, self._scale[0], self._size[0])
        y1, y2 = _cells(top, bottom, self._scale[1], self._size[1])
        sums = self._sums[bay]
        inside = float(sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1])
        return inside / ((x2 - x1) * (y2 - y1))


def foot(box: Box) -> Box:
    """Return the lower part of a vehicle's box, where it stands."""
    left, top, right, bottom = box
    return left, bottom - (bottom - top) * _FOOT, right, bottom


def filled(polygon: Sequence[Point], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw a polygon as ones on zeros.

    Args:
        polygon: Shares (0..1) of the size.
        size: Width and height in cells.

    Returns:
        uint8 H x W.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    points = np.rint(np.array(polygon, np.float64) * size - 0.5).astype(np.int32)
    return np.asarray(cv2.fillPoly(mask, [points], (1,)), np.uint8)


def area(polygon: Sequence[Point]) -> float:
    """Return the area of a polygon, in the square of its unit."""
    return float(cv2.contourArea(np.array(polygon, np.float32)))


def common(first: Sequence[Point], second: Sequence[Point]) -> float:
    """Return the share of the smaller of two polygons (0..1) that lies in the other."""
    size = (256, 256)
    one, two = filled(first, size), filled(second, size)
    return float((one & two).sum() / max(1, min(int(one.sum()), int(two.sum()))))


def crosses_itself(polygon: Sequence[Point]) -> bool:
    """Tell whether two sides of a polygon cross."""
    count = len(polygon)
    sides = [(polygon[n], polygon[(n + 1) % count]) for n in range(count)]
    return any(
        _cross(*sides[n], *sides[m])
        for n in range(count)
        for m in range(n + 2, count)
        if (m + 1) % count != n  # neighbours share a corner
    )


def _cells(low: float, high: float, scale: float, count: int) -> tuple[int, int]:
    """Return the cells that an interval of pixels covers, at least one."""
    first = min(max(round(low * scale), 0), count - 1)
    return first, max(first + 1, min(round(high * scale), count))


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
