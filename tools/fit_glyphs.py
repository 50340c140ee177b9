"""Fit the measures of our strokes to a folder of reference pictures and write ``glyph_strokes.json``.

Usage, for instance: ``python tools/fit_glyphs.py FOLDER_OF_CUT_OUTS``

The folder holds one folder a kind of plate and in it one picture a glyph, black on white, the size of the
glyph's cell; ``7.png`` is a digit, ``7_1.png`` the small digit of the upper line, ``서울.png`` a pair of
syllables. What a glyph is made of comes from ``glyph_digits.py`` and ``glyph_jamo.py``; only where its
strokes run and how wide they are is fitted, by least squares on blurred pictures, coarse to fine
(Levenberg-Marquardt with difference quotients: a glyph has some forty measures, and drawing it takes a
fraction of a millisecond). What the data file holds already is one of the first guesses, so that a second
run only improves it. Symbols without a picture are composed.
"""

import argparse
import json
from pathlib import Path

import cv2
import glyph_digits
import glyph_jamo
import numpy as np
from glyph_fitting import Canvas, Reference, Strokes, box_of, fit, ink_box

from kplate.plates.alphabet import ALPHABET, DIGITS, REGIONS
from kplate.plates.glyphs import FACES, Face, cell_of, decode, encode
from kplate.plates.strokes import Node, Rectangle, Stroke, refit

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


def starts(reference: Reference, fitted: dict[Face, dict[str, Strokes]]) -> list[Strokes]:
    """Some first guesses for a picture: the template, and what a sibling face came to."""
    box, spec, symbol = ink_box(reference), FACES[reference.face], reference.symbol
    guesses: list[Strokes] = []
    if symbol.isdecimal():
        own = tuple(glyph_digits.digit(symbol))
        guesses.append(refit(own, box_of(own), box, spec.digit_pen / 9.2))
        if symbol == "1" and reference.face.startswith("green"):  # a plain bar
            middle = (box[0] + box[2]) / 2
            bar = Stroke((Node(middle, box[1]), Node(middle, box[3])), box[2] - box[0], spec.digit_pen)
            return [(bar,)]
    elif len(symbol) == 2:
        guesses.append(_pair_start(reference, box))
    else:
        guesses.append(tuple(glyph_jamo.syllable(symbol, box, spec.pen)))
    for face in (Face.LONG, *spec.donors):
        sibling = fitted.get(face, {}).get(symbol)
        if sibling and face != reference.face and (len(symbol) == 1 or FACES[face].stacked == spec.stacked):
            pens = (
                (spec.digit_pen, FACES[face].digit_pen) if symbol.isdecimal() else (spec.pen, FACES[face].pen)
            )
            guesses.append(refit(sibling, box_of(sibling), box, pens[0] / pens[1]))
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
        strokes += glyph_jamo.syllable(symbol, half, spec.pair_pen)
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
            halves[place] = refit(best, box_of(best), box_of(own[place]), 1.0)
            guesses.append((*halves[0], *halves[1]))
    return guesses


def _halves(symbol: str, strokes: Strokes) -> tuple[Strokes, Strokes]:
    first = len(glyph_jamo.syllable(symbol[0], (0.0, 0.0, 100.0, 100.0), 8.0))
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
    fitted[Face.DIPLOMATIC] = {symbol: tuple(glyph_digits.diplomatic(symbol)) for symbol in DIGITS}
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
            glyphs[symbol] = refit(half, box_of(half), spec.hangul.ink, scale)
        else:
            own = glyph_jamo.syllable(symbol, spec.hangul.ink, spec.pen)
            glyphs[symbol] = refit(own, box_of(tuple(own)), spec.hangul.ink, 1.0)


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
