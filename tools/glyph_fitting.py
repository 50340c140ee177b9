"""Least squares between strokes and a picture."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.plates.glyphs import FACES, Face, decode, encode
from kplate.plates.strokes import Rectangle, Stroke, extent, outline

Strokes = tuple[Stroke, ...]
Floats = NDArray[np.float64]

LONGER_SIDE = 110
"""Pixels of the longer side of the ink while fitting."""

OVER = 3
BLURS = (4.0, 2.0, 1.0, 0.6)
ITERATIONS = 14
SPREAD = {"place": 10.0, "arc": 10.0, "width": 3.0, "cut": 3.0, "taper": 2.0}
"""How far, in pixels of the fit, a measure of each sort may be expected to move."""

PRIOR = 0.4


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture to fit: its face and symbol, its ink as 0..1 H x W, and the pixels a mm of its cell."""

    face: Face
    symbol: str
    ink: Floats
    scale_x: float
    scale_y: float


def ink_box(reference: Reference) -> Rectangle:
    """The tight box of the ink in mm."""
    rows, columns = np.flatnonzero(reference.ink.any(1)), np.flatnonzero(reference.ink.any(0))
    return (
        columns[0] / reference.scale_x,
        rows[0] / reference.scale_y,
        (columns[-1] + 1) / reference.scale_x,
        (rows[-1] + 1) / reference.scale_y,
    )


# --- measures: a glyph's strokes as a vector ------------------------------------------------------


class Measures:
    """The numbers of some strokes that may move, those that must stay equal tied together.

    Neighbouring nodes that share an x or a y in the template keep sharing it, so that bars stay level.
    """

    def __init__(self, strokes: Strokes, *, tie: bool = True) -> None:
        self.strokes = strokes
        self.names: list[str] = []
        self.slots: list[tuple[int, int, str]] = []
        self.index: list[int] = []
        self.owners: list[int] = []
        for number, stroke in enumerate(strokes):
            self._add_stroke(number, stroke, tie)
        self.start = self.pack(strokes)

    def _add_stroke(self, number: int, stroke: Stroke, tie: bool) -> None:
        for axis in ("x", "y"):
            made: dict[int, int] = {}
            for at, node in enumerate(stroke.nodes):
                value = getattr(node, axis)
                tied = None
                neighbours = [at - 1] if at else []
                if stroke.closed and at == len(stroke.nodes) - 1:
                    neighbours.append(0)
                for other in neighbours:
                    if tie and abs(getattr(stroke.nodes[other], axis) - value) < 1e-6:
                        tied = made[other]
                made[at] = tied if tied is not None else self._new(number, "place")
                self._slot(number, at, axis, made[at])
        for at, node in enumerate(stroke.nodes):
            for side in ("before", "after"):
                if getattr(node, side) > 0:
                    self._slot(number, at, side, self._new(number, "arc"))
        self._slot(number, -1, "vertical", self._new(number, "width"))
        self._slot(number, -1, "horizontal", self._new(number, "width"))
        if not stroke.closed:
            self._slot(number, -1, "cut_start", self._new(number, "cut"))
            self._slot(number, -1, "cut_end", self._new(number, "cut"))
            self._slot(number, -1, "taper", self._new(number, "taper"))

    def _new(self, number: int, name: str) -> int:
        self.names.append(name)
        self.owners.append(number)
        return len(self.names) - 1

    def _slot(self, number: int, at: int, field: str, index: int) -> None:
        self.slots.append((number, at, field))
        self.index.append(index)

    def pack(self, strokes: Strokes) -> Floats:
        """The vector of some strokes of this topology."""
        vector = np.zeros(len(self.names))
        for (number, at, field), index in zip(self.slots, self.index, strict=True):
            owner = strokes[number] if at < 0 else strokes[number].nodes[at]
            vector[index] = getattr(owner, field)
        return vector

    def unpack(self, vector: Floats) -> Strokes:
        """The strokes of a vector; lengths that cannot be negative are kept above zero."""
        values: dict[tuple[int, int], dict[str, Any]] = {}
        for (number, at, field), index in zip(self.slots, self.index, strict=True):
            value = float(vector[index])
            if field in ("before", "after"):
                value = max(value, 0.1)
            elif field in ("vertical", "horizontal"):
                value = max(value, 1.0)
            values.setdefault((number, at), {})[field] = value
        result = []
        for number, stroke in enumerate(self.strokes):
            nodes = tuple(
                replace(node, **values.get((number, at), {})) for at, node in enumerate(stroke.nodes)
            )
            result.append(replace(stroke, nodes=nodes, **values.get((number, -1), {})))
        return tuple(result)


# --- drawing and least squares --------------------------------------------------------------------


class Canvas:
    """Draws strokes as the fit sees them: the ink box and a margin, blurred."""

    def __init__(self, reference: Reference, radius: float) -> None:
        x1, y1, x2, y2 = ink_box(reference)
        self.scale = LONGER_SIDE / max(x2 - x1, y2 - y1)
        margin = 8 / self.scale
        self.x, self.y = x1 - margin, y1 - margin
        self.width = round((x2 - x1 + 2 * margin) * self.scale)
        self.height = round((y2 - y1 + 2 * margin) * self.scale)
        self.radius = radius
        to_canvas = np.array(
            [
                [self.scale / reference.scale_x, 0, -self.x * self.scale],
                [0, self.scale / reference.scale_y, -self.y * self.scale],
            ]
        )
        over = np.diag([OVER, OVER]) @ to_canvas
        size = (self.width * OVER, self.height * OVER)
        big = cv2.warpAffine(reference.ink.astype(np.float32), over, size, flags=cv2.INTER_AREA)
        self.target = cv2.resize(big, (self.width, self.height), interpolation=cv2.INTER_AREA)

    def layer(self, stroke: Stroke) -> NDArray[np.uint8]:
        """One stroke's coverage, oversampled."""
        layer = np.zeros((self.height * OVER, self.width * OVER), np.uint8)
        factor = self.scale * OVER * 16
        origin = np.array([self.x, self.y])
        contours = [
            np.rint((np.array(contour) - origin) * factor - 8).astype(np.int32)
            for contour in outline(stroke, self.radius)
        ]
        cv2.fillPoly(layer, contours, 255, cv2.LINE_8, 4)
        return layer

    def soft(self, layer: NDArray[np.uint8], blur: float) -> Floats:
        """A coverage at fit size, blurred, as a vector."""
        small = cv2.resize(layer, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), blur).ravel().astype(np.float64)

    def iou(self, strokes: Strokes) -> float:
        """Intersection over union with the target at fit size."""
        mine = np.max([self.layer(stroke) for stroke in strokes], axis=0)
        small = cv2.resize(mine, (self.width, self.height), interpolation=cv2.INTER_AREA) / 255
        return float(np.minimum(small, self.target).sum() / np.maximum(small, self.target).sum())


def fit(strokes: Strokes, reference: Reference, *, tie: bool = True) -> tuple[Strokes, float]:
    """Move strokes onto a picture; the strokes reached, in 0.1 mm, and their intersection over union."""
    canvas = Canvas(reference, FACES[reference.face].radius)
    measures = Measures(strokes, tie=tie)
    vector = measures.start.copy()
    spread = np.array([SPREAD[name] for name in measures.names]) / canvas.scale
    for blur in BLURS:
        vector = _descend(canvas, measures, vector, spread, blur)
    best = _tidy(measures.unpack(vector))
    return best, canvas.iou(best)


def _tidy(strokes: Strokes) -> Strokes:
    return tuple(decode(encode(stroke)) for stroke in strokes)


def _descend(canvas: Canvas, measures: Measures, vector: Floats, spread: Floats, blur: float) -> Floats:
    target = cv2.GaussianBlur(canvas.target.astype(np.float32), (0, 0), blur).ravel().astype(np.float64)
    damping, step = 1e-2, 0.5 / canvas.scale

    def evaluate(at: Floats) -> tuple[float, list[NDArray[np.uint8]], Floats]:
        layers = [canvas.layer(stroke) for stroke in measures.unpack(at)]
        residual = canvas.soft(np.max(layers, axis=0), blur) - target
        return (
            float(residual @ residual + PRIOR * np.sum(((at - measures.start) / spread) ** 2)),
            layers,
            residual,
        )

    cost, layers, residual = evaluate(vector)
    for _ in range(ITERATIONS):
        jacobian = _jacobian(canvas, measures, vector, layers, residual + target, step, blur)
        gradient = jacobian.T @ residual + PRIOR * (vector - measures.start) / spread**2
        normal = jacobian.T @ jacobian + np.diag(PRIOR / spread**2)
        for _ in range(5):
            move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
            move = np.clip(move, -6 / canvas.scale, 6 / canvas.scale)
            trial = evaluate(vector + move)
            if trial[0] < cost:
                break
            damping *= 4
        else:
            return vector
        gain = (cost - trial[0]) / cost
        vector, (cost, layers, residual) = vector + move, trial
        damping = max(damping / 4, 1e-4)
        if gain < 2e-3:
            break
    return vector


def _jacobian(
    canvas: Canvas,
    measures: Measures,
    vector: Floats,
    layers: list[NDArray[np.uint8]],
    drawn: Floats,
    step: float,
    blur: float,
) -> Floats:
    jacobian = np.zeros((drawn.size, vector.size))
    for number in range(len(layers)):
        others = np.zeros_like(layers[0])
        for index, layer in enumerate(layers):
            if index != number:
                others = np.maximum(others, layer)
        for column in [c for c, owner in enumerate(measures.owners) if owner == number]:
            moved = vector.copy()
            moved[column] += step
            layer = canvas.layer(measures.unpack(moved)[number])
            jacobian[:, column] = (canvas.soft(np.maximum(others, layer), blur) - drawn) / step
    return jacobian


def box_of(strokes: Strokes) -> Rectangle:
    """The tight box of some strokes' ink in mm."""
    return extent([outline(part) for part in strokes])
