"""Draws number plates seen straight on: ground, border, glyphs, hardware, embossing, wear and dirt."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.plates.alphabet import ALPHABET
from kplate.plates.glyphs import Face
from kplate.plates.kinds import ELECTRIC_KINDS, Kind
from kplate.plates.layouts import (
    EV_BLUE,
    FILM_WHITE,
    GREEN,
    LAYOUTS,
    LIGHT_GREEN,
    WHITE,
    YELLOW,
    Cell,
    Colours,
    Layout,
    Role,
)
from kplate.raster import glyph_mask
from kplate.synth import details
from kplate.synth.texts import sample_kind, sample_text

Mask = NDArray[np.uint8]
Boxes = NDArray[np.float32]

#: Where a ground's colour drifts to before cameras on streets: film is seen far more saturated than it is
#: specified, and green paint runs from leaf green to turquoise.
_ON_THE_STREET: Final = {GREEN: (10, 130, 110), EV_BLUE: (70, 165, 235), LIGHT_GREEN: (95, 150, 45)}
#: How much more freely than today's plates older ones were made: several makers, no drawing with dimensions.
_LOOSE: Final = {
    Kind.GREEN: 2.6,
    Kind.GREEN_REGION: 2.6,
    Kind.CONSTRUCTION_OLD: 2.6,
    Kind.MOTORCYCLE_OLD: 2.0,
    Kind.MILITARY: 2.0,
    Kind.COMMERCIAL_SHORT: 1.5,
    Kind.COMMERCIAL_LARGE: 1.5,
}
_HANGUL: Final = tuple(symbol for symbol in ALPHABET if not symbol.isdigit())
#: How far parts of glyphs move in plates of another maker's tools, as a share of the glyph.
_OTHER_HAND: Final = 0.016
#: Kinds whose letter stands at the left of the serial and had no fixed size.
_FREE_LETTER: Final = frozenset({Kind.GREEN_REGION, Kind.CONSTRUCTION_OLD})
#: Radius of a plate's corners and of its border line, in mm (annexes 1 to 6).
_CORNER_RADIUS: Final = 12.0
_BORDER_RADIUS: Final = 10.0


@dataclass(frozen=True, slots=True)
class PlateImage:
    """A plate seen straight on.

    Attributes:
        image: uint8 H x W x 3 BGR.
        mask: uint8 H x W, 255 where the plate is (its corners are round).
        text: Canonical text.
        kind: Plate kind.
        electric: Whether the plate marks an electric vehicle.
        width_mm: Width in mm.
        height_mm: Height in mm.
        char_boxes: float32 (len(text), 4), ``x1, y1, x2, y2`` of each symbol's cell, as shares of the plate.
    """

    image: Image
    mask: Mask
    text: str
    kind: Kind
    electric: bool
    width_mm: float
    height_mm: float
    char_boxes: Boxes


@dataclass(frozen=True, slots=True)
class _Placed:
    symbol: str
    cell: Cell
    boxes: tuple[tuple[float, float, float, float], ...]
    """One box for each symbol of the text that the cell draws (two for a region pair)."""


def sample_plate(
    rng: np.random.Generator,
    *,
    px_per_mm: float = 1.0,
    kind: Kind | None = None,
    text: str | None = None,
    wear: float = 1.0,
) -> PlateImage:
    """Draw a plate.

    Args:
        rng: Source of everything random.
        px_per_mm: Scale of the drawing.
        kind: Plate kind; drawn by frequency unless given.
        text: Canonical text; drawn by frequency unless given. It must fit the kind's cells.
        wear: 0 draws the plate as new; 1 adds bolts, dirt, wear and jitter as streets show them.

    Raises:
        ValueError: The text does not fit the kind's cells.
    """
    kind = kind or sample_kind(rng, text)
    text = text or sample_text(rng, kind)
    layout = LAYOUTS[kind]
    placed = place(layout, text)
    alpha = _ink(rng, layout, placed, px_per_mm, wear)
    _draw_district(rng, alpha, layout, px_per_mm)
    colours = _jitter(rng, _colours_of(rng, layout), wear)
    image = _colour(alpha, colours)
    details.draw_ground(image, alpha, layout, px_per_mm, rng)
    if wear > 0:
        image = details.emboss(image, alpha, rng, px_per_mm)
    details.draw_marks(image, layout, px_per_mm, rng)
    if wear > 0:
        details.draw_hardware(image, layout, px_per_mm, rng)
        details.draw_dirt(image, rng, wear)
    mask = _plate_mask(layout.width, layout.height, px_per_mm)
    boxes = np.array([box for item in placed for box in item.boxes], np.float32)
    boxes /= np.array([layout.width, layout.height] * 2, np.float32)
    return PlateImage(image, mask, text, kind, kind in ELECTRIC_KINDS, layout.width, layout.height, boxes)


def place(layout: Layout, text: str) -> list[_Placed]:
    """Assign a canonical text to a layout's cells, in reading order.

    Raises:
        ValueError: The text does not fit.
    """
    cells = [cell for cell in _spread(layout, text) if cell.role is not Role.DISTRICT]
    placed: list[_Placed] = []
    rest = text
    for cell in cells:
        length = 2 if cell.role is Role.REGION else 1
        symbol, rest = rest[:length], rest[length:]
        if len(symbol) < length:
            raise ValueError(f"{text!r} is too short for a {layout.kind} plate")
        placed.append(_Placed(symbol, cell, _symbol_boxes(layout, cell)))
    if rest:
        raise ValueError(f"{text!r} is too long for a {layout.kind} plate")
    return placed


def _spread(layout: Layout, text: str) -> tuple[Cell, ...]:
    """Drop or add cells where a kind carries texts of two lengths."""
    cells = layout.cells
    if layout.kind is Kind.CONSTRUCTION_OLD and not text.startswith("영"):
        cells = cells[1:]
    if layout.kind is Kind.CORPORATE and len(text) == 7:
        return LAYOUTS[Kind.WHITE_LONG].cells
    if layout.kind is Kind.ELECTRIC and len(text) == 8:
        return _SHIFTED_EIGHT
    if layout.kind is Kind.GREEN_REGION and len(text) == 8:
        first, second = layout.of(Role.NUMBER)
        middle = ((first.box[0] + second.box[0]) / 2, *first.box[1:])
        return (cells[0], Cell(Role.NUMBER, middle, first.face), *cells[3:])
    return cells


def _eight_for_electric() -> tuple[Cell, ...]:
    """Eight characters between the marks of an electric plate; no drawing shows them, photographs do."""
    cells = LAYOUTS[Kind.WHITE_8_PAINTED].cells
    squeeze = 432 / 460  # between x=44 and x=476 instead of between 30 and 490
    return tuple(
        Cell(c.role, (44 + (c.box[0] - 30) * squeeze, c.box[1], c.box[2] * squeeze, c.box[3]), c.face)
        for c in cells
    )


_SHIFTED_EIGHT: Final = _eight_for_electric()


def _symbol_boxes(layout: Layout, cell: Cell) -> tuple[tuple[float, float, float, float], ...]:
    x, y, w, h = cell.box
    if cell.role is not Role.REGION:
        if cell.face is Face.LONG and cell.role is Role.LETTER:
            w = 56.0  # the ink fills the left of its wide cell
        return ((x, y, x + w, y + h),)
    if layout.kind is Kind.COMMERCIAL_LONG:  # stacked
        return ((x, y, x + w, y + h / 2), (x, y + h / 2, x + w, y + h))
    return ((x, y, x + w / 2, y + h), (x + w / 2, y, x + w, y + h))


def _ink(rng: np.random.Generator, layout: Layout, placed: list[_Placed], scale: float, wear: float) -> Mask:
    """Draw border and glyphs as coverage, uint8 H x W."""
    alpha = _border(layout.width, layout.height, scale, layout.border).copy()
    loose = _LOOSE.get(layout.kind, 1.0) * wear
    shift = rng.normal(0, 0.6, 2) * loose
    growth = 1 + rng.normal(0, 0.014, 2) * wear
    faces = _substitute_face(rng, layout, wear)
    warp = _OTHER_HAND * loose if wear > 0 and rng.random() < 0.2 * loose else 0.0
    for item in placed:
        x, y, w, h = _wander(rng, layout.kind, item.cell, wear)
        jitter = rng.normal(0, 0.4, 2) * loose
        gw, gh = np.array((w, h)) * growth * (1 + rng.normal(0, 0.016, 2) * loose)
        mask = glyph_mask(item.symbol, faces.get(item.cell.face, item.cell.face), gw * scale, gh * scale)
        if warp:
            mask = _reshape(rng, mask, warp)
        left = round((x + (w - gw) / 2 + shift[0] + jitter[0]) * scale)
        top = round((y + (h - gh) / 2 + shift[1] + jitter[1]) * scale)
        _stamp(alpha, mask, left, top)
    if wear > 0 and rng.random() < 0.25 * loose:  # heavier or lighter strokes: another press, thicker paint
        softened = cv2.blur(alpha, (3, 3)).astype(np.float32)
        bias = rng.uniform(-55, 45)
        alpha = np.clip((softened - 128) * 1.7 + 128 + bias * (softened > 4), 0, 255).astype(np.uint8)
    return alpha


def _draw_district(rng: np.random.Generator, alpha: Mask, layout: Layout, scale: float) -> None:
    """Write a district of one to three syllables, most of them no symbols of the alphabet."""
    cells = layout.of(Role.DISTRICT)
    if not cells:
        return
    count = int(rng.choice((1, 2, 3), p=(0.25, 0.6, 0.15)))
    first, last = cells[0].box, cells[-1].box
    left, span = first[0], last[0] + last[2] - first[0]
    pitch = span / max(count, 2)
    start = left + (span - count * pitch) / 2
    for place in range(count):
        w, h = min(first[2], pitch * 0.95) * scale, first[3] * scale
        x, y = (start + place * pitch) * scale, first[1] * scale
        _stamp(alpha, _syllable(rng, cells[0].face, w, h), round(x), round(y))


def _syllable(rng: np.random.Generator, face: Face, width: float, height: float) -> Mask:
    """Draw a syllable of the alphabet, or one put together from parts of two."""
    one, other = (glyph_mask(str(rng.choice(_HANGUL)), face, width, height) for _ in range(2))
    style = rng.random()
    if style < 0.4:
        return one
    mixed = other.copy()
    if style < 0.7:
        cut = round(mixed.shape[1] * rng.uniform(0.45, 0.65))
        mixed[:, :cut] = one[:, :cut]
    else:
        cut = round(mixed.shape[0] * rng.uniform(0.4, 0.6))
        mixed[:cut] = one[:cut]
    return mixed


def _reshape(rng: np.random.Generator, mask: Mask, amount: float) -> Mask:
    """Give a glyph the proportions of another hand: parts higher, lower, wider, narrower, a little slanted.

    Args:
        rng: Source of everything random.
        mask: uint8 H x W.
        amount: How far its parts move, as a share of its size.
    """
    height, width = mask.shape
    knots = np.linspace(0, 1, 5)
    moved = []
    for side in (width, height):
        offsets = np.concatenate(([0.0], rng.normal(0, amount, 3).clip(-0.1, 0.1), [0.0]))
        places = np.interp(np.arange(side) / max(side - 1, 1), knots, knots + offsets)
        moved.append((places * (side - 1)).astype(np.float32))
    slant = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.float32(
        rng.normal(0, amount) * width
    )
    xs = np.broadcast_to(moved[0][None], mask.shape) + slant
    ys = np.ascontiguousarray(np.broadcast_to(moved[1][:, None], mask.shape))
    return cv2.remap(mask, xs, ys, cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _wander(
    rng: np.random.Generator, kind: Kind, cell: Cell, wear: float
) -> tuple[float, float, float, float]:
    """Return the cell's box; the letter beside a green serial was set larger or smaller by each maker."""
    x, y, w, h = cell.box
    if kind not in _FREE_LETTER or cell.role is not Role.LETTER or wear == 0:
        return x, y, w, h
    smaller_w, smaller_h = w * rng.uniform(0.8, 1.02), h * rng.uniform(0.8, 1.02)
    left = x + rng.uniform(-1, 0.6 * (w - smaller_w) + 1)
    return left, y + h - smaller_h + rng.normal(1, 2.5), smaller_w, smaller_h


def _substitute_face(rng: np.random.Generator, layout: Layout, wear: float) -> dict[Face, Face]:
    """Electric and corporate plates come with either of two faces; older presses vary as well."""
    either = (Kind.ELECTRIC, Kind.CORPORATE, Kind.WHITE_8_PAINTED, Kind.CONSTRUCTION)
    if wear > 0 and layout.kind in either and rng.random() < 0.3:
        return {Face.PAINTED8: Face.FILM}
    return {}


def _stamp(alpha: Mask, mask: Mask, left: int, top: int) -> None:
    height, width = alpha.shape
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + mask.shape[1], width), min(top + mask.shape[0], height)
    if x1 < x2 and y1 < y2:
        target = alpha[y1:y2, x1:x2]
        np.maximum(target, mask[y1 - top : y2 - top, x1 - left : x2 - left], out=target)


@lru_cache(maxsize=256)
def _border(width: float, height: float, scale: float, border: tuple[float, float] | None) -> Mask:
    alpha = np.zeros((round(height * scale), round(width * scale)), np.uint8)
    if border is not None:
        offset, thickness = border
        outer = _rounded(alpha.shape, offset * scale, _BORDER_RADIUS * scale)
        inner = _rounded(alpha.shape, (offset + thickness) * scale, (_BORDER_RADIUS - 2) * scale)
        alpha = cv2.subtract(outer, inner).astype(np.uint8)
    alpha.flags.writeable = False
    return alpha


@lru_cache(maxsize=256)
def _plate_mask(width: float, height: float, scale: float) -> Mask:
    mask = _rounded((round(height * scale), round(width * scale)), 0, _CORNER_RADIUS * scale)
    mask.flags.writeable = False
    return mask


def _rounded(shape: tuple[int, ...], inset: float, radius: float) -> Mask:
    """Fill a rounded rectangle, anti-aliased, as coverage computed from its signed distance."""
    height, width = shape[0], shape[1]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    dx = np.abs(xs - width / 2) - (width / 2 - inset - radius)
    dy = np.abs(ys - height / 2) - (height / 2 - inset - radius)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0)
    coverage: Mask = (np.clip(radius - outside + 0.5, 0, 1) * 255).astype(np.uint8)
    return coverage


def _colours_of(rng: np.random.Generator, layout: Layout) -> Colours:
    if layout.kind in (Kind.CONSTRUCTION, Kind.CONSTRUCTION_OLD):  # private green, rental orange, state white
        options = (layout.colours, WHITE, GREEN if layout.kind is Kind.CONSTRUCTION_OLD else YELLOW)
        return options[int(rng.choice(3, p=(0.6, 0.3, 0.1)))]
    if layout.kind is Kind.MILITARY and rng.random() < 0.3:
        return FILM_WHITE
    return layout.colours


def _jitter(rng: np.random.Generator, colours: Colours, wear: float) -> Colours:
    """Vary ground and text: batches of paint, fading, age."""

    def vary(rgb: tuple[int, int, int], spread: float) -> tuple[int, int, int]:
        values = np.array(rgb, np.float32) * (1 + rng.normal(0, 0.05) * wear)
        values = np.clip(values + rng.normal(0, spread, 3) * wear, 0, 255)
        return int(values[0]), int(values[1]), int(values[2])

    ground, text = vary(colours.ground, 9), vary(colours.text, 9)
    if colours in _ON_THE_STREET and wear > 0:
        far = np.array(_ON_THE_STREET[colours], np.float32)
        share = rng.random() ** 1.5
        r, g, b = (round(float(v)) for v in colours.ground + (far - colours.ground) * share)
        ground = vary((r, g, b), 10)
    if wear > 0 and rng.random() < 0.15:  # faded text drifts towards the ground
        fade = rng.uniform(0.1, 0.45)
        r, g, b = (round(t + (s - t) * fade) for t, s in zip(text, ground, strict=True))
        text = (r, g, b)
    return Colours(ground, text)


def _colour(alpha: Mask, colours: Colours) -> Image:
    """Blend ground and text by coverage."""
    steps = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    ground, text = np.array(colours.ground[::-1]), np.array(colours.text[::-1])
    lut = np.clip(ground + (text - ground) * steps, 0, 255).astype(np.uint8)
    image = cv2.applyColorMap(alpha, lut[:, None, :])
    return np.ascontiguousarray(image, np.uint8)
