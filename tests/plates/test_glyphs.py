"""Glyphs: complete, inside their cells, told apart, and like the plates' own lettering."""

import os
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kplate.plates.alphabet import ALPHABET, REGIONS
from kplate.plates.glyphs import Face, glyph, strokes_of
from kplate.plates.strokes import extent
from kplate.raster import glyph_mask

SYMBOLS = (*ALPHABET, *REGIONS)
SHARED = Path(os.environ.get("KPLATE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
CUT_OUTS = SHARED / "plates" / "glyphs"

FOLDERS = {
    "white_520x110_7char": (Face.LONG, Face.LONG),
    "white_520x110_8char_paint": (Face.PAINTED8, Face.PAINTED8),
    "white_520x110_8char_film": (Face.FILM, Face.FILM),
    "white_335x155": (Face.SHORT, Face.SHORT),
    "yellow_520x110": (Face.COMMERCIAL_LONG, Face.COMMERCIAL_LONG),
    "yellow_335x170": (Face.COMMERCIAL, Face.COMMERCIAL_UPPER),
    "green_region_335x170": (Face.GREEN_REGION, Face.GREEN_REGION_UPPER),
    "green_335x170": (Face.GREEN, Face.GREEN_UPPER),
}
"""Folder of cut-outs -> face of its ordinary glyphs, and of the upper line's small digits and regions."""


def iou(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    return float((ours & theirs).sum() / (ours | theirs).sum())


def cut_outs() -> list[tuple[Face, str, NDArray[np.bool_]]]:
    found = []
    for folder, (lower, upper) in FOLDERS.items():
        for path in sorted((CUT_OUTS / folder).glob("*.png")):
            symbol = path.stem.removesuffix("_1")
            face = upper if path.stem.endswith("_1") or len(symbol) == 2 else lower
            picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
            assert picture is not None
            found.append((face, symbol, picture < 128))
    return found


@pytest.mark.skipif(
    not CUT_OUTS.is_dir(), reason=f"no glyph cut-outs at {CUT_OUTS} (KPLATE_SHARED names the folder)"
)
def test_glyphs_cover_the_cut_outs(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {
        (face, symbol): iou(glyph_mask(symbol, face, ink.shape[1], ink.shape[0]) >= 128, ink)
        for face, symbol, ink in cut_outs()
    }
    by_face: dict[Face, list[float]] = defaultdict(list)
    for (face, _), score in scores.items():
        by_face[face].append(score)
    worst = sorted(scores.items(), key=lambda item: item[1])[:10]
    with capsys.disabled():
        print(f"\n{'face':20} glyphs   mean    min")
        for face, values in by_face.items():
            print(f"{face:20} {len(values):6} {np.mean(values):6.3f} {min(values):6.3f}")
        print(f"{'all':20} {len(scores):6} {np.mean(list(scores.values())):6.3f} {worst[0][1]:6.3f}")
        print("worst: " + ", ".join(f"{symbol} {face} {score:.3f}" for (face, symbol), score in worst))
    assert len(scores) == 373
    assert np.mean(list(scores.values())) >= 0.93
    assert all(np.mean(values) >= 0.93 for values in by_face.values())
    assert worst[0][1] >= 0.85


@pytest.mark.parametrize("face", list(Face))
def test_every_symbol_has_ink_inside_its_cell(face: Face) -> None:
    for symbol in SYMBOLS:
        drawn = glyph(symbol, face)
        x1, y1, x2, y2 = extent(drawn.shapes)
        slack = 0.05 * max(drawn.width, drawn.height)
        assert -slack <= x1 < x2 <= drawn.width + slack, (symbol, x1, x2)
        assert -slack <= y1 < y2 <= drawn.height + slack, (symbol, y1, y2)
        mask = glyph_mask(symbol, face, 60, 80)
        assert mask.shape == (80, 60)
        assert mask.dtype == np.uint8
        assert 0.04 < mask.mean() / 255 < 0.75, symbol


@pytest.mark.parametrize("face", list(Face))
def test_symbols_differ(face: Face) -> None:
    masks = np.stack([glyph_mask(symbol, face, 48, 48).ravel() for symbol in ALPHABET]) >= 128
    both = masks.astype(np.float32) @ masks.astype(np.float32).T
    sizes = masks.sum(1)
    overlap = both / (sizes[:, None] + sizes[None, :] - both)
    np.fill_diagonal(overlap, 0.0)
    first, second = np.unravel_index(overlap.argmax(), overlap.shape)
    assert overlap.max() < 0.95, (ALPHABET[first], ALPHABET[second])


def test_a_symbol_outside_the_alphabet_is_refused() -> None:
    with pytest.raises(KeyError, match="각"):
        glyph("각", Face.LONG)


def test_borrowed_glyphs_keep_the_pen() -> None:
    # 바 has a cut-out on commercial plates only; elsewhere it is moved, not stretched.
    widths = {round(stroke.vertical) for stroke in strokes_of("바", Face.SHORT)}
    assert widths <= {7, 8, 9, 10}
