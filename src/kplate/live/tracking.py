"""Following cars through frames, by where their boxes and plates are and by what the plates say.

Generic trackers know boxes alone. Here a car is mostly known by its plate, so boxes propose and texts decide:
the boxes are predicted with a constant velocity and compared by overlap, as in SORT (Bewley et al., 2016); a
plate that reads clearly otherwise is another car, and one that reads the same is the same car even after a
gap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kplate.boxes import iou, share
from kplate.live.agreement import Ballot, differing
from kplate.live.model import Sighting
from kplate.results import Box, Plate, Recognition

#: Seconds that a car is looked for where it should be, after it was seen last: a moving one, and a parked one
#: that something may hide.
_COAST: Final = 1.5
_COAST_PARKED: Final = 45.0
#: A car stands still when its box has overlapped itself by so much for so many seconds.
_STILL: Final = 0.7
_STILL_AFTER: Final = 2.0
#: Least likeness at which a box continues a track.
_LEAST: Final = 0.15
#: A plate whose middle has moved by more than this many plate widths from where it should be is another one.
_REACH: Final = 1.6
#: What an equal and a different text add to the likeness.
_SAME_TEXT: Final = 1.0
#: Trusted texts that differ in so many characters are of two cars.
_OTHER_CAR: Final = 3
#: Shares by which the newest observation moves place and velocity (an alpha-beta filter).
_ALPHA: Final = 0.85
_BETA: Final = 0.5


@dataclass(frozen=True, slots=True)
class Observation:
    """A car in one frame.

    Attributes:
        box: Of the vehicle; None where only its plate was found.
        vehicle: Index among the frame's vehicles, or None.
        plate: Its plate, or None.
        plate_index: Index among the frame's plates, or None.
        permit: Whether a disabled permit was found on it.
    """

    box: Box | None
    vehicle: int | None
    plate: Plate | None
    plate_index: int | None
    permit: bool = False


@dataclass(slots=True)
class Motion:
    """Where a box is and how fast its sides move, px and px a second."""

    box: Box
    time: float
    velocity: Box = (0.0, 0.0, 0.0, 0.0)

    def at(self, time: float) -> Box:
        """Return where the box should be, at most a second ahead of what was seen."""
        ahead = min(1.0, max(0.0, time - self.time))
        a, b, c, d = (side + speed * ahead for side, speed in zip(self.box, self.velocity, strict=True))
        return a, b, max(c, a + 1.0), max(d, b + 1.0)

    def see(self, box: Box, time: float) -> None:
        """Take a new place over."""
        passed = max(time - self.time, 1e-3)
        expected = self.at(time)
        moved = [_ALPHA * (new - old) for new, old in zip(box, expected, strict=True)]
        a, b, c, d = (old + step for old, step in zip(expected, moved, strict=True))
        rates = [_BETA * step / passed for step in moved]
        u, v, w, x = (speed + rate for speed, rate in zip(self.velocity, rates, strict=True))
        self.box, self.velocity, self.time = (a, b, c, d), (u, v, w, x), time


@dataclass(slots=True)
class Track:
    """A followed car.

    Attributes:
        id: Its number.
        first: Second at which it was seen first.
        last: Likewise last.
        ballot: The readings of its plate.
        vehicle: Where its box is; None while only its plate was found.
        plate: Where its plate is; None while none was found.
        permit: Whether a disabled permit was seen on it.
        seen: In how many frames it was found.
        sighting: What its plate says, once settled.
        silent: Its plate was told already for another track that is still in view: nothing more is told.
        observed: What was found of it in the newest frame, or None.
        rest: Where it came to rest, if it did, and when.
    """

    id: int
    first: float
    last: float
    ballot: Ballot = field(default_factory=Ballot)
    vehicle: Motion | None = None
    plate: Motion | None = None
    permit: bool = False
    seen: int = 0
    sighting: Sighting | None = None
    silent: bool = False
    observed: Observation | None = None
    rest: tuple[Box, float] | None = None

    @property
    def box(self) -> Box:
        """Where the car was last seen; its plate where only that was found."""
        motion = self.vehicle or self.plate
        assert motion is not None
        return motion.box

    @property
    def text(self) -> str | None:
        """What its plate says as far as is known."""
        return self.sighting.text if self.sighting else self.ballot.leader()

    @property
    def parked(self) -> bool:
        """Whether it stands still."""
        return self.rest is not None and self.last - self.rest[1] >= _STILL_AFTER

    def see(self, observation: Observation, time: float) -> None:
        """Take over where it is now."""
        self.observed = observation
        self.seen += 1
        self.last = time
        self.permit = self.permit or observation.permit
        if observation.box is not None:
            self.vehicle = _moved(self.vehicle, observation.box, time)
        if observation.plate is not None:
            self.plate = _moved(self.plate, observation.plate.box, time)
        box = observation.box or self.box
        if self.rest is None or iou(self.rest[0], box) < _STILL:
            self.rest = (box, time)

    def expected(self, time: float) -> bool:
        """Whether it may still be where it was last seen."""
        return time - self.last <= (_COAST_PARKED if self.parked else _COAST)


def observe(recognition: Recognition) -> list[Observation]:
    """Put vehicles, plates and permits of a frame together, one observation a car."""
    by_vehicle: dict[int, int] = {}
    for index, plate in enumerate(recognition.plates):
        if plate.vehicle is None:
            continue
        other = by_vehicle.get(plate.vehicle)
        if other is None or _rank(plate) > _rank(recognition.plates[other]):
            by_vehicle[plate.vehicle] = index
    permits = {permit.vehicle for permit in recognition.permits}
    taken = set(by_vehicle.values())
    found = []
    for number, vehicle in enumerate(recognition.vehicles):
        own = by_vehicle.get(number)
        shown = None if own is None else recognition.plates[own]
        found.append(Observation(vehicle.box, number, shown, own, number in permits))
    for index, plate in enumerate(recognition.plates):
        if index not in taken:
            found.append(Observation(None, None, plate, index))
    return found


def assign(
    tracks: Sequence[Track], observations: Sequence[Observation], time: float
) -> list[tuple[Track, Observation]]:
    """Find which track each observation continues, the likest pairs first; each is used once at most."""
    pairs = [
        (likeness, t, o)
        for t, track in enumerate(tracks)
        for o, observation in enumerate(observations)
        if (likeness := _likeness(track, observation, time)) >= _LEAST
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    used_tracks: set[int] = set()
    used_observations: set[int] = set()
    found = []
    for _, t, o in pairs:
        if t not in used_tracks and o not in used_observations:
            used_tracks.add(t)
            used_observations.add(o)
            found.append((tracks[t], observations[o]))
    return found


def _likeness(track: Track, observation: Observation, time: float) -> float:
    """Return how well an observation continues a track; 0 where it cannot."""
    near = _nearness(track, observation, time) if track.expected(time) else 0.0
    known, plate = track.text, observation.plate
    if known is None or plate is None or plate.candidate is None:
        return near
    if plate.text == known:
        return near + _SAME_TEXT
    apart = differing(known, plate.candidate)
    if plate.trusted and apart >= _OTHER_CAR:
        return 0.0
    return near + 0.5 * _SAME_TEXT * max(0.0, 1 - apart / len(known)) if near else 0.0


def _nearness(track: Track, observation: Observation, time: float) -> float:
    """Compare where a car should be with where one was found: 0 = elsewhere, 1 = there."""
    near = 0.0
    if track.vehicle is not None and observation.box is not None:
        near = iou(track.vehicle.at(time), observation.box)
    if track.plate is not None and observation.plate is not None:
        here, there = track.plate.at(time), observation.plate.box
        apart = math.dist(_middle(here), _middle(there)) / max(here[2] - here[0], there[2] - there[0], 1.0)
        near = max(near, 1 - apart / _REACH)
    elif track.vehicle is None and track.plate is not None and observation.box is not None:
        near = 0.3 * share(track.plate.at(time), observation.box)  # the car around a plate seen before
    elif observation.box is None and observation.plate is not None and track.vehicle is not None:
        near = 0.3 * share(observation.plate.box, track.vehicle.at(time))
    return near


def _moved(motion: Motion | None, box: Box, time: float) -> Motion:
    if motion is None:
        return Motion(box, time)
    motion.see(box, time)
    return motion


def _rank(plate: Plate) -> tuple[bool, float, float]:
    return plate.trusted, plate.score, plate.detection_score or 0.0


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
