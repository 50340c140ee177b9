"""Shorthand for writing strokes down."""

from kplate.plates.strokes import Node, Rectangle, Stroke

Strokes = list[Stroke]


def stroke(
    pen: float | tuple[float, float],
    *nodes: tuple[float, ...],
    closed: bool = False,
    cuts: tuple[float, float] = (0.0, 0.0),
    taper: float = 0.0,
) -> Stroke:
    """A stroke through nodes (x, y), (x, y, rounding) or (x, y, before, after), in mm."""
    vertical, horizontal = pen if isinstance(pen, tuple) else (pen, pen)
    made = tuple(Node(*(node if len(node) != 3 else (*node, node[2]))) for node in nodes)
    return Stroke(made, vertical, horizontal, taper, *cuts, closed)


def ring(box: Rectangle, pen: float | tuple[float, float]) -> Stroke:
    """An elliptical ring filling a box."""
    vertical, horizontal = pen if isinstance(pen, tuple) else (pen, pen)
    x1, y1, x2, y2 = (
        box[0] + vertical / 2,
        box[1] + horizontal / 2,
        box[2] - vertical / 2,
        box[3] - horizontal / 2,
    )
    rx, ry = (x2 - x1) / 2, (y2 - y1) / 2
    return stroke(pen, (x1, y1, ry, rx), (x2, y1, rx, ry), (x2, y2, ry, rx), (x1, y2, rx, ry), closed=True)
