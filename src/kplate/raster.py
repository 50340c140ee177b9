"""Glyphs as anti-aliased masks."""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.plates.glyphs import Face, Glyph, glyph
from kplate.plates.strokes import extent

Mask = NDArray[np.uint8]
"""Coverage 0 to 255, H x W."""

_SHIFT = 4
_OVERSAMPLING = 4


def glyph_mask(symbol: str, face: Face, width_px: float, height_px: float) -> Mask:
    """Draw a glyph's whole cell stretched to a size.

    Args:
        symbol: a symbol of the alphabet or a region's two syllables.
        face: the hand to draw it in.
        width_px: width of the cell in pixels; the mask has the nearest whole number, at least 1.
        height_px: height of the cell in pixels.

    Returns:
        The coverage of each pixel, uint8 H x W, read-only because it is shared with later calls.

    Raises:
        KeyError: where no face describes the symbol.
    """
    return _cell_mask(symbol, Face(face), max(1, round(width_px)), max(1, round(height_px)))


def ink_mask(symbol: str, face: Face, height_px: float) -> Mask:
    """Draw a glyph's ink alone, cut tight and in its own proportions, as for labels on pictures.

    Args:
        symbol: a symbol of the alphabet or a region's two syllables.
        face: the hand to draw it in.
        height_px: height of the ink in pixels.

    Returns:
        The coverage of each pixel, uint8 H x W, read-only.

    Raises:
        KeyError: where no face describes the symbol.
    """
    return _tight_mask(symbol, Face(face), max(1, round(height_px)))


@lru_cache(maxsize=8192)
def _cell_mask(symbol: str, face: Face, width: int, height: int) -> Mask:
    drawn = glyph(symbol, face)
    return _draw(drawn, (0.0, 0.0, drawn.width, drawn.height), width, height)


@lru_cache(maxsize=1024)
def _tight_mask(symbol: str, face: Face, height: int) -> Mask:
    drawn = glyph(symbol, face)
    box = extent(drawn.shapes)
    width = max(1, math.ceil((box[2] - box[0]) * height / (box[3] - box[1])))
    return _draw(drawn, box, width, height)


def _draw(drawn: Glyph, box: tuple[float, float, float, float], width: int, height: int) -> Mask:
    """Fill the shapes at several times the size and average down."""
    over = _OVERSAMPLING if max(width, height) <= 400 else 2
    scale_x = width * over / (box[2] - box[0])
    scale_y = height * over / (box[3] - box[1])
    scale = np.array([scale_x, scale_y]) * (1 << _SHIFT)
    # Pixel centres are whole numbers to fillPoly, hence the half pixel.
    offset = np.array([-box[0] * scale_x - 0.5, -box[1] * scale_y - 0.5]) * (1 << _SHIFT)
    canvas = np.zeros((height * over, width * over), np.uint8)
    for shape in drawn.shapes:
        contours = [np.rint(np.array(contour) * scale + offset).astype(np.int32) for contour in shape]
        cv2.fillPoly(canvas, contours, 255, cv2.LINE_8, _SHIFT)
    mask = np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    mask.flags.writeable = False
    return mask
