"""Test pictures by condition: infra-red, night, rain, a street from above, phones, fronts, rears, and so on.

Training draws car parks; most of these are streets, from other places of the camera. What is drawn here is
for measuring: the same seed gives the same pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS
from kplate.results import Box
from kplate.synth import compositing as comp
from kplate.synth import effects, weather
from kplate.synth.backgrounds import BAY_WIDTH, Place, draw_place
from kplate.synth.car_shapes import FRONTS, PAINTS, REARS, Shape
from kplate.synth.cars import Car
from kplate.synth.painter import Camera
from kplate.synth.permits import PermitStyle
from kplate.synth.scenes import Guest, Scene, draw_guests
from kplate.synth.streets import LANE_WIDTH, Street, draw_street
from kplate.synth.texts import sample_kind
from kplate.synth.vehicles import HEAVY_FRONTS, HEAVY_REARS, draw_vehicle, lit

#: Plates that no car, bus or truck carries.
_NOT_ON_CARS: Final = frozenset({Kind.MOTORCYCLE_OLD, Kind.CONSTRUCTION_OLD, Kind.CONSTRUCTION})
#: Plates of buses and trucks, and how common they are there.
_HEAVY_KINDS: Final = ((Kind.COMMERCIAL_LARGE, 0.45), (Kind.WHITE_LARGE, 0.25), (Kind.COMMERCIAL_LONG, 0.3))
#: Width in px from which a plate can be expected to be read.
LEGIBLE: Final = 64.0


@dataclass(frozen=True, slots=True)
class Condition:
    """A kind of test picture.

    Attributes:
        name: Short name.
        shows: What it is.
        draw: Draws one.
    """

    name: str
    shows: str
    draw: Callable[[np.random.Generator], Scene]


def _camera(
    size: tuple[int, int],
    view: float,
    height: float,
    pitch: float,
    rng: np.random.Generator,
    turn: float = 0.05,
) -> Camera:
    """A camera of a focal length of ``view`` picture widths, looking along the street."""
    roll = float(rng.normal(0, 0.012))
    return Camera(*size, size[0] * view, (0.0, height, 0.0), float(rng.normal(0, turn)), pitch, roll)


def _pitch_to(height: float, distance: float, aim: float = 0.6) -> float:
    """Pitch that brings what is this high and far away to the middle of the picture."""
    return float(np.arctan2(height - aim, distance))


def _kind(rng: np.random.Generator, heavy: bool) -> Kind:
    if heavy:
        kinds = [kind for kind, _ in _HEAVY_KINDS]
        return kinds[int(rng.choice(len(kinds), p=[share for _, share in _HEAVY_KINDS]))]
    while (kind := sample_kind(rng)) in _NOT_ON_CARS:
        pass
    return kind


def _guest(
    rng: np.random.Generator, x: float, z: float, *, rear: bool, light: float, heavy: bool = False
) -> Guest:
    """A vehicle at its place."""
    shapes: tuple[Shape, ...]
    if heavy:
        shapes = tuple((HEAVY_REARS if rear else HEAVY_FRONTS).values())
    else:
        shapes = tuple((REARS if rear else FRONTS).values())
    weights = np.array([share for _, share in PAINTS])
    paint = np.array(PAINTS[int(rng.choice(len(PAINTS), p=weights / weights.sum()))][0], np.float64)
    paint = np.clip(paint * rng.uniform(0.85, 1.1) + rng.normal(0, 6, 3), 12, 245)
    kind = _kind(rng, heavy)
    style = [float(value) for value in rng.random(8)]
    if heavy and rear:
        style[0] = 0.1  # low, below the load
    car = Car(
        shapes[int(rng.integers(len(shapes)))],
        rear,
        paint,
        x,
        z,
        float(rng.normal(0, 0.03)),
        (LAYOUTS[kind].width, LAYOUTS[kind].height),
        tuple(style),
        light * float(rng.uniform(0.88, 1.05)),
    )
    return Guest(car, kind, sticker=bool(rng.random() < 0.25))


def _lanes(
    rng: np.random.Generator, street: Street, near: tuple[float, float], gap: tuple[float, float], far: float
) -> list[Guest]:
    """Traffic on a street: cars one behind the other in every lane."""
    guests = []
    for lane in range(street.lanes):
        z = float(rng.uniform(*near))
        while z < far:
            if rng.random() < 0.8:
                x = street.middle(lane) + float(rng.normal(0, 0.2))
                heavy = bool(rng.random() < 0.08)
                guests.append(_guest(rng, x, z, rear=street.away(lane), light=street.light, heavy=heavy))
            z += float(rng.uniform(*gap))
    return guests


def _street(rng: np.random.Generator, lanes: int, light: float = 1.0, *, night: bool = False) -> Street:
    return Street(-lanes * LANE_WIDTH / 2 + float(rng.uniform(-1.5, 1.5)), lanes, light, night)


def _day(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.75, 1.05))


def _near(
    rng: np.random.Generator,
    *,
    rear: bool | None = None,
    heavy: bool = False,
    light: float | None = None,
    night: bool = False,
    glow: float = 0.0,
) -> Scene:
    """One or two vehicles before a camera at a gate or beside a road, 1280 x 720."""
    light = _day(rng) if light is None else light
    distance = float(rng.uniform(5.5, 12) if heavy else rng.uniform(3.2, 8.5))
    height = float(rng.uniform(0.9, 2.8))
    view = float(rng.uniform(0.8, 1.25))
    camera = _camera((1280, 720), view, height, _pitch_to(height, distance, 0.9 if heavy else 0.7), rng)
    facing = bool(rng.random() < 0.5) if rear is None else rear
    guests = [
        _guest(rng, float(rng.normal(0, 0.5)), distance, rear=facing, light=light, heavy=heavy),
    ]
    if rng.random() < 0.6:
        side = 1 if rng.random() < 0.5 else -1
        z = distance + float(rng.uniform(1, 9))
        guests.append(_guest(rng, side * float(rng.uniform(2.9, 3.8)), z, rear=facing, light=light))
    if rng.random() < 0.5:
        left = -2.5 * BAY_WIDTH + float(rng.uniform(-1, 1))
        place = Place(
            bool(rng.random() < 0.4), distance - 0.5, distance + rng.uniform(9, 16), left, 5, (), light
        )
        image = draw_place(camera, place, rng)
    else:
        image = draw_street(camera, _street(rng, 2, light, night=night), rng)
    return draw_guests(image, camera, guests, rng, draw=_painter(glow, rng))


def _painter(glow: float, rng: np.random.Generator) -> Callable[[Image, Camera, Car], Box]:
    """What paints vehicles, a share of them with their lamps on."""

    def draw(image: Image, camera: Camera, car: Car) -> Box:
        box = draw_vehicle(image, camera, car)
        if rng.random() < glow:
            lit(image, camera, car, float(rng.uniform(0.5, 1.2)))
        return box

    return draw


def _sensed(scene: Scene, rng: np.random.Generator, noise: tuple[float, float] = (1.0, 5.0)) -> Scene:
    """What an ordinary camera adds by day: a little softness, grain and compression."""
    image = scene.image
    if rng.random() < 0.6:
        image = effects.focus_blur(image, rng, float(rng.uniform(0.3, 0.8)))
    image = effects.sensor_noise(image, rng, float(rng.uniform(*noise)))
    return replace(scene, image=effects.jpeg(image, int(rng.integers(70, 96))))


def _weathered(
    scene: Scene,
    effect: Callable[[Image, weather.Quads, np.random.Generator], Image],
    rng: np.random.Generator,
) -> Scene:
    image = effect(scene.image, [plate.corners for plate in scene.plates], rng)
    return replace(scene, image=effects.jpeg(image, int(rng.integers(70, 96))))


def _infra_red(rng: np.random.Generator) -> Scene:
    return _weathered(_near(rng, light=0.95, glow=0.35), weather.infra_red, rng)


def _night(rng: np.random.Generator) -> Scene:
    scene = _near(rng, light=float(rng.uniform(0.2, 0.42)), night=True, glow=0.85)
    return _weathered(scene, weather.night, rng)


def _rain(rng: np.random.Generator) -> Scene:
    return _weathered(_near(rng, light=float(rng.uniform(0.6, 0.9)), glow=0.5), weather.rain, rng)


def _above(rng: np.random.Generator) -> Scene:
    """A wide camera high over a street, 1920 x 1080."""
    height = float(rng.uniform(4.5, 8))
    camera = _camera(
        (1920, 1080), float(rng.uniform(0.75, 1.1)), height, float(rng.uniform(0.24, 0.42)), rng, 0.1
    )
    street = _street(rng, int(rng.choice((2, 4, 6))), _day(rng))
    guests = _lanes(rng, street, (6, 12), (6.5, 14), 38)
    return _sensed(draw_guests(draw_street(camera, street, rng), camera, guests, rng, draw=draw_vehicle), rng)


def _small(rng: np.random.Generator) -> Scene:
    """Plates 20 to 32 px wide, 1920 x 1080."""
    view, height = float(rng.uniform(0.8, 1.1)), float(rng.uniform(3, 6))
    near, far = (0.52 * 1920 * view / width for width in (32, 20))
    camera = _camera((1920, 1080), view, height, _pitch_to(height, near * 0.8, 0), rng)
    street = _street(rng, 4, _day(rng))
    guests = []
    for lane in range(street.lanes):
        z = float(rng.uniform(near, near + 4))
        while z < far:
            guest = _guest(rng, street.middle(lane), z, rear=street.away(lane), light=street.light)
            width = guest.car.plate_mm[0] / 1000 * 1920 * view / z
            if 20.5 < width < 31.5:
                guests.append(guest)
            z += float(rng.uniform(6.5, 11))
    return _sensed(draw_guests(draw_street(camera, street, rng), camera, guests, rng, draw=draw_vehicle), rng)


def _phone(rng: np.random.Generator) -> Scene:
    """A car park or street as somebody stands there with a phone, 1440 x 1080 or upright."""
    size = (1440, 1080) if rng.random() < 0.6 else (1080, 1440)
    height, distance = float(rng.uniform(1.3, 1.75)), float(rng.uniform(6, 13))
    pitch = _pitch_to(height, distance, 1.0) + float(rng.normal(0, 0.04))
    camera = Camera(
        *size,
        max(size) * 0.78,
        (0.0, height, 0.0),
        float(rng.normal(0, 0.2)),
        pitch,
        float(rng.normal(0, 0.03)),
    )
    light = _day(rng)
    if rng.random() < 0.5:
        street = _street(rng, 2, light)
        guests = _lanes(rng, street, (distance - 1, distance + 3), (7, 12), 30)
        image = draw_street(camera, street, rng)
    else:
        left = -3 * BAY_WIDTH + float(rng.uniform(-1, 1)) + camera.yaw * distance
        place = Place(bool(rng.random() < 0.4), distance, distance + rng.uniform(6, 12), left, 6, (), light)
        guests = [
            _guest(
                rng,
                place.middle(bay),
                distance + float(rng.uniform(0, 0.6)),
                rear=bool(rng.random() < 0.5),
                light=light,
            )
            for bay in range(6)
            if rng.random() < 0.75
        ]
        image = draw_place(camera, place, rng)
    return _sensed(draw_guests(image, camera, guests, rng, draw=draw_vehicle), rng, (1.0, 7.0))


def _permits(rng: np.random.Generator) -> Scene:
    """Fronts near enough that a permit behind the windscreen can be made out, 1280 x 720; some have none."""
    height, distance = float(rng.uniform(1.3, 2.4)), float(rng.uniform(2.4, 5.5))
    camera = _camera(
        (1280, 720), float(rng.uniform(0.75, 1.1)), height, _pitch_to(height, distance + 1, 1.0), rng, 0.12
    )
    light = _day(rng)
    guests = []
    for x in (-BAY_WIDTH, 0.0, BAY_WIDTH):
        guest = _guest(rng, x + float(rng.normal(0, 0.15)), distance, rear=False, light=light)
        styles = list(PermitStyle)
        style = styles[int(rng.integers(len(styles)))] if rng.random() < 0.6 else None
        guests.append(replace(guest, permit=style, sticker=bool(rng.random() < 0.4)))
    image = draw_street(camera, _street(rng, 2, light), rng)
    return _sensed(draw_guests(image, camera, guests, rng, draw=draw_vehicle), rng)


CONDITIONS: Final = {
    condition.name: condition
    for condition in (
        Condition("infra_red", "grey pictures in the light of infra-red lamps", _infra_red),
        Condition("night", "streets and car parks by night, lamps on", _night),
        Condition("rain", "rain, haze and drops on the lens", _rain),
        Condition("above", "a wide street camera from above, 1920 x 1080", _above),
        Condition("phone", "phone pictures with small plates", _phone),
        Condition("front", "fronts", lambda rng: _sensed(_near(rng, rear=False), rng)),
        Condition("rear", "rears", lambda rng: _sensed(_near(rng, rear=True), rng)),
        Condition("heavy", "buses and trucks", lambda rng: _sensed(_near(rng, heavy=True), rng)),
        Condition("small", "plates 20 to 32 px wide in 1920 x 1080", _small),
        Condition("permits", "permits behind windscreens", _permits),
    )
}


#: What can be done to photographs, too; each function takes a picture, the corners of its plates, and chance.
ON_PHOTOGRAPHS: Final[dict[str, Callable[[Image, weather.Quads, np.random.Generator], Image]]] = {
    "infra_red": weather.infra_red,
    "night": weather.by_night,
    "rain": weather.rain,
    "permits": lambda image, _, __: image,
}


def legible(corners: comp.Quad | Sequence[Sequence[float]]) -> bool:
    """Whether a plate with these corners (4 x 2 px) is so large that it can be expected to be read."""
    return comp.quad_size(np.asarray(corners, np.float32))[0] >= LEGIBLE
