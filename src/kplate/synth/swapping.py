"""Turns photographs of cars from elsewhere into pictures with Korean plates and permits.

A rendered plate is laid over the real one by its four corners, in the light, blur and grain of the place;
permits and other stickers are laid on the windscreens of labelled vehicles, behind glass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS
from kplate.synth import compositing as comp
from kplate.synth.permits import draw_other_sticker, draw_permit
from kplate.synth.plates import sample_plate
from kplate.synth.texts import sample_kind

Quad = NDArray[np.float32]
Box = tuple[float, float, float, float]

#: Plates wider than this many times their height are of the long kind; 520/110 = 4.7, 335/155 = 2.2.
_LONG_FROM = 3.0
#: Where a windscreen's lower edge lies in a car's box, as shares of the box's height, for most cars and
#: views.
_WINDSCREEN = (0.22, 0.5)
#: Diameter of a permit as a share of the box's width: 0.13 m on a car seen 1.8 m to 3.5 m wide, and nearer
#: views.
_PERMIT_SHARE = (0.05, 0.135)
_SMALLEST_PERMIT = 6.0
#: Windows are darker than this, of 255, and have no colour of their own.
_DARKEST_PAINT, _COLOURLESS = 105, 32
#: Plates narrower than this are left as they are: a new one would look the same.
_SMALLEST_PLATE = 10.0


@dataclass(frozen=True, slots=True)
class PlateTruth:
    """A plate in a picture: its text and kind (None where it is not ours), box, and corners if known."""

    box: Box
    text: str | None = None
    kind: Kind | None = None
    corners: Quad | None = None

    @property
    def outline(self) -> Quad:
        """Its corners, float32 4 x 2 px; those of its box where none are known."""
        if self.corners is not None:
            return self.corners
        x1, y1, x2, y2 = self.box
        return np.array(((x1, y1), (x2, y1), (x2, y2), (x1, y2)), np.float32)


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture with its labels, in px.

    Attributes:
        image: uint8 H x W x 3 BGR.
        plates: Plates, with corners where they are known.
        vehicles: Boxes of vehicles.
        permits: Boxes of permits.
    """

    image: Image
    plates: tuple[PlateTruth, ...] = ()
    vehicles: tuple[Box, ...] = ()
    permits: tuple[Box, ...] = field(default=())


def kind_for(rng: np.random.Generator, ratio: float) -> Kind:
    """A kind by frequency among those about as wide, for their height, as the plate that is replaced."""
    for _ in range(40):
        kind = sample_kind(rng)
        layout = LAYOUTS[kind]
        if (layout.width / layout.height > _LONG_FROM) == (ratio > _LONG_FROM):
            return kind
    return Kind.WHITE_LONG if ratio > _LONG_FROM else Kind.WHITE_SHORT


def lay_plate(
    image: Image,
    corners: Quad,
    rng: np.random.Generator,
    *,
    kind: Kind | None = None,
    light: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> PlateTruth:
    """Draws a random plate onto four corners of a picture, in place.

    Args:
        image: uint8 H x W x 3.
        corners: float32 4 x 2, from the top left clockwise.
        rng: Source of randomness.
        kind: Plate kind; by the corners' proportions unless given.
        light: As :func:`kplate.synth.compositing.light_of` gives it; that of the place unless given.
    """
    width, height = comp.quad_size(corners)
    kind = kind or kind_for(rng, width / max(height, 1.0))
    scale = float(np.clip(width * 1.5 / LAYOUTS[kind].width, 0.35, 1.5))
    plate = sample_plate(rng, px_per_mm=round(scale * 8) / 8, kind=kind)
    x1, y1, x2, y2 = (int(v) for v in comp.quad_box(comp.grow(corners, 0.6)))
    around = image[max(0, y1) : max(1, y2), max(0, x1) : max(1, x2)]
    level = comp.noise_level(around) if around.size else 0.0
    drawing = comp.relight(plate.image, *(light or comp.light_of(image, corners)))
    layer = comp.warp(drawing, plate.mask, corners, image.shape, margin=4)
    if layer is not None:
        blur = float(rng.choice((0.35, 0.6, 0.9, 1.4), p=(0.4, 0.35, 0.17, 0.08)))
        comp.lay(image, layer, blur=blur, grain=comp.grain_like(min(level, 12.0), rng))
    return PlateTruth(comp.quad_box(corners), plate.text, plate.kind, corners)


def erase(image: Image, corners: Quad) -> None:
    """Removes a plate, in place: what is around it runs over it."""
    x1, y1, x2, y2 = (int(v) for v in comp.quad_box(comp.grow(corners, 0.5)))
    x1, y1 = max(0, x1), max(0, y1)
    part = image[y1:y2, x1:x2]
    if min(part.shape[:2]) < 4:
        return
    mask = np.zeros(part.shape[:2], np.uint8)
    shape = np.round(comp.grow(corners, 0.22) - np.array((x1, y1), np.float32)).astype(np.int32)
    cv2.fillConvexPoly(mask, shape, (255,))
    part[:] = cv2.inpaint(part, mask, 2, cv2.INPAINT_TELEA)


def swap_plates(photograph: Photograph, rng: np.random.Generator, share: float = 0.9) -> Photograph:
    """Replaces the plates whose corners are known.

    Args:
        photograph: The picture; it is not changed.
        rng: Source of randomness.
        share: How many of the plates are replaced.
    """
    image = photograph.image.copy()
    plates = []
    for plate in photograph.plates:
        if (
            plate.corners is None
            or rng.random() > share
            or comp.quad_size(plate.corners)[0] < _SMALLEST_PLATE
        ):
            plates.append(plate)
            continue
        light = comp.light_of(image, plate.corners)
        corners = comp.grow(plate.corners, float(rng.uniform(0.02, 0.08)))
        width, height = comp.quad_size(corners)
        if width / max(height, 1.0) < 2.6 and rng.random() < 0.45:
            erase(image, plate.corners)  # a long plate where a short one was, as most Korean cars have
            kind = kind_for(rng, 4.7)
            corners = _flatten(corners, float(rng.uniform(0.42, 0.56)), float(rng.uniform(1.0, 1.35)))
            plates.append(lay_plate(image, corners, rng, kind=kind, light=light))
        else:
            plates.append(lay_plate(image, corners, rng, light=light))
    return Photograph(image, tuple(plates), photograph.vehicles, photograph.permits)


def _flatten(quad: Quad, height: float, width: float) -> Quad:
    """Scales a plate's corners along its own axes about its middle."""
    tl, tr, br, bl = quad
    middle = quad.mean(axis=0)
    right, down = (tr + br - tl - bl) / 4 * width, (bl + br - tl - tr) / 4 * height
    skew = (tl - tr + br - bl) / 4 * height  # keeps the nearer end higher
    result = (middle - right - down + skew, middle + right - down - skew)
    return np.array((*result, middle + right + down + skew, middle - right + down - skew), np.float32)


def add_stickers(photograph: Photograph, rng: np.random.Generator, share: float = 0.5) -> Photograph:
    """Lays permits and other stickers on windscreens of labelled vehicles.

    Args:
        photograph: The picture; it is not changed.
        rng: Source of randomness.
        share: How many of the vehicles that are large enough get any.
    """
    image = photograph.image.copy()
    permits = list(photograph.permits)
    for vehicle in photograph.vehicles:
        x1, y1, x2, y2 = vehicle
        if x2 - x1 < 100 or y2 - y1 < 60 or rng.random() > share:
            continue
        for _ in range(1 + int(rng.random() < 0.5)):
            permit = rng.random() < 0.7
            size = float((x2 - x1) * np.exp(rng.uniform(*np.log(_PERMIT_SHARE))))
            size = min(max(size, _SMALLEST_PERMIT), 240.0)
            place = _on_glass(photograph.image, vehicle, size, rng)
            if place is None:
                continue
            box = lay_sticker(image, place, size, rng, permit=permit, taken=permits)
            if box is not None and permit:
                permits.append(box)
    return Photograph(image, photograph.plates, photograph.vehicles, tuple(permits))


#: Words of badges and watermarks: none is a plate.
_WORDS = (
    "AUTO",
    "HUB",
    "KIA",
    "HYUNDAI",
    "CAR",
    "SALE",
    "GENESIS",
    "NO.1",
    "EV6",
    "TAXI",
    "2.0",
    "1588-0000",
    "BUS 407",
)
_EMBLEM_SHARE = (0.05, 0.11)


def add_distractors(photograph: Photograph, rng: np.random.Generator) -> Photograph:
    """Lays what detectors take for plates and permits: badges on cars, watermarks and signs.

    Args:
        photograph: The picture; it is not changed.
        rng: Source of randomness.
    """
    image = photograph.image.copy()
    height, width = image.shape[:2]
    taken = [plate.box for plate in photograph.plates] + list(photograph.permits)
    badged = [box for box in photograph.vehicles if box[2] - box[0] >= 60 for _ in range(2)]
    for x1, y1, x2, y2 in badged:
        if rng.random() < 0.45:
            continue
        size = (x2 - x1) * float(np.exp(rng.uniform(*np.log(_EMBLEM_SHARE))))
        centre = (x1 + (x2 - x1) * rng.uniform(0.25, 0.75), y1 + (y2 - y1) * rng.uniform(0.35, 0.7))
        shape = (size, size * float(rng.choice((0.5, 0.58, 0.75, 1.0))))
        _lay_board(image, _badge(rng), centre, shape, taken, 1.0)
    for _ in range(int(rng.integers(0, 3))):
        board = _lettering(rng)
        share = float(rng.uniform(0.1, 0.35))
        size = width * share
        centre = (rng.uniform(size / 2, width - size / 2), height * float(rng.choice((0.08, 0.92))))
        shape = (size, size * board.shape[0] / board.shape[1])
        _lay_board(image, board, centre, shape, taken, float(rng.uniform(0.6, 1.0)))
    return Photograph(image, photograph.plates, photograph.vehicles, photograph.permits)


def _lay_board(
    image: Image,
    board: NDArray[np.uint8],
    centre: tuple[float, float],
    size: tuple[float, float],
    taken: Sequence[Box],
    strength: float,
) -> None:
    """Lays a BGRA drawing upright over the picture, unless it would cover a label."""
    (x, y), (w, h) = centre, size
    box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
        return
    quad = np.array(((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])), np.float32)
    layer = comp.warp(board[..., :3].copy(), board[..., 3].copy(), quad, image.shape)
    if layer is not None:
        comp.lay(image, comp.Layer(layer.colour, layer.alpha * strength, layer.left, layer.top), blur=0.4)


def _badge(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A maker's badge: an oval or a disc with letters or bars, BGRA."""
    board = np.zeros((128, 128, 4), np.uint8)
    chrome, ground = int(rng.integers(150, 250)), rng.integers(10, 120, 3)
    fill = tuple(int(v) for v in (ground if rng.random() < 0.5 else np.full(3, int(ground[0]))))
    cv2.ellipse(board, (64, 64), (62, 62), 0, 0, 360, (chrome, chrome, chrome, 255), -1, cv2.LINE_AA)
    if rng.random() < 0.8:
        cv2.ellipse(board, (64, 64), (53, 53), 0, 0, 360, (*fill, 255), -1, cv2.LINE_AA)
    ink = (chrome, chrome, chrome, 255) if rng.random() < 0.7 else (20, 20, 160, 255)
    if rng.random() < 0.6:
        word = "".join(chr(int(letter)) for letter in rng.integers(65, 91, int(rng.integers(2, 4))))
        size, _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, 1.6, 5)
        at = (64 - size[0] // 2, 64 + size[1] // 2)
        cv2.putText(board, word, at, cv2.FONT_HERSHEY_DUPLEX, 1.6, ink, 5, cv2.LINE_AA)
    else:
        points = rng.integers(24, 104, (4, 2)).reshape(1, -1, 2)
        cv2.polylines(board, [points.astype(np.int32)], bool(rng.random() < 0.5), ink, 10, cv2.LINE_AA)
    return board


def _lettering(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A word or a number, with or without a ground of its own, BGRA."""
    words = [str(rng.choice(_WORDS)) for _ in range(int(rng.integers(1, 3)))]
    text = " ".join(words) if rng.random() < 0.7 else "".join(str(d) for d in rng.integers(0, 10, 8))
    face = int(rng.choice((cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SIMPLEX)))
    (width, height), _ = cv2.getTextSize(text, face, 2.0, 5)
    board = np.zeros((height + 40, width + 40, 4), np.uint8)
    ground = tuple(int(v) for v in rng.integers(0, 256, 3))
    ink = tuple(int(v) for v in rng.integers(0, 256, 3))
    if rng.random() < 0.5:
        board[:] = (*ground, 255)
    cv2.putText(board, text, (20, height + 18), face, 2.0, (*ink, 255), 5, cv2.LINE_AA)
    return board


def _on_glass(
    image: Image, vehicle: Box, size: float, rng: np.random.Generator
) -> tuple[float, float] | None:
    """A place in the upper part of a vehicle that looks like glass: dark and without much colour."""
    x1, y1, x2, y2 = vehicle
    for _ in range(8):
        x = x1 + (x2 - x1) * rng.uniform(0.12, 0.88)
        y = y1 + (y2 - y1) * rng.uniform(*_WINDSCREEN)
        half = max(2, round(size * 0.6))
        part = image[max(0, int(y) - half) : int(y) + half, max(0, int(x) - half) : int(x) + half]
        if not part.size:
            continue
        tone = part.reshape(-1, 3).mean(axis=0)
        if tone.mean() < _DARKEST_PAINT and np.ptp(tone) < _COLOURLESS:
            return x, y
    return None


def lay_sticker(
    image: Image,
    centre: tuple[float, float],
    size: float,
    rng: np.random.Generator,
    *,
    permit: bool,
    taken: Sequence[Box] = (),
) -> Box | None:
    """Lays a permit or another sticker behind glass, in place.

    Args:
        image: uint8 H x W x 3.
        centre: Its middle in px.
        size: Its diameter in px.
        rng: Source of randomness.
        permit: Whether it is a permit.
        taken: Boxes it must keep clear of.

    Returns:
        Its box, or None where there is no room.
    """
    drawn = draw_permit(rng, 160) if permit else draw_other_sticker(rng, 160)
    tilt, squeeze = np.radians(rng.normal(0, 10)), rng.uniform(0.45, 1.0)  # windscreens lie back
    axis = np.array(((np.cos(tilt), -np.sin(tilt) * 0.6), (np.sin(tilt), np.cos(tilt))))
    shape = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1))) * size / 2 * (1, squeeze)
    lean = np.array(((1, rng.normal(0, 0.25)), (0, 1)))
    quad = (shape @ lean.T @ axis.T + centre).astype(np.float32)
    rows, columns = np.nonzero(drawn.mask > 127)
    inked = np.array((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)) / drawn.mask.shape[0]
    box = _box_inside(quad, inked, disc=bool(drawn.mask[0, drawn.mask.shape[1] // 2] or drawn.mask[-1].any()))
    height, width = image.shape[:2]
    if box[0] < 1 or box[1] < 1 or box[2] > width - 1 or box[3] > height - 1:
        return None
    if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
        return None
    layer = comp.warp(drawn.image, drawn.mask, quad, image.shape, margin=4)
    if layer is None:
        return None
    behind = image[
        layer.top : layer.top + layer.colour.shape[0], layer.left : layer.left + layer.colour.shape[1]
    ]
    light = float(np.clip(np.percentile(image, 75) / 200, 0.3, 1.1)) * rng.uniform(0.6, 1.05)
    reflection = rng.triangular(0.0, 0.05, 0.45)
    colour = layer.colour * light * (1 - 0.5 * reflection) + behind * reflection
    solid = layer.alpha * rng.uniform(0.82, 1.0)
    blur = float(rng.uniform(0.2, 0.9))
    grain = comp.grain_like(min(comp.noise_level(behind), 8.0), rng)
    comp.lay(image, comp.Layer(colour, solid, layer.left, layer.top), blur=blur, grain=grain)
    return box


def _box_inside(quad: Quad, inked: NDArray[np.float64], *, disc: bool) -> Box:
    """The box of what a square drawing shows, once its corners lie at `quad`."""
    if disc:  # the affine image of the inscribed circle
        right, down = (quad[1] - quad[0]) / 2, (quad[3] - quad[0]) / 2
        reach = np.hypot(right, down)
        middle = quad.mean(axis=0)
        (x1, y1), (x2, y2) = (middle - reach).tolist(), (middle + reach).tolist()
        return x1, y1, x2, y2
    u1, v1, u2, v2 = inked
    right, down = quad[1] - quad[0], quad[3] - quad[0]
    corners = np.array([quad[0] + right * u + down * v for u, v in ((u1, v1), (u2, v1), (u2, v2), (u1, v2))])
    return comp.quad_box(corners.astype(np.float32))
