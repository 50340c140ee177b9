"""Draws Korean disabled-parking permits, and the other things that stick to windscreens.

The permit since 2017 is a disc styled as a wheelchair user: yellow where the holder drives, white where a
guardian does, orange for veterans; the one before was a yellow rectangle. Proportions were taken from
photographs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image

Mask = NDArray[np.uint8]
Colour = tuple[int, int, int]

#: Shares of permits that the sun has faded, and of orange ones with two emblems in place of the figure.
_FADED: Final = 0.2
_EMBLEMS: Final = 0.35
_FINE: Final = 4  # sub-pixel bits of OpenCV's drawing functions


class PermitStyle(StrEnum):
    """What the permit is, which is its colour and shape."""

    YELLOW = "yellow"
    WHITE = "white"
    ORANGE = "orange"
    OLD = "old"


STYLE_SHARES: Final = {
    PermitStyle.YELLOW: 0.58,
    PermitStyle.WHITE: 0.17,
    PermitStyle.ORANGE: 0.12,
    PermitStyle.OLD: 0.13,
}
#: BGR, read off photographs.
GROUNDS: Final[dict[PermitStyle, Colour]] = {
    PermitStyle.YELLOW: (40, 185, 238),
    PermitStyle.WHITE: (232, 236, 236),
    PermitStyle.ORANGE: (45, 120, 235),
    PermitStyle.OLD: (60, 205, 240),
}
NAVY: Final[Colour] = (120, 45, 45)
RIM: Final[Colour] = (245, 245, 245)
BLACK: Final[Colour] = (35, 30, 30)


@dataclass(frozen=True, slots=True)
class PermitImage:
    """A permit, or another sticker, seen straight on.

    Attributes:
        image: uint8 S x S x 3 BGR.
        mask: uint8 S x S, 255 where it is.
        style: What it is; None for something that is no permit.
    """

    image: Image
    mask: Mask
    style: PermitStyle | None


class _Board:
    """A square of side 1 to draw on, in fractions of its side."""

    def __init__(self, size: int, colour: Colour) -> None:
        self.size = size
        self.image = np.full((size, size, 3), colour, np.uint8)
        self.mask: Mask = np.zeros((size, size), np.uint8)

    def _fix(self, value: float) -> int:
        return round(value * self.size * 2**_FINE)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        centre = (self._fix(x), self._fix(y))
        cv2.circle(self.image, centre, self._fix(radius), colour, -1, cv2.LINE_AA, _FINE)

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        corners = [np.array([(self._fix(x), self._fix(y)) for x, y in points], np.int32)]
        cv2.fillPoly(self.image, corners, colour, cv2.LINE_AA, _FINE)

    def box(self, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
        self.polygon(((x1, y1), (x2, y1), (x2, y2), (x1, y2)), colour)

    def stroke(self, points: Sequence[tuple[float, float]], width: float, colour: Colour) -> None:
        line = [np.array([(self._fix(x), self._fix(y)) for x, y in points], np.int32)]
        cv2.polylines(self.image, line, False, colour, max(1, round(width * self.size)), cv2.LINE_AA, _FINE)

    def done(self, style: PermitStyle | None) -> PermitImage:
        return PermitImage(self.image, self.mask, style)


def draw_permit(rng: np.random.Generator, size: int = 128, style: PermitStyle | None = None) -> PermitImage:
    """Draws a permit.

    Args:
        rng: Source of randomness.
        size: Side of the picture in px.
        style: Which one; by its share on the road unless given.
    """
    if style is None:
        names = list(STYLE_SHARES)
        style = names[int(rng.choice(len(names), p=list(STYLE_SHARES.values())))]
    ground = _shade(rng, GROUNDS[style])
    ink = _shade(rng, NAVY)
    if rng.random() < _FADED:  # years of sun: print and ground both pale
        share = float(rng.uniform(0.15, 0.5))
        ground, ink = _mix(ground, RIM, share), _mix(ink, RIM, share * 0.7)
    if style is PermitStyle.OLD:
        return _old(rng, size, ground, ink)
    if style is PermitStyle.ORANGE and rng.random() < _EMBLEMS:
        return _emblem_disc(rng, size, ground, ink)
    return _disc(rng, size, style, ground, ink)


def _shade(rng: np.random.Generator, colour: Colour) -> Colour:
    """The colour as fading and printing leave it."""
    values = np.clip(np.array(colour) * rng.uniform(0.88, 1.06) + rng.normal(0, 6, 3), 0, 255)
    return int(values[0]), int(values[1]), int(values[2])


def _disc(
    rng: np.random.Generator, size: int, style: PermitStyle, ground: Colour, ink: Colour
) -> PermitImage:
    board = _Board(size, RIM)
    cv2.circle(board.mask, (size * 8, size * 8), size * 8 - 8, (255,), -1, cv2.LINE_AA, _FINE)
    rim = float(rng.choice((0.03, 0.05, 0.1), p=(0.5, 0.3, 0.2)))  # the widest is a laminating film's
    board.disc(0.5, 0.5, 0.5 - rim, ground)
    scale = 1 - 2 * rim

    def at(x: float, y: float) -> tuple[float, float]:
        return 0.5 + (x - 0.5) * scale, 0.5 + (y - 0.5) * scale

    # The wheel: from the bar at the left along the lower rim.
    angles = np.radians(np.linspace(195, float(rng.uniform(20, 75)), 24))
    wheel = float(rng.uniform(0.055, 0.1)) * scale
    board.stroke([at(0.5 + 0.455 * np.cos(a), 0.5 + 0.455 * np.sin(a)) for a in angles], wheel, ink)
    board.stroke([at(0.03, 0.40), at(0.36, 0.40)], 0.05 * scale, ink)
    _curved_text(board, rng, at, 0.42, (205, 325), BLACK)
    # The person: head, back, seat and lower leg, arm.
    x, y = at(0.47, 0.2)
    head = 0.075 * scale
    if rng.random() < 0.5:
        board.disc(x, y, head, ink)
    else:
        board.box(x - head, y - head, x + head, y + head, ink)
    board.polygon(
        [at(*p) for p in ((0.41, 0.30), (0.53, 0.30), (0.55, 0.42), (0.54, 0.52), (0.70, 0.53))]
        + [at(*p) for p in ((0.80, 0.64), (0.74, 0.69), (0.66, 0.63), (0.42, 0.63))],
        ink,
    )
    board.stroke([at(0.50, 0.405), at(0.69, 0.405)], 0.055 * scale, ink)
    board.stroke([at(0.06, 0.315), at(0.40, 0.315)], 0.012, RIM)
    board.stroke([at(0.55, 0.315), at(0.93, 0.315)], 0.012, RIM)
    for dot in (0.34, 0.66):
        board.disc(*at(dot, 0.22), 0.022, RIM)
    left, top = at(0.10, 0.46)
    board.box(left, top, left + 0.26 * scale, top + 0.13 * scale, _mix(ground, BLACK, 0.12))
    _lines_of_text(board, rng, (left + 0.02, top + 0.015, left + 0.24 * scale, top + 0.11 * scale), 2)
    seal_x, seal_y = at(0.80, 0.36)
    board.box(seal_x, seal_y, seal_x + 0.09 * scale, seal_y + 0.1 * scale, RIM)
    board.disc(seal_x + 0.045 * scale, seal_y + 0.045 * scale, 0.026 * scale, ink)
    _number(board, rng, at(0.30, 0.69), 0.46 * scale, 0.15 * scale)
    if style is PermitStyle.WHITE:
        cv2.circle(
            board.image, (size * 8, size * 8), round(size * 16 * (0.5 - rim)), ink, 1, cv2.LINE_AA, _FINE
        )
    return board.done(style)


def _emblem_disc(rng: np.random.Generator, size: int, ground: Colour, ink: Colour) -> PermitImage:
    """The veterans' other form: two ringed emblems above, the number large below, a seal at the right."""
    board = _Board(size, RIM)
    cv2.circle(board.mask, (size * 8, size * 8), size * 8 - 8, (255,), -1, cv2.LINE_AA, _FINE)
    board.disc(0.5, 0.5, 0.47, ground)
    for x in (0.32, 0.66):
        board.disc(x, 0.24, 0.115, _mix(ground, BLACK, 0.45))
        board.disc(x, 0.25, 0.085, ground)
        board.disc(x, 0.25, 0.04, _mix(ground, BLACK, 0.35))
    _lines_of_text(board, rng, (0.14, 0.40, 0.62, 0.52), 2, ink)
    board.box(0.72, 0.42, 0.87, 0.64, RIM)
    board.disc(0.795, 0.53, 0.045, BLACK)
    _number(board, rng, (0.2, 0.62), 0.5, 0.18)
    return board.done(PermitStyle.ORANGE)


def _old(rng: np.random.Generator, size: int, ground: Colour, ink: Colour) -> PermitImage:
    board = _Board(size, ground)
    top = 0.18
    board.mask[round(top * size) : round((1 - top) * size), :] = 255
    board.box(0, top, 1, top + 0.13, ink)
    _lines_of_text(board, rng, (0.12, top + 0.02, 0.88, top + 0.11), 1, RIM)
    board.box(0.05, 0.36, 0.37, 0.68, _mix(ink, (200, 90, 30), 0.5))
    _wheelchair(board, 0.21, 0.52, 0.27, RIM)
    _lines_of_text(board, rng, (0.42, 0.36, 0.94, 0.55), 2)
    _number(board, rng, (0.42, 0.57), 0.5, 0.12)
    _lines_of_text(board, rng, (0.08, 0.71, 0.92, 0.79), 1)
    return board.done(PermitStyle.OLD)


def _wheelchair(board: _Board, x: float, y: float, size: float, colour: Colour) -> None:
    """The international symbol of access, centred at (x, y)."""

    def at(u: float, v: float) -> tuple[float, float]:
        return x + (u - 0.5) * size, y + (v - 0.5) * size

    board.disc(*at(0.42, 0.08), 0.09 * size, colour)
    width = 0.1 * size
    board.stroke(
        [at(0.43, 0.2), at(0.46, 0.55), at(0.72, 0.55), at(0.84, 0.86), at(0.95, 0.82)], width, colour
    )
    board.stroke([at(0.45, 0.36), at(0.70, 0.36)], width, colour)
    angles = np.radians(np.linspace(20, 250, 20))
    board.stroke([at(0.42 + 0.3 * np.cos(a), 0.66 + 0.3 * np.sin(a)) for a in angles], width * 0.8, colour)


def draw_other_sticker(rng: np.random.Generator, size: int = 128) -> PermitImage:
    """Draws something else that sticks to windscreens: a residents' disc, a toll tag, an inspection label."""
    ground = tuple(int(v) for v in rng.integers(20, 250, 3))
    colour: Colour = (ground[0], ground[1], ground[2])
    if rng.random() < 0.25:  # yellow or white, but no wheelchair user
        colour = _shade(rng, GROUNDS[PermitStyle.YELLOW if rng.random() < 0.5 else PermitStyle.WHITE])
    ink: Colour = BLACK if sum(colour) > 360 else RIM
    board = _Board(size, colour)
    if rng.random() < 0.5:
        cv2.circle(board.mask, (size * 8, size * 8), size * 8 - 8, (255,), -1, cv2.LINE_AA, _FINE)
        if rng.random() < 0.6:
            inner = _shade(rng, colour) if rng.random() < 0.5 else RIM
            board.disc(0.5, 0.5, rng.uniform(0.25, 0.46), inner)
            ink = BLACK if sum(inner) > 360 else RIM
    else:
        high = rng.uniform(0.12, 0.35)
        board.mask[round(high * size) : round((1 - high) * size), :] = 255
    kind = rng.random()
    if kind < 0.4:
        _number(board, rng, (0.22, 0.38), 0.56, 0.24)
    elif kind < 0.6:
        digit = str(rng.integers(1, 10))
        scale = size / 40
        cv2.putText(
            board.image, digit, (round(size * 0.3), round(size * 0.7)), 0, scale, ink, max(1, size // 14)
        )
    elif kind < 0.7:
        board.box(0.25, 0.3, 0.75, 0.6, (200, 90, 30))
    _lines_of_text(board, rng, (0.2, 0.64, 0.8, 0.8), 1 + int(rng.integers(2)), ink)
    return board.done(None)


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def _lines_of_text(
    board: _Board,
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
    lines: int,
    colour: Colour = BLACK,
) -> None:
    """Small print: at the size of a permit in a picture nobody reads it, but its texture is seen."""
    x1, y1, x2, y2 = box
    height = (y2 - y1) / lines
    for n in range(lines):
        x = x1
        while x < x2 - height * 0.6:
            _syllable(board, rng, (x, y1 + n * height), height * 0.8, colour)
            x += height * (0.9 if rng.random() < 0.8 else 1.4)


def _syllable(
    board: _Board, rng: np.random.Generator, at: tuple[float, float], side: float, colour: Colour
) -> None:
    """Something with the strokes of a Hangul syllable."""
    x, y = at
    width = max(side * 0.13, 0.7 / board.size)
    board.stroke(
        [(x, y), (x + side * 0.5, y), (x + side * rng.uniform(0, 0.5), y + side * 0.45)], width, colour
    )
    board.stroke([(x + side * 0.75, y), (x + side * 0.75, y + side * 0.6)], width, colour)
    if rng.random() < 0.6:
        board.stroke([(x + side * 0.15, y + side * 0.75), (x + side * 0.75, y + side * 0.75)], width, colour)


def _curved_text(
    board: _Board,
    rng: np.random.Generator,
    at: Callable[[float, float], tuple[float, float]],
    radius: float,
    degrees: tuple[float, float],
    colour: Colour,
) -> None:
    for angle in np.radians(np.linspace(*degrees, 13)):
        if rng.random() < 0.08:
            continue
        x, y = at(0.5 + radius * np.cos(angle) - 0.03, 0.5 + radius * np.sin(angle) - 0.02)
        _syllable(board, rng, (x, y), 0.062, colour)


#: The strokes of the digits 0 to 9 on seven segments: top, upper left, upper right, middle, lower left,
#: lower right, bottom.
_SEGMENTS: Final = (
    *("1110111", "0010010", "1011101", "1011011", "0111010"),
    *("1101011", "1101111", "1110010", "1111111", "1111011"),
)
_SEGMENT_LINES: Final = (
    ((0, 0), (1, 0)),
    ((0, 0), (0, 1)),
    ((1, 0), (1, 1)),
    ((0, 1), (1, 1)),
    ((0, 1), (0, 2)),
    ((1, 1), (1, 2)),
    ((0, 2), (1, 2)),
)


def _number(
    board: _Board, rng: np.random.Generator, at: tuple[float, float], width: float, height: float
) -> None:
    """Four digits in white boxes, filled in by hand over printed segments."""
    x, y = at
    cell = width / 4
    for n in range(4):
        left = x + n * cell
        board.box(left, y, left + cell * 0.86, y + height, RIM)
        pattern = _SEGMENTS[int(rng.integers(len(_SEGMENTS)))]
        for on, (start, end) in zip(pattern, _SEGMENT_LINES, strict=True):
            points = [
                (left + cell * (0.18 + 0.5 * u), y + height * (0.14 + 0.36 * v)) for u, v in (start, end)
            ]
            board.stroke(points, 0.02 if on == "1" else 0.008, BLACK if on == "1" else (190, 190, 190))


def access_symbol(size: int, ink: Colour = RIM) -> tuple[Image, Mask]:
    """The international symbol of access, as painted on bays: a picture of one colour and its mask."""
    board = _Board(size, (0, 0, 0))
    _wheelchair(board, 0.5, 0.5, 0.9, (255, 255, 255))
    return np.full_like(board.image, ink), np.ascontiguousarray(board.image[..., 0])
