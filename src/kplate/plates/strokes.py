"""Strokes: how a glyph is described, and how a description becomes filled outlines.

A stroke is a path of nodes drawn with a flat pen. A node is a corner, or, where it carries two tangent
lengths, a corner rounded by a conic arc (a quarter of an ellipse where the corner is square). The pen has one
width for vertical and one for horizontal travel, may widen or narrow along the path, and its two ends are cut
square or on the slope. A closed path is a ring. Everything is in millimetres, x to the right and y downwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

Point = tuple[float, float]
Contour = tuple[Point, ...]
Shape = tuple[Contour, ...]
Rectangle = tuple[float, float, float, float]
"""x1, y1, x2, y2 in mm."""

CORNER_RADIUS_MM = 1.2
"""Rounding of outer corners, 1 to 1.5 mm on the drawings of the notice."""

_ARC_STEPS = 10
_MITRE_LIMIT = 1.12
_ROUND_FROM_RADIANS = 0.45
_REFIT_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Node:
    """A point of a path, with the lengths on both sides over which its corner is rounded (0 = sharp)."""

    x: float
    y: float
    before: float = 0.0
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Stroke:
    """A path and its pen.

    Attributes:
        nodes: at least two nodes (three where closed).
        vertical: width in mm where the path runs vertically.
        horizontal: width in mm where it runs horizontally.
        taper: mm by which the far end is wider than the near end.
        cut_start: mm by which the left edge of the near end lies before its middle (0 = square cut).
        cut_end: mm by which the left edge of the far end lies beyond its middle.
        closed: whether the path returns to its first node, making a ring.
    """

    nodes: tuple[Node, ...]
    vertical: float
    horizontal: float
    taper: float = 0.0
    cut_start: float = 0.0
    cut_end: float = 0.0
    closed: bool = False


def _conic(start: Point, corner: Point, end: Point) -> list[Point]:
    """Sample the arc from start to end that keeps inside the corner, circular where both sides are equal."""
    ax, ay = start[0] - corner[0], start[1] - corner[1]
    bx, by = end[0] - corner[0], end[1] - corner[1]
    lengths = math.hypot(ax, ay) * math.hypot(bx, by)
    cosine = (ax * bx + ay * by) / lengths if lengths > 0 else -1.0
    weight = math.sqrt(max(0.0, (1.0 - cosine) / 2.0))
    points = []
    for step in range(_ARC_STEPS + 1):
        t = step / _ARC_STEPS
        p, q, r = (1 - t) * (1 - t), 2 * t * (1 - t) * weight, t * t
        total = p + q + r
        points.append(
            (
                (p * start[0] + q * corner[0] + r * end[0]) / total,
                (p * start[1] + q * corner[1] + r * end[1]) / total,
            )
        )
    return points


def _towards(start: Node, end: Node, distance: float) -> Point:
    length = math.hypot(end.x - start.x, end.y - start.y) or 1.0
    return start.x + (end.x - start.x) * distance / length, start.y + (end.y - start.y) * distance / length


def _path(stroke: Stroke) -> list[Point]:
    """Sample the middle line of a stroke; arcs that would overlap on a side share it in proportion."""
    nodes = stroke.nodes
    count = len(nodes)
    points: list[Point] = []
    for index, node in enumerate(nodes):
        inner = stroke.closed or 0 < index < count - 1
        if not inner or (node.before <= 0 and node.after <= 0):
            points.append((node.x, node.y))
            continue
        previous, following = nodes[index - 1], nodes[(index + 1) % count]
        back = math.hypot(node.x - previous.x, node.y - previous.y)
        ahead = math.hypot(node.x - following.x, node.y - following.y)
        before = min(node.before, back * node.before / max(node.before + previous.after, 1e-6))
        after = min(node.after, ahead * node.after / max(node.after + following.before, 1e-6))
        start, end = _towards(node, previous, before), _towards(node, following, after)
        points.extend(_conic(start, (node.x, node.y), end))
    tidy: list[Point] = []
    for point in points:
        if not tidy or math.dist(tidy[-1], point) > 1e-3:
            tidy.append(point)
    if stroke.closed and len(tidy) > 1 and math.dist(tidy[0], tidy[-1]) <= 1e-3:
        tidy.pop()
    return tidy


@dataclass(frozen=True, slots=True)
class _Side:
    """A straight piece of the middle line: its start, end, unit direction and half width."""

    start: Point
    end: Point
    dx: float
    dy: float
    half: float


def _sides(points: Sequence[Point], stroke: Stroke) -> list[_Side]:
    ends = [*points[1:], points[0]] if stroke.closed else points[1:]
    lengths = [math.dist(a, b) for a, b in zip(points, ends, strict=False)]
    total = sum(lengths) or 1.0
    sides, travelled = [], 0.0
    for a, b, length in zip(points, ends, lengths, strict=False):
        dx, dy = (b[0] - a[0]) / length, (b[1] - a[1]) / length
        width = stroke.vertical * dy * dy + stroke.horizontal * dx * dx
        width += stroke.taper * (travelled + length / 2) / total
        sides.append(_Side(a, b, dx, dy, max(width, 0.2) / 2))
        travelled += length
    return sides


def _join(first: _Side, second: _Side, sign: float) -> list[Point]:
    """The offset point or points where two pieces meet, on the left (sign 1) or right (-1) of the path."""
    cross = first.dx * second.dy - first.dy * second.dx
    x, y = first.end
    ax, ay = -first.dy * sign * first.half, first.dx * sign * first.half
    bx, by = -second.dy * sign * second.half, second.dx * sign * second.half
    if abs(cross) < 0.05:
        return [(x + (ax + bx) / 2, y + (ay + by) / 2)]
    # The offset lines (p + a + s*d1) and (p + b + t*d2) meet where s solves the 2x2 system.
    s = ((bx - ax) * second.dy - (by - ay) * second.dx) / cross
    outer = cross * sign < 0
    limit = _MITRE_LIMIT * max(first.half, second.half)
    if outer and s > limit:
        return [
            (x + ax + first.dx * limit, y + ay + first.dy * limit),
            (x + bx - second.dx * limit, y + by - second.dy * limit),
        ]
    if not outer and -s > min(math.dist(first.start, first.end), math.dist(second.start, second.end)) * 1.01:
        return [(x + (ax + bx) / 2, y + (ay + by) / 2)]
    return [(x + ax + first.dx * s, y + ay + first.dy * s)]


def _cap(side: _Side, at_start: bool, sign: float, cut: float) -> Point:
    x, y = side.start if at_start else side.end
    shift = -cut * sign if at_start else cut * sign
    return x - side.dy * sign * side.half + side.dx * shift, y + side.dx * sign * side.half + side.dy * shift


def _offset(sides: Sequence[_Side], stroke: Stroke, sign: float) -> list[Point]:
    edge: list[Point] = []
    if stroke.closed:
        for index, side in enumerate(sides):
            edge.extend(_join(sides[index - 1], side, sign))
        return _untangled([*edge, edge[0]], sides)[:-1]
    edge.append(_cap(sides[0], True, sign, stroke.cut_start))
    for first, second in pairwise(sides):
        edge.extend(_join(first, second, sign))
    edge.append(_cap(sides[-1], False, sign, stroke.cut_end))
    return _untangled(edge, sides)


def _untangled(edge: list[Point], sides: Sequence[_Side]) -> list[Point]:
    """Cut off the small loops that an edge makes inside an arc narrower than the pen."""
    steps = list(pairwise(edge))
    directions = [(side.dx, side.dy) for side in sides]
    if len(steps) == len(sides) and all(
        (b[0] - a[0]) * dx + (b[1] - a[1]) * dy >= 0
        for (a, b), (dx, dy) in zip(steps, directions, strict=True)
    ):
        return edge
    limit = 8 * max(side.half for side in sides)
    points = list(edge)
    result: list[Point] = []
    index = 0
    while index < len(points):
        result.append(points[index])
        for other in range(min(len(points) - 2, index + 3 * _ARC_STEPS), index + 1, -1):
            crossing = _crossing(points[index], points[index + 1], points[other], points[other + 1])
            if crossing and _length([crossing, *points[index + 1 : other + 1], crossing]) < limit:
                points[other] = crossing  # the rest of that piece may cross another one
                index = other - 1
                break
        index += 1
    return result


def _length(points: Sequence[Point]) -> float:
    return sum(math.dist(a, b) for a, b in pairwise(points))


def _crossing(a: Point, b: Point, c: Point, d: Point) -> Point | None:
    """Where the segments ab and cd cross, if they do."""
    rx, ry, sx, sy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    cross = rx * sy - ry * sx
    if abs(cross) < 1e-9:
        return None
    t = ((c[0] - a[0]) * sy - (c[1] - a[1]) * sx) / cross
    u = ((c[0] - a[0]) * ry - (c[1] - a[1]) * rx) / cross
    return (a[0] + t * rx, a[1] + t * ry) if 0 < t < 1 and 0 < u < 1 else None


def _rounded(contour: Sequence[Point], radius: float) -> Contour:
    """Round the corners of an outline that point outwards; inner corners stay sharp, as punched."""
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(contour, [*contour[1:], contour[0]], strict=True))
    result: list[Point] = []
    count = len(contour)
    for index, corner in enumerate(contour):
        before, after = contour[index - 1], contour[(index + 1) % count]
        ax, ay, bx, by = (
            corner[0] - before[0],
            corner[1] - before[1],
            after[0] - corner[0],
            after[1] - corner[1],
        )
        back, ahead = math.hypot(ax, ay), math.hypot(bx, by)
        turn = math.atan2(ax * by - ay * bx, ax * bx + ay * by)
        reach = min(radius * math.tan(min(abs(turn), 2.6) / 2), back / 2, ahead / 2)
        if turn * area <= 0 or abs(turn) < _ROUND_FROM_RADIANS or reach < 0.05:
            result.append(corner)
            continue
        start = (corner[0] - ax / back * reach, corner[1] - ay / back * reach)
        end = (corner[0] + bx / ahead * reach, corner[1] + by / ahead * reach)
        middle = ((start[0] + 2 * corner[0] + end[0]) / 4, (start[1] + 2 * corner[1] + end[1]) / 4)
        result.extend((start, middle, end))
    return tuple(result)


def outline(stroke: Stroke, radius: float = CORNER_RADIUS_MM) -> Shape:
    """Expand a stroke into the outline it covers.

    Args:
        stroke: the stroke, in mm.
        radius: rounding of outer corners in mm.

    Returns:
        One contour, or two for a ring (outer and inner), to be filled by the even-odd rule.
    """
    points = _path(stroke)
    sides = _sides(points, stroke)
    left, right = _offset(sides, stroke, 1.0), _offset(sides, stroke, -1.0)
    if stroke.closed:
        return (
            (_rounded(left, radius), _rounded(right, 0.0))
            if _area(left) > _area(right)
            else (
                _rounded(right, radius),
                _rounded(left, 0.0),
            )
        )
    return (_rounded([*left, *reversed(right)], radius),)


def _area(contour: Sequence[Point]) -> float:
    return (
        abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(contour, [*contour[1:], contour[0]], strict=True)))
        / 2
    )


def extent(shapes: Sequence[Shape]) -> tuple[float, float, float, float]:
    """The tight box (x1, y1, x2, y2) in mm around some shapes."""
    points = [point for shape in shapes for contour in shape for point in contour]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def refit(
    strokes: Sequence[Stroke], source: Rectangle, target: Rectangle, width_scale: float
) -> tuple[Stroke, ...]:
    """Move strokes from one ink box into another, keeping the pen a pen.

    The ink's own box is stretched as the source box is onto the target; widths are multiplied by one factor,
    so that a glyph made narrower does not get thin stems beside thick bars as a stretched picture would.

    Args:
        strokes: the strokes, in mm.
        source: the box (x1, y1, x2, y2) that they are laid out in.
        target: the box to lay them out in.
        width_scale: factor on every width.

    Returns:
        The strokes moved, in mm.
    """
    goal = extent([outline(stroke) for stroke in strokes])
    goal = (
        _along(goal[0], source[0], source[2], target[0], target[2]),
        _along(goal[1], source[1], source[3], target[1], target[3]),
        _along(goal[2], source[0], source[2], target[0], target[2]),
        _along(goal[3], source[1], source[3], target[1], target[3]),
    )
    moved = tuple(_repenned(stroke, width_scale) for stroke in strokes)
    for _ in range(_REFIT_ROUNDS):
        box = extent([outline(stroke) for stroke in moved])
        fx, fy = (goal[2] - goal[0]) / (box[2] - box[0]), (goal[3] - goal[1]) / (box[3] - box[1])
        ox, oy = (
            (goal[0] + goal[2]) / 2 - fx * (box[0] + box[2]) / 2,
            (goal[1] + goal[3]) / 2 - fy * (box[1] + box[3]) / 2,
        )
        moved = tuple(_moved(stroke, fx, fy, ox, oy) for stroke in moved)
    return moved


def _along(value: float, low: float, high: float, to_low: float, to_high: float) -> float:
    return to_low + (value - low) * (to_high - to_low) / (high - low)


def _repenned(stroke: Stroke, scale: float) -> Stroke:
    return replace(
        stroke,
        vertical=stroke.vertical * scale,
        horizontal=stroke.horizontal * scale,
        taper=stroke.taper * scale,
        cut_start=stroke.cut_start * scale,
        cut_end=stroke.cut_end * scale,
    )


def _moved(stroke: Stroke, fx: float, fy: float, ox: float, oy: float) -> Stroke:
    nodes = []
    for index, node in enumerate(stroke.nodes):
        previous, following = stroke.nodes[index - 1], stroke.nodes[(index + 1) % len(stroke.nodes)]
        before = node.before * _stretch(previous.x - node.x, previous.y - node.y, fx, fy)
        after = node.after * _stretch(following.x - node.x, following.y - node.y, fx, fy)
        nodes.append(Node(node.x * fx + ox, node.y * fy + oy, before, after))
    return replace(stroke, nodes=tuple(nodes))


def _stretch(dx: float, dy: float, fx: float, fy: float) -> float:
    length = math.hypot(dx, dy)
    return math.hypot(dx * fx, dy * fy) / length if length > 0 else 1.0
