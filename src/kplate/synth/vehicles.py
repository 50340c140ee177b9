"""Buses and trucks, and lamps that are on: what is painted over the bodies of :mod:`kplate.synth.cars`."""

from typing import Final

import numpy as np

from kplate.images import Image
from kplate.results import Box
from kplate.synth.car_shapes import Shape
from kplate.synth.cars import Car, draw_car
from kplate.synth.painter import Camera, Points, blend, colour, fill, line, shade

#: Measures of buses and trucks: bodies whose window stands upright right behind the bumper.
HEAVY_FRONTS: Final = {
    "bus": Shape(2.45, 10.5, 1.0, 1.2, 3.1, 0.06, 0.2, 0.32),
    "minibus": Shape(2.05, 7.0, 1.02, 1.25, 2.6, 0.3, 0.75, 0.3),
    "truck": Shape(2.3, 8.0, 1.2, 1.5, 2.7, 0.06, 0.25, 0.42),
    "small truck": Shape(1.74, 5.1, 0.98, 1.14, 1.97, 0.15, 0.6, 0.3),
}
HEAVY_REARS: Final = {
    "bus": Shape(2.45, 10.5, 1.75, 1.9, 3.1, 0.06, 0.14, 0.35),
    "minibus": Shape(2.05, 7.0, 1.2, 1.4, 2.6, 0.06, 0.2, 0.32),
    "truck": Shape(2.3, 8.0, 1.05, 1.08, 1.3, 0.4, 0.5, 0.45),
    "small truck": Shape(1.74, 5.1, 0.95, 0.98, 1.2, 0.4, 0.5, 0.38),
}
#: Height of the load's upper edge in metres, and how far behind the front bumper it begins.
_CARGO: Final = {"truck": (3.4, 1.9), "small truck": (2.5, 1.5)}
#: BGR of bodies that carry a load: white, silver, blue, green.
_CARGO_TONES: Final = ((224, 226, 226), (180, 182, 182), (160, 100, 40), (96, 130, 60))
_HEAD: Final = (236, 250, 255)
_TAIL: Final = (40, 30, 235)


def draw_vehicle(image: Image, camera: Camera, car: Car) -> Box:
    """Paints a car, bus or truck without its plate, in place, and gives its box in px (not clipped)."""
    name = next(
        (n for shapes in (HEAVY_FRONTS, HEAVY_REARS) for n, s in shapes.items() if s is car.shape), ""
    )
    if name not in _CARGO:
        return draw_car(image, camera, car)
    height, behind = _CARGO[name]
    if car.rear:
        body = draw_car(image, camera, car)
        return _around(body, _box_body(image, camera, car, car.shape.nose + 0.02, height, 0.0))
    load = _box_body(image, camera, car, car.shape.ground + 0.3, height, behind)
    return _around(draw_car(image, camera, car), load)


def lit(image: Image, camera: Camera, car: Car, strength: float = 1.0) -> None:
    """Lets head or tail lamps glow, in place.

    Args:
        image: uint8 H x W x 3 BGR.
        camera: Where the picture is taken from.
        car: The car; its rear lamps glow red.
        strength: How far the glow reaches, 1 = as dipped beams by night.
    """
    tone = _TAIL if car.rear else _HEAD
    for side in (-1, 1):
        angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        x, y = side * car.shape.width * 0.4, car.shape.nose - 0.12
        ring = np.column_stack((x + 0.08 * np.cos(angles), y + 0.06 * np.sin(angles), np.full(16, -0.06)))
        outline = camera.project(car.world(ring))
        size, middle = float(np.ptp(outline[:, 0])), outline.mean(axis=0)
        for grown, share in ((7.0, 0.13), (3.0, 0.3)):
            wide = middle + (outline - middle) * grown * strength
            blend(image, wide, tone, share, blur=max(0.6, size * grown * strength / 5))
        blend(image, outline, (255, 255, 255) if not car.rear else tone, 0.97, blur=max(0.4, size / 10))


def _box_body(image: Image, camera: Camera, car: Car, low: float, high: float, behind: float) -> Points:
    """Paints the box of a truck's load, its near face and the side that is seen; gives its outline in px."""
    half, tone = car.shape.width / 2, np.array(_CARGO_TONES[int(car.style[7] * 3.99)], np.float64)

    def see(points: list[tuple[float, float, float]]) -> Points:
        return camera.project(car.world(np.array(points, np.float64)))

    end = car.shape.length
    dx, dz = camera.eye[0] - car.x, camera.eye[2] - car.z
    side = 1.0 if dx * np.cos(car.yaw) - dz * np.sin(car.yaw) > 0 else -1.0
    x = side * half
    flank = see([(x, high, behind), (x, high, end), (x, low, end), (x, low, behind)])
    shade(image, flank, colour(tone, 0.8 * car.light), colour(tone, 0.6 * car.light))
    face = see([(-half, high, behind), (half, high, behind), (half, low, behind), (-half, low, behind)])
    shade(image, face, colour(tone, car.light), colour(tone, 0.85 * car.light))
    frame = colour(tone, 0.5 * car.light)
    line(image, face, frame, 1, closed=True)
    if car.rear:
        line(image, see([(0, high, behind), (0, low, behind)]), frame, 2)
        for u in (-0.85, -0.1, 0.1, 0.85):
            post = see([(half * u, high, behind), (half * u, low, behind)])
            line(image, post, colour(tone, 0.7 * car.light), 1)
        stripe = see([(-half, low + 0.12, behind), (half, low + 0.12, behind)])
        width = max(1.0, float(np.ptp(stripe[:, 0])) / 60)
        line(image, stripe, np.array((40.0, 40.0, 190.0)) * car.light, width)
    else:
        roof = see([(-half, high, behind), (half, high, behind), (half, high, end), (-half, high, end)])
        if camera.eye[1] > high:
            fill(image, roof, colour(tone, 0.95 * car.light))
    return np.concatenate((flank, face))


def _around(box: Box, points: Points) -> Box:
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return min(box[0], x1), min(box[1], y1), max(box[2], x2), max(box[3], y2)
