"""Draws cars seen from the front or the rear: simple bodies in three dimensions, painted back to front."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from kplate.images import Image
from kplate.synth.car_shapes import Shape
from kplate.synth.painter import Camera, Colour, Points, blend, colour, fill, line, shade, smooth

See = Callable[[Sequence[tuple[float, float, float]] | Points], Points]

GLASS: Final = np.array((46.0, 42.0, 38.0))
RUBBER: Final = np.array((26.0, 25.0, 25.0))
CHROME: Final = np.array((205.0, 204.0, 202.0))


@dataclass(frozen=True, slots=True)
class Car:
    """A car at its place.

    Attributes:
        shape: Its measures.
        rear: Whether its rear faces the camera.
        paint: BGR.
        x: Place of the middle of the near bumper in the world, metres.
        z: Likewise, away from the camera.
        yaw: Its turn, radians.
        plate_mm: Width and height of its plate.
        style: Random numbers 0..1 that settle its details.
        light: Brightness of what it reflects.
    """

    shape: Shape
    rear: bool
    paint: Colour
    x: float
    z: float
    yaw: float
    plate_mm: tuple[float, float]
    style: tuple[float, ...] = field(default=(0.5,) * 8)
    light: float = 1.0

    def world(self, points: Points) -> Points:
        """Points of the world from points of the car (x right, y up, z from the near bumper backwards)."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y, z = np.asarray(points, np.float64).T
        return np.column_stack((self.x + x * c + z * s, y, self.z - x * s + z * c))

    def plate_corners(self) -> Points:
        """The plate's corners on the car, 4 x 3, from the top left clockwise, metres."""
        width, height = (side / 1000 for side in self.plate_mm)
        if self.rear:
            middle = 0.56 if self.style[0] < 0.4 else self.shape.nose - 0.24
        else:
            middle = self.shape.ground + 0.2 + 0.08 * self.style[0]
        x, y, z = width / 2, height / 2, -0.07
        return np.array(((-x, middle + y, z), (x, middle + y, z), (x, middle - y, z), (-x, middle - y, z)))

    def glass_corners(self) -> Points:
        """The windscreen's corners on the car, 4 x 3, from the top left clockwise, metres."""
        s = self.shape
        top, low = s.width * 0.345, s.width * 0.43
        ends = ((-top, s.roof - 0.07, s.crown), (top, s.roof - 0.07, s.crown))
        return np.array((*ends, (low, s.belt + 0.02, s.screen), (-low, s.belt + 0.02, s.screen)))

    def on_glass(self, u: float, v: float, size: float) -> Points:
        """Corners (4 x 3) of a square of `size` metres on the windscreen, (u, v) from its top left."""
        tl, tr, br, bl = self.glass_corners()
        centre = (tl * (1 - u) + tr * u) * (1 - v) + (bl * (1 - u) + br * u) * v
        right = np.array((1.0, 0, 0))
        down = (bl + br - tl - tr) / np.linalg.norm(bl + br - tl - tr)
        half = size / 2
        offsets = (-right - down, right - down, right + down, -right + down)
        return np.array([centre + half * offset for offset in offsets])


def draw_car(image: Image, camera: Camera, car: Car) -> tuple[float, float, float, float]:
    """Paints a car without its plate, in place, and gives its box in px (not clipped)."""

    def see(points: Sequence[tuple[float, float, float]] | Points) -> Points:
        return camera.project(car.world(np.asarray(points, np.float64)))

    local = _camera_side(camera, car)
    _shadow(image, see, car)
    outlines = [_wheels(image, see, car)]
    if abs(local) > car.shape.width * 0.5:
        outlines += _side(image, see, car, 1.0 if local > 0 else -1.0)
    outlines += _cabin(image, see, car, camera.eye[1])
    outlines.append(_bonnet(image, see, car))
    outlines.append(_face(image, see, car))
    (_tail if car.rear else _front)(image, see, car)
    points = np.concatenate(outlines)
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x1, y1, x2, y2


def _camera_side(camera: Camera, car: Car) -> float:
    """How far the camera stands to the car's right, metres in the car's frame."""
    dx, dz = camera.eye[0] - car.x, camera.eye[2] - car.z
    return float(dx * np.cos(car.yaw) - dz * np.sin(car.yaw))


def _shadow(image: Image, see: See, car: Car) -> None:
    half, length = car.shape.width / 2 + 0.08, car.shape.length
    floor = see([(-half, 0, -0.12), (half, 0, -0.12), (half, 0, length), (-half, 0, length)])
    size = float(np.ptp(floor[:, 0]))
    blend(image, floor, (10, 10, 10), 0.72, blur=max(0.8, size / 60))


def _wheels(image: Image, see: See, car: Car) -> Points:
    s = car.shape
    under = see(
        [
            (-s.width * 0.46, 0.16, 0.15),
            (s.width * 0.46, 0.16, 0.15),
            (s.width * 0.46, s.ground + 0.2, 0.1),
            (-s.width * 0.46, s.ground + 0.2, 0.1),
        ]
    )
    fill(image, under, (16, 16, 16))
    low = []
    for side in (-1, 1):
        x1, x2 = side * s.width * 0.34, side * s.width * 0.48
        tyre = see([(x1, 0, 0.5), (x2, 0, 0.5), (x2, s.ground + 0.3, 0.45), (x1, s.ground + 0.3, 0.45)])
        rounded = tyre.mean(axis=0) + (smooth(tyre, 1) - tyre.mean(axis=0)) * 1.04
        fill(image, rounded, RUBBER * 0.8)
        low.append(tyre[:2])
    return np.concatenate(low)


def _side(image: Image, see: See, car: Car, side: float) -> list[Points]:
    s = car.shape
    x, length = side * s.width / 2, s.length
    tail = s.nose if not car.rear else s.nose - 0.2
    body = np.array(
        (
            (x * 0.9, s.ground, -0.02),
            (x, s.nose * 0.72, 0.02),
            (x * 0.95, s.nose, 0.12),
            (x * 0.95, s.belt, s.screen),
            (x * 0.95, s.belt + 0.03, length * 0.85),
            (x * 0.95, tail, length),
            (x, s.ground, length),
        )
    )
    outline = see(body)
    shade(image, outline, colour(car.paint, 0.92 * car.light), colour(car.paint, 0.5 * car.light))
    rise = [(x * 0.95, s.belt, s.screen), (x * 0.72, s.roof, s.crown), (x * 0.72, s.roof, length * 0.72)]
    cabin = see([*rise, (x * 0.95, s.belt + 0.02, length * 0.93)])
    fill(image, cabin, colour(car.paint, 0.66 * car.light))
    inset = cabin.mean(axis=0) + (cabin - cabin.mean(axis=0)) * 0.82
    shade(image, inset, GLASS * 1.5 * car.light, GLASS * 0.7)
    crease = see([(x * 1.005, s.nose * 0.8, 0.1), (x * 1.005, s.belt - 0.12, length * 0.95)])
    line(image, crease, colour(car.paint, 0.4 * car.light), 1)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for z in (0.85, length - 0.9):
        for radius, tone in (
            (0.38, RUBBER * 0.6),
            (0.325, RUBBER),
            (0.22, CHROME * 0.6 * car.light),
            (0.06, RUBBER),
        ):
            round_ = [(x * 1.01, 0.325 + radius * np.sin(a), z + radius * np.cos(a)) for a in angles]
            fill(image, see(round_), tone)
    return [outline, cabin]


def _cabin(image: Image, see: See, car: Car, eye: float) -> list[Points]:
    s, light = car.shape, car.light
    top, low = s.width * 0.39, s.width * 0.475
    frame = see(
        [
            (-low, s.belt - 0.02, s.screen),
            (-top, s.roof - 0.03, s.crown),
            (-top * 0.7, s.roof + 0.02, s.crown),
            (top * 0.7, s.roof + 0.02, s.crown),
            (top, s.roof - 0.03, s.crown),
            (low, s.belt - 0.02, s.screen),
        ]
    )
    if eye > s.roof:
        roof = see([(-top, s.roof, s.crown), (top, s.roof, s.crown), (top, s.roof, 3.4), (-top, s.roof, 3.4)])
        fill(image, roof, colour(car.paint, 1.02 * light))
    fill(image, frame, colour(car.paint, 0.7 * light))
    glass = smooth(see(car.glass_corners()), 1)
    shade(image, glass, GLASS * (0.9 + 1.6 * car.style[1]) * light, GLASS * 0.75 * light)
    _interior(image, see(car.glass_corners()), car)
    outlines = [frame]
    if not car.rear:
        for side in (-1, 1):
            x = side * s.width * 0.5
            mirror = smooth(
                see(
                    [
                        (x, s.belt, s.screen + 0.2),
                        (x * 1.16, s.belt + 0.02, s.screen + 0.2),
                        (x * 1.16, s.belt + 0.15, s.screen + 0.2),
                        (x, s.belt + 0.13, s.screen + 0.2),
                    ]
                )
            )
            fill(image, mirror, colour(car.paint, 0.75 * light))
            outlines.append(mirror)
    return outlines


def _interior(image: Image, glass: Points, car: Car) -> None:
    """What is seen through the window and on it: head rests, dashboard, a reflection, wipers."""
    tl, tr, br, bl = glass
    for u in (0.28, 0.72):  # head rests
        seat = tl + (tr - tl) * u + (bl - tl) * 0.55
        size = float(np.linalg.norm(tr - tl)) * 0.07
        rest = seat + np.array(((-1, 1.6), (-1, -0.6), (-0.6, -1), (0.6, -1), (1, -0.6), (1, 1.6))) * size
        blend(image, rest, (18, 18, 18), 0.55, blur=size / 8)
    dash = np.array((bl + (tl - bl) * 0.14, br + (tr - br) * 0.14, br, bl))
    blend(image, dash, (14, 14, 14), 0.6, blur=1)
    streak = np.array(
        (tl + (tr - tl) * 0.55, tl + (tr - tl) * 0.75, bl + (br - bl) * 0.5, bl + (br - bl) * 0.2)
    )
    blend(image, streak, (235, 235, 230), 0.10 * car.light, blur=float(np.linalg.norm(tr - tl)) / 60)
    if not car.rear:
        width = float(np.linalg.norm(br - bl)) / 110
        line(
            image,
            np.array((bl + (br - bl) * 0.08, bl + (br - bl) * 0.5 + (tl - bl) * 0.06)),
            (12, 12, 12),
            width,
        )
        line(
            image,
            np.array((bl + (br - bl) * 0.5, br + (tr - br) * 0.06 - (br - bl) * 0.08)),
            (12, 12, 12),
            width,
        )


def _bonnet(image: Image, see: See, car: Car) -> Points:
    s, light = car.shape, car.light
    near, far = s.width * 0.465, s.width * 0.475
    bow = 0.05
    outline = see(
        [
            (-near, s.nose, 0.04),
            (-near * 0.5, s.nose + bow, 0),
            (near * 0.5, s.nose + bow, 0),
            (near, s.nose, 0.04),
            (far, s.belt, s.screen),
            (0, s.belt + 0.03, s.screen),
            (-far, s.belt, s.screen),
        ]
    )
    shade(image, outline, colour(car.paint, 1.12 * light + 0.05), colour(car.paint, 0.92 * light))
    if not car.rear:
        for side in (-1, 1):
            crease = see(
                [(side * near * 0.55, s.nose + bow, 0.03), (side * far * 0.72, s.belt + 0.02, s.screen)]
            )
            line(image, crease, colour(car.paint, 0.8 * light), 1)
    return outline


def _face(image: Image, see: See, car: Car) -> Points:
    s, light = car.shape, car.light
    half, low = s.width / 2, s.ground
    outline = smooth(
        see(
            [
                (-half * 0.9, low, 0.03),
                (-half, low + 0.15, 0.05),
                (-half, s.nose - 0.15, 0.08),
                (-half * 0.93, s.nose, 0.05),
                (-half * 0.5, s.nose + 0.05, 0),
                (half * 0.5, s.nose + 0.05, 0),
                (half * 0.93, s.nose, 0.05),
                (half, s.nose - 0.15, 0.08),
                (half, low + 0.15, 0.05),
                (half * 0.9, low, 0.03),
            ]
        ),
        2,
    )
    shade(image, outline, colour(car.paint, 1.0 * light), colour(car.paint, 0.55 * light))
    return outline


def _strip(
    see: See, x1: float, x2: float, y1: float, y2: float, z: float = -0.04, lean: float = 0.0
) -> Points:
    result: Points = see([(x1, y1 + lean, z), (x2, y1, z), (x2, y2, z), (x1, y2 + lean, z)])
    return result


def _front(image: Image, see: See, car: Car) -> None:
    s, light, style = car.shape, car.light, car.style
    half, plate = s.width / 2, float(car.plate_corners()[:, 1].mean())
    low = smooth(
        _strip(see, -half * 0.72, half * 0.72, s.ground + 0.03, max(plate - 0.09, s.ground + 0.1)), 1
    )
    fill(image, low, RUBBER)
    wide = half * (0.42 + 0.2 * style[2])
    top, bottom = s.nose - 0.06, max(plate + 0.11, s.nose - 0.34)
    if style[3] < 0.75:  # electric cars have no grille
        grille = smooth(_strip(see, -wide, wide, bottom, top), 1)
        fill(image, grille, RUBBER * 0.9)
        bars = 3 + int(style[4] * 4)
        for n in range(1, bars):
            y = bottom + (top - bottom) * n / bars
            line(
                image,
                see([(-wide * 0.94, y, -0.05), (wide * 0.94, y, -0.05)]),
                CHROME * (0.35 + 0.4 * style[5]),
                1,
            )
        line(image, grille, CHROME * 0.8 * light, 1, closed=True)
    emblem = smooth(_strip(see, -0.07, 0.07, top - 0.08, top + 0.0, -0.06), 2)
    fill(image, emblem, CHROME * light)
    for side in (-1, 1):
        inner, outer = side * max(wide + 0.04, half * 0.5), side * half * 0.95
        lamp = smooth(
            see(
                [
                    (inner, top - 0.12, -0.04),
                    (inner, top - 0.02, -0.04),
                    (outer, top + 0.02, 0.03),
                    (outer, top - 0.1 - 0.06 * style[6], 0.03),
                ]
            ),
            1,
        )
        fill(image, lamp, np.array((120.0, 118.0, 114.0)) * light)
        middle = lamp.mean(axis=0)
        fill(image, middle + (lamp - middle) * 0.55, np.array((228.0, 228.0, 224.0)) * light)
        line(image, lamp, RUBBER * 1.6, 1, closed=True)
        fog = smooth(_strip(see, side * half * 0.66, side * half * 0.88, s.ground + 0.1, s.ground + 0.22), 1)
        fill(image, fog, RUBBER * 1.2)


def _tail(image: Image, see: See, car: Car) -> None:
    s, light, style = car.shape, car.light, car.style
    half = s.width / 2
    bumper = s.ground + 0.32
    line(
        image, see([(-half * 0.97, bumper + 0.06, -0.03), (half * 0.97, bumper + 0.06, -0.03)]), RUBBER * 2, 1
    )
    fill(image, smooth(_strip(see, -half * 0.8, half * 0.8, s.ground, s.ground + 0.12), 1), RUBBER)
    plate = float(car.plate_corners()[:, 1].mean())
    recess = smooth(_strip(see, -0.36, 0.36, plate - 0.1, plate + 0.1, -0.05), 1)
    shade(image, recess, colour(car.paint, 0.5 * light), colour(car.paint, 0.8 * light))
    top = s.nose - 0.06
    for side in (-1, 1):
        inner, outer = side * half * (0.5 + 0.15 * style[2]), side * half * 0.97
        lamp = smooth(_strip(see, inner, outer, top - 0.16 - 0.1 * style[3], top, -0.03), 1)
        fill(image, lamp, np.array((36.0, 24.0, 165.0)) * (0.5 + 0.5 * light))
        middle = lamp.mean(axis=0)
        fill(image, middle + (lamp - middle) * 0.45, np.array((70.0, 60.0, 225.0)) * (0.5 + 0.5 * light))
        reflector = _strip(see, side * half * 0.62, side * half * 0.85, bumper - 0.14, bumper - 0.1, -0.04)
        fill(image, reflector, (40, 30, 150))
    emblem = smooth(_strip(see, -0.06, 0.06, s.nose - 0.08, s.nose - 0.01, -0.05), 2)
    fill(image, emblem, CHROME * light)
