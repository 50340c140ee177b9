"""How each digit is built of strokes, before its measures are fitted."""

from collections.abc import Callable
from dataclasses import replace

from glyph_pen import Strokes, ring, stroke

from kplate.plates.strokes import Node, Stroke

# --- digits, in the long plate's cell of 56 x 83 mm -----------------------------------------------

_V, _H = 9.5, 8.9
_PEN = (_V, _H)


def digit(symbol: str) -> Strokes:
    """The strokes of a digit in mm in the long plate's digit cell."""
    return _DIGITS[symbol]()


def _zero() -> Strokes:
    x1, x2, y1, y2 = 12.2, 43.7, 8.6, 74.6
    return [
        stroke(
            _PEN, (x1, y1, 16, 15.7), (x2, y1, 15.7, 16), (x2, y2, 16, 15.7), (x1, y2, 15.7, 16), closed=True
        )
    ]


def _one() -> Strokes:
    return [
        stroke((9.7, 8.3), (31.5, 4.3), (31.5, 78.5)),
        stroke((9.7, 8.3), (10.6, 17.0), (22.0, 16.5, 6.0), (28.0, 8.0)),
    ]


def _two() -> Strokes:
    return [
        stroke(
            _PEN,
            (12.7, 26.0),
            (12.7, 8.3, 16, 15),
            (43.0, 8.3, 15, 16),
            (43.0, 34.0, 9, 9),
            (13.0, 74.0),
        ),
        stroke(_PEN, (8.0, 74.2), (48.0, 74.2)),
    ]


def _three() -> Strokes:
    return [
        stroke(_PEN, (8.0, 10.1), (42.0, 10.1), (26.5, 37.0)),
        stroke(
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
        stroke((9.5, 8.6), (41.0, 4.6), (41.0, 78.5)),
        stroke((9.5, 8.6), (37.0, 7.0), (9.0, 62.0)),
        stroke((9.5, 8.6), (4.0, 64.5), (52.0, 64.5)),
    ]


def _five() -> Strokes:
    return [
        stroke(_PEN, (45.5, 9.8), (13.5, 9.8), (11.5, 44.0)),
        stroke(
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
        ring((5.7, 34.5, 50.3, 79.3), _PEN),
        stroke((10.0, 10.0), (32.5, 5.0), (11.5, 50.0), cuts=(4.5, 0.0)),
    ]


def _seven() -> Strokes:
    return [stroke(_PEN, (10.5, 23.0), (10.5, 9.6), (44.0, 9.6), (21.5, 78.0), cuts=(0.0, -3.0))]


def _eight() -> Strokes:
    return [ring((8.0, 4.1, 48.0, 41.5), _PEN), ring((6.0, 35.0, 50.0, 79.1), _PEN)]


def _nine() -> Strokes:
    return [
        ring((6.2, 4.1, 49.8, 47.5), _PEN),
        stroke((10.0, 10.0), (44.0, 33.0), (22.5, 78.0), cuts=(0.0, -4.5)),
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
        return [_turned(part) for part in diplomatic("6")]
    return _DIPLOMATIC[symbol]


def _turned(part: Stroke) -> Stroke:
    nodes = tuple(Node(39.5 - node.x, 65.0 - node.y, node.before, node.after) for node in part.nodes)
    return replace(part, nodes=nodes)


_DIPLOMATIC: dict[str, Strokes] = {
    "0": [
        stroke(
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
        stroke(9.9, (25.4, 0.0), (25.4, 62.0)),
        stroke(10.5, (0.0, 59.75), (39.5, 59.75)),
        stroke((9.0, 6.5), (3.1, 13.2), (18.0, 13.2, 8, 8), (24.0, 3.0)),
    ],
    "2": [
        stroke(
            (10.7, 10.5),
            (5.4, 20.5),
            (5.4, 5.25, 14, 14),
            (34.2, 5.25, 14, 14),
            (34.2, 27.0, 8, 8),
            (4.5, 58.0),
        ),
        stroke(10.5, (0.0, 59.75), (39.5, 59.75)),
    ],
    "3": [
        stroke(10.0, (2.5, 5.0), (34.0, 5.0), (11.5, 29.5), cuts=(0.0, -5.6)),
        stroke(
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
        stroke(10.0, (19.8, 0.5), (5.0, 47.0), cuts=(-1.5, 0.0)),
        stroke(10.0, (0.0, 49.5), (39.5, 49.5)),
        stroke(10.0, (27.0, 26.0), (27.0, 65.0)),
    ],
    "5": [
        stroke((10.0, 9.0), (36.5, 4.5), (17.5, 4.5), (7.5, 31.5), cuts=(0.0, 1.9)),
        stroke(
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
        stroke(
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
        stroke(10.0, (0.0, 5.0), (39.5, 5.0)),
        stroke(12.0, (32.0, 8.5), (12.5, 30.0, 16, 20), (10.8, 65.0), cuts=(3.0, 0.0)),
    ],
    "8": [ring((0.7, 0.0, 38.7, 33.0), (10.5, 8.8)), ring((0.0, 24.0, 39.5, 65.0), (10.5, 8.8))],
}
