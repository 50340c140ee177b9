"""Frames and recognitions made by hand, for tests of what comes after recognition."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from kplate.live.model import Frame, FrameResult, Sighting
from kplate.live.watcher import Watcher
from kplate.results import Box, Permit, Plate, Recognition, Vehicle

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_IMAGE = np.zeros((360, 640, 3), np.uint8)
TRUST = 0.5


def plate(
    text: str | None, score: float = 0.98, box: Box = (100, 100, 180, 120), *, vehicle: int | None = None
) -> Plate:
    left, top, right, bottom = box
    trusted = text is not None and score >= TRUST
    return Plate(
        text=text if trusted else None,
        candidate=text,
        display=text if trusted else None,
        score=score if text else 0.0,
        characters=(score,) * len(text or ""),
        kind="white_long",
        use="private",
        electric=False,
        box=box,
        corners=((left, top), (right, top), (right, bottom), (left, bottom)),
        detection_score=0.9,
        vehicle=vehicle,
    )


def frame(index: int, rate: float = 25.0) -> Frame:
    seconds = index / rate
    return Frame(index, seconds, START + timedelta(seconds=seconds), _IMAGE)


class Car:
    """A car for :func:`play`: where it is in each frame, and what is read; a missing frame hides it."""

    def __init__(
        self,
        text: str,
        start: tuple[float, float],
        speed: tuple[float, float] = (0, 0),
        *,
        permit: bool = False,
    ) -> None:
        self.text, self.start, self.speed, self.permit = text, start, speed, permit
        self.hidden: set[int] = set()
        self.readings: dict[int, tuple[str | None, float]] = {}

    def at(self, index: int) -> Box:
        x, y = (place + index * step for place, step in zip(self.start, self.speed, strict=True))
        return x, y, x + 120, y + 100

    def read(self, index: int) -> tuple[str | None, float]:
        return self.readings.get(index, (self.text, 0.98))


def recognition(cars: Sequence[Car], index: int) -> Recognition:
    shown = [car for car in cars if index not in car.hidden]
    vehicles = tuple(Vehicle(car.at(index), 0.9) for car in shown)
    plates, permits = [], []
    for number, car in enumerate(shown):
        x, y, *_ = car.at(index)
        text, score = car.read(index)
        plates.append(plate(text, score, (x + 20, y + 70, x + 100, y + 90), vehicle=number))
        if car.permit:
            permits.append(Permit((x + 10, y + 10, x + 20, y + 20), 0.9, number))
    return Recognition(640, 360, 1.0, vehicles, tuple(plates), tuple(permits))


def play(watcher: Watcher, cars: Sequence[Car], frames: range, rate: float = 25.0) -> Iterator[FrameResult]:
    for index in frames:
        yield watcher.update(frame(index, rate), recognition(cars, index))


def sightings(cars: Sequence[Car], frames: range, rate: float = 25.0) -> list[Sighting]:
    """All sightings of a run, also those of the end."""
    watcher = Watcher()
    found = [sighting for result in play(watcher, cars, frames, rate) for sighting in result.settled]
    return [*found, *watcher.finish()[0]]
