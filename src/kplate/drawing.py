"""Drawing a result over its picture: boxes, plate corners and labels that stay legible at any size.

Plate texts are drawn with kplate's own glyphs, so that Hangul needs no font of the system.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.boxes import overlap
from kplate.errors import ImageError
from kplate.images import Image, as_image
from kplate.plates.alphabet import ALPHABET
from kplate.plates.glyphs import Face
from kplate.raster import ink_mask
from kplate.results import Box, Plate, Point, Recognition

Colour = tuple[int, int, int]
Mask = NDArray[np.uint8]

#: Blue, green, red. Electric plates are blue like the plates themselves; the others keep well apart from
#: them and from each other, also for the colour-blind (after Okabe and Ito, 2008).
COLOURS: Final[dict[str, Colour]] = {
    "vehicle": (115, 158, 0),
    "plate": (0, 159, 230),
    "electric": (230, 95, 0),
    "untrusted": (110, 110, 110),
    "permit": (167, 60, 204),
    "other": (233, 180, 86),
}

#: Height of a label's capitals, and thickness of a box's line, as shares of the square root of the
#: picture's area: 23 and 3 pixels at 1920x1080.
_TEXT_SHARE: Final = 0.016
_LINE_SHARE: Final = 0.002
#: Hangul syllables with a final consonant cannot be told apart below this height, in pixels.
_SMALLEST_TEXT: Final = 12
#: Labels shrink below that only where they would not fit into the picture, and never below this.
_TINY_TEXT: Final = 5
#: Hand that plate texts are drawn in: film plates have the most even strokes.
_FACE: Final = Face.FILM


@dataclass(frozen=True, slots=True)
class _Mark:
    """A thing to draw: its box, its corners if it is a plate, and its label in two parts."""

    colour: Colour
    box: Box
    corners: Sequence[Point]
    plate_text: str
    plain_text: str


def draw(recognition: Recognition, image: Image) -> Image:
    """Draw a result over its picture.

    Args:
        recognition: What was found in the picture.
        image: The picture, uint8, H x W x 3, BGR; it is left as it is.

    Returns:
        A new picture of the same size.

    Raises:
        ImageError: The array is no picture, or not of the size that was recognised.
    """
    canvas = as_image(image).copy()
    height, width = canvas.shape[:2]
    if (width, height) != (recognition.width, recognition.height):
        raise ImageError(
            f"the picture has {width}x{height} pixels, "
            f"but the result is of one with {recognition.width}x{recognition.height}"
        )
    marks = _marks(recognition)
    unit = math.sqrt(width * height)
    line = max(1, round(unit * _LINE_SHARE))
    for mark in marks:
        _draw_outline(canvas, mark, line)
    occupied = [mark.box for mark in marks if mark.corners]
    for mark in reversed(marks):  # plates come last in the list and choose their place first
        label = _fitting_label(mark, unit, width, height)
        spot = _place(label.shape[1], label.shape[0], mark.box, occupied, (width, height))
        occupied.append((spot[0], spot[1], spot[0] + label.shape[1], spot[1] + label.shape[0]))
        _paste(canvas, label, mark.colour, spot)
    return canvas


def plate_colour(plate: Plate) -> Colour:
    """Return the colour (BGR) that a plate is drawn in."""
    if not plate.trusted:
        return COLOURS["untrusted"]
    return COLOURS["electric" if plate.electric else "plate"]


def text_mask(text: str, height: int) -> Mask:
    """Draw a plate's text, or any other, on one line.

    Symbols of the plate alphabet come from kplate's glyphs, the rest from OpenCV's Latin font.

    Args:
        text: Any text; a blank is a gap.
        height: Of digits, capitals and syllables, in pixels.

    Returns:
        Coverage 0 to 255, uint8, H x W, where H is ``height``.
    """
    pieces: list[Mask] = []
    for symbol in text:
        if symbol in ALPHABET:
            pieces.append(ink_mask(symbol, _FACE, height))
        elif symbol == " ":
            pieces.append(np.zeros((height, max(1, round(height * 0.25))), np.uint8))
        else:
            pieces.append(_latin_mask(symbol, height)[:height])
    return _joined(pieces, gap=max(2, round(height * 0.17)), height=height)


def _marks(recognition: Recognition) -> list[_Mark]:
    """List what is to be drawn, from the background forward."""
    vehicles = [
        _Mark(COLOURS["vehicle"], item.box, (), "", f"{item.label or 'car'} {item.score:.2f}")
        for item in recognition.vehicles
    ]
    others = [
        _Mark(COLOURS["other"], item.box, (), "", f"{item.label} {item.score:.2f}")
        for item in recognition.others or ()
    ]
    permits = [
        _Mark(COLOURS["permit"], item.box, (), "", f"permit {item.score:.2f}") for item in recognition.permits
    ]
    plates = [
        _Mark(plate_colour(item), item.box, item.corners, *_plate_label(item)) for item in recognition.plates
    ]
    return others + vehicles + permits + plates


def _plate_label(plate: Plate) -> tuple[str, str]:
    if plate.trusted:
        return plate.display or plate.text or "", f"{plate.score:.2f}"
    return plate.candidate or "", "?"


def _draw_outline(canvas: Image, mark: _Mark, line: int) -> None:
    height, width = canvas.shape[:2]
    left, top, right, bottom = mark.box
    first, last = _pixels([(left, top), (right - 1, bottom - 1)], width, height)
    cv2.rectangle(canvas, first.tolist(), last.tolist(), mark.colour, line, cv2.LINE_AA)
    if mark.corners:
        quad = _pixels(mark.corners, width, height)
        cv2.polylines(canvas, [quad], True, mark.colour, line + (line + 1) // 2, cv2.LINE_AA)


def _pixels(points: Iterable[Point], width: int, height: int) -> NDArray[np.int32]:
    """Round points to pixels; those far outside or not finite come to the picture's margin."""
    values = np.nan_to_num(np.array(list(points), np.float64))
    pixels: NDArray[np.int32] = np.rint(values.clip([-width, -height], [2 * width, 2 * height])).astype(
        np.int32
    )
    return pixels


def _fitting_label(mark: _Mark, unit: float, width: int, height: int) -> Mask:
    """Draw a label as large as suits the picture, smaller where it would not fit into it."""
    size = max(_SMALLEST_TEXT, round(unit * _TEXT_SHARE))
    size = max(_TINY_TEXT, min(size, height // 3))
    label = _label(mark.plate_text, mark.plain_text, size)
    while label.shape[1] > width and size > _TINY_TEXT:
        size = max(_TINY_TEXT, min(size - 1, size * width // label.shape[1]))
        label = _label(mark.plate_text, mark.plain_text, size)
    return label[:height, :width]


@lru_cache(maxsize=256)
def _label(plate_text: str, plain_text: str, size: int) -> Mask:
    """Draw both parts of a label with a margin all round; capitals are ``size`` pixels high."""
    parts = [text_mask(plate_text, size)] if plate_text else []
    if plain_text:
        # The score is an aside: smaller than a plate's text, and on the same base line.
        small = max(_TINY_TEXT, round(size * 0.75)) if plate_text else size
        plain = _latin_mask(plain_text, small)
        parts.append(np.pad(plain, ((size - small, 0), (0, 0))))
    label = _joined(parts, gap=max(2, round(size * 0.4)), height=size)
    margin = max(2, round(size * 0.3))
    below = max(0, margin - (label.shape[0] - size))
    label = np.pad(label, ((margin, below), (margin, margin)))
    label.flags.writeable = False
    return label


def _joined(pieces: Sequence[Mask], gap: int, height: int) -> Mask:
    """Set masks side by side, tops aligned."""
    if not pieces:
        return np.zeros((height, 1), np.uint8)
    tallest = max(height, *(piece.shape[0] for piece in pieces))
    row: list[Mask] = []
    for piece in pieces:
        row += [np.pad(piece, ((0, tallest - piece.shape[0]), (0, 0))), np.zeros((tallest, gap), np.uint8)]
    return np.hstack(row[:-1])


_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


@lru_cache(maxsize=1)
def _capital_height() -> float:
    """Measure capitals at scale 1: OpenCV 5 draws another font than OpenCV 4 under the same name."""
    canvas = np.zeros((200, 200), np.uint8)
    cv2.putText(canvas, "H", (20, 150), _FONT, 4.0, 255, 4, cv2.LINE_AA)
    rows = np.flatnonzero(canvas.max(axis=1) > 127)
    return float(rows[-1] - rows[0] + 1) / 4.0


@lru_cache(maxsize=256)
def _latin_mask(text: str, height: int) -> Mask:
    """Draw a Latin text with OpenCV, cut tight at the sides.

    Returns:
        Coverage 0 to 255, uint8, H x W; capitals reach from row 0 to row ``height``, descenders below.
    """
    scale = height / _capital_height()
    stroke = max(1, round(height * 0.11))
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, stroke)
    below = math.ceil(height * 0.35)
    canvas = np.zeros((height + below, width + 4 * height), np.uint8)
    cv2.putText(canvas, text, (height, height), _FONT, scale, 255, stroke, cv2.LINE_AA)
    columns = np.flatnonzero(canvas.any(axis=0))
    if columns.size == 0:
        return np.zeros((height, max(1, height // 2)), np.uint8)
    rows = np.flatnonzero(canvas.any(axis=1))
    return canvas[: max(height, int(rows[-1]) + 1), columns[0] : columns[-1] + 1]


def _place(
    width: int, height: int, box: Box, occupied: Sequence[Box], picture: tuple[int, int]
) -> tuple[int, int]:
    """Choose the top left corner of a label beside its box: inside the picture, off plates and labels."""
    left, top, right, bottom = (float(value) for value in np.nan_to_num(np.array(box)))
    spots = [
        (left, top - height),
        (left, bottom),
        (right - width, top - height),
        (right - width, bottom),
        (left, top),
        (right, top),
        (left - width, top),
        (left, bottom - height),
    ]
    best, least = (0, 0), math.inf
    for x, y in spots:
        x = round(min(max(x, 0), max(0, picture[0] - width)))
        y = round(min(max(y, 0), max(0, picture[1] - height)))
        spot = (float(x), float(y), float(x + width), float(y + height))
        hidden = sum(overlap(spot, other) for other in occupied)
        if hidden < least:
            best, least = (x, y), hidden
    return best


def _paste(canvas: Image, label: Mask, ground: Colour, spot: tuple[int, int]) -> None:
    """Lay a label with its ground colour over the picture, in black or white, whichever reads better."""
    blue, green, red = ground
    ink = 0 if 0.114 * blue + 0.587 * green + 0.299 * red > 140 else 255  # luma of ITU-R BT.601
    coverage = label[..., None].astype(np.uint16)
    mixed = (ink * coverage + np.array(ground, np.uint16) * (255 - coverage) + 127) // 255
    left, top = spot
    canvas[top : top + label.shape[0], left : left + label.shape[1]] = mixed.astype(np.uint8)
