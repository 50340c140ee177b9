"""Every symbol of the alphabet as outlines in millimetres, in the hand of each kind of plate.

A *face* is one size and hand of lettering, such as the digits and syllables of the long white plate. What is
stored is a description in strokes (see :mod:`kplate.plates.strokes`) in ``glyph_strokes.json``, which
``tools/fit_glyphs.py`` writes. Dimensions of cells and ink come from the drawings of the notice on
registration plates (annexes 1 to 8) and, for the green plates of before 2006, from plates themselves.

A symbol that a face does not describe is borrowed from a related face and fitted to its ink box with the pen
of the face, so that each of the eighty symbols can be drawn in every face.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from kplate.plates.strokes import CORNER_RADIUS_MM, Node, Rectangle, Shape, Stroke, outline, refit


class Face(StrEnum):
    """The hands of lettering."""

    LONG = "long"
    PAINTED8 = "painted8"
    FILM = "film"
    SHORT = "short"
    COMMERCIAL = "commercial"
    COMMERCIAL_UPPER = "commercial_upper"
    COMMERCIAL_LONG = "commercial_long"
    GREEN = "green"
    GREEN_UPPER = "green_upper"
    GREEN_REGION = "green_region"
    GREEN_REGION_UPPER = "green_region_upper"
    DIPLOMATIC = "diplomatic"


@dataclass(frozen=True, slots=True)
class Box:
    """A cell and where the ink of an ordinary glyph sits in it, in mm.

    Attributes:
        width: width of the cell.
        height: height of the cell.
        ink: box of the ink; syllables fill it, digits may be narrower.
    """

    width: float
    height: float
    ink: Rectangle


@dataclass(frozen=True, slots=True)
class FaceSpec:
    """The dimensions of a face.

    Attributes:
        digit: cell of a digit.
        hangul: cell of a syllable.
        pair: cell of a region's two syllables.
        pen: usual width of a syllable's stroke.
        digit_pen: usual width of a digit's stroke.
        stacked: whether a region's syllables stand one above the other.
        donors: faces to borrow from, nearest first.
        pair_pen: usual width of a stroke in a region's syllables.
        radius: rounding of outer corners.
    """

    digit: Box
    hangul: Box
    pair: Box
    pen: float
    digit_pen: float
    stacked: bool
    donors: tuple[Face, ...]
    pair_pen: float = 8.2
    radius: float = CORNER_RADIUS_MM


_TIGHT_DIGIT = Box(45.0, 90.0, (0.0, 0.0, 45.0, 90.0))
_TIGHT_SMALL_DIGIT = Box(30.0, 40.0, (0.0, 0.0, 30.0, 40.0))
_TIGHT_HANGUL = Box(60.0, 60.0, (0.0, 0.0, 60.0, 60.0))
_TIGHT_PAIR = Box(79.0, 36.0, (0.0, 0.0, 79.0, 36.0))
_TIGHT_HALF = Box(38.0, 36.0, (0.0, 0.0, 38.0, 36.0))
_WHITE_PAIR = Box(112.0, 83.0, (4.6, 10.4, 107.0, 75.2))

FACES: dict[Face, FaceSpec] = {
    Face.LONG: FaceSpec(
        Box(56.0, 83.0, (5.7, 4.1, 50.3, 79.3)),
        Box(96.0, 83.0, (4.6, 10.4, 51.4, 75.2)),
        _WHITE_PAIR,
        8.2,
        9.2,
        False,
        (Face.COMMERCIAL_LONG, Face.COMMERCIAL, Face.COMMERCIAL_UPPER),
    ),
    Face.PAINTED8: FaceSpec(
        Box(55.0, 83.0, (5.2, 4.1, 49.8, 79.3)),
        Box(75.0, 83.0, (7.0, 11.9, 53.8, 76.7)),
        _WHITE_PAIR,
        8.2,
        9.2,
        False,
        (Face.LONG,),
    ),
    Face.FILM: FaceSpec(
        Box(50.0, 85.0, (3.0, 5.1, 47.0, 79.9)),
        Box(85.0, 85.0, (12.0, 10.9, 59.8, 76.7)),
        _WHITE_PAIR,
        8.7,
        9.2,
        False,
        (Face.LONG,),
    ),
    Face.SHORT: FaceSpec(
        Box(59.0, 105.0, (5.0, 4.4, 53.5, 101.0)),
        Box(64.0, 105.0, (5.6, 23.4, 52.4, 100.4)),
        Box(128.0, 105.0, (5.6, 23.4, 110.0, 100.4)),
        8.2,
        9.5,
        False,
        (Face.LONG,),
    ),
    Face.COMMERCIAL: FaceSpec(
        Box(78.0, 116.0, (8.0, 5.0, 72.0, 111.5)),
        Box(89.0, 116.0, (4.2, 5.8, 72.2, 88.8)),
        Box(178.0, 116.0, (4.2, 5.8, 160.0, 88.8)),
        11.5,
        13.0,
        False,
        (Face.LONG,),
        radius=1.5,
    ),
    Face.COMMERCIAL_UPPER: FaceSpec(
        Box(50.0, 61.0, (5.0, 4.0, 46.0, 57.0)),
        Box(63.0, 61.0, (4.6, 4.6, 54.0, 56.4)),
        Box(126.0, 61.0, (4.6, 4.6, 105.0, 56.4)),
        7.5,
        8.6,
        False,
        (Face.LONG,),
        pair_pen=7.6,
    ),
    Face.COMMERCIAL_LONG: FaceSpec(
        Box(55.0, 83.0, (5.2, 4.1, 49.8, 79.3)),
        Box(71.0, 83.0, (5.3, 9.0, 49.3, 73.8)),
        Box(55.0, 83.0, (5.0, 3.6, 50.0, 76.6)),
        8.2,
        9.2,
        True,
        (Face.LONG,),
        pair_pen=5.8,
    ),
    Face.GREEN: FaceSpec(
        _TIGHT_DIGIT,
        _TIGHT_HANGUL,
        _TIGHT_PAIR,
        9.3,
        7.0,
        False,
        (Face.GREEN_REGION, Face.LONG),
        pair_pen=5.0,
        radius=2.0,
    ),
    Face.GREEN_UPPER: FaceSpec(
        _TIGHT_SMALL_DIGIT,
        _TIGHT_HANGUL,
        _TIGHT_PAIR,
        8.5,
        6.0,
        False,
        (Face.GREEN_REGION_UPPER, Face.GREEN_REGION, Face.LONG),
        pair_pen=5.0,
        radius=1.5,
    ),
    Face.GREEN_REGION: FaceSpec(
        _TIGHT_DIGIT,
        _TIGHT_HANGUL,
        _TIGHT_PAIR,
        9.3,
        7.0,
        False,
        (Face.GREEN_REGION_UPPER, Face.LONG),
        pair_pen=5.0,
        radius=2.0,
    ),
    Face.GREEN_REGION_UPPER: FaceSpec(
        _TIGHT_SMALL_DIGIT,
        _TIGHT_HALF,
        _TIGHT_PAIR,
        4.8,
        6.0,
        False,
        (Face.GREEN_REGION, Face.LONG),
        pair_pen=5.0,
        radius=1.5,
    ),
    Face.DIPLOMATIC: FaceSpec(
        Box(39.5, 65.0, (0.0, 0.0, 39.5, 65.0)),
        Box(45.0, 45.0, (0.0, 0.0, 45.0, 45.0)),
        Box(95.0, 45.0, (0.0, 0.0, 95.0, 45.0)),
        6.0,
        8.5,
        False,
        (Face.LONG,),
    ),
}
"""Dimensions of each face: annexes 1 to 8 of the notice. The green faces' cells hug their ink."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """A symbol ready to be filled.

    Attributes:
        width: width of the cell in mm.
        height: height of the cell in mm.
        shapes: the ink is the union of these; each is one or more contours filled by the even-odd rule, so
            that a ring is its outer and its inner contour.
    """

    width: float
    height: float
    shapes: tuple[Shape, ...]


def cell_of(symbol: str, face: Face) -> Box:
    """The cell of a symbol: a digit, a syllable or a region's pair of syllables."""
    spec = FACES[face]
    if len(symbol) == 2:
        return spec.pair
    return spec.digit if symbol.isdecimal() else spec.hangul


@cache
def glyph(symbol: str, face: Face) -> Glyph:
    """The outlines of a symbol in a face.

    Args:
        symbol: one of the alphabet's eighty symbols, or a region's two syllables such as ``"서울"``.
        face: the hand to draw it in.

    Returns:
        The glyph, in mm in the frame of its cell.

    Raises:
        KeyError: where no face describes the symbol.
    """
    box = cell_of(symbol, face)
    return Glyph(
        box.width,
        box.height,
        tuple(outline(stroke, FACES[face].radius) for stroke in strokes_of(symbol, face)),
    )


def strokes_of(symbol: str, face: Face) -> tuple[Stroke, ...]:
    """Return the strokes of a symbol in a face, in mm: its own or borrowed ones (see :func:`glyph`).

    Raises:
        KeyError: The symbol is not of the alphabet.
    """
    own = _described(face).get(symbol)
    if own is not None:
        return own
    if len(symbol) == 2:
        return _pair(symbol, face)
    spec = FACES[face]
    for donor in spec.donors:
        strokes = _described(donor).get(symbol)
        if strokes is not None:
            return _borrow(strokes, symbol, donor, face)
    if face == Face.LONG:
        raise KeyError(f"no face describes the symbol {symbol!r}")
    return _borrow(strokes_of(symbol, Face.LONG), symbol, Face.LONG, face)


def _borrow(strokes: tuple[Stroke, ...], symbol: str, donor: Face, face: Face) -> tuple[Stroke, ...]:
    here, there = FACES[face], FACES[donor]
    pens = (here.digit_pen, there.digit_pen) if symbol.isdecimal() else (here.pen, there.pen)
    return refit(strokes, cell_of(symbol, donor).ink, cell_of(symbol, face).ink, pens[0] / pens[1])


def _pair(symbol: str, face: Face) -> tuple[Stroke, ...]:
    spec = FACES[face]
    for donor in spec.donors:
        strokes = _described(donor).get(symbol)
        if strokes is not None and FACES[donor].stacked == spec.stacked:
            scale = spec.pair_pen / FACES[donor].pair_pen
            return refit(strokes, FACES[donor].pair.ink, spec.pair.ink, scale)
    return _side_by_side(symbol, face)


def _side_by_side(pair: str, face: Face) -> tuple[Stroke, ...]:
    spec = FACES[face]
    x1, y1, x2, y2 = spec.pair.ink
    gap = spec.pen * 0.6
    if spec.stacked:
        middle = (y1 + y2) / 2
        halves = ((x1, y1, x2, middle - gap / 2), (x1, middle + gap / 2, x2, y2))
    else:
        middle = (x1 + x2) / 2
        halves = ((x1, y1, middle - gap / 2, y2), (middle + gap / 2, y1, x2, y2))
    result: list[Stroke] = []
    for syllable, half in zip(pair, halves, strict=True):
        squeeze = min(1.0, (half[3] - half[1]) / (spec.hangul.ink[3] - spec.hangul.ink[1])) ** 0.5
        result.extend(refit(strokes_of(syllable, face), spec.hangul.ink, half, squeeze))
    return tuple(result)


@cache
def _described(face: Face) -> dict[str, tuple[Stroke, ...]]:
    return {
        symbol: tuple(decode(stroke) for stroke in strokes)
        for symbol, strokes in _data().get(face, {}).items()
    }


@cache
def _data() -> dict[str, dict[str, list[list[int]]]]:
    """Face -> symbol -> strokes; a stroke is six numbers and then four a node, lengths in 0.1 mm."""
    text = files("kplate.plates").joinpath("glyph_strokes.json").read_text(encoding="utf-8")
    data: dict[str, dict[str, list[list[int]]]] = json.loads(text)
    return data


def decode(row: list[int]) -> Stroke:
    """The stroke of a stored row (see :func:`encode`)."""
    closed, *pen = row[:6]
    nodes = tuple(Node(*(value / 10 for value in row[at : at + 4])) for at in range(6, len(row), 4))
    vertical, horizontal, taper, cut_start, cut_end = (value / 10 for value in pen)
    return Stroke(nodes, vertical, horizontal, taper, cut_start, cut_end, bool(closed))


def encode(stroke: Stroke) -> list[int]:
    """A stroke as stored: closed, the five numbers of the pen, then x, y, before, after a node, in 0.1 mm."""
    pen = (stroke.vertical, stroke.horizontal, stroke.taper, stroke.cut_start, stroke.cut_end)
    row = [int(stroke.closed), *(round(value * 10) for value in pen)]
    for node in stroke.nodes:
        row.extend(round(value * 10) for value in (node.x, node.y, node.before, node.after))
    return row
