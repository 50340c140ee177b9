"""Draws bays over a picture: to check a file against what the camera sees, and into annotated videos."""

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from kplate.bays.lettering import name_mask
from kplate.bays.model import BayKind
from kplate.bays.monitor import BayState
from kplate.drawing import Colour, text_mask
from kplate.images import Image
from kplate.plates.grammar import display
from kplate.results import Point

#: BGR by kind, apart from one another also for the colour-blind (after Okabe and Ito, 2008).
COLOURS: Final[dict[BayKind, Colour]] = {
    BayKind.ORDINARY: (255, 255, 255),
    BayKind.DISABLED: (230, 95, 0),
    BayKind.CHARGING_FAST: (115, 158, 0),
    BayKind.CHARGING_SLOW: (150, 200, 60),
    BayKind.RESERVED: (0, 159, 230),
}
_REVIEW: Final[Colour] = (60, 60, 230)
#: How strongly the ground of a bay is coloured: while it is free, and while it is taken.
_FREE: Final = 0.12
_TAKEN: Final = 0.38
#: How dark the ground of a label is.
_GROUND: Final = 0.25
#: Height of capitals, and thickness of lines, as shares of the square root of the picture's area.
_TEXT_SHARE: Final = 0.017
_LINE_SHARE: Final = 0.0025


def draw_bays(image: Image, states: Sequence[BayState]) -> Image:
    """Draw bays over a picture.

    Args:
        image: uint8 H x W x 3 BGR; it is left as it is.
        states: The bays. What stands in them is told as far as it is known.

    Returns:
        A new picture of the same size.
    """
    height, width = image.shape[:2]
    unit = math.sqrt(width * height)
    canvas = image.copy()
    quads = [np.rint(np.array(state.bay.polygon) * (width, height)).astype(np.int32) for state in states]
    for state, quad in zip(states, quads, strict=True):
        layer = canvas.copy()
        cv2.fillPoly(layer, [quad], _colour(state), cv2.LINE_AA)
        share = _TAKEN if state.taken else _FREE
        cv2.addWeighted(layer, share, canvas, 1 - share, 0, canvas)
    for state, quad in zip(states, quads, strict=True):
        line = max(1, round(unit * _LINE_SHARE))
        cv2.polylines(canvas, [quad], True, _colour(state), line, cv2.LINE_AA)
    for number, (state, quad) in enumerate(zip(states, quads, strict=True), 1):
        # Under the bay, where no car hides it and it hides no plate.
        low = quad[quad[:, 1] > quad[:, 1].min() + 0.6 * np.ptp(quad[:, 1])]
        spot = (float(low[:, 0].mean()), float(quad[:, 1].max()))
        _label(canvas, state, number, spot, max(10, round(unit * _TEXT_SHARE)))
    return canvas


def _colour(state: BayState) -> Colour:
    return _REVIEW if state.review else COLOURS[state.bay.kind]


def _label(canvas: Image, state: BayState, number: int, spot: Point, size: int) -> None:
    """Write a bay's name, and what stands in it, below a spot."""
    below = str(state.bay.kind).replace("_", " ").upper()
    if state.plate is not None and state.plate.text is not None:
        below = display(state.plate.text)
    masks = [name_mask(state.bay.name, number, size), text_mask(below, max(8, round(size * 0.75)))]
    gap = max(3, size // 3)
    wide = max(mask.shape[1] for mask in masks) + 2 * gap
    high = sum(mask.shape[0] for mask in masks) + 3 * gap
    label = np.zeros((high, wide), np.uint8)
    top = gap
    for mask in masks:
        left = (wide - mask.shape[1]) // 2
        label[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        top += mask.shape[0] + gap
    height, width = canvas.shape[:2]
    high, wide = min(high, height), min(wide, width)
    x = int(np.clip(spot[0] - wide / 2, 0, width - wide))
    y = int(np.clip(spot[1] + gap, 0, height - high))
    part = canvas[y : y + high, x : x + wide]
    ink = label[:high, :wide, None] / 255.0
    part[:] = np.clip(part * _GROUND * (1 - ink) + 255.0 * ink, 0, 255)
    cv2.rectangle(canvas, (x, y), (x + wide - 1, y + high - 1), _colour(state), max(1, size // 10))
