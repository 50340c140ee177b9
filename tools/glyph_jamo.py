"""How each syllable is built of strokes, before its measures are fitted.

A syllable is composed from its jamo: ``syllable`` divides the ink box among consonant, vowel and final, and
each jamo fills its share.
"""

from dataclasses import replace

from glyph_pen import Strokes, ring, stroke

from kplate.plates.strokes import Rectangle

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


def jamo(syllable: str) -> tuple[str, str, str]:
    """Split a syllable into initial, vowel and final (a space where there is none)."""
    index = ord(syllable) - 0xAC00
    return _INITIALS[index // 588], _VOWELS[index % 588 // 28], _FINALS[index % 28]


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
        return [stroke(pen, (x1, top), (right, top), (right, deep, *reach), (x1 + 1, bottom))]
    if letter == "ㄱ":  # the leg leans in a little
        sway = min(1.5, (y2 - top) * 0.05)
        bow = (y2 - top) * 0.3
        return [
            stroke(
                pen,
                (x1, top),
                (right, top),
                (right - sway * 0.2, top + bow * 1.7, bow, bow),
                (right - sway, y2),
            )
        ]
    if letter == "ㄴ":
        return [stroke(pen, (left, y1), (left, bottom, bend), (x2, bottom))]
    if letter == "ㄷ":
        short = x2 - (x2 - x1) * 0.14 if beside else x2
        return [stroke(pen, (short, top), (left, top), (left, bottom, bend), (x2, bottom))]
    if letter == "ㄹ":
        return [
            stroke(
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
        return [stroke(pen, (left, top), (right, top), (right, bottom), (left, bottom, 1.5), closed=True)]
    if letter == "ㅂ":
        waist = y1 + (y2 - y1) * 0.45
        return [
            stroke(pen, (left, y1), (left, bottom, 2.0), (right, bottom, 1.0), (right, y1)),
            stroke(pen, (left, waist), (right, waist)),
        ]
    if letter == "ㅅ":
        return _legs(x1, y1, x2, y2, pen, beside)
    if letter == "ㅇ":
        return [ring(box, pen)]
    if letter == "ㅈ":
        inset = (x2 - x1) * 0.08
        return [stroke(pen, (x1 + inset, top), (x2 - inset, top)), *_legs(x1, top, x2, y2, pen, beside)]
    if letter == "ㅊ":
        return [
            stroke(pen, (middle_x, y1), (middle_x, top + pen)),
            *consonant("ㅈ", (x1, y1 + pen * 0.75, x2, y2), pen, beside),
        ]
    if letter == "ㅍ":
        inset = (x2 - x1) * 0.28
        return [
            stroke(pen, (x1, top), (x2, top)),
            stroke(pen, (x1, bottom), (x2, bottom)),
            stroke(pen, (x1 + inset, top), (x1 + inset, bottom)),
            stroke(pen, (x2 - inset, top), (x2 - inset, bottom)),
        ]
    if letter == "ㅎ":
        bar = y1 + pen * 1.1
        return [
            stroke(pen, (middle_x, y1), (middle_x, bar)),
            stroke(pen, (x1, bar), (x2, bar)),
            ring((x1 + 1, bar + pen * 0.65, x2 - 1, y2), pen),
        ]
    raise KeyError(letter)


def _legs(x1: float, y1: float, x2: float, y2: float, pen: float, beside: bool) -> Strokes:
    """The two legs of ㅅ: a trunk that swings to the left foot and a leg to the right that leaves it."""
    centre = (x1 + x2) / 2
    height = y2 - y1
    foot = y2 - pen * 0.3
    fork = y1 + height * (0.55 if beside else 0.3)
    return [
        stroke(pen, (centre, y1), (centre, fork, height * 0.3), (x1 + pen * 0.25, foot)),
        stroke(pen, (centre, y1), (centre, fork, height * 0.3), (x2 - pen * 0.25, foot)),
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
            stroke(pen, (stem, y1), (stem, y2)),
            stroke(pen, (stem, y1 + height * 0.46), (x2, y1 + height * 0.46)),
        ]
    stem = x2 - half
    strokes = [stroke(pen, (stem, y1), (stem, y2))]
    if vowel == "ㅓ":
        strokes.append(stroke(pen, (x1, y1 + height * 0.42), (stem, y1 + height * 0.42)))
    elif vowel == "ㅕ":
        strokes.extend(stroke(pen, (x1, y1 + height * f), (stem, y1 + height * f)) for f in (0.3, 0.62))
    elif vowel in "ㅐㅔ":
        other = stem - pen * 1.45
        strokes.append(stroke(pen, (other, y1 + height * 0.03), (other, y2 - height * 0.03)))
        start, end = (other, stem) if vowel == "ㅐ" else (x1, other)
        strokes.append(stroke(pen, (start, y1 + height * 0.45), (end, y1 + height * 0.45)))
    return strokes


def lying(vowel: str, box: Rectangle, pen: float) -> Strokes:
    """A horizontal vowel filling a box."""
    x1, y1, x2, y2 = box
    half = pen / 2
    below = vowel in "ㅜㅠ"
    bar = y1 + half if below else y2 - half
    ends = (bar, y2) if below else (y1, bar)
    strokes = [stroke(pen, (x1, bar), (x2, bar))]
    places = {"ㅗ": (0.5,), "ㅜ": (0.5,), "ㅛ": (0.3, 0.62), "ㅠ": (0.3, 0.7), "ㅡ": ()}[vowel]
    strokes.extend(
        stroke(pen, (x1 + (x2 - x1) * place, ends[0]), (x1 + (x2 - x1) * place, ends[1])) for place in places
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


def _thin_enough(symbol: str, pen: float, width: float, height: float) -> tuple[float, float]:
    """The pen's widths going down and across, thinner where many strokes would run together."""
    initial, vowel, final = jamo(symbol)
    bars = _BARS[initial] + _BARS.get(final, 0)
    bars += 1.3 if vowel in _LYING or vowel in "ㅘㅝ" else 0.4
    columns = _COLUMNS.get(initial, 1.2) + (2 if vowel in "ㅐㅔ" else 1.3)
    return min(pen, width / (columns * 1.6)), min(pen, height / (bars * 2.0))


def syllable(symbol: str, box: Rectangle, pen: float) -> Strokes:
    """Compose a syllable from its jamo.

    Args:
        symbol: the syllable.
        box: the ink box to fill, mm.
        pen: width of the strokes in mm.
    """
    vertical, horizontal = _thin_enough(symbol, pen, box[2] - box[0], box[3] - box[1])
    strokes = _composed(symbol, box, min(vertical, horizontal))
    return [replace(part, vertical=vertical, horizontal=horizontal) for part in strokes]


def _composed(symbol: str, box: Rectangle, pen: float) -> Strokes:
    initial, vowel, final = jamo(symbol)
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
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
            strokes.append(stroke(pen, (x2 - pen / 2, y1), (x2 - pen / 2, lower + (y2 - lower) * 0.3)))
            tick = lower - pen * 0.5
            strokes.append(stroke(pen, (x1 + width * 0.5, tick), (x2 - pen / 2, tick)))
        else:
            strokes += standing(upright, edge - pen * 0.8, (x1, y1, x2, lower), pen)
        strokes += consonant(initial, (x1 + width * 0.05, y1, edge - width * 0.05, split), pen, False)
        area = (x1, split + pen * 0.1, edge, lower - pen * 0.2)
        if initial == "ㄱ" and flat == "ㅗ":  # its leg takes the right half
            strokes += lying("ㅡ", area, pen)
            strokes.append(
                stroke(pen, (x1 + (edge - x1) * 0.3, split - pen), (x1 + (edge - x1) * 0.3, area[3]))
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
    return [part for one, half in zip(symbols, halves, strict=True) for part in syllable(one, half, pen)]
