"""Fit the measures of our strokes to a folder of reference pictures and write ``glyph_strokes.json``.

Usage, for instance: ``python tools/fit_glyphs.py ../shared/plates/glyphs``

The folder holds one folder a kind of plate and in it one picture a glyph, black on white, the size of the
glyph's cell; ``7.png`` is a digit, ``7_1.png`` the small digit of the upper line, ``서울.png`` a pair of
syllables. What a glyph is made of comes from ``glyph_templates.py``; only where its strokes run and how
wide they are is fitted, by least squares on blurred pictures, coarse to fine (Levenberg-Marquardt with
difference quotients: a glyph has some forty measures, and drawing it takes a fraction of a millisecond).
What the data file holds already is one of the first guesses, so that a second run only improves it.
Symbols without a picture are composed.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))
import glyph_templates as templates

from kplate.plates.alphabet import ALPHABET, DIGITS, REGIONS
from kplate.plates.glyphs import FACES, Face, cell_of, decode, encode
from kplate.plates.strokes import Node, Rectangle, Stroke, extent, outline, refit

Strokes = tuple[Stroke, ...]
Floats = NDArray[np.float64]

DATA = Path(__file__).resolve().parents[1] / "src/kplate/plates/glyph_strokes.json"

FOLDERS: dict[str, tuple[Face, Face]] = {
    "white_520x110_7char": (Face.LONG, Face.LONG),
    "white_520x110_8char_paint": (Face.PAINTED8, Face.PAINTED8),
    "white_520x110_8char_film": (Face.FILM, Face.FILM),
    "white_335x155": (Face.SHORT, Face.SHORT),
    "yellow_520x110": (Face.COMMERCIAL_LONG, Face.COMMERCIAL_LONG),
    "yellow_335x170": (Face.COMMERCIAL, Face.COMMERCIAL_UPPER),
    "green_region_335x170": (Face.GREEN_REGION, Face.GREEN_REGION_UPPER),
    "green_335x170": (Face.GREEN, Face.GREEN_UPPER),
}
"""Folder -> face of its pictures, and of those of the upper line (small digits and pairs of syllables)."""

SAME = {Face.GREEN: Face.GREEN_REGION, Face.GREEN_UPPER: Face.GREEN_REGION_UPPER}
"""Faces that repeat the pictures of another, but for a few."""

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


def read_references(folder: Path) -> list[Reference]:
    """Read every picture of the folder, largest face first."""
    references = []
    for name, (lower, upper) in FOLDERS.items():
        for path in sorted((folder / name).glob("*.png")):
            picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
            if picture is None:
                raise SystemExit(f"{path}: not a picture")
            symbol = path.stem.removesuffix("_1")
            face = upper if path.stem.endswith("_1") or len(symbol) == 2 else lower
            cell = cell_of(symbol, face)
            ink = (picture < 128).astype(np.float64)
            references.append(
                Reference(face, symbol, ink, ink.shape[1] / cell.width, ink.shape[0] / cell.height)
            )
    return references


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


# --- where to begin -------------------------------------------------------------------------------


def _box_of(strokes: Strokes) -> Rectangle:
    return extent([outline(stroke) for stroke in strokes])


def starts(reference: Reference, fitted: dict[Face, dict[str, Strokes]]) -> list[Strokes]:
    """Some first guesses for a picture: the template, and what a sibling face came to."""
    box, spec, symbol = ink_box(reference), FACES[reference.face], reference.symbol
    guesses: list[Strokes] = []
    if symbol.isdecimal():
        own = tuple(templates.digit(symbol))
        guesses.append(refit(own, _box_of(own), box, spec.digit_pen / 9.2))
        if symbol == "1" and reference.face.startswith("green"):  # a plain bar
            middle = (box[0] + box[2]) / 2
            bar = Stroke((Node(middle, box[1]), Node(middle, box[3])), box[2] - box[0], spec.digit_pen)
            return [(bar,)]
    elif len(symbol) == 2:
        guesses.append(_pair_start(reference, box))
    else:
        guesses.append(tuple(templates.syllable(symbol, box, spec.pen)))
    for face in (Face.LONG, *spec.donors):
        sibling = fitted.get(face, {}).get(symbol)
        if sibling and face != reference.face and (len(symbol) == 1 or FACES[face].stacked == spec.stacked):
            pens = (
                (spec.digit_pen, FACES[face].digit_pen) if symbol.isdecimal() else (spec.pen, FACES[face].pen)
            )
            guesses.append(refit(sibling, _box_of(sibling), box, pens[0] / pens[1]))
    return guesses


def _pair_start(reference: Reference, box: Rectangle) -> Strokes:
    """Two syllables, parted where the picture has least ink about its middle."""
    spec = FACES[reference.face]
    ink = reference.ink.sum(1 if spec.stacked else 0)
    low, high, scale = (
        (box[1], box[3], reference.scale_y) if spec.stacked else (box[0], box[2], reference.scale_x)
    )
    first, last = round((low + 0.38 * (high - low)) * scale), round((low + 0.62 * (high - low)) * scale)
    quiet = np.flatnonzero(ink[first:last] <= ink[first:last].min())
    part_low, part_high = (first + quiet[0]) / scale, (first + quiet[-1] + 1) / scale
    if spec.stacked:
        halves = ((box[0], box[1], box[2], part_low), (box[0], part_high, box[2], box[3]))
    else:
        halves = ((box[0], box[1], part_low, box[3]), (part_high, box[1], box[2], box[3]))
    strokes: list[Stroke] = []
    for symbol, half in zip(reference.symbol, halves, strict=True):
        strokes += templates.syllable(symbol, half, spec.pair_pen)
    return tuple(strokes)


def pair_starts(
    reference: Reference, fitted: dict[Face, dict[str, Strokes]], quality: dict[tuple[Face, str], float]
) -> list[Strokes]:
    """First guesses for a region from the same syllables in the face's other regions, one a syllable."""
    own = _halves(reference.symbol, fitted[reference.face][reference.symbol])
    guesses = []
    for place, syllable in enumerate(reference.symbol):
        others = [
            (quality.get((reference.face, symbol), 0.0), _halves(symbol, strokes)[symbol.index(syllable)])
            for symbol, strokes in fitted[reference.face].items()
            if len(symbol) == 2 and symbol != reference.symbol and syllable in symbol
        ]
        if others:
            best = max(others, key=lambda pair: pair[0])[1]
            halves = list(own)
            halves[place] = refit(best, _box_of(best), _box_of(own[place]), 1.0)
            guesses.append((*halves[0], *halves[1]))
    return guesses


def _halves(symbol: str, strokes: Strokes) -> tuple[Strokes, Strokes]:
    first = len(templates.syllable(symbol[0], (0.0, 0.0, 100.0, 100.0), 8.0))
    return strokes[:first], strokes[first:]


def own_pictures(references: list[Reference]) -> list[Reference]:
    """The pictures without those that only repeat another face's."""
    kept: dict[tuple[Face, str], Reference] = {}
    for reference in references:
        twin = SAME.get(reference.face)
        if twin == Face.GREEN_REGION_UPPER and not reference.symbol.isdecimal():
            twin = Face.GREEN_REGION
        original = kept.get((twin, reference.symbol)) if twin else None
        if original is None or not np.array_equal(original.ink, reference.ink):
            kept[reference.face, reference.symbol] = reference
    return list(kept.values())


def improve(
    reference: Reference,
    guesses: list[Strokes],
    fitted: dict[Face, dict[str, Strokes]],
    quality: dict[tuple[Face, str], float],
) -> None:
    """Fit from each guess, and from what is there already; keep the best."""
    glyphs = fitted.setdefault(reference.face, {})
    tie = not reference.face.startswith("green")
    tried = [fit(guess, reference, tie=tie) for guess in guesses]
    current = glyphs.get(reference.symbol)
    if current is not None:
        tried.append((current, Canvas(reference, FACES[reference.face].radius).iou(current)))
    strokes, iou = max(tried, key=lambda pair: pair[1])
    glyphs[reference.symbol] = strokes
    quality[reference.face, reference.symbol] = iou
    print(f"{reference.face:20} {reference.symbol} {iou:.3f}  " + " ".join(f"{t[1]:.3f}" for t in tried))


def main() -> None:
    """Fit everything and write the data file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the folder of reference pictures")
    parser.add_argument("--only", default="", help="faces to fit, separated by commas; the others are kept")
    parser.add_argument(
        "--symbols", default="", help="symbols to fit, separated by commas; the others are kept"
    )
    parser.add_argument("--out", type=Path, default=DATA)
    arguments = parser.parse_args()
    only = {Face(name) for name in arguments.only.split(",") if name} or set(Face)
    chosen = {name for name in arguments.symbols.split(",") if name}
    fitted = load(arguments.out)
    pictures = own_pictures(read_references(arguments.folder))
    pictured = {(reference.face, reference.symbol) for reference in pictures}
    references = [
        reference
        for reference in pictures
        if reference.face in only and (not chosen or reference.symbol in chosen)
    ]
    quality: dict[tuple[Face, str], float] = {}
    for reference in references:
        improve(reference, starts(reference, fitted), fitted, quality)
    for reference in references:  # a syllable may have come out better in another region's name
        if len(reference.symbol) == 2 and quality[reference.face, reference.symbol] < 0.965:
            improve(reference, pair_starts(reference, fitted, quality), fitted, quality)
    compose(fitted, pictured)
    save(fitted, arguments.out)


def load(path: Path) -> dict[Face, dict[str, Strokes]]:
    """Read a data file; an absent one is empty."""
    if not path.exists():
        return {}
    data = json.loads(path.read_text(encoding="utf-8"))
    return {
        Face(face): {symbol: tuple(decode(row) for row in rows) for symbol, rows in glyphs.items()}
        for face, glyphs in data.items()
    }


def compose(fitted: dict[Face, dict[str, Strokes]], pictured: set[tuple[Face, str]]) -> None:
    """Give the long face what has no picture: syllables out of region names, the others from the templates.

    Also the diplomatic digits, which are drawn from the dimensions of annex 8.
    """
    fitted[Face.DIPLOMATIC] = {symbol: tuple(templates.diplomatic(symbol)) for symbol in DIGITS}
    spec, pairs = FACES[Face.LONG], fitted.get(Face.COMMERCIAL_UPPER, {})
    glyphs = fitted.setdefault(Face.LONG, {})
    for symbol in ALPHABET:
        glyphs_elsewhere = any((face, symbol) in pictured for face in (Face.LONG, *spec.donors))
        if glyphs_elsewhere:
            if (Face.LONG, symbol) not in pictured:
                glyphs.pop(symbol, None)
            continue
        names = [name for name in pairs if symbol in name and (Face.COMMERCIAL_UPPER, name) in pictured]
        if names:
            half = _halves(names[0], pairs[names[0]])[names[0].index(symbol)]
            scale = spec.pen / FACES[Face.COMMERCIAL_UPPER].pair_pen
            glyphs[symbol] = refit(half, _box_of(half), spec.hangul.ink, scale)
        else:
            glyphs[symbol] = tuple(templates.syllable(symbol, spec.hangul.ink, spec.pen))


def save(fitted: dict[Face, dict[str, Strokes]], path: Path) -> None:
    """Write the data file, a line a glyph."""
    order = {symbol: index for index, symbol in enumerate([*ALPHABET, *REGIONS])}
    faces = []
    for face in Face:
        glyphs = sorted(fitted.get(face, {}).items(), key=lambda item: order[item[0]])
        if glyphs:
            lines = [
                f'  "{symbol}": {json.dumps([encode(s) for s in strokes], separators=(",", ":"))}'
                for symbol, strokes in glyphs
            ]
            faces.append(f'"{face}": {{\n' + ",\n".join(lines) + "\n}")
    path.write_text("{\n" + ",\n".join(faces) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
