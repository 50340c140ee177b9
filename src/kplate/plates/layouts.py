"""Sizes, cells and colours of every plate kind that has published dimensions.

Millimetres throughout; a cell is ``x, y, width, height`` of the frame that a glyph is drawn into. Sources, in
brackets: the annex drawings of the plate notice (자동차 등록번호판 등의 기준에 관한 고시, 별표 1-16 and 18);
"rectified" marks values measured on rectified photographs because no drawing is public.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kplate.plates.glyphs import Face
from kplate.plates.kinds import Kind, Rgb


class Role(StrEnum):
    """What a cell holds."""

    MARK = "mark"
    """영, the mark of rented construction machines."""
    REGION = "region"
    """A region name or diplomatic word drawn as a whole."""
    SYLLABLE = "syllable"
    """One syllable of a region name or word."""
    DISTRICT = "district"
    """One syllable of a district's name: drawn, but no part of the text."""
    NUMBER = "number"
    """One digit of the leading number."""
    LETTER = "letter"
    """The use letter."""
    SERIAL = "serial"
    """One digit of the serial."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The frame of one glyph.

    Attributes:
        role: What it holds.
        box: ``x, y, width, height`` in mm.
        face: The set of glyphs it is drawn with.
    """

    role: Role
    box: tuple[float, float, float, float]
    face: Face


@dataclass(frozen=True, slots=True)
class Colours:
    """sRGB colours of a plate: its ground and its text (and border)."""

    ground: Rgb
    text: Rgb


@dataclass(frozen=True, slots=True)
class Hole:
    """A bolt hole: centre in mm and diameter in mm."""

    x: float
    y: float
    diameter: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Geometry and colours of a plate kind.

    Attributes:
        kind: The plate kind.
        width: Width in mm.
        height: Height in mm.
        cells: Cells in reading order. Text with a shorter number is centred over the number's cells.
        colours: Ground and text.
        holes: Bolt holes.
        border: Distance from the plate's edge to the border line's outer edge and the line's thickness, in
            mm; ``None`` where no line is drawn.
        source: Where the numbers come from.
    """

    kind: Kind
    width: float
    height: float
    cells: tuple[Cell, ...]
    colours: Colours
    holes: tuple[Hole, ...] = ()
    border: tuple[float, float] | None = (2.0, 2.0)
    source: str = field(default="", compare=False)

    def of(self, role: Role) -> tuple[Cell, ...]:
        """Return the cells of one role, in reading order."""
        return tuple(cell for cell in self.cells if cell.role is role)


WHITE: Final = Colours((245, 240, 240), (35, 30, 40))
FILM_WHITE: Final = Colours((244, 245, 246), (18, 18, 20))
EV_BLUE: Final = Colours((183, 229, 245), (12, 12, 14))
LIGHT_GREEN: Final = Colours((173, 189, 76), (14, 14, 14))
YELLOW: Final = Colours((254, 182, 0), (33, 24, 0))
GREEN: Final = Colours((0, 120, 35), (245, 248, 245))
NAVY: Final = Colours((20, 40, 110), (245, 245, 248))
ORANGE: Final = Colours((235, 110, 20), (20, 16, 12))
MOTORCYCLE_BLUE: Final = Colours((245, 245, 245), (20, 60, 150))

_LONG_HOLES: Final = (Hole(20, 55, 7), Hole(500, 55, 8))
_SHORT_HOLES: Final = (Hole(65, 25, 10), Hole(270, 25, 10))
_UPPER_HOLES: Final = (Hole(65, 26, 10), Hole(270, 26, 10))


def _row(
    role: Role, xs: tuple[float, ...], y: float, width: float, height: float, face: Face
) -> tuple[Cell, ...]:
    return tuple(Cell(role, (x, y, width, height), face) for x in xs)


def _stack(x: float, y: float, width: float, height: float, face: Face) -> tuple[Cell, ...]:
    return tuple(Cell(Role.SYLLABLE, (x, y + i * height / 2, width, height / 2), face) for i in range(2))


def _one_line(
    y: float,
    height: float,
    face: Face,
    numbers: tuple[float, ...],
    letter: tuple[float, float],
    serials: tuple[float, ...],
    digit: float,
) -> tuple[Cell, ...]:
    return (
        *_row(Role.NUMBER, numbers, y, digit, height, face),
        Cell(Role.LETTER, (letter[0], y, letter[1], height), face),
        *_row(Role.SERIAL, serials, y, digit, height, face),
    )


_SEVEN_LONG: Final = _one_line(13.5, 83, Face.LONG, (44, 100), (156, 96), (252, 308, 364, 420), 56)
_SEVEN_SHORT: Final = _one_line(46.2, 83, Face.SHORT, (8, 53), (98, 49), (147, 192, 237, 282), 45)
_EIGHT_PAINTED: Final = _one_line(13.5, 83, Face.PAINTED8, (30, 85, 140), (195, 75), (270, 325, 380, 435), 55)
_EIGHT_FILM: Final = _one_line(12.5, 85, Face.FILM, (65, 115, 165), (215, 85), (300, 350, 400, 450), 50)
_EIGHT_SHORT: Final = _one_line(
    46.2, 83, Face.SHORT, (8, 47.5, 87), (126.5, 43), (169.5, 209, 248.5, 288), 39.5
)

_LAYOUTS: Final = (
    Layout(Kind.WHITE_LONG, 520, 110, _SEVEN_LONG, WHITE, _LONG_HOLES, source="annex 2"),
    Layout(Kind.WHITE_SHORT, 335, 155, _SEVEN_SHORT, WHITE, _SHORT_HOLES, source="annex 1"),
    Layout(
        Kind.WHITE_LARGE,
        440,
        200,
        _one_line(60, 105, Face.SHORT, (11, 70), (129, 64), (193, 252, 311, 370), 59),
        WHITE,
        (Hole(75, 30, 10), Hole(365, 30, 10)),
        source="annex 5",
    ),
    Layout(Kind.WHITE_8_PAINTED, 520, 110, _EIGHT_PAINTED, WHITE, _LONG_HOLES, source="annex 2-1"),
    Layout(Kind.WHITE_8_FILM, 520, 110, _EIGHT_FILM, FILM_WHITE, _LONG_HOLES[:1], source="annex 2-2"),
    Layout(
        Kind.WHITE_8_SHORT,
        335,
        155,
        _EIGHT_SHORT,
        WHITE,
        _SHORT_HOLES,
        source="no drawing: annex 1 with eight narrower cells",
    ),
    Layout(
        Kind.ELECTRIC,
        520,
        110,
        _SEVEN_LONG,
        EV_BLUE,
        _LONG_HOLES,
        (4.0, 1.7),
        source="annex 18",
    ),
    Layout(
        Kind.CORPORATE,
        520,
        110,
        _EIGHT_PAINTED,
        LIGHT_GREEN,
        _LONG_HOLES,
        source="annex 2-1 on the ground of 2024 (L* 73.37, a* -21.17, b* 53.88)",
    ),
    Layout(
        Kind.COMMERCIAL_SHORT,
        335,
        170,
        (
            Cell(Role.REGION, (82, 9, 95, 48), Face.COMMERCIAL_UPPER),
            *_row(Role.NUMBER, (177, 215), 9, 38, 48, Face.COMMERCIAL_UPPER),
            Cell(Role.LETTER, (13.5, 68, 60, 92), Face.COMMERCIAL),
            *_row(Role.SERIAL, (73.5, 135.5, 197.5, 259.5), 68, 62, 92, Face.COMMERCIAL),
        ),
        YELLOW,
        _UPPER_HOLES,
        source="annex 3",
    ),
    Layout(
        Kind.COMMERCIAL_LONG,
        520,
        110,
        (
            Cell(Role.REGION, (32, 13.5, 55, 83), Face.COMMERCIAL_LONG),
            *_one_line(13.5, 83, Face.COMMERCIAL_LONG, (87, 142), (197, 71), (268, 323, 378, 433), 55),
        ),
        YELLOW,
        _LONG_HOLES,
        source="annex 4",
    ),
    Layout(
        Kind.COMMERCIAL_LARGE,
        440,
        220,
        (
            Cell(Role.REGION, (107, 11, 126, 61), Face.COMMERCIAL_UPPER),
            *_row(Role.NUMBER, (233, 283), 11, 50, 61, Face.COMMERCIAL_UPPER),
            Cell(Role.LETTER, (19, 84, 89, 116), Face.COMMERCIAL),
            *_row(Role.SERIAL, (108, 186, 264, 342), 84, 78, 116, Face.COMMERCIAL),
        ),
        YELLOW,
        (Hole(75, 34, 10), Hole(365, 34, 10)),
        source="annex 6",
    ),
    Layout(
        Kind.GREEN_REGION,
        335,
        170,
        (
            Cell(Role.REGION, (90, 14, 79, 36), Face.GREEN_REGION_UPPER),
            *_row(Role.NUMBER, (178, 215), 14, 30, 40, Face.GREEN_REGION_UPPER),
            Cell(Role.LETTER, (22, 60, 60, 60), Face.GREEN_REGION),
            *_row(Role.SERIAL, (105, 161, 217, 273), 60, 45, 90, Face.GREEN_REGION),
        ),
        GREEN,
        _UPPER_HOLES,
        source="rectified",
    ),
    Layout(
        Kind.GREEN,
        335,
        170,
        (
            *_row(Role.NUMBER, (90, 145), 13, 45, 37, Face.GREEN_UPPER),
            Cell(Role.LETTER, (200, 13, 45, 37), Face.GREEN_UPPER),
            *_row(Role.SERIAL, (15, 95, 175, 255), 64, 65, 92, Face.GREEN),
        ),
        GREEN,
        _UPPER_HOLES,
        source="rectified",
    ),
    Layout(
        Kind.DIPLOMATIC_SHORT,
        335,
        155,
        (
            *_row(Role.SYLLABLE, (102, 197.5), 20.5, 35, 34, Face.DIPLOMATIC),
            *_row(Role.NUMBER, (21.5, 64, 106.5), 74.5, 32.5, 60, Face.DIPLOMATIC),
            *_row(Role.SERIAL, (196, 238.5, 281), 74.5, 32.5, 60, Face.DIPLOMATIC),
        ),
        NAVY,
        _SHORT_HOLES,
        source="annex 7",
    ),
    Layout(
        Kind.DIPLOMATIC_LONG,
        520,
        110,
        (
            *_stack(34, 15, 50, 80, Face.DIPLOMATIC),
            *_row(Role.NUMBER, (110, 163, 216), 22.5, 39.5, 65, Face.DIPLOMATIC),
            *_row(Role.SERIAL, (331, 384, 437), 22.5, 39.5, 65, Face.DIPLOMATIC),
        ),
        NAVY,
        _LONG_HOLES,
        source="annex 8",
    ),
    Layout(
        Kind.TEMPORARY_SHORT,
        335,
        155,
        (
            Cell(Role.LETTER, (36, 38, 66, 66), Face.GREEN_REGION),
            *_row(Role.SERIAL, (110, 155, 200, 245), 32, 45, 77, Face.SHORT),
        ),
        WHITE,
        _SHORT_HOLES,
        source="annex 9",
    ),
    Layout(
        Kind.TEMPORARY_LONG,
        520,
        110,
        (
            Cell(Role.LETTER, (95, 15, 52, 52), Face.GREEN_REGION),
            *_row(Role.SERIAL, (245, 303, 361, 419), 13.5, 55, 83, Face.LONG),
        ),
        WHITE,
        _LONG_HOLES,
        source="annex 10",
    ),
    Layout(
        Kind.TEMPORARY_10_SHORT,
        335,
        170,
        _row(Role.SERIAL, (38, 81.2, 124.4, 167.6, 210.8, 254), 58, 43, 74, Face.SHORT),
        WHITE,
        border=None,
        source="annex 11",
    ),
    Layout(
        Kind.TEMPORARY_10_LONG,
        520,
        110,
        _row(Role.SERIAL, (216, 271.6, 327.2, 382.8, 438.4), 17, 55, 76, Face.LONG),
        WHITE,
        border=None,
        source="annex 12",
    ),
    Layout(
        Kind.MILITARY,
        520,
        110,
        _SEVEN_LONG,
        WHITE,
        _LONG_HOLES,
        source="no drawing: the cells of annex 2",
    ),
    Layout(
        Kind.CONSTRUCTION,
        520,
        110,
        _EIGHT_PAINTED,
        ORANGE,
        _LONG_HOLES,
        source="no drawing: the cells of annex 2-1",
    ),
    Layout(
        Kind.CONSTRUCTION_OLD,
        400,
        220,
        (
            Cell(Role.MARK, (38, 14, 52, 56), Face.GREEN_REGION_UPPER),
            Cell(Role.REGION, (107, 14, 110, 56), Face.GREEN_REGION_UPPER),
            *_row(Role.NUMBER, (230, 276), 14, 42, 56, Face.GREEN_REGION_UPPER),
            Cell(Role.LETTER, (24, 92, 76, 84), Face.GREEN_REGION),
            *_row(Role.SERIAL, (116, 182, 248, 314), 86, 56, 112, Face.GREEN_REGION),
        ),
        ORANGE,
        (Hole(70, 32, 10), Hole(330, 32, 10)),
        source="size only: 400x220; cells in the proportions of annex 6",
    ),
    Layout(
        Kind.MOTORCYCLE_OLD,
        210,
        115,
        (
            *_row(Role.SYLLABLE, (58, 78), 14, 15, 20, Face.GREEN_REGION),
            *_row(Role.DISTRICT, (108, 133), 14, 20, 20, Face.GREEN_REGION),
            Cell(Role.LETTER, (17, 58, 30, 33), Face.GREEN_REGION),
            *_row(Role.SERIAL, (55, 90, 125, 160), 47, 35, 51, Face.LONG),
        ),
        MOTORCYCLE_BLUE,
        (Hole(35, 25, 10), Hole(185, 25, 10)),
        source="annex 13-15",
    ),
)

#: The layout of each kind that has dimensions.
LAYOUTS: Final[dict[Kind, Layout]] = {layout.kind: layout for layout in _LAYOUTS}
