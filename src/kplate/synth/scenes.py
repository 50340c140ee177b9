"""Whole pictures drawn from nothing: car parks with cars, plates and permits, and all their labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS
from kplate.results import Box
from kplate.synth import compositing as comp
from kplate.synth.backgrounds import BAY_WIDTH, Place, draw_place
from kplate.synth.car_shapes import FRONTS, PAINTS, REARS
from kplate.synth.cars import Car, draw_car
from kplate.synth.painter import Camera
from kplate.synth.permits import PermitStyle, draw_other_sticker, draw_permit
from kplate.synth.plates import sample_plate
from kplate.synth.texts import sample_kind

Quad = NDArray[np.float32]

#: Plates whose drawing makes no sense on a car.
_NOT_ON_CARS: Final = frozenset({Kind.MOTORCYCLE_OLD, Kind.CONSTRUCTION_OLD, Kind.CONSTRUCTION})
PERMIT_DIAMETER: Final = 0.13  # m
#: Shares of a car, and of a plate or permit, that must be in the picture and not behind another car to be
#: labelled.
_CAR_SHOWN: Final = 0.35
_SMALL_SHOWN: Final = 0.95


#: Demonstrations up to this many px wide are drawn at twice their size.
_FINE_UP_TO: Final = 2000


@dataclass(frozen=True, slots=True)
class ScenePlate:
    """A plate in a scene.

    Attributes:
        text: Canonical text.
        kind: Plate kind.
        electric: Whether it marks an electric vehicle.
        corners: float32 4 x 2 px, from the top left clockwise.
        vehicle: Index of its vehicle, None where that is not labelled.
    """

    text: str
    kind: Kind
    electric: bool
    corners: Quad
    vehicle: int | None

    @property
    def box(self) -> Box:
        """The box around its corners."""
        return comp.quad_box(self.corners)


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn picture and its labels.

    Attributes:
        image: uint8 H x W x 3 BGR.
        plates: The plates.
        vehicles: Boxes of vehicles, clipped to the picture.
        permits: Boxes of disabled-parking permits.
        unsure: Class (0 vehicle, 1 plate, 2 permit) and box of what is cut off or partly hidden.
    """

    image: Image
    plates: tuple[ScenePlate, ...]
    vehicles: tuple[Box, ...]
    permits: tuple[Box, ...]
    unsure: tuple[tuple[int, Box], ...] = ()


@dataclass(frozen=True, slots=True)
class Guest:
    """A car that is to be drawn.

    Attributes:
        car: The car.
        kind: Kind of its plate.
        permit: Style of its permit, if any.
        sticker: Whether another sticker is on its windscreen.
        text: Text of its plate; random unless given.
        permit_scale: Size of its permit; 1 = as they are.
    """

    car: Car
    kind: Kind
    permit: PermitStyle | None = None
    sticker: bool = False
    text: str | None = None
    permit_scale: float = 1.0


def draw_scene(
    camera: Camera, place: Place, guests: Sequence[Guest], rng: np.random.Generator, *, wear: float = 1.0
) -> Scene:
    """Draws a car park with cars, far ones first.

    Args:
        camera: Where the picture is taken from.
        place: The car park.
        guests: The cars.
        rng: Source of randomness.
        wear: How worn and dirty plates are; 0 = new.
    """
    return draw_guests(draw_place(camera, place, rng), camera, guests, rng, wear=wear)


def draw_guests(
    image: Image,
    camera: Camera,
    guests: Sequence[Guest],
    rng: np.random.Generator,
    *,
    wear: float = 1.0,
    draw: Callable[[Image, Camera, Car], Box] = draw_car,
) -> Scene:
    """Draws cars into a picture of any place, far ones first.

    Args:
        image: The place; it is drawn over.
        camera: Where the picture is taken from.
        guests: The cars.
        rng: Source of randomness.
        wear: How worn and dirty plates are; 0 = new.
        draw: Paints a car without its plate, in place, and gives its box.
    """
    found = []
    for guest in sorted(guests, key=lambda guest: -guest.car.z):
        box = draw(image, camera, guest.car)
        plate = _draw_plate(image, camera, guest, rng, wear)
        found.append(_Drawn(box, plate, _draw_stickers(image, camera, guest, rng)))
    return _labelled(image, found)


@dataclass(frozen=True, slots=True)
class _Drawn:
    vehicle: Box
    plate: ScenePlate | None
    permit: Box | None


def _common(a: Box, b: Box) -> float:
    """Share of `a` that lies in `b`."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return width * height / max((a[2] - a[0]) * (a[3] - a[1]), 1e-6)


def _labelled(image: Image, found: Sequence[_Drawn]) -> Scene:
    """Sorts what was drawn, far cars first, into what is well seen and what is not."""
    height, width = image.shape[:2]
    frame = (0.0, 0.0, float(width), float(height))
    vehicles: list[Box] = []
    plates: list[ScenePlate] = []
    permits: list[Box] = []
    unsure: list[tuple[int, Box]] = []

    def seen(box: Box, nearer: Sequence[_Drawn]) -> float:
        return _common(box, frame) - sum(_common(box, other.vehicle) for other in nearer)

    for n, drawn in enumerate(found):
        nearer = found[n + 1 :]
        if _common(drawn.vehicle, frame) <= 0.01:
            continue
        index = None
        if seen(drawn.vehicle, nearer) >= _CAR_SHOWN:
            index = len(vehicles)
            vehicles.append(_clip(drawn.vehicle, width, height))
        else:
            unsure.append((0, _clip(drawn.vehicle, width, height)))
        plate, permit = drawn.plate, drawn.permit
        if plate is not None and seen(plate.box, nearer) > _SMALL_SHOWN:
            plates.append(ScenePlate(plate.text, plate.kind, plate.electric, plate.corners, index))
        elif plate is not None and _common(plate.box, frame) > 0.02:
            unsure.append((1, _clip(plate.box, width, height)))
        if permit is not None and seen(permit, nearer) > _SMALL_SHOWN:
            permits.append(permit)
        elif permit is not None and _common(permit, frame) > 0.02:
            unsure.append((2, _clip(permit, width, height)))
    return Scene(image, tuple(plates), tuple(vehicles), tuple(permits), tuple(unsure))


def _clip(box: Box, width: int, height: int) -> Box:
    return max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3])


def _draw_plate(
    image: Image, camera: Camera, guest: Guest, rng: np.random.Generator, wear: float
) -> ScenePlate | None:
    car = guest.car
    corners = camera.project(car.world(car.plate_corners())).astype(np.float32)
    width, _ = comp.quad_size(corners)
    if width < 6:
        return None
    scale = float(np.clip(width * 1.6 / LAYOUTS[guest.kind].width, 0.3, 1.5))
    plate = sample_plate(
        rng, px_per_mm=round(scale * 8) / 8 or 0.125, kind=guest.kind, text=guest.text, wear=wear
    )
    holder = comp.grow(corners, 0.045)
    tone = np.full((8, 8, 3), int(rng.choice((20, 40, 190))), np.uint8)
    frame = comp.warp(tone, np.full((8, 8), 255, np.uint8), holder, image.shape)
    light = np.float32(min(1.05, car.light * rng.uniform(0.92, 1.04)))
    drawing = np.clip(plate.image * light, 0, 255).astype(np.uint8)
    layer = comp.warp(drawing, plate.mask, corners, image.shape)
    if frame is None or layer is None:
        return None
    comp.lay(image, frame)
    comp.lay(image, layer)
    return ScenePlate(plate.text, plate.kind, plate.electric, corners, None)


def _draw_stickers(image: Image, camera: Camera, guest: Guest, rng: np.random.Generator) -> Box | None:
    car = guest.car
    if car.rear:
        return None
    box = None
    side = 0.1 if rng.random() < 0.6 else 0.9
    for style, wanted, u in ((guest.permit, guest.permit is not None, side), (None, guest.sticker, 1 - side)):
        if not wanted:
            continue
        drawn = draw_permit(rng, 128, style) if style is not None else draw_other_sticker(rng, 128)
        size = PERMIT_DIAMETER * float(rng.uniform(0.9, 1.3)) * guest.permit_scale
        place = car.on_glass(u + (0.04 if u < 0.5 else -0.04), 0.82, size)
        quad = camera.project(car.world(place)).astype(np.float32)
        layer = comp.warp(drawn.image, drawn.mask, quad, image.shape)
        if layer is None or comp.quad_size(quad)[0] < 4:
            continue
        tint = float(rng.uniform(0.7, 1.0)) * car.light
        comp.lay(image, comp.Layer(layer.colour * tint, layer.alpha * 0.95, layer.left, layer.top))
        if style is not None:
            top, low = (0.18, 0.82) if style is PermitStyle.OLD else (0.0, 1.0)
            tl, tr, br, bl = quad
            inked = (tl + (bl - tl) * top, tr + (br - tr) * top, tr + (br - tr) * low, tl + (bl - tl) * low)
            box = comp.quad_box(np.array(inked, np.float32))
    return box


#: Distance from the camera to the first bays, m; and nearer, where permits are to be learned.
_FRONT: Final = (2.2, 11.0)
_NEAR_FRONT: Final = (1.7, 7.0)
#: Share of cars with a permit outside disabled bays, and where permits are to be learned.
_PERMITS: Final = 0.35
_MORE_PERMITS: Final = 0.6


def procedural_scene(
    rng: np.random.Generator, size: tuple[int, int] = (640, 480), *, near: bool = False
) -> Scene:
    """A random car park.

    Args:
        rng: Source of randomness.
        size: Width and height in px.
        near: Cars stand nearer and more of them have a permit, so that permits are large enough to learn.
    """
    width, height = size
    light = float(rng.uniform(0.22, 0.5)) if rng.random() < 0.2 else float(rng.uniform(0.7, 1.05))
    front = float(np.exp(rng.uniform(*np.log(_NEAR_FRONT if near else _FRONT))))
    eye = (0.0, float(rng.uniform(0.9, 3.2)), 0.0)
    pitch = float(np.arctan2(eye[1] - 0.7, front + 1.5) * rng.uniform(0.4, 1.1))
    yaw = float(rng.normal(0, 0.28))
    focal = width * float(rng.uniform(0.7, 1.25))
    camera = Camera(width, height, focal, eye, yaw, pitch, float(rng.normal(0, 0.015)))
    bays = int(rng.integers(3, 7))
    left = -bays * BAY_WIDTH / 2 + float(rng.uniform(-1.2, 1.2)) + yaw * front
    wall = front + float(rng.uniform(5.3, 10))
    disabled = tuple(n for n in range(bays) if rng.random() < 0.15)
    place = Place(bool(rng.random() < 0.5), front, wall, left, bays, disabled, light)
    permits = _MORE_PERMITS if near else _PERMITS
    guests = [_guest(rng, place, bay, permits) for bay in range(bays) if rng.random() < 0.75]
    scene = draw_scene(camera, place, guests, rng)
    return replace(scene, image=_finish(scene.image, rng))


def _guest(rng: np.random.Generator, place: Place, bay: int, permits: float) -> Guest:
    rear = bool(rng.random() < 0.45)
    shapes = list((REARS if rear else FRONTS).values())
    shape = shapes[int(rng.choice(len(shapes), p=(0.4, 0.2, 0.28, 0.12)))]
    paints = [paint for paint, _ in PAINTS]
    weights = np.array([share for _, share in PAINTS])
    paint = np.array(paints[int(rng.choice(len(paints), p=weights / weights.sum()))], np.float64)
    paint = np.clip(paint * rng.uniform(0.85, 1.1) + rng.normal(0, 6, 3), 12, 245)
    kind = sample_kind(rng)
    while kind in _NOT_ON_CARS:
        kind = sample_kind(rng)
    layout = LAYOUTS[kind]
    z = place.front + float(rng.uniform(-0.2, 0.7))
    car = Car(
        shape,
        rear,
        paint,
        place.middle(bay) + float(rng.normal(0, 0.12)),
        z,
        float(rng.normal(0, 0.05)),
        (layout.width, layout.height),
        tuple(float(v) for v in rng.random(8)),
        place.light * float(rng.uniform(0.85, 1.05)),
    )
    permit = None
    if rng.random() < (0.9 if bay in place.disabled else permits):
        styles = list(PermitStyle)
        permit = styles[int(rng.choice(len(styles), p=(0.55, 0.22, 0.1, 0.13)))]
    return Guest(car, kind, permit, bool(rng.random() < 0.3))


def _finish(image: Image, rng: np.random.Generator) -> Image:
    """What a lens and a sensor add: uneven light, softness, grain."""
    height, width = image.shape[:2]
    coarse = rng.uniform(0.82, 1.12, (3, 4)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    result: Image = np.clip(image * field[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        result = np.asarray(cv2.GaussianBlur(result, (0, 0), float(rng.uniform(0.4, 1.0))), np.uint8)
    if rng.random() < 0.6:
        grain = (rng.standard_normal((height, width)) * rng.uniform(1, 7)).astype(np.int16)[..., None]
        result = np.asarray(np.clip(result.astype(np.int16) + grain, 0, 255), np.uint8)
    return result


def demo_scene(rng: np.random.Generator, size: tuple[int, int] = (1280, 720)) -> Scene:
    """A car park with three cars: one electric, one with a disabled permit in its bay, one taxi.

    Args:
        rng: Source of randomness: texts, paint and place differ.
        size: Width and height in px.
    """
    over = 2 if max(size) <= _FINE_UP_TO else 1  # drawn at twice the size and averaged: smooth edges
    width, height = size[0] * over, size[1] * over
    eye = (float(rng.uniform(-0.2, 0.2)), 2.0, 0.0)
    # What matters lies within a frame of 16:9, whatever the picture's shape.
    focal = min(width, height * 16 / 9) * 0.78
    camera = Camera(width, height, focal, eye, float(rng.uniform(-0.015, 0.015)), 0.15)
    place = Place(bool(rng.random() < 0.5), 5.2, 12.0, -1.5 * BAY_WIDTH, 3, (0,), 1.0)
    last = Kind.COMMERCIAL_LONG if rng.random() < 0.5 else Kind.WHITE_LONG
    guests = [
        _demo_guest(rng, place, bay, kind)
        for bay, kind in enumerate((Kind.WHITE_8_FILM, Kind.ELECTRIC, last))
    ]
    scene = draw_scene(camera, place, guests, rng, wear=0.3)
    image = np.asarray(cv2.resize(scene.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    plates = tuple(
        ScenePlate(p.text, p.kind, p.electric, (p.corners / over).astype(np.float32), p.vehicle)
        for p in scene.plates
    )
    vehicles = tuple(_scaled(box, 1 / over) for box in scene.vehicles)
    return Scene(image, plates, vehicles, tuple(_scaled(box, 1 / over) for box in scene.permits))


def _demo_guest(rng: np.random.Generator, place: Place, bay: int, kind: Kind) -> Guest:
    shape = (FRONTS["suv"], FRONTS["saloon"], REARS["saloon"])[bay]
    paint = ((228, 230, 232), (150, 92, 46), (52, 50, 50))[bay]
    style = tuple(float(v) for v in rng.uniform(0.2, 0.7, 8))
    if kind is Kind.ELECTRIC:
        style = (*style[:3], 0.9, *style[4:])  # no grille
    car = Car(
        shape,
        bay == 2,
        np.array(paint, np.float64),
        place.middle(bay) + float(rng.uniform(-0.08, 0.08)),
        place.front + float(rng.uniform(0.1, 0.35)),
        float(rng.uniform(-0.03, 0.03)),
        (LAYOUTS[kind].width, LAYOUTS[kind].height),
        style,
    )
    return Guest(car, kind, PermitStyle.YELLOW if bay == 0 else None, permit_scale=1.6)


def _scaled(box: Box, factor: float) -> Box:
    return box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor
