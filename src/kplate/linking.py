"""Which vehicle bears what: plates and permits belong to vehicles, and a vehicle shows one plate."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate.boxes import Boxes, share_matrix
from kplate.results import Box

Array = NDArray[np.float32]

#: A vehicle holds a plate or permit if it covers this share of it ...
_MOST: Final = 0.5
#: ... and vehicles that cover nearly as much as the best one does are equal: the smallest of them wins.
_NEARLY: Final = 0.1
#: By how much a plate counts less beside a sure one on the same vehicle. What else looks like a plate there
#: is a headlamp, a maker's name or a sticker.
_LESS: Final = 0.2


def owner(box: Box, vehicles: Boxes) -> int | None:
    """Return the index of the vehicle that holds most of a box, the smallest if several do; else None."""
    return _owners([box], vehicles)[0]


def one_plate_each(plates: Array, scores: Array, vehicles: Array) -> Array:
    """Lower the scores of plates on whose vehicle there is a surer one.

    Args:
        plates: float32 M x 4, ``x1, y1, x2, y2``.
        scores: float32 M, 0..1.
        vehicles: float32 K x 4.

    Returns:
        float32 M: the surest plate of each vehicle, and plates on none, keep their score; the others lose up
        to a fifth, the more the surer that one is.
    """
    lowered = scores.copy()
    surest: dict[int, float] = {}
    owners = _owners(plates, vehicles)
    for index in np.argsort(-scores, kind="stable").tolist():
        vehicle = owners[index]
        if vehicle in surest:
            lowered[index] *= 1 - _LESS * surest[vehicle]
        elif vehicle is not None:
            surest[vehicle] = float(scores[index])
    return lowered


def _owners(boxes: Boxes, vehicles: Boxes) -> list[int | None]:
    known = np.asarray(vehicles, np.float64).reshape(-1, 4)
    if not len(known):
        return [None] * len(boxes)
    covered = share_matrix(np.asarray(boxes, np.float64).reshape(-1, 4), known)
    areas = np.prod(known[:, 2:] - known[:, :2], axis=1)
    equal = covered >= np.maximum(_MOST, covered.max(1, keepdims=True) - _NEARLY)
    smallest = np.where(equal, areas, np.inf).argmin(1)
    return [index if held else None for index, held in zip(smallest.tolist(), equal.any(1), strict=True)]
