"""Whether a place looks as it did: by its edges, which neither dimmed lights nor exposure change much."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.results import Box

#: Columns and rows of a look. A car's windows, lamps and wheels are a few cells each.
COLUMNS: Final = 48
_SIZE: Final = (COLUMNS, 36)
SHAPE: Final = (2, *_SIZE[::-1])
_BLUR: Final = 1.2  # cells; lets the camera sway a little
#: Share of a box that is left out on each side: what is seen there is mostly behind the vehicle.
_MARGIN: Final = 0.12
#: Smallest part of a place that must be seen to be judged, as a share.
_LEAST_SEEN: Final = 0.22
#: Every so many pixels are enough to tell how light a picture is.
_LIGHT_STEP: Final = 16


@dataclass(frozen=True, slots=True)
class Look:
    """How a place looks.

    Attributes:
        edges: Slopes of brightness, float32 2 x 36 x 48 (across, down).
        part: The part of the picture that they are of, px.
        light: How light the whole picture was, 0..255.
    """

    edges: NDArray[np.float32]
    part: Box
    light: float


def light_of(image: Image) -> float:
    """Return how light a picture is, 0..255: what a tenth of it exceeds.

    Args:
        image: uint8 H x W x 3 BGR.
    """
    return float(np.percentile(image[::_LIGHT_STEP, ::_LIGHT_STEP].max(axis=2), 90))


def look_of(image: Image, box: Box, light: float) -> Look | None:
    """Return how the place within a box looks; None where the box hardly lies in the picture.

    Args:
        image: uint8 H x W x 3 BGR.
        box: The place, px.
        light: See :func:`light_of`.
    """
    height, width = image.shape[:2]
    across, down = (box[2] - box[0]) * _MARGIN, (box[3] - box[1]) * _MARGIN
    left, top = max(0, round(box[0] + across)), max(0, round(box[1] + down))
    right, bottom = min(width, round(box[2] - across)), min(height, round(box[3] - down))
    if right - left < 8 or bottom - top < 8:
        return None
    grey = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey.astype(np.float32), _SIZE, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _BLUR)
    edges = np.stack((cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)))
    return Look(edges.astype(np.float32), (left, top, right, bottom), light)


def likeness(
    then: Look, now: Look, covers: Iterable[Box], hidden: NDArray[np.bool_] | None = None
) -> float | None:
    """Compare two looks of a place.

    Args:
        then: How it looked.
        now: How it looks.
        covers: Boxes of what stands before it now, px.
        hidden: Columns of the place that something hides, bool :data:`COLUMNS`; None for none.

    Returns:
        1 where the edges are the same, about 0 where they have nothing in common; None where too little of
        the place is to be seen.
    """
    seen = np.ones(_SIZE[::-1], np.float32)
    left, top, right, bottom = now.part
    across, down = _SIZE[0] / max(1.0, right - left), _SIZE[1] / max(1.0, bottom - top)
    for box in covers:
        x1, x2 = (min(max(round((x - left) * across), 0), _SIZE[0]) for x in (box[0], box[2]))
        y1, y2 = (min(max(round((y - top) * down), 0), _SIZE[1]) for y in (box[1], box[3]))
        seen[y1:y2, x1:x2] = 0
    if hidden is not None:
        seen[:, hidden] = 0
    if seen.mean() < _LEAST_SEEN:
        return None
    product = float((then.edges * now.edges * seen).sum())
    powers = float((then.edges**2 * seen).sum()) * float((now.edges**2 * seen).sum())
    return float(product / max(1e-6, powers**0.5))
