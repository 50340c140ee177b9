"""How cars get into bays and out of them: paths on the ground, and the time they take."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Track = NDArray[np.float64]

_STEP: Final = 0.05  # m between two points of a path
#: Speeds in m/s: along the aisle, while turning and in the bay; and what brakes and engine do, m/s^2.
_FAST: Final = 3.6
_SLOW: Final = 1.5
_ACCELERATION: Final = 1.2
_TURN: Final = 3.4  # m, radius in which the front bumper turns
_DIP: Final = 1.3  # m that it still comes forward while it turns out of a bay
_EDGE: Final = 9.5  # m to either side of the camera, out of its picture: where cars come from and go to
_PULL_PAST: Final = 1.5  # m that a car drives on beyond where it begins to back into a bay
_PAUSE: Final = 1.0  # s between forward and reverse


@dataclass(frozen=True, slots=True)
class Aisle:
    """Where cars drive.

    Attributes:
        z: Middle of the aisle, metres from the camera.
        bay: Where the near bumper of a parked car stands.
    """

    z: float
    bay: float


@dataclass(frozen=True, slots=True)
class Drive:
    """A car's way.

    Attributes:
        times: Seconds from its beginning, increasing.
        fronts: Places of the middle of the front bumper at these times, N x 2 (x, z), metres.
        rears: Likewise of the rear bumper.
    """

    times: Track
    fronts: Track
    rears: Track

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return float(self.times[-1])

    def at(self, time: float, *, rear: bool) -> tuple[float, float, float]:
        """Return the x, z and yaw of a car as it is drawn, from the end that faces the camera.

        Args:
            time: Seconds from the beginning; before and after, the car stands.
            rear: The rear faces the camera.
        """
        front = np.array([np.interp(time, self.times, self.fronts[:, n]) for n in range(2)])
        back = np.array([np.interp(time, self.times, self.rears[:, n]) for n in range(2)])
        near, far = (back, front) if rear else (front, back)
        along = far - near
        return float(near[0]), float(near[1]), float(np.arctan2(along[0], along[1]))

    def crossing(self, z: float) -> float:
        """Return the first time at which the middle of the car is nearer to the camera than ``z``."""
        middle = (self.fronts[:, 1] + self.rears[:, 1]) / 2
        return float(self.times[int(np.argmax(middle < z))])


def drive_in(x: float, aisle: Aisle, length: float, side: int, *, rear: bool) -> Drive:
    """Return the way into a bay.

    Args:
        x: Middle of the bay, metres.
        aisle: Where cars drive.
        length: Of the car, metres.
        side: Where it comes from: -1 from the left, 1 from the right.
        rear: Nose first, so that the rear faces the camera; otherwise it drives past and backs in.
    """
    if rear:
        return _timed(_nose_in(x, aisle, length, side, abs(side * _EDGE - x) - _TURN))
    fronts, rears = _nose_out(x, aisle, length, -side)
    fronts, rears = _extended(fronts, rears, _PULL_PAST)
    past = _along(side * _EDGE, fronts[-1, 0], fronts[-1, 1], length)
    return _joined(_timed(past), _timed((fronts[::-1], rears[::-1]), slow=True))


def drive_out(x: float, aisle: Aisle, length: float, side: int, *, rear: bool) -> Drive:
    """Return the way out of a bay: nose first, or backwards where the rear faces the camera.

    Args:
        x: Middle of the bay, metres.
        aisle: Where cars drive.
        length: Of the car, metres.
        side: Where it drives off to: -1 to the left, 1 to the right.
        rear: The rear faces the camera.
    """
    if not rear:
        return _timed(_nose_out(x, aisle, length, side))
    fronts, rears = _nose_in(x, aisle, length, -side, 2.0)
    away = _along(fronts[0, 0], side * _EDGE, fronts[0, 1], length)
    return _joined(_timed((fronts[::-1], rears[::-1]), slow=True), _timed(away))


def drive_past(aisle: Aisle, length: float, side: int, stop: float | None = None, wait: float = 0.0) -> Drive:
    """Return the way along the aisle.

    Args:
        aisle: Where cars drive.
        length: Of the car, metres.
        side: Where it comes from: -1 from the left, 1 from the right.
        stop: Where its front bumper comes to a stop on the way; None: it does not.
        wait: For how long, in seconds.
    """
    start, end = side * _EDGE, -side * _EDGE
    if stop is None:
        return _timed(_along(start, end, aisle.z, length))
    first = _timed(_along(start, stop, aisle.z, length))
    return _joined(first, _timed(_along(stop, end, aisle.z, length)), wait)


def _along(start: float, end: float, z: float, length: float) -> tuple[Track, Track]:
    """Straight along the aisle, from one place of the front bumper to another."""
    count = max(2, int(abs(end - start) / _STEP))
    fronts = np.column_stack((np.linspace(start, end, count), np.full(count, z)))
    return fronts, fronts - np.array((np.sign(end - start) * length, 0.0))


def _nose_in(x: float, aisle: Aisle, length: float, side: int, run_up: float) -> tuple[Track, Track]:
    angles = np.linspace(0, np.pi / 2, int(_TURN * np.pi / 2 / _STEP))
    arc = np.column_stack((x + side * _TURN * (1 - np.sin(angles)), aisle.z + _TURN * (1 - np.cos(angles))))
    start = np.arange(run_up, 0, -_STEP) * side + arc[0, 0]
    depth = np.arange(arc[-1, 1], aisle.bay + length, _STEP)
    start = np.column_stack((start, np.full(len(start), aisle.z)))
    fronts = np.concatenate((start, arc, np.column_stack((np.full(len(depth), x), depth))))
    rears = _trailing(fronts, fronts[0] + np.array((side * length, 0.0)), length)
    # Drivers straighten up: the last metres bring the rear behind the front.
    share = np.clip((fronts[:, 1] - arc[-1, 1]) / max(0.1, depth[-1] - arc[-1, 1]), 0, 1)
    rears[:, 0] += (x - rears[:, 0]) * share**2
    lines = rears - fronts
    return fronts, fronts + lines * (length / np.linalg.norm(lines, axis=1, keepdims=True))


def _nose_out(x: float, aisle: Aisle, length: float, side: int) -> tuple[Track, Track]:
    depth = np.arange(aisle.bay, aisle.z + _DIP, -_STEP)
    angles = np.linspace(0, np.pi / 2, int(_TURN * np.pi / 2 / _STEP))
    low = depth[-1] - _DIP
    arc = np.column_stack((x + side * _TURN * (1 - np.cos(angles)), low + _DIP * (1 - np.sin(angles))))
    rest = np.arange(_STEP, abs(side * _EDGE - arc[-1, 0]), _STEP) * side + arc[-1, 0]
    fronts = np.concatenate(
        (
            np.column_stack((np.full(len(depth), x), depth)),
            arc,
            np.column_stack((rest, np.full(len(rest), low))),
        )
    )
    return fronts, _trailing(fronts, np.array((x, aisle.bay + length)), length)


def _extended(fronts: Track, rears: Track, beyond: float) -> tuple[Track, Track]:
    """Cut a way out of a bay short where the car is straight in the aisle, and a little beyond."""
    straight = np.abs(fronts[:, 1] - rears[:, 1]) < 0.6
    end = min(len(fronts), int(np.argmax(straight)) + int(beyond / _STEP)) if straight.any() else len(fronts)
    return fronts[:end], rears[:end]


def _trailing(fronts: Track, rear: Track, length: float) -> Track:
    """Follow the front with the rear, which is always drawn towards it (a tractrix)."""
    rears = np.empty_like(fronts)
    for n, front in enumerate(fronts):
        line = rear - front
        rear = front + line * (length / np.linalg.norm(line))
        rears[n] = rear
    return rears


def _timed(path: tuple[Track, Track], *, slow: bool = False) -> Drive:
    """Give a path its speeds: fast along the aisle, slow in turns and bays, and a stop at either end."""
    fronts, rears = path
    steps = np.linalg.norm(np.diff(fronts, axis=0), axis=1) + 1e-9
    steps = np.maximum(steps, np.linalg.norm(np.diff(rears, axis=0), axis=1))
    turned = np.abs(fronts[:-1, 1] - rears[:-1, 1]) > 0.6
    speed = np.where(turned | slow, _SLOW, _FAST)
    done = np.cumsum(steps)
    speed = np.minimum(speed, np.sqrt(2 * _ACCELERATION * done) + 0.1)
    speed = np.minimum(speed, np.sqrt(2 * _ACCELERATION * (done[-1] - done + steps)) + 0.1)
    times = np.concatenate(((0.0,), np.cumsum(steps / speed)))
    return Drive(times, fronts, rears)


def _joined(first: Drive, second: Drive, pause: float = _PAUSE) -> Drive:
    times = np.concatenate((first.times, second.times + first.seconds + pause))
    return Drive(
        times, np.concatenate((first.fronts, second.fronts)), np.concatenate((first.rears, second.rears))
    )
