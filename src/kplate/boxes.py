"""How boxes lie to one another: areas, what they share, one by one and all with all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kplate.results import Box

Boxes = Sequence[Box] | NDArray[np.floating[Any]]
"""Boxes as a sequence, or as an array M x 4."""

_TINY = 1e-9


def area(box: Box) -> float:
    """Return the area of a box in square pixels; 0 where its sides are crossed."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(first: Box, second: Box) -> float:
    """Return the area that two boxes share, in square pixels."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, across) * max(0.0, down)


def share(box: Box, other: Box) -> float:
    """Return the share of a box (0..1) that lies in another one."""
    return overlap(box, other) / max(area(box), _TINY)


def iou(first: Box, second: Box) -> float:
    """Return what two boxes have in common, as a share of both together (0..1)."""
    common = overlap(first, second)
    return common / max(area(first) + area(second) - common, _TINY)


def iou_matrix(first: Boxes, second: Boxes) -> NDArray[Any]:
    """Return the intersection over union of every box (M) with every other (K), M x K, floats as given."""
    common, a, b = _shared(first, second)
    return np.asarray(common / np.maximum(a + b - common, _TINY))


def share_matrix(first: Boxes, second: Boxes) -> NDArray[Any]:
    """Return the share of each box (M) that lies inside each other (K), M x K, floats as given."""
    common, a, _ = _shared(first, second)
    return np.asarray(common / np.maximum(a, _TINY))


def _shared(first: Boxes, second: Boxes) -> tuple[Any, Any, Any]:
    a, b = (values if values.dtype.kind == "f" else values.astype(np.float64)
            for values in (np.asarray(first), np.asarray(second)))  # fmt: skip
    a, b = a.reshape(-1, 1, 4), b.reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.prod(np.maximum(sides, 0), axis=2)
    return common, np.prod(a[..., 2:] - a[..., :2], axis=2), np.prod(b[..., 2:] - b[..., :2], axis=2)
