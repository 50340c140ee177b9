"""Masks of glyphs: repeatable, to scale, tight."""

import cv2
import numpy as np

from kplate.plates.glyphs import Face, cell_of, glyph
from kplate.raster import glyph_mask, ink_mask


def test_drawing_is_repeatable() -> None:
    once = glyph_mask("가", Face.LONG, 96, 83)
    assert glyph_mask("가", Face.LONG, 96.2, 82.9) is once  # cached, rounded to whole pixels
    glyph.cache_clear()
    assert glyph("가", Face.LONG) == glyph("가", Face.LONG)
    assert not once.flags.writeable


def test_masks_scale_with_the_cell() -> None:
    cell = cell_of("8", Face.LONG)
    small = glyph_mask("8", Face.LONG, cell.width, cell.height)
    large = glyph_mask("8", Face.LONG, cell.width * 5, cell.height * 5)
    shrunk = cv2.resize(large, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small).mean() < 3
    assert abs(small.mean() - large.mean()) < 3
    assert set(np.unique(small)) - {0, 255}, "edges are anti-aliased"


def test_ink_mask_is_tight() -> None:
    mask = ink_mask("1", Face.LONG, 40)
    assert mask.shape[0] == 40
    assert mask.shape[1] < 25
    assert all(edge.max() > 0 for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
