"""Draws clips of passing cars, by day and by night, and says in every frame where which car is.

A camera stands beside a road of two lanes: on the left one cars come towards it, on the right one they drive
away.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.boxes import share
from kplate.errors import KplateError
from kplate.files import write_atomic
from kplate.images import Image
from kplate.live.video_writer import VideoWriter
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS
from kplate.results import Box, json_line
from kplate.synth import compositing as comp
from kplate.synth.backgrounds import Place, draw_place
from kplate.synth.car_shapes import FRONTS, PAINTS, REARS
from kplate.synth.cars import Car, draw_car
from kplate.synth.painter import Camera, blend
from kplate.synth.plates import PlateImage, sample_plate

#: Share of plate kinds, roughly as Korean roads show them; training pictures hold more rare ones.
_KINDS: Final = {
    Kind.WHITE_LONG: 0.27,
    Kind.WHITE_SHORT: 0.04,
    Kind.WHITE_8_PAINTED: 0.2,
    Kind.WHITE_8_FILM: 0.25,
    Kind.ELECTRIC: 0.08,
    Kind.CORPORATE: 0.02,
    Kind.COMMERCIAL_LONG: 0.07,
    Kind.COMMERCIAL_SHORT: 0.03,
    Kind.GREEN: 0.03,
    Kind.GREEN_REGION: 0.01,
}
#: Lanes: middle of the lane in metres, and whether cars drive away in it.
_LANES: Final = ((-1.9, False), (1.7, True))
_NEAREST: Final = 3.2  # m from the camera where a car appears or disappears
_FARTHEST: Final = 30.0
_SPEED: Final = (5.5, 8.0)  # m/s
_NIGHT_LIGHT: Final = 0.3
#: Seconds that a picture is exposed, by day and by night.
_EXPOSURE: Final = (1 / 250, 1 / 120)
#: Moments within the exposure that are drawn and averaged: about one for every px that the plate moves.
_MOMENTS: Final = (2, 8)
#: More cars than this would run into one another; a shorter clip shows no car's whole way.
_MOST_A_SECOND: Final = 0.6
_SHORTEST: Final = 6.0
#: Strength of the grain by day and by night, steps of 255, and px by which it is larger than a picture.
_GRAIN: Final = (2.0, 5.0)
_SPARE: Final = 97
#: A plate is labelled where this share of it is in the picture and not behind another car.
_SHOWN: Final = 0.95


@dataclass(frozen=True, slots=True)
class PassingCar:
    """A car that passes once.

    Attributes:
        number: Of the car, from 0 in the order of appearance.
        car: Its look; its place changes with time.
        plate: Its plate.
        start: Second at which it is at the beginning of its way.
        speed: Metres a second.
        away: Whether it drives away from the camera.
        night: Whether it passes by night.
    """

    number: int
    car: Car
    plate: PlateImage
    start: float
    speed: float
    away: bool
    night: bool

    @property
    def end(self) -> float:
        """Second at which it has gone."""
        return self.start + (_FARTHEST - _NEAREST) / self.speed

    def at(self, time: float) -> Car:
        """The car at its place at a time."""
        way = (time - self.start) * self.speed
        return replace(self.car, z=_NEAREST + way if self.away else _FARTHEST - way)


@dataclass(frozen=True, slots=True)
class SeenCar:
    """A car in one frame.

    Attributes:
        number: Of the car.
        text: Text of its plate.
        box: Of the car, px, clipped to the picture.
        corners: Of its plate, 4 x 2 px; None where it is cut off, hidden or too small.
    """

    number: int
    text: str
    box: Box
    corners: tuple[tuple[float, float], ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        corners = None if self.corners is None else [[round(v, 1) for v in point] for point in self.corners]
        box = [round(v, 1) for v in self.box]
        return {"car": self.number, "text": self.text, "box": box, "corners": corners}


class Clip:
    """A clip of passing cars, drawn frame by frame.

    Attributes:
        cars: The cars, by their first appearance.
        frames: How many frames there are.
        rate: Frames a second.
        size: Width and height in px.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        cars: int = 30,
        seconds: float = 60.0,
        size: tuple[int, int] = (1280, 720),
        rate: float = 25.0,
        day: float = 0.65,
    ) -> None:
        """Choose the cars and draw the road.

        Args:
            rng: Source of everything random.
            cars: How many pass.
            seconds: Length.
            size: Width and height in px, even.
            rate: Frames a second.
            day: Share of it that plays by day; the rest plays by night.

        Raises:
            KplateError: So many cars cannot pass in that time.
        """
        if cars > seconds * _MOST_A_SECOND or seconds < _SHORTEST:
            raise KplateError(
                f"{cars} cars cannot pass in {seconds:g} seconds: at most {_MOST_A_SECOND} a second, and a "
                f"clip of at least {_SHORTEST:g} seconds"
            )
        width, height = size
        self.size, self.rate, self.frames = size, rate, round(seconds * rate)
        self._rng = rng
        self._camera = Camera(width, height, width * 1.05, (-0.1, 2.3, 0.0), 0.0, 0.13)
        self._turn = seconds * day
        self.cars = self._traffic(cars, seconds)
        road = Place(False, 6.0, 42.0, -60.0, 0, (), 1.0)
        seed = int(rng.integers(1 << 31))
        self._roads = tuple(
            draw_place(self._camera, replace(road, light=light), np.random.default_rng(seed))
            for light in (1.0, _NIGHT_LIGHT * 0.8)
        )
        self._grain = tuple(_grain(rng, size, strength) for strength in _GRAIN)

    def __iter__(self) -> Iterator[tuple[Image, tuple[SeenCar, ...]]]:
        """Yield each frame and what is in it, far cars first."""
        for index in range(self.frames):
            yield self._frame(index / self.rate)

    def _traffic(self, count: int, seconds: float) -> tuple[PassingCar, ...]:
        """Let cars start in both lanes at even pauses, a little shaken, so that none runs into another."""
        rng, found = self._rng, []
        for lane, (x, away) in enumerate(_LANES):
            members = range(lane, count, len(_LANES))
            speed = float(rng.uniform(*_SPEED))
            way = (_FARTHEST - _NEAREST) / speed
            pause = (seconds - way - 0.5) / max(1, len(members))
            for place, number in enumerate(members):
                start = 0.2 + pause * (place + 0.5 * lane * 0.9 + float(rng.uniform(0, 0.35)))
                night = start + way / 2 > self._turn
                found.append(self._car(number, x, start, speed, away=away, night=night))
        return tuple(sorted(found, key=lambda car: car.number))

    def _car(
        self, number: int, x: float, start: float, speed: float, *, away: bool, night: bool
    ) -> PassingCar:
        rng = self._rng
        shapes = list((REARS if away else FRONTS).values())
        paint = np.array(PAINTS[int(rng.integers(len(PAINTS)))][0], np.float64)
        kind = list(_KINDS)[int(rng.choice(len(_KINDS), p=list(_KINDS.values())))]
        layout = LAYOUTS[kind]
        car = Car(
            shapes[int(rng.integers(len(shapes)))],
            away,
            np.clip(paint * rng.uniform(0.85, 1.1), 12, 245),
            x + float(rng.normal(0, 0.15)),
            0.0,
            float(rng.normal(0, 0.02)),
            (layout.width, layout.height),
            tuple(float(v) for v in rng.random(8)),
            _NIGHT_LIGHT * 1.25 if night else float(rng.uniform(0.85, 1.0)),
        )
        plate = sample_plate(rng, px_per_mm=0.5, kind=kind, wear=0.7)
        return PassingCar(number, car, plate, start, speed, away, night)

    def _frame(self, time: float) -> tuple[Image, tuple[SeenCar, ...]]:
        night = time > self._turn
        image = self._roads[night].copy()
        present = [car for car in self.cars if car.start <= time < car.end]
        present.sort(key=lambda car: -car.at(time).z)
        seen = [self._draw(image, car, time) for car in present]
        return self._exposed(image, night), self._labels(seen)

    def _draw(self, image: Image, passing: PassingCar, time: float) -> tuple[PassingCar, Box, comp.Quad]:
        """Draw a car as it blurs while the picture is exposed, in place; give its boxes at mid exposure."""
        exposure = _EXPOSURE[passing.night]
        other = image.copy()
        box = draw_car(image, self._camera, passing.at(time))
        draw_car(other, self._camera, passing.at(time + exposure))
        cv2.addWeighted(image, 0.5, other, 0.5, 0, dst=image)
        first, last = (self._plate_corners(passing.at(time + late)) for late in (0.0, exposure))
        moments = int(np.clip(np.ceil(np.abs(last - first).max()), *_MOMENTS))
        left, top, right, bottom = _window(comp.quad_box(np.vstack((first, last))), self.size, 4)
        if right > left and bottom > top:
            total = np.zeros((bottom - top, right - left, 3), np.float32)
            for moment in range(moments):
                part = image[top:bottom, left:right].copy()
                share = moment / (moments - 1)
                corners = first * (1 - share) + last * share
                self._lay_plate(part, passing, corners - np.array((left, top), np.float32))
                total += part
            image[top:bottom, left:right] = np.rint(total / moments).astype(np.uint8)
        if passing.night:
            self._lamps(image, passing.at(time + exposure / 2))
        return passing, box, ((first + last) / 2).astype(np.float32)

    def _plate_corners(self, car: Car) -> comp.Quad:
        return self._camera.project(car.world(car.plate_corners())).astype(np.float32)

    def _lay_plate(self, part: Image, passing: PassingCar, corners: comp.Quad) -> None:
        """Lay a plate over a part of the picture, in place."""
        # Plates reflect headlights: by night they are brighter than the car that carries them.
        light = np.float32(min(1.0, passing.car.light * (1.7 if passing.night else 1.0)))
        drawing = np.clip(passing.plate.image * light, 0, 255).astype(np.uint8)
        layer = comp.warp(drawing, passing.plate.mask, corners.astype(np.float32), part.shape)
        if layer is not None:
            comp.lay(part, layer)

    def _lamps(self, image: Image, car: Car) -> None:
        """Let head or tail lamps glow."""
        tone = (40, 30, 235) if car.rear else (235, 250, 255)
        for side in (-1, 1):
            angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
            x, y = side * car.shape.width * 0.4, car.shape.nose - 0.12
            ring = np.column_stack((x + 0.09 * np.cos(angles), y + 0.07 * np.sin(angles), np.full(12, -0.06)))
            outline = self._camera.project(car.world(ring))
            size = float(np.ptp(outline[:, 0]))
            blend(image, outline, tone, 0.95, blur=size / 8)
            middle = outline.mean(axis=0)
            blend(image, middle + (outline - middle) * 2.2, tone, 0.35, blur=size / 2)

    def _exposed(self, image: Image, night: bool) -> Image:
        """Add the sensor's grain."""
        grain = self._grain[night]
        top, left = (int(self._rng.integers(_SPARE)) for _ in range(2))
        part = grain[top : top + image.shape[0], left : left + image.shape[1]]
        return np.asarray(cv2.add(image, part, dtype=cv2.CV_8U), np.uint8)

    def _labels(self, seen: list[tuple[PassingCar, Box, comp.Quad]]) -> tuple[SeenCar, ...]:
        width, height = self.size
        frame = (0.0, 0.0, float(width), float(height))
        labels = []
        for n, (passing, box, corners) in enumerate(seen):
            if share(box, frame) <= 0.02:
                continue
            plate = comp.quad_box(corners)
            hidden = sum(share(plate, nearer) for _, nearer, _ in seen[n + 1 :])
            shown = share(plate, frame) - hidden > _SHOWN
            points = tuple((float(x), float(y)) for x, y in corners) if shown else None
            clipped = (max(0.0, box[0]), max(0.0, box[1]), min(frame[2], box[2]), min(frame[3], box[3]))
            labels.append(SeenCar(passing.number, passing.plate.text, clipped, points))
        return tuple(labels)


def write_clip(clip: Clip, folder: Path, advance: Callable[[str], None] = lambda _: None) -> None:
    """Write a clip as ``clip.mp4``, and what is in it as ``clip.jsonl``.

    The first line of the labels says which cars pass (``car``, ``text``, ``kind``, ``electric``, ``night``,
    ``first`` and ``last`` second), each other line what one frame shows (``frame``, ``time``, and for each
    car ``car``, ``text``, ``box`` and ``corners`` of its plate, null where it is not well in view).

    Args:
        clip: The clip.
        folder: Where the files go.
        advance: Called after each frame.

    Raises:
        OutputError: A file cannot be written.
    """
    cars = [
        {
            "car": car.number,
            "text": car.plate.text,
            "kind": car.plate.kind,
            "electric": car.plate.electric,
            "night": car.night,
            "first": round(car.start, 2),
            "last": round(car.end, 2),
        }
        for car in clip.cars
    ]
    lines = [json_line({"file": "clip.mp4", "rate": clip.rate, "frames": clip.frames, "cars": cars})]
    with VideoWriter(folder / "clip.mp4", clip.rate) as video:
        for index, (image, seen) in enumerate(clip):
            video.write(image)
            found = [car.to_dict() for car in seen]
            lines.append(json_line({"frame": index, "time": round(index / clip.rate, 3), "cars": found}))
            advance("")
    write_atomic(folder / "clip.jsonl", "".join(f"{line}\n" for line in lines).encode())


def _grain(rng: np.random.Generator, size: tuple[int, int], strength: float) -> NDArray[np.int16]:
    """Make grain a little larger than a picture, so that each frame can take another part of it."""
    shape = (size[1] + _SPARE, size[0] + _SPARE)
    coarse = rng.standard_normal((shape[0] // 2, shape[1] // 2)).astype(np.float32)
    plane = cv2.resize(coarse, (shape[1], shape[0])) * strength
    return np.repeat(plane.round().astype(np.int16)[..., None], 3, axis=2)


def _window(box: Box, size: tuple[int, int], margin: int) -> tuple[int, int, int, int]:
    left, top = max(0, int(box[0]) - margin), max(0, int(box[1]) - margin)
    return left, top, min(size[0], int(box[2]) + margin), min(size[1], int(box[3]) + margin)
