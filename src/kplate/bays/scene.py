"""What stands between the camera and a bay, found or not: it hides the ground before the bay as well.

A camera above the ground sees what is nearer to it further down. So whatever hides a part of a parked vehicle
also covers the ground below that part, and a vehicle that drives away does not change it for long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.results import Box

#: Cells along the longer side of a picture. A person's legs are one or two of them.
_CELLS: Final = 80
#: Pixels along that side that are looked at; more make it no better.
_ENOUGH: Final = 1280
#: A cell has changed when it differs by more than this share of what it was, and this much.
_SHARE: Final = 0.15
_LEVELS: Final = 4.0
#: The ground before a place: from this share of its height below it, down to that one.
_FROM: Final = 0.08
_TO: Final = 0.5
#: Cells of ground that must be in the picture, one above the other, for it to tell anything.
_LEAST: Final = 2
#: From this share of changed cells on, the ground below a column of a place is covered.
_COVERED: Final = 0.3
#: Added to brightness before it is divided by another.
_OFFSET: Final = 4.0


@dataclass(frozen=True)
class Scene:
    """A picture in few cells.

    Attributes:
        cells: Mean colours, float32 H x W x 3 BGR, 0..255.
        scale: Cells for each pixel, across and down.
    """

    cells: NDArray[np.float32]
    scale: tuple[float, float]

    @cached_property
    def grey(self) -> NDArray[np.float32]:
        """How light the cells are, H x W."""
        return np.asarray(self.cells.mean(axis=2), np.float32)

    @classmethod
    def of(cls, image: Image) -> "Scene":
        """Return a picture in few cells.

        Args:
            image: uint8 H x W x 3 BGR.
        """
        height, width = image.shape[:2]
        unit = _CELLS / max(width, height)
        across, down = max(1, round(width * unit)), max(1, round(height * unit))
        step = max(1, max(width, height) // _ENOUGH)
        thin = np.ascontiguousarray(image[::step, ::step])
        cells = cv2.resize(thin, (across, down), interpolation=cv2.INTER_AREA).astype(np.float32)
        return cls(cells, (across / width, down / height))


def changed(then: Scene, now: Scene) -> NDArray[np.bool_]:
    """Say which cells of a picture have changed, other than by light that is dimmed everywhere alike.

    Args:
        then: How it was.
        now: How it is, of the same size.

    Returns:
        bool H x W.
    """
    return _changed(then, now, slice(None))


def renewed(grounds: Sequence[Scene], before: Scene, now: Scene) -> tuple[Scene, Scene]:
    """Bring what is known of the ground up to date where it has stayed as it is for a while.

    What was there before is kept as well: who stops before a bay for a while and drives on leaves the ground
    as it was.

    Args:
        grounds: How the scene was, the newest first.
        before: How it was a few seconds ago.
        now: How it is.

    Returns:
        How it is without what moves, and how it was before that.
    """
    if grounds[0].cells.shape != now.cells.shape:
        return now, now
    still = ~changed(before, now)[..., None]
    other = changed(grounds[0], now)[..., None]
    first, second = (ground.cells * _gain(ground, now) for ground in (grounds[0], grounds[-1]))
    newest = np.where(still, now.cells, first)
    older = np.where(still & other, first, second)
    return Scene(newest.astype(np.float32), now.scale), Scene(older.astype(np.float32), now.scale)


def covered(grounds: Sequence[Scene], now: Scene, place: Box, columns: int) -> NDArray[np.bool_] | None:
    """Say below which parts of a place the ground before it is covered.

    Args:
        grounds: How the scene was while the ground was to be seen.
        now: How it is.
        place: The place, px.
        columns: In how many columns of equal width the place is cut, from left to right.

    Returns:
        bool N, one for each column; None where the picture shows too little of the ground, or has another
        size.
    """
    if any(ground.cells.shape != now.cells.shape for ground in grounds):
        return None
    left, top, right, bottom = place
    high = bottom - top
    first = round((bottom + _FROM * high) * now.scale[1])
    last = min(round((bottom + _TO * high) * now.scale[1]), now.cells.shape[0])
    if last - first < _LEAST:
        return None
    other = np.all([_changed(ground, now, slice(first, last)) for ground in grounds], axis=0)
    ground = other.mean(axis=0) >= _COVERED
    middles = left + (np.arange(columns) + 0.5) * (right - left) / columns
    index = np.clip((middles * now.scale[0]).astype(np.intp), 0, len(ground) - 1)
    return np.asarray(ground[index], np.bool_)


def _changed(then: Scene, now: Scene, rows: slice) -> NDArray[np.bool_]:
    expected = then.cells[rows] * _gain(then, now)
    different = np.abs(now.cells[rows] - expected) > _SHARE * expected + _LEVELS
    return np.asarray(different.any(axis=2), np.bool_)


def _gain(then: Scene, now: Scene) -> float:
    """Return how much lighter most of a picture has become."""
    return float(np.median((now.grey + _OFFSET) / (then.grey + _OFFSET)))
