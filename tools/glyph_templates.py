"""How each digit and each syllable is built of strokes, before its measures are fitted.

The digits are described in the frame of the long white plate's digit cell. A syllable is composed from its
jamo: ``syllable`` divides the ink box among consonant, vowel and final, and each jamo fills its share.
"""

from collections.abc import Callable
from dataclasses import replace

from kplate.plates.strokes import Node, Stroke

Rectangle = tuple[float, float, float, float]
Strokes = list[Stroke]

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


def jamo(syllable: str) -> tuple[str, str, str]:
    """Split a syllable into initial, vowel and final (a space where there is none)."""
    index = ord(syllable) - 0xAC00
    return _INITIALS[index // 588], _VOWELS[index % 588 // 28], _FINALS[index % 28]


def _stroke(
    pen: float | tuple[float, float],
    *nodes: tuple[float, ...],
    closed: bool = False,
    cuts: tuple[float, float] = (0.0, 0.0),
    taper: float = 0.0,
) -> Stroke:
    vertical, horizontal = pen if isinstance(pen, tuple) else (pen, pen)
    made = tuple(Node(*(node if len(node) != 3 else (*node, node[2]))) for node in nodes)
    return Stroke(made, vertical, horizontal, taper, *cuts, closed)


def _ring(box: Rectangle, pen: float | tuple[float, float]) -> Stroke:
    vertical, horizontal = pen if isinstance(pen, tuple) else (pen, pen)
    x1, y1, x2, y2 = (
        box[0] + vertical / 2,
        box[1] + horizontal / 2,
        box[2] - vertical / 2,
        box[3] - horizontal / 2,
    )
    rx, ry = (x2 - x1) / 2, (y2 - y1) / 2
    return _stroke(pen, (x1, y1, ry, rx), (x2, y1, rx, ry), (x2, y2, ry, rx), (x1, y2, rx, ry), closed=True)


# --- digits, in the long plate's cell of 56 x 83 mm -----------------------------------------------

_V, _H = 9.5, 8.9
_PEN = (_V, _H)


def digit(symbol: str) -> Strokes:
    """The strokes of a digit in mm in the long plate's digit cell."""
    return _DIGITS[symbol]()


def _zero() -> Strokes:
    x1, x2, y1, y2 = 12.2, 43.7, 8.6, 74.6
    return [
        _stroke(
            _PEN, (x1, y1, 16, 15.7), (x2, y1, 15.7, 16), (x2, y2, 16, 15.7), (x1, y2, 15.7, 16), closed=True
        )
    ]


def _one() -> Strokes:
    return [
        _stroke((9.7, 8.3), (31.5, 4.3), (31.5, 78.5)),
        _stroke((9.7, 8.3), (10.6, 17.0), (22.0, 16.5, 6.0), (28.0, 8.0)),
    ]


def _two() -> Strokes:
    return [
        _stroke(
            _PEN,
            (12.7, 26.0),
            (12.7, 8.3, 16, 15),
            (43.0, 8.3, 15, 16),
            (43.0, 34.0, 9, 9),
            (13.0, 74.0),
        ),
        _stroke(_PEN, (8.0, 74.2), (48.0, 74.2)),
    ]


def _three() -> Strokes:
    return [
        _stroke(_PEN, (8.0, 10.1), (42.0, 10.1), (26.5, 37.0)),
        _stroke(
            _PEN,
            (24.0, 35.5),
            (44.2, 36.0, 14, 14),
            (44.2, 74.5, 16, 15),
            (11.5, 74.5, 14, 14),
            (11.5, 56.0),
        ),
    ]


def _four() -> Strokes:
    return [
        _stroke((9.5, 8.6), (41.0, 4.6), (41.0, 78.5)),
        _stroke((9.5, 8.6), (37.0, 7.0), (9.0, 62.0)),
        _stroke((9.5, 8.6), (4.0, 64.5), (52.0, 64.5)),
    ]


def _five() -> Strokes:
    return [
        _stroke(_PEN, (45.5, 9.8), (13.5, 9.8), (11.5, 44.0)),
        _stroke(
            _PEN,
            (12.0, 42.0),
            (18.0, 34.5, 7, 9),
            (44.4, 34.5, 16, 16),
            (44.4, 74.8, 16, 16),
            (11.4, 74.8, 14, 14),
            (11.4, 56.5),
        ),
    ]


def _six() -> Strokes:
    return [
        _ring((5.7, 34.5, 50.3, 79.3), _PEN),
        _stroke((10.0, 10.0), (32.5, 5.0), (11.5, 50.0), cuts=(4.5, 0.0)),
    ]


def _seven() -> Strokes:
    return [_stroke(_PEN, (10.5, 23.0), (10.5, 9.6), (44.0, 9.6), (21.5, 78.0), cuts=(0.0, -3.0))]


def _eight() -> Strokes:
    return [_ring((8.0, 4.1, 48.0, 41.5), _PEN), _ring((6.0, 35.0, 50.0, 79.1), _PEN)]


def _nine() -> Strokes:
    return [
        _ring((6.2, 4.1, 49.8, 47.5), _PEN),
        _stroke((10.0, 10.0), (44.0, 33.0), (22.5, 78.0), cuts=(0.0, -4.5)),
    ]


_DIGITS: dict[str, Callable[[], Strokes]] = {
    "0": _zero,
    "1": _one,
    "2": _two,
    "3": _three,
    "4": _four,
    "5": _five,
    "6": _six,
    "7": _seven,
    "8": _eight,
    "9": _nine,
}


# --- diplomatic digits, in their ink box of 39.5 x 65 mm (annex 8) --------------------------------


def diplomatic(symbol: str) -> Strokes:
    """The strokes of a diplomatic plate's digit, with the slits of that hand, in mm."""
    if symbol == "9":  # the six, turned
        return [_turned(stroke) for stroke in diplomatic("6")]
    return _DIPLOMATIC[symbol]


def _turned(stroke: Stroke) -> Stroke:
    nodes = tuple(Node(39.5 - node.x, 65.0 - node.y, node.before, node.after) for node in stroke.nodes)
    return replace(stroke, nodes=nodes)


_DIPLOMATIC: dict[str, Strokes] = {
    "0": [
        _stroke(
            (11.0, 7.5),
            (5.5, 52.0),
            (5.5, 3.75, 12, 11),
            (34.0, 3.75, 11, 12),
            (34.0, 61.25, 12, 11),
            (9.5, 61.25),
            cuts=(-5.0, -3.75),
        )
    ],
    "1": [
        _stroke(9.9, (25.4, 0.0), (25.4, 62.0)),
        _stroke(10.5, (0.0, 59.75), (39.5, 59.75)),
        _stroke((9.0, 6.5), (3.1, 13.2), (18.0, 13.2, 8, 8), (24.0, 3.0)),
    ],
    "2": [
        _stroke(
            (10.7, 10.5),
            (5.4, 20.5),
            (5.4, 5.25, 14, 14),
            (34.2, 5.25, 14, 14),
            (34.2, 27.0, 8, 8),
            (4.5, 58.0),
        ),
        _stroke(10.5, (0.0, 59.75), (39.5, 59.75)),
    ],
    "3": [
        _stroke(10.0, (2.5, 5.0), (34.0, 5.0), (11.5, 29.5), cuts=(0.0, -5.6)),
        _stroke(
            (10.3, 10.5),
            (22.5, 31.5),
            (34.2, 31.5, 9, 9),
            (34.2, 59.6, 14, 13),
            (5.1, 59.6, 11, 10),
            (5.1, 47.0),
            cuts=(4.0, 0.0),
        ),
    ],
    "4": [
        _stroke(10.0, (19.8, 0.5), (5.0, 47.0), cuts=(-1.5, 0.0)),
        _stroke(10.0, (0.0, 49.5), (39.5, 49.5)),
        _stroke(10.0, (27.0, 26.0), (27.0, 65.0)),
    ],
    "5": [
        _stroke((10.0, 9.0), (36.5, 4.5), (17.5, 4.5), (7.5, 31.5), cuts=(0.0, 1.9)),
        _stroke(
            (10.0, 9.5),
            (20.0, 27.4),
            (34.5, 27.4, 13, 15),
            (34.5, 60.2, 15, 14),
            (5.0, 60.2, 14, 13),
            (5.0, 44.0),
            cuts=(-1.8, 0.0),
        ),
    ],
    "6": [
        _stroke(
            (10.0, 9.5),
            (23.8, 0.5),
            (5.0, 37.0, 7, 7),
            (5.0, 60.2, 16, 14.7),
            (34.5, 60.2, 14.7, 16),
            (34.5, 27.4, 16, 13),
            (22.0, 27.4),
            cuts=(-2.4, -2.2),
        )
    ],
    "7": [
        _stroke(10.0, (0.0, 5.0), (39.5, 5.0)),
        _stroke(12.0, (32.0, 8.5), (12.5, 30.0, 16, 20), (10.8, 65.0), cuts=(3.0, 0.0)),
    ],
    "8": [_ring((0.7, 0.0, 38.7, 33.0), (10.5, 8.8)), _ring((0.0, 24.0, 39.5, 65.0), (10.5, 8.8))],
}


# --- jamo, in any box -----------------------------------------------------------------------------


def consonant(letter: str, box: Rectangle, pen: float, beside: bool) -> Strokes:
    """A consonant filling a box; ``beside`` a vertical vowel ㄱ swings to the left and corners are round."""
    x1, y1, x2, y2 = box
    half = pen / 2
    left, right, top, bottom = x1 + half, x2 - half, y1 + half, y2 - half
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    bend = min(5.0, (bottom - top) * 0.4)
    if letter == "ㄱ" and beside:
        deep = top + (bottom - top) * 0.72
        reach = (deep - top) * 0.85, (right - x1) * 0.8
        return [_stroke(pen, (x1, top), (right, top), (right, deep, *reach), (x1 + 1, bottom))]
    if letter == "ㄱ":  # the leg leans in a little
        sway = min(1.5, (y2 - top) * 0.05)
        bow = (y2 - top) * 0.3
        return [
            _stroke(
                pen,
                (x1, top),
                (right, top),
                (right - sway * 0.2, top + bow * 1.7, bow, bow),
                (right - sway, y2),
            )
        ]
    if letter == "ㄴ":
        return [_stroke(pen, (left, y1), (left, bottom, bend), (x2, bottom))]
    if letter == "ㄷ":
        short = x2 - (x2 - x1) * 0.14 if beside else x2
        return [_stroke(pen, (short, top), (left, top), (left, bottom, bend), (x2, bottom))]
    if letter == "ㄹ":
        return [
            _stroke(
                pen,
                (x1, top),
                (right, top),
                (right, middle_y),
                (left, middle_y),
                (left, bottom, min(bend, 3.0)),
                (x2, bottom),
            )
        ]
    if letter == "ㅁ":
        return [_stroke(pen, (left, top), (right, top), (right, bottom), (left, bottom, 1.5), closed=True)]
    if letter == "ㅂ":
        waist = y1 + (y2 - y1) * 0.45
        return [
            _stroke(pen, (left, y1), (left, bottom, 2.0), (right, bottom, 1.0), (right, y1)),
            _stroke(pen, (left, waist), (right, waist)),
        ]
    if letter == "ㅅ":
        return _legs(x1, y1, x2, y2, pen, beside)
    if letter == "ㅇ":
        return [_ring(box, pen)]
    if letter == "ㅈ":
        inset = (x2 - x1) * 0.08
        return [_stroke(pen, (x1 + inset, top), (x2 - inset, top)), *_legs(x1, top, x2, y2, pen, beside)]
    if letter == "ㅊ":
        return [
            _stroke(pen, (middle_x, y1), (middle_x, top + pen)),
            *consonant("ㅈ", (x1, y1 + pen * 0.75, x2, y2), pen, beside),
        ]
    if letter == "ㅍ":
        inset = (x2 - x1) * 0.28
        return [
            _stroke(pen, (x1, top), (x2, top)),
            _stroke(pen, (x1, bottom), (x2, bottom)),
            _stroke(pen, (x1 + inset, top), (x1 + inset, bottom)),
            _stroke(pen, (x2 - inset, top), (x2 - inset, bottom)),
        ]
    if letter == "ㅎ":
        bar = y1 + pen * 1.1
        return [
            _stroke(pen, (middle_x, y1), (middle_x, bar)),
            _stroke(pen, (x1, bar), (x2, bar)),
            _ring((x1 + 1, bar + pen * 0.65, x2 - 1, y2), pen),
        ]
    raise KeyError(letter)


def _legs(x1: float, y1: float, x2: float, y2: float, pen: float, beside: bool) -> Strokes:
    """The two legs of ㅅ: a trunk that swings to the left foot and a leg to the right that leaves it."""
    centre = (x1 + x2) / 2
    height = y2 - y1
    foot = y2 - pen * 0.3
    fork = y1 + height * (0.55 if beside else 0.3)
    return [
        _stroke(pen, (centre, y1), (centre, fork, height * 0.3), (x1 + pen * 0.25, foot)),
        _stroke(pen, (centre, y1), (centre, fork, height * 0.3), (x2 - pen * 0.25, foot)),
    ]


_STANDING = "ㅏㅑㅓㅕㅣㅐㅔ"
_LYING = "ㅗㅛㅜㅠㅡ"
_MIXED = {"ㅘ": ("ㅗ", "ㅏ"), "ㅝ": ("ㅜ", "ㅓ"), "ㅚ": ("ㅗ", "ㅣ")}


def standing(vowel: str, x1: float, box: Rectangle, pen: float) -> Strokes:
    """A vertical vowel at the right of a box; ticks to the left begin at ``x1``."""
    _, y1, x2, y2 = box
    height = y2 - y1
    half = pen / 2
    tick = min(5.8, pen * 0.72)
    if vowel in "ㅏㅑ":
        stem = x2 - tick - half
        return [
            _stroke(pen, (stem, y1), (stem, y2)),
            _stroke(pen, (stem, y1 + height * 0.46), (x2, y1 + height * 0.46)),
        ]
    stem = x2 - half
    strokes = [_stroke(pen, (stem, y1), (stem, y2))]
    if vowel == "ㅓ":
        strokes.append(_stroke(pen, (x1, y1 + height * 0.42), (stem, y1 + height * 0.42)))
    elif vowel == "ㅕ":
        strokes.extend(_stroke(pen, (x1, y1 + height * f), (stem, y1 + height * f)) for f in (0.3, 0.62))
    elif vowel in "ㅐㅔ":
        other = stem - pen * 1.45
        strokes.append(_stroke(pen, (other, y1 + height * 0.03), (other, y2 - height * 0.03)))
        start, end = (other, stem) if vowel == "ㅐ" else (x1, other)
        strokes.append(_stroke(pen, (start, y1 + height * 0.45), (end, y1 + height * 0.45)))
    return strokes


def lying(vowel: str, box: Rectangle, pen: float) -> Strokes:
    """A horizontal vowel filling a box."""
    x1, y1, x2, y2 = box
    half = pen / 2
    below = vowel in "ㅜㅠ"
    bar = y1 + half if below else y2 - half
    ends = (bar, y2) if below else (y1, bar)
    strokes = [_stroke(pen, (x1, bar), (x2, bar))]
    places = {"ㅗ": (0.5,), "ㅜ": (0.5,), "ㅛ": (0.32, 0.68), "ㅠ": (0.3, 0.7), "ㅡ": ()}[vowel]
    strokes.extend(
        _stroke(pen, (x1 + (x2 - x1) * place, ends[0]), (x1 + (x2 - x1) * place, ends[1])) for place in places
    )
    return strokes


def _reach(vowel: str, pen: float, width: float) -> float:
    """Width that a vertical vowel's stems and outward ticks take."""
    if vowel in "ㅏㅑ":
        return pen + min(5.8, pen * 0.72)
    if vowel in "ㅐㅔ":
        return pen * 2.45
    return pen + (0.1 * width if vowel in "ㅓㅕ" else 0.0)


_BARS = {
    "ㄱ": 1,
    "ㄴ": 1,
    "ㄷ": 2,
    "ㄹ": 3,
    "ㅁ": 2,
    "ㅂ": 2,
    "ㅅ": 1.5,
    "ㅇ": 2,
    "ㅈ": 2,
    "ㅊ": 3,
    "ㅍ": 2,
    "ㅎ": 4,
}
_COLUMNS = {"ㄷ": 1.5, "ㄹ": 1.5, "ㅂ": 2, "ㅁ": 2, "ㅇ": 2, "ㅎ": 2, "ㅅ": 1.7, "ㅈ": 1.7}


def _thin_enough(initial: str, vowel: str, final: str, pen: float, width: float, height: float) -> float:
    """The pen, thinner where many strokes would run together."""
    bars = _BARS[initial] + _BARS.get(final, 0)
    bars += 1.3 if vowel in _LYING or vowel in "ㅘㅝ" else 0.4
    columns = _COLUMNS.get(initial, 1.2) + (2 if vowel in "ㅐㅔ" else 1.3)
    return min(pen, height / (bars * 1.8), width / (columns * 1.7))


def syllable(symbol: str, box: Rectangle, pen: float) -> Strokes:
    """Compose a syllable from its jamo.

    Args:
        symbol: the syllable.
        box: the ink box to fill, mm.
        pen: width of the strokes in mm.
    """
    initial, vowel, final = jamo(symbol)
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    pen = _thin_enough(initial, vowel, final, pen, width, height)
    strokes: Strokes = []
    lower = y2
    if final != " ":
        crowded = vowel in _LYING
        top = y1 + height * {"ㄹ": 0.56, "ㅇ": 0.6}.get(final, 0.68 if crowded else 0.64)
        lower = top - height * 0.03
        inset = 0.0 if final == "ㅇ" and crowded else width * 0.1
        strokes += consonant(
            final, (x1 + inset, top, x2 - inset * (0.2 if not crowded else 1), y2), pen, False
        )
    if vowel in _LYING:
        return strokes + _over(initial, vowel, (x1, y1, x2, lower), pen, final != " ")
    if vowel in _MIXED:
        flat, upright = _MIXED[vowel]
        edge = x2 - _reach(upright, pen, width) - pen * 0.25
        split = y1 + (lower - y1) * (0.5 if final != " " else 0.58)
        if vowel == "ㅝ":
            strokes.append(_stroke(pen, (x2 - pen / 2, y1), (x2 - pen / 2, lower + (y2 - lower) * 0.3)))
            tick = lower - pen * 0.5
            strokes.append(_stroke(pen, (x1 + width * 0.5, tick), (x2 - pen / 2, tick)))
        else:
            strokes += standing(upright, edge - pen * 0.8, (x1, y1, x2, lower), pen)
        strokes += consonant(initial, (x1 + width * 0.05, y1, edge - width * 0.05, split), pen, False)
        area = (x1, split + pen * 0.1, edge, lower - pen * 0.2)
        if initial == "ㄱ" and flat == "ㅗ":  # its leg takes the right half
            strokes += lying("ㅡ", area, pen)
            strokes.append(
                _stroke(pen, (x1 + (edge - x1) * 0.3, split - pen), (x1 + (edge - x1) * 0.3, area[3]))
            )
        else:
            strokes += lying(flat, area, pen)
        return strokes
    edge = x2 - _reach(vowel, pen, width) - pen * (0.4 if vowel in "ㅐㅔ" else 0.3)
    strokes += standing(vowel, edge - pen * 0.8, (x1, y1, x2, lower), pen)
    inset = 0.0 if final != " " else (lower - y1) * 0.03
    if initial in "ㄱㅅㅈㅊ":
        inset = 0.0
    foot = lower - inset * 2 - ((lower - y1) * 0.1 if vowel in "ㅏㅓ" and final == " " else 0.0)
    strokes += consonant(initial, (x1, y1 + inset, edge, foot), pen, True)
    return strokes


def _over(initial: str, vowel: str, box: Rectangle, pen: float, crowded: bool) -> Strokes:
    """A consonant above a horizontal vowel."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    share = {"ㅗ": 0.66, "ㅛ": 0.66, "ㅜ": 0.52, "ㅠ": 0.52, "ㅡ": 0.75}[vowel]
    if crowded:
        share = {"ㅊ": 0.62, "ㅂ": 0.5, "ㅇ": 0.5}.get(initial, 0.5)
    elif initial in "ㄱㅅㅈㅊㅇㅎ" and vowel == "ㅗ":
        share = max(share, 0.66)
    split = y1 + height * share
    wide = 0.0 if initial in "ㅅㅈㅊ" else width * 0.08
    strokes = consonant(initial, (x1 + wide, y1, x2 - wide, split), pen, False)
    start = split + (-pen * 0.3 if vowel in "ㅗㅛ" else pen * 0.2)
    return strokes + lying(vowel, (x1, start, x2, y2), pen)


def pair(symbols: str, box: Rectangle, pen: float, stacked: bool) -> Strokes:
    """A region's two syllables side by side, or one above the other."""
    x1, y1, x2, y2 = box
    if stacked:
        middle = (y1 + y2) / 2
        halves = ((x1, y1, x2, middle - 1), (x1, middle + 1, x2, y2))
    else:
        middle = (x1 + x2) / 2
        gap = pen * 0.35
        halves = ((x1, y1, middle - gap, y2), (middle + gap, y1, x2, y2))
    return [stroke for one, half in zip(symbols, halves, strict=True) for stroke in syllable(one, half, pen)]
