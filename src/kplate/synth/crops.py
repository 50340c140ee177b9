"""Plate crops as a detector hands them over: a plate seen from somewhere, on something, by some camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS
from kplate.synth import effects
from kplate.synth.plates import PlateImage, sample_plate
from kplate.synth.texts import sample_kind

Points = NDArray[np.float32]

#: Scales at which flat plates are drawn, in px per mm: few, so that drawn glyphs are shared between plates.
_SCALES: Final = (0.2, 0.28, 0.36, 0.46, 0.58, 0.72, 0.9)
_MAX_YAW: Final = np.radians(62)


@dataclass(frozen=True, slots=True)
class PlateCrop:
    """A crop with everything known about it.

    Attributes:
        image: uint8 H x W x 3 BGR.
        text: Canonical text; empty on a crop that shows no plate.
        kind: Plate kind; ``None`` on a crop that shows no plate.
        electric: Whether the plate marks an electric vehicle; ``None`` where colour is gone.
        corners: float32 (4, 2), top-left, top-right, bottom-right, bottom-left, in px of the crop.
        char_boxes: float32 (len(text), 4), cells as shares of the straightened plate.
    """

    image: Image
    text: str
    kind: Kind | None
    electric: bool | None
    corners: Points
    char_boxes: NDArray[np.float32]


def sample_crop(
    rng: np.random.Generator,
    *,
    backgrounds: Sequence[Image] | None = (),
    kind: Kind | None = None,
    text: str | None = None,
    difficulty: float = 1.0,
    angles: tuple[float, float] | None = None,
    zoom: float = 1.0,
    effects_on: bool = True,
) -> PlateCrop:
    """Draw a plate as a camera sees it, cut out as a detector cuts it.

    Args:
        rng: Source of everything random.
        backgrounds: Pictures to take surroundings from; drawn ones are used where there are none, and one
            plain tone where this is ``None``.
        kind: Plate kind; drawn by frequency unless given.
        text: Canonical text; drawn by frequency unless given.
        difficulty: 0 is near, straight and clear; 1 is everything that streets show.
        angles: Yaw and pitch that the plate is seen at, in radians; drawn by frequency unless given.
        zoom: Makes the plate so many times as large as it would be.
        effects_on: Send the crop through light, lens, sensor and compression.
    """
    target = zoom * float(np.exp(rng.uniform(np.log(58), np.log(260))))  # px of the plate's width
    target = target * difficulty + 200 * (1 - difficulty)
    plate = _draw_for(rng, target, kind, text)
    flat, offset = _with_frame(rng, plate)
    quad, size = _viewpoint(rng, plate, target, difficulty, angles)
    image = _paste(rng, flat, offset, plate, quad, size, backgrounds)
    if rng.random() < 0.3 * difficulty:
        image, quad = _bend(rng, image, quad)
    grey = False
    if effects_on:
        image, grey = degrade(image, rng, difficulty, glyph_px=_glyph_size(quad, plate))
    return PlateCrop(image, plate.text, plate.kind, None if grey else plate.electric, quad, plate.char_boxes)


def sample_negative(rng: np.random.Generator, backgrounds: Sequence[Image] = ()) -> PlateCrop:
    """Draw a crop without a plate: what a detector takes for one by mistake."""
    width = int(np.exp(rng.uniform(np.log(40), np.log(240))))
    height = max(12, int(width * rng.uniform(0.2, 0.6)))
    image = _surroundings(rng, width, height, backgrounds)
    if rng.random() < 0.5:
        _draw_lettering(image, rng)
    image, _ = degrade(image, rng, 0.7, glyph_px=12.0)
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    return PlateCrop(image, "", None, None, corners, np.zeros((0, 4), np.float32))


def _draw_for(rng: np.random.Generator, target: float, kind: Kind | None, text: str | None) -> PlateImage:
    """Draw the flat plate at a scale slightly above the one it is seen at."""
    kind = kind or sample_kind(rng, text)
    wanted = target / LAYOUTS[kind].width * 1.25
    scale = next((s for s in _SCALES if s >= wanted), _SCALES[-1])
    return sample_plate(rng, px_per_mm=scale, kind=kind, text=text)


def _with_frame(rng: np.random.Generator, plate: PlateImage) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Put the plate into its holder, if it has one. Returns BGRA and the plate's offset in it, in px."""
    height, width = plate.image.shape[:2]
    scale = width / plate.width_mm
    bgra = np.dstack((plate.image, plate.mask))
    if rng.random() > 0.4:
        return bgra, (0, 0)
    side, top = round(rng.uniform(2, 14) * scale), round(rng.uniform(2, 12) * scale)
    bottom = round(rng.uniform(4, 30) * scale)
    tone = rng.uniform(8, 70) if rng.random() < 0.75 else rng.uniform(120, 230)
    frame = np.full((height + top + bottom, width + 2 * side, 4), tone, np.float32)
    frame[..., :3] += rng.normal(0, 8, 3)
    frame = np.clip(frame, 0, 255)
    frame[..., 3] = 255
    result = frame.astype(np.uint8)
    if bottom > 12 * scale and rng.random() < 0.7:
        words = ("HYUNDAI MOTORS", "KIA MOTORS", "Sheer Driving Pleasure", "CHEVROLET", "Das Auto", "GENESIS")
        word = words[int(rng.integers(len(words)))]
        size = bottom * 0.55 / 22
        (text_width, _), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        place = ((result.shape[1] - text_width) // 2, result.shape[0] - round(bottom * 0.25))
        ink = 230 if tone < 100 else 30
        cv2.putText(result, word, place, cv2.FONT_HERSHEY_SIMPLEX, size, (ink, ink, ink, 255), 1, cv2.LINE_AA)
    alpha = plate.mask[..., None] / np.float32(255)
    inside = result[top : top + height, side : side + width, :3]
    inside[:] = inside + (plate.image - inside.astype(np.float32)) * alpha
    return result, (side, top)


def _viewpoint(
    rng: np.random.Generator,
    plate: PlateImage,
    target: float,
    difficulty: float,
    angles: tuple[float, float] | None = None,
) -> tuple[Points, tuple[int, int]]:
    """Choose where the plate is seen from and its cut. Returns its corners and the crop's size, in px."""
    if rng.random() < 0.35:
        yaw, pitch, roll = rng.normal(0, 0.08, 3)
    else:
        yaw = rng.normal(0, 0.5)
        pitch, roll = rng.normal(0.05, 0.25), rng.normal(0, 0.09)
    if rng.random() < 0.12:
        roll += rng.normal(0, 0.25)
    yaw, pitch, roll = (
        a * difficulty for a in (np.clip(yaw, -_MAX_YAW, _MAX_YAW), np.clip(pitch, -0.8, 0.8), roll)
    )
    if angles is not None:
        yaw, pitch = angles
    w, h = plate.width_mm, plate.height_mm
    square = np.array(((-w, -h, 0), (w, -h, 0), (w, h, 0), (-w, h, 0))) / 2
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    rotation = np.array(((cy, 0, sy), (0, 1, 0), (-sy, 0, cy))) @ np.array(
        ((1, 0, 0), (0, cp, -sp), (0, sp, cp))
    )
    turned = square @ rotation.T
    depth = turned[:, 2] + w * rng.uniform(2.5, 14)
    flat = turned[:, :2] / depth[:, None]
    cr, sr = np.cos(roll), np.sin(roll)
    flat = flat @ np.array(((cr, sr), (-sr, cr)))
    if rng.random() < 0.3 * difficulty:  # shear of cut-outs that someone rotated
        flat[:, 1] += flat[:, 0] * rng.normal(0, 0.08)
    extent = np.hypot(*(flat[1] - flat[0])) if abs(yaw) < 0.5 else np.ptp(flat[:, 0]) / max(cy, 0.35)
    flat *= target / extent
    low, high = flat.min(0), flat.max(0)
    box = high - low
    left, right, top, bottom = _margins(rng, difficulty)
    size = (
        max(16, round(box[0] * (1 + left + right))),
        max(10, round(box[1] * (1 + top + bottom))),
    )
    corners = flat - low + (left * box[0], top * box[1])
    return corners.astype(np.float32), size


def _margins(rng: np.random.Generator, difficulty: float) -> tuple[float, float, float, float]:
    """Shares of the plate's box that the crop adds (or, below 0, cuts off) at left, right, top, bottom."""
    style = rng.random()
    if style < 0.45:  # cut tight
        sides = rng.normal((0.02, 0.02, 0.04, 0.04), (0.025, 0.025, 0.05, 0.05))
    elif style < 0.9:  # a detector's box, grown
        sides = rng.normal((0.08, 0.08, 0.15, 0.15), (0.05, 0.05, 0.1, 0.1))
    else:  # loose
        sides = rng.uniform(0.05, 0.35, 4)
    sides = np.clip(sides, -0.03, 0.5)
    if rng.random() < 0.07 * difficulty:  # cut into at one edge, the top more often
        side = int(rng.choice(4, p=(0.15, 0.15, 0.5, 0.2)))
        sides[side] = rng.uniform(-0.13, 0) if side >= 2 else rng.uniform(-0.04, 0)
    return float(sides[0]), float(sides[1]), float(sides[2]), float(sides[3])


def _glyph_size(quad: Points, plate: PlateImage) -> float:
    """Height in px of the smallest glyph cell; less where the plate is turned and its cells are narrow."""
    height = float(np.hypot(*(quad[3] - quad[0])) + np.hypot(*(quad[2] - quad[1]))) / 2
    width = float(np.hypot(*(quad[1] - quad[0])) + np.hypot(*(quad[2] - quad[3]))) / 2
    cells = plate.char_boxes
    tall = height * float((cells[:, 3] - cells[:, 1]).min())
    turned = width / plate.width_mm * plate.height_mm / height
    return tall * min(1.0, turned)


def _paste(
    rng: np.random.Generator,
    flat: NDArray[np.uint8],
    offset: tuple[int, int],
    plate: PlateImage,
    quad: Points,
    size: tuple[int, int],
    backgrounds: Sequence[Image] | None,
) -> Image:
    height, width = plate.image.shape[:2]
    x, y = offset
    source = np.array(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), np.float32)
    matrix = cv2.getPerspectiveTransform(source, quad)
    warped = cv2.warpPerspective(flat, matrix, size, flags=cv2.INTER_LINEAR)
    ground = _surroundings(rng, size[0], size[1], backgrounds)
    alpha = warped[..., 3:].astype(np.float32) / 255
    mixed = ground + (warped[..., :3] - ground.astype(np.float32)) * alpha
    return mixed.astype(np.uint8)


def _bend(rng: np.random.Generator, image: Image, quad: Points) -> tuple[Image, Points]:
    """Bend the plate along its length, as bumpers and knocks do: rows move by a parabola of the column."""
    height, width = image.shape[:2]
    plate_height = float(quad[3, 1] - quad[0, 1])
    rise = float(rng.normal(0, 0.07)) * plate_height
    middle = width * rng.uniform(0.3, 0.7)
    columns = np.arange(width, dtype=np.float32)
    shift = (rise * ((columns - middle) / (width / 2)) ** 2).astype(np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None] - shift[None]
    lookup = np.broadcast_to(columns[None], rows.shape)
    bent = cv2.remap(
        image, np.ascontiguousarray(lookup), rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    moved = quad.copy()
    moved[:, 1] += rise * ((quad[:, 0] - middle) / (width / 2)) ** 2
    return bent.astype(np.uint8, copy=False), moved.astype(np.float32)


def _surroundings(
    rng: np.random.Generator, width: int, height: int, backgrounds: Sequence[Image] | None
) -> Image:
    """Cut a piece out of a real picture, or draw bodywork: shades, edges and gaps."""
    if backgrounds is None:
        return np.full((height, width, 3), rng.integers(256), np.uint8)
    if backgrounds and rng.random() < 0.6:
        picture = backgrounds[int(rng.integers(len(backgrounds)))]
        share = rng.uniform(0.1, 0.8)
        cut_w = max(8, round(picture.shape[1] * share))
        cut_h = max(4, min(picture.shape[0], round(cut_w * height / width)))
        left = int(rng.integers(picture.shape[1] - cut_w + 1))
        top = int(rng.integers(picture.shape[0] - cut_h + 1))
        piece = picture[top : top + cut_h, left : left + cut_w]
        return cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    base = rng.uniform(5, 80) if rng.random() < 0.55 else rng.uniform(60, 240)
    field = effects.smooth_field(rng, width, height)[..., None]
    image = np.clip(base + rng.normal(0, 15, 3) + (field - 0.5) * rng.uniform(10, 120), 0, 255).astype(
        np.uint8
    )
    for _ in range(int(rng.integers(0, 5))):
        tone = rng.uniform(0, 255) + rng.normal(0, 10, 3)
        colour = tuple(float(v) for v in np.clip(tone, 0, 255))
        y = int(rng.integers(height))
        slope = int(rng.normal(0, height * 0.15))
        cv2.line(
            image, (0, y), (width, y + slope), colour, int(rng.integers(1, max(2, height // 6))), cv2.LINE_AA
        )
    return image


def _draw_lettering(image: Image, rng: np.random.Generator) -> None:
    """Write Latin letters, as on badges, signs and shop fronts."""
    height, width = image.shape[:2]
    letters = [chr(int(rng.integers(65, 91))) for _ in range(int(rng.integers(2, 9)))]
    size = height * rng.uniform(0.3, 0.8) / 22
    colour = tuple(float(v) for v in rng.uniform(0, 255, 3))
    place = (int(rng.uniform(0, width * 0.3)), int(height * rng.uniform(0.6, 0.9)))
    face = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)[int(rng.integers(3))]
    cv2.putText(image, "".join(letters), place, face, size, colour, max(1, round(size * 2)), cv2.LINE_AA)


def degrade(image: Image, rng: np.random.Generator, difficulty: float, glyph_px: float) -> tuple[Image, bool]:
    """Send a crop through light, lens, sensor and compression. Returns it and whether its colour is gone.

    Args:
        image: uint8 H x W x 3 BGR.
        rng: Source of everything random.
        difficulty: Scales how often and how strongly effects appear.
        glyph_px: Height of the smallest glyphs, in px: blur and scaling leave them legible to the eye.
    """
    chance = rng.random(12)
    grey = bool(chance[0] < 0.2)
    if chance[1] < 0.3 * difficulty:
        image = effects.shadow(image, rng)
    if chance[2] < 0.12 * difficulty:
        image = effects.glare(image, rng)
    if chance[10] < 0.04 * difficulty:
        image = effects.headlights(image, rng)
    if grey:
        image = effects.monochrome(image, rng)
    if chance[3] < 0.03 * difficulty:
        image = effects.rain(image, rng)
    limit = glyph_px / 12  # sigma in px beyond which strokes melt
    if chance[4] < 0.45 * difficulty:
        image = effects.focus_blur(image, rng, float(max(0.3, rng.uniform(0.2, 1.0) * limit)))
    if chance[5] < 0.22 * difficulty:
        image = effects.motion_blur(image, rng, float(max(1.5, rng.uniform(0.5, 4.0) * limit)))
    image = effects.exposure(image, rng)
    if chance[6] < 0.3 * difficulty and glyph_px > 13:
        image = effects.rescale(image, rng, float(rng.uniform(max(0.25, 10 / glyph_px), 0.95)))
    if chance[7] < 0.6 * difficulty:
        image = effects.sensor_noise(image, rng, float(rng.gamma(1.5, 5)))
    if chance[8] < 0.15 * difficulty:
        image = effects.sharpen(image, rng)
    if chance[9] < 0.65:
        image = effects.jpeg(image, int(rng.uniform(22, 96)))
    return image, grey
