"""What a plate shows beside its text: film patterns, marks, diagonals, bolts, seals, embossing, dirt.

Every function draws into a uint8 BGR image of a plate seen straight on; millimetres are those of
:mod:`kplate.plates.layouts`.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.plates.layouts import Layout

Mask = NDArray[np.uint8]

# Annex 18: PANTONE 2727C outlines, 283C fills (BGR).
_EV_OUTLINE: Final = (222, 130, 60)
_EV_FILL: Final = (235, 200, 150)
# Annex 2-2: the blue band's two ends, estimated from the drawing (BGR).
_BAND_DARK: Final = np.array((90, 35, 20), np.float32)
_BAND_LIGHT: Final = np.array((210, 110, 45), np.float32)
_BAND_WIDTH: Final = 57.6
_RED: Final = (40, 30, 200)
_SHIFT: Final = 4  # sub-pixel bits of OpenCV's drawing functions
#: Kinds whose bolts were often painted with the plate.
_PAINTED_OVER: Final = frozenset({Kind.GREEN, Kind.GREEN_REGION})


def _pt(x: float, y: float, scale: float) -> tuple[int, int]:
    return round(x * scale * (1 << _SHIFT)), round(y * scale * (1 << _SHIFT))


def _disc(
    image: Image | Mask,
    x: float,
    y: float,
    r: float,
    colour: tuple[int, ...] | int,
    scale: float,
    line: int = -1,
) -> None:
    value = colour if isinstance(colour, tuple) else (colour,)
    radius = max(1, round(r * scale * (1 << _SHIFT)))
    cv2.circle(image, _pt(x, y, scale), radius, value, line, cv2.LINE_AA, _SHIFT)


# --- ground ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _ev_pattern(width: float, height: float, scale: float) -> NDArray[np.int16]:
    """Return what the taegeuk lattice of annex 18 adds to the ground, int16 H x W x 3."""
    base = np.full((round(height * scale), round(width * scale), 3), 128, np.uint8)
    for row in range(int(height / 17) + 1):
        for column in range(int(width / 17) + 1):
            _disc(base, 8.5 + 17.2 * column, 8.5 + 17 * row, 5.5, (126, 121, 112), scale)
    for row in range(5):
        for column in range(int(width / 50) + 2):
            x, y = 12 + 50 * column + (25 if row % 2 else 0), 5 + 25 * row
            _disc(base, x, y, 7.4, (124, 112, 98), scale)
            _disc(base, x, y, 5.2, (130, 124, 118), scale)
            _disc(base, x, y, 3.2, (122, 108, 92), scale)
    return base.astype(np.int16) - 128


def draw_ground(image: Image, alpha: Mask, layout: Layout, scale: float, rng: np.random.Generator) -> None:
    """Add the film's pattern where the ground shows."""
    if layout.kind is not Kind.ELECTRIC:
        return
    pattern = _ev_pattern(layout.width, layout.height, scale) * rng.uniform(0.3, 1.1)
    pattern *= (1 - alpha.astype(np.float32) / 255)[..., None]
    np.copyto(image, np.clip(image + pattern, 0, 255).astype(np.uint8))


# --- marks -------------------------------------------------------------------------------------------------


def draw_marks(image: Image, layout: Layout, scale: float, rng: np.random.Generator) -> None:
    """Draw the blue band, the EV symbols or the red diagonals of kinds that have them."""
    match layout.kind:
        case Kind.WHITE_8_FILM:
            _draw_band(image, layout, scale, rng)
        case Kind.ELECTRIC:
            _draw_ev(image, scale, rng)
        case Kind.TEMPORARY_SHORT | Kind.TEMPORARY_LONG | Kind.TEMPORARY_10_SHORT | Kind.TEMPORARY_10_LONG:
            _draw_diagonals(image, layout, scale, rng)
            _draw_small_print(image, layout, scale, rng)
        case Kind.DIPLOMATIC_SHORT | Kind.DIPLOMATIC_LONG:
            _draw_hyphen(image, layout, scale)
        case _:
            pass


def _draw_band(image: Image, layout: Layout, scale: float, rng: np.random.Generator) -> None:
    inset = 4.0
    x1, x2 = round(inset * scale), round(_BAND_WIDTH * scale)
    y1, y2 = round(inset * scale), round((layout.height - inset) * scale)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return
    ys, xs = np.mgrid[0 : y2 - y1, 0 : x2 - x1].astype(np.float32)
    wave = 0.5 + 0.5 * np.sin(
        (xs / (x2 - x1) * 0.9 + ys / (y2 - y1)) * rng.uniform(2.5, 4.5) + rng.uniform(0, 6)
    )
    band = _BAND_DARK + (_BAND_LIGHT - _BAND_DARK) * wave[..., None] * rng.uniform(0.4, 1.0)
    image[y1:y2, x1:x2] = np.clip(band * rng.uniform(0.7, 1.25), 0, 255)
    pale = (235, 215, 190)
    _disc(image, 30.5, 29, 18, pale, scale, max(1, round(1.2 * scale)))
    _disc(image, 30.5, 29, 11, pale, scale, max(1, round(1.0 * scale)))
    _disc(image, 27, 27, 5.5, pale, scale)
    if rng.random() < 0.6:  # the hologram is seen only from the side
        _disc(image, 31, 62, 10, (220, 190, 160), scale, max(1, round(0.8 * scale)))
    _text(image, "KOR", 8, 97, 15, (245, 240, 235), scale)


def _draw_ev(image: Image, scale: float, rng: np.random.Generator) -> None:
    strength = rng.uniform(0.5, 1.0)
    before = image.copy() if strength < 0.95 else None
    body = np.array([(8, 34), (7, 24), (12, 14), (32, 13), (40, 24), (42, 34), (38, 39), (12, 39)])
    points = np.round(body * scale * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(image, [points], _EV_FILL, cv2.LINE_AA, _SHIFT)
    cv2.polylines(image, [points], True, _EV_OUTLINE, max(1, round(2 * scale)), cv2.LINE_AA, _SHIFT)
    for x in (15, 34):
        _disc(image, x, 39, 4, _EV_OUTLINE, scale)
    cv2.line(
        image,
        _pt(16, 26, scale),
        _pt(32, 26, scale),
        _EV_OUTLINE,
        max(1, round(5 * scale)),
        cv2.LINE_AA,
        _SHIFT,
    )
    _disc(image, 24.7, 78.6, 17.9, (245, 215, 190), scale)
    _disc(image, 24.7, 78.6, 17.9, _EV_OUTLINE, scale, max(1, round(1.2 * scale)))
    _disc(image, 24.7, 78.6, 10.5, (225, 180, 125), scale)
    _disc(image, 22, 76.5, 5, (245, 225, 205), scale)
    _text(image, "E", 480, 55, 17, _EV_OUTLINE, scale)
    _text(image, "V", 489, 73, 22, _EV_OUTLINE, scale)
    if before is not None:
        cv2.addWeighted(image, strength, before, 1 - strength, 0, image)


def _draw_diagonals(image: Image, layout: Layout, scale: float, rng: np.random.Generator) -> None:
    """Draw two pairs of red bands, 3 mm thick and 37.5 mm apart, from lower left to upper right (annex 9)."""
    run = layout.height * 0.9
    for start in (layout.width * 0.3, layout.width * 0.62):
        for offset in (0.0, 37.5):
            x = start + offset - run / 2 + rng.normal(0, 1.5)
            cv2.line(
                image,
                _pt(x, layout.height - 5, scale),
                _pt(x + run, 5, scale),
                _RED,
                max(1, round(3 * scale)),
                cv2.LINE_AA,
                _SHIFT,
            )


def _draw_small_print(image: Image, layout: Layout, scale: float, rng: np.random.Generator) -> None:
    """Stand in for authority and dates: rows of small dark strokes that nobody reads at this size."""
    rows = {
        Kind.TEMPORARY_SHORT: ((164, 116, 150, 26),),
        Kind.TEMPORARY_LONG: ((50, 74, 146, 24),),
        Kind.TEMPORARY_10_SHORT: ((38, 18, 259, 28), (170, 140, 143, 18)),
        Kind.TEMPORARY_10_LONG: ((30, 17, 136, 20), (30, 45, 136, 20), (30, 73, 136, 20)),
    }[layout.kind]
    for x, y, width, height in rows:
        for left in np.arange(x, x + width - height * 0.7, height * 0.95):
            for _ in range(5):
                ends = rng.uniform((left, y), (left + height * 0.75, y + height), (2, 2))
                ends[1, int(rng.integers(2))] = ends[0, int(rng.integers(2))]
                cv2.line(
                    image,
                    _pt(ends[0, 0], ends[0, 1], scale),
                    _pt(
                        float(np.clip(ends[1, 0], left, left + height * 0.75)),
                        float(np.clip(ends[1, 1], y, y + height)),
                        scale,
                    ),
                    (40, 30, 35),
                    max(1, round(height * 0.1 * scale)),
                    cv2.LINE_AA,
                    _SHIFT,
                )


def _draw_hyphen(image: Image, layout: Layout, scale: float) -> None:
    x1, x2, y = (155.5, 179.0, 104.5) if layout.kind is Kind.DIPLOMATIC_SHORT else (274.0, 312.0, 55.0)
    cv2.line(
        image,
        _pt(x1, y, scale),
        _pt(x2, y, scale),
        (248, 245, 245),
        max(1, round(11 * scale)),
        cv2.LINE_AA,
        _SHIFT,
    )


def _text(
    image: Image, text: str, x: float, y: float, height: float, colour: tuple[int, int, int], scale: float
) -> None:
    size = height * scale / 22  # Hershey capitals are about 22 px high at scale 1
    position = (round(x * scale), round(y * scale))
    cv2.putText(
        image, text, position, cv2.FONT_HERSHEY_SIMPLEX, size, colour, max(1, round(size * 2)), cv2.LINE_AA
    )


# --- relief, hardware, wear --------------------------------------------------------------------------------


def emboss(image: Image, alpha: Mask, rng: np.random.Generator, scale: float) -> Image:
    """Shade the slopes of pressed glyphs and border (1.3-1.6 mm high) for a random direction of light."""
    if rng.random() < 0.35:
        return image
    soft = cv2.GaussianBlur(alpha, (0, 0), max(0.6, 1.1 * scale)).astype(np.int16)
    angle = rng.uniform(0, 2 * np.pi)
    step = max(1, round(1.0 * scale))
    dx, dy = round(float(np.cos(angle) * step)), round(float(np.sin(angle) * step))
    slope = np.roll(soft, (dy, dx), (0, 1)) - soft
    shade = slope.astype(np.float32) * rng.uniform(0.1, 0.45)
    return np.clip(image + shade[..., None], 0, 255).astype(np.uint8)


def draw_hardware(image: Image, layout: Layout, scale: float, rng: np.random.Generator) -> None:
    """Draw bolts, their shadows and, at times, the seal over the left bolt or an empty hole."""
    if not layout.holes or rng.random() < 0.05:
        return
    seal = rng.random() < 0.3
    look = rng.random()
    grey = float(rng.uniform(60, 235))
    tint = rng.normal(0, 12, 3)
    rust = look > 0.9
    painted = rng.random() < (0.4 if layout.kind in _PAINTED_OVER else 0.08)
    size = rng.uniform(0.8, 2.5 if layout.width > 450 else 1.9)
    for index, hole in enumerate(layout.holes):
        x, y = hole.x + rng.normal(0, 1.2), hole.y + rng.normal(0, 1.2)
        radius = hole.diameter * 0.6 * size
        if seal and index == 0:
            radius = rng.uniform(8, 11)
        if look < 0.12 and not (seal and index == 0):
            _disc(image, x, y, hole.diameter / 2, (20, 20, 20), scale)
            continue
        colour = np.clip(grey + tint + (np.array((-60, -20, 25)) if rust else 0), 0, 255)
        if painted:  # with the plate, in the colour of its ground
            row, column = min(int(y * scale), len(image) - 1), min(int(x * scale), image.shape[1] - 1)
            colour = np.clip(image[row, column] * rng.uniform(0.7, 1.1), 0, 255)
        shadow = np.clip(colour * 0.35, 0, 255)
        _disc(image, x + rng.uniform(-1.5, 1.5), y + rng.uniform(0.5, 2), radius * 1.08, _bgr(shadow), scale)
        _disc(image, x, y, radius, _bgr(colour), scale)
        _disc(
            image,
            x - radius * 0.25,
            y - radius * 0.3,
            radius * 0.45,
            _bgr(np.clip(colour * 1.25 + 12, 0, 255)),
            scale,
        )
        if rng.random() < 0.4:
            _disc(image, x, y, radius * 0.3, _bgr(colour * 0.5), scale)


def _bgr(values: NDArray[np.floating]) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])


def draw_dirt(image: Image, rng: np.random.Generator, wear: float) -> None:
    """Add uneven fading, mud towards the lower edge, specks and scratches."""
    height, width = image.shape[:2]
    if rng.random() < 0.45 * wear:
        field = _field(rng, width, height) * rng.uniform(0.05, 0.3)
        tone = np.array(rng.uniform((50, 60, 70), (150, 155, 165)), np.float32)
        if rng.random() < 0.5:
            field *= np.linspace(0.3, 1.4, height, dtype=np.float32)[:, None]
        np.copyto(image, (image + (tone - image) * field[..., None]).clip(0, 255).astype(np.uint8))
    if rng.random() < 0.2 * wear:
        for _ in range(int(rng.integers(1, 14))):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            radius = int(rng.integers(0, max(2, height // 25)))
            cv2.circle(image, centre, radius, _bgr(rng.uniform(20, 200, 3)), -1, cv2.LINE_AA)
    if rng.random() < 0.12 * wear:
        for _ in range(int(rng.integers(1, 5))):
            ends = rng.uniform((0, 0), (width, height), (2, 2))
            ends[1] = ends[0] + (ends[1] - ends[0]) * rng.uniform(0.1, 0.6)
            first, second = ((int(p[0]), int(p[1])) for p in ends)
            cv2.line(image, first, second, _bgr(rng.uniform(90, 230, 3)), 1, cv2.LINE_AA)


def _field(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Return smooth random values in 0..1, float32 H x W."""
    coarse = rng.random((int(rng.integers(2, 7)), int(rng.integers(3, 14))), np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1).astype(np.float32)
