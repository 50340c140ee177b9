"""Watches the bays of one camera: frames in, events out. Time is that of the frames, never of the clock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from kplate.bays.closer import Recognise, closer_permit, closer_plate
from kplate.bays.geometry import Ground
from kplate.bays.memory import Picture
from kplate.bays.model import CHARGING, Bay, BayCamera, BayKind, Bays
from kplate.bays.occupancy import Change, Occupancy, Seen, View
from kplate.bays.occupant import Occupant
from kplate.bays.rules import NO_PERMIT, Review, reviews
from kplate.bays.state import State, occupant_of, saved_bay
from kplate.boxes import iou, share
from kplate.events import (
    Event,
    EventBay,
    EventPicture,
    EventPlate,
    EventType,
    EventVehicle,
    FrameReference,
    Stay,
    new_id,
)
from kplate.images import Image
from kplate.live.model import Frame, FrameResult
from kplate.results import Box, Plate

#: Pictures further apart than this stand alone: what happened between them cannot be seen.
_APART: Final = 10.0  # s
#: What stands in a bay is told when its plate is known, and its permit where one is asked for, or after this.
_SETTLED: Final = 10.0  # s
#: Pictures of an event of arrival or parking, of departure, and of a review: the vehicle as it came, and now.
_VEHICLE: Final = ("vehicle",)
_BAY: Final = ()
_EVIDENCE: Final = ("arrival", "vehicle", "frame")
#: A vehicle that was out of view for so long may have been replaced by another one.
_INTERRUPTED: Final = 2.0  # s
#: A vehicle of which something is not known yet is looked at this often.
_LOOK_EVERY: Final = 2.0  # s
#: Places of a vehicle that have this much in common (IoU) are the same.
_SAME_PLACE: Final = 0.85
#: While something stands before a vehicle, a plate is its own only if this share of it lies where it stands.
_ON_VEHICLE: Final = 0.7
#: Evidence shows the vehicle and this share of its size on all sides.
_MARGIN: Final = 0.25


@dataclass(frozen=True, slots=True)
class BayState:
    """How a bay is just now, for drawing and status.

    Attributes:
        bay: The bay.
        taken: Whether a vehicle stands there.
        since: Since when, UTC; None while it is free.
        plate: The vehicle's plate, as far as it is known.
        permit: Whether a permit was seen on the vehicle.
        review: Whether somebody should look at it.
    """

    bay: Bay
    taken: bool = False
    since: datetime | None = None
    plate: EventPlate | None = None
    permit: bool = False
    review: bool = False


class BayMonitor:
    """Tells what happens in the bays of one camera.

    Example:
        >>> monitor = BayMonitor(load_bays("bays.toml"))  # doctest: +SKIP
        >>> for result in watcher:  # doctest: +SKIP
        ...     for event in monitor.update(result):
        ...         sink.write(event, monitor.pictures(event))

    Attributes:
        camera: The camera.
        source: What events call it.
        look: Recogniser for looking closer at parked vehicles; None: the frames' own results must do.
    """

    def __init__(
        self,
        bays: Bays,
        camera: str | None = None,
        *,
        source: str | None = None,
        apart: bool = False,
        look: Recognise | None = None,
    ) -> None:
        """Begin to watch; nothing is known of any bay yet.

        Args:
            bays: What the file of bays says.
            camera: The camera's name; None where the file has only one.
            source: What events call the camera; None for its name.
            apart: Every picture stands alone, as with snapshots on demand: one is enough for an arrival.
                Pictures more than ten seconds apart are taken so in any case.
            look: Recogniser for looking closer at parked vehicles, which finds permits and small plates that
                are lost in the whole picture. A vehicle is looked at every two seconds until it is known.

        Raises:
            BaysError: There is no such camera.
        """
        self.camera: BayCamera = bays.camera(camera)
        self.source = source or self.camera.name
        self.look = look
        self._bays = bays
        self._apart = apart
        self._occupancies = [Occupancy(index, bays.timing) for index in range(len(self.camera.bays))]
        self._occupants: list[Occupant | None] = [None] * len(self.camera.bays)
        self._ground: Ground | None = None
        self._size = (0, 0)
        self._time: float | None = None
        self._pictures: dict[str, Mapping[str, Image]] = {}
        self._resumed: State | None = None
        self._wall: datetime | None = None

    def resume(self, state: State) -> None:
        """Go on from what an earlier run knew; to be called before the first update.

        What stands in a bay then is the vehicle that stood there, unless its plate or its looks say
        otherwise. What was known of bays that are elsewhere now is forgotten.

        Args:
            state: What :meth:`state` returned.
        """
        self._resumed = state

    def state(self) -> State | None:
        """Return what is known after the last update; None before the first."""
        if self._wall is None:
            return None
        bays = zip(self.camera.bays, self._occupants, self._occupancies, strict=True)
        return State(
            self._wall, self._size, tuple(saved_bay(bay, car, place.memory) for bay, car, place in bays)
        )

    def update(self, result: FrameResult) -> list[Event]:
        """Take in a frame.

        Args:
            result: What is known with it. Its time must not lie before that of the frame before.

        Returns:
            What has happened, in the order of the bays; mostly nothing.
        """
        self._pictures = {}
        frame = result.frame
        step = 0.0 if self._time is None else frame.time - self._time
        self._time, self._wall = frame.time, frame.wall
        seen = tuple(self._seen(result))
        if self._resumed is not None:
            self._take_up(self._resumed, frame)
            self._resumed = None
        single = self._apart or step > _APART
        view = View(frame.time, step, Picture.of(frame.image, single), seen)
        return [event for bay in range(len(self._occupants)) for event in self._follow(bay, view, result)]

    def pictures(self, event: Event) -> Mapping[str, Image]:
        """Return the pictures of an event of the last update, by the names that the event gives them."""
        return self._pictures.get(event.id, {})

    def states(self) -> tuple[BayState, ...]:
        """Return how the bays are after the last update."""
        return tuple(
            BayState(bay)
            if car is None
            else BayState(bay, True, car.since_wall, car.plate, car.permit, bool(car.told))
            for bay, car in zip(self.camera.bays, self._occupants, strict=True)
        )

    def _take_up(self, state: State, frame: Frame) -> None:
        """Go on from what an earlier run knew, as far as it is about these bays and lies in the past."""
        if state.size != self._size or state.saved > frame.wall:
            return
        for index, bay in enumerate(self.camera.bays):
            saved = next((saved for saved in state.bays if saved.of(bay)), None)
            if saved is None:
                continue
            car = saved.car
            if car is None:
                self._occupancies[index].resume(frame.time)
                continue
            shown = _cut(frame.image, car.box) if saved.picture is None else (saved.picture, car.evidence)
            known = occupant_of(car, frame, shown, closely=self.look is not None)
            self._occupancies[index].resume(frame.time, known.since, car.box, saved.memory)
            self._occupants[index] = known

    def _seen(self, result: FrameResult) -> list[Seen]:
        """Say in which bay each vehicle of a frame stands."""
        height, width = result.frame.image.shape[:2]
        if self._ground is None or self._size != (width, height):
            self._size = (width, height)
            self._ground = Ground([bay.polygon for bay in self.camera.bays], width, height)
        seen = []
        for index, vehicle in enumerate(result.recognition.vehicles):
            shares = [self._ground.share(bay, vehicle.box) for bay in range(len(self._occupants))]
            best = max(range(len(shares)), key=shares.__getitem__, default=None)
            if best is None or shares[best] <= 0:
                seen.append(Seen(index, vehicle.box, None, 0.0))
            else:
                seen.append(Seen(index, vehicle.box, best, shares[best]))
        return seen

    def _follow(self, index: int, view: View, result: FrameResult) -> Iterator[Event]:
        """Bring one bay up to date."""
        occupancy, frame, closely = self._occupancies[index], result.frame, self.look is not None
        change = occupancy.update(view)
        if change is Change.LEFT:
            yield self._left(index, result)
        if change in (Change.ARRIVED, Change.FOUND):
            self._occupants[index] = _begin(
                occupancy, frame, occupancy.since, found=change is Change.FOUND, closely=closely
            )
        car = self._occupants[index]
        if car is None:
            return
        car.single = view.single
        _study(car, occupancy, result)
        self._look_closer(index, car, result)
        if car.replaced:
            yield self._left(index, result)
            car = self._occupants[index] = _begin(occupancy, frame, frame.time, found=False, closely=closely)
            car.single = view.single
            _study(car, occupancy, result)
            self._look_closer(index, car, result)
        yield from self._tell(index, car, view, result)

    def _look_closer(self, index: int, car: Occupant, result: FrameResult) -> None:
        """Look at a vehicle by itself where the whole picture has not shown what its bay asks for."""
        if self.look is None or self._occupancies[index].seen is None:
            return
        disabled, frame = self.camera.bays[index].kind is BayKind.DISABLED, result.frame
        wanted = disabled and not car.permit and NO_PERMIT.code not in car.told
        if (wanted or car.text is None) and frame.time - car.looked >= _LOOK_EVERY:
            car.looked = frame.time
            if car.text is None:
                plate = closer_plate(self.look, frame.image, car.box)
                own = _belongs(plate, car, self._occupancies[index])
                car.see(plate if own else None, None, False)
            if wanted:
                car.closer += closer_permit(self.look, frame.image, car.box)

    def _tell(self, index: int, car: Occupant, view: View, result: FrameResult) -> Iterator[Event]:
        """Say what stands there as soon as that is known, and what somebody should look at."""
        seconds = result.frame.time - car.since
        if not car.arrival and not car.found:
            event = self._event(index, EventType.ARRIVED, car, result, _VEHICLE)
            car.arrival = event.id
            yield event
        known = car.text is not None and (car.permit or self.camera.bays[index].kind is not BayKind.DISABLED)
        if not car.parked and (known or view.single or seconds >= _SETTLED):
            car.parked = True
            event = self._event(index, EventType.PARKED, car, result, _VEHICLE)
            car.arrival = car.arrival or event.id
            yield event
        if self._occupancies[index].seen is None:
            return  # what cannot be seen just now is no evidence
        for review in reviews(self.camera.bays[index], car, seconds, self._bays):
            car.told.add(review.reason.code)
            event = self._event(index, EventType.REVIEW, car, result, _EVIDENCE, review)
            yield event

    def _left(self, index: int, result: FrameResult) -> Event:
        car = self._occupants[index]
        assert car is not None
        self._occupants[index] = None
        return self._event(index, EventType.LEFT, car, result, _BAY)

    def _event(
        self,
        index: int,
        kind: EventType,
        car: Occupant,
        result: FrameResult,
        shown: tuple[str, ...],
        review: Review | None = None,
    ) -> Event:
        """Make an event of what is known, and keep its pictures until the next update."""
        bay, frame = self.camera.bays[index], result.frame
        height, width = frame.image.shape[:2]
        code = "" if review is None else review.reason.code
        details: dict[str, Any] = {} if review is None else dict(review.details)
        if bay.kind in CHARGING:
            details["charging"] = bay.kind.rpartition("_")[2]
        if car.found:
            details["found"] = True
        pictures: dict[str, tuple[Image, Box | None]] = {
            "frame": (frame.image, None),
            "arrival": car.evidence,
            "vehicle": _cut(frame.image, car.box),
        }
        event = Event(
            frame.wall,
            self.source,
            kind,
            id=new_id(frame.wall, f"{self.source}/{bay.name}/{kind}/{code}/{frame.index}"),
            plate=car.plate,
            vehicle=EventVehicle(car.track, car.box),
            permit=car.permit if bay.kind is BayKind.DISABLED or car.permit else None,
            bay=EventBay(bay.name, "charging" if bay.kind in CHARGING else str(bay.kind)),
            stay=Stay(car.since_wall, car.last_wall, round(max(0.0, car.last - car.since), 3)),
            reasons=() if review is None else (review.reason,),
            related=car.arrival or None,
            frame=FrameReference(frame.index, frame.time, width, height),
            pictures=tuple(EventPicture(name, pictures[name][1]) for name in shown),
            details=details,
        )
        self._pictures[event.id] = {name: pictures[name][0] for name in shown}
        return event


def _begin(occupancy: Occupancy, frame: Frame, since: float, *, found: bool, closely: bool) -> Occupant:
    """Note a vehicle that has come, or that was there from the start, with a picture of it."""
    wall = frame.wall - timedelta(seconds=frame.time - since)
    box = occupancy.box or (0.0, 0.0, 0.0, 0.0)
    return Occupant(since, wall, found, box, _cut(frame.image, box), frame.time, frame.wall, closely=closely)


def _study(car: Occupant, occupancy: Occupancy, result: FrameResult) -> None:
    """Read what a frame shows of a vehicle."""
    index = occupancy.seen
    recognition, frame = result.recognition, result.frame
    car.interrupted |= frame.time - car.last > _INTERRUPTED
    if index is None:
        return
    car.box = occupancy.box or car.box
    place = _around(car.box, recognition.width, recognition.height)
    if iou(place, car.evidence[1]) < _SAME_PLACE:  # it drove on a little: evidence shows where it stands
        car.evidence = _cut(frame.image, car.box)
    car.last, car.last_wall = frame.time, frame.wall
    tracked = next((one for one in result.vehicles if one.vehicle == index), None)
    if tracked is not None:
        car.track = tracked.track_id
    plates = (plate for plate in recognition.plates if plate.vehicle == index)
    plate = next((plate for plate in plates if _belongs(plate, car, occupancy)), None)
    permit = any(permit.vehicle == index for permit in recognition.permits)
    if tracked is None:
        car.see(plate, None, permit, hidden=occupancy.hidden)
    else:
        car.see(plate, tracked.sighting, permit or tracked.permit, hidden=occupancy.hidden)
    if not car.interrupted:
        occupancy.confirm()


def _belongs(plate: Plate | None, car: Occupant, occupancy: Occupancy) -> bool:
    """Tell whether a plate is that of a parked vehicle, and not of what stands before it."""
    return not occupancy.hidden or (plate is not None and share(plate.box, car.box) >= _ON_VEHICLE)


def _around(box: Box, width: int, height: int) -> Box:
    """Return a vehicle's box with its surroundings, in whole pixels of the picture."""
    across, down = (box[2] - box[0]) * _MARGIN, (box[3] - box[1]) * _MARGIN
    left, top = max(0, round(box[0] - across)), max(0, round(box[1] - down))
    right, bottom = min(width, round(box[2] + across)), min(height, round(box[3] + down))
    return float(left), float(top), float(max(left + 1, right)), float(max(top + 1, bottom))


def _cut(image: Image, box: Box) -> tuple[Image, Box]:
    """Copy a vehicle and its surroundings, so that the whole frame need not be kept; say which part it is."""
    height, width = image.shape[:2]
    part = _around(box, width, height)
    left, top, right, bottom = (round(side) for side in part)
    return image[top:bottom, left:right].copy(), part
