"""Whether a bay is taken: a small state machine a bay, driven by the time of the frames.

A vehicle has arrived when it has stood still in the bay for a moment. It has left when it was followed out of
the bay, or when the bay can be seen and no longer looks as it did with the vehicle. As long as something
stands before the bay, or it is too dark to see, nothing changes.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from kplate.bays.memory import DARK, Memory, Picture
from kplate.bays.model import Timing
from kplate.boxes import area, iou, share
from kplate.results import Box

#: Share of a vehicle's foot that lies in a bay for it to come in, and for it to stay in.
ENTER: Final = 0.5
STAY: Final = 0.3
#: Boxes of a vehicle that stands still have this much in common (IoU) ...
_STILL: Final = 0.8
#: ... those of the same vehicle in its bay, also half hidden, this much ...
_SAME_PLACE: Final = 0.35
#: ... those of a vehicle that has driven on less than this ...
_MOVED: Final = 0.6
#: ... and those of a vehicle that moves, from one frame to the next, this much.
_FOLLOWED: Final = 0.5
#: A box of which more than this share lies in another one is a part of it.
_WITHIN: Final = 0.85
#: What is left to be seen of a vehicle is found this much beyond its box, as a share of that.
_SLACK: Final = 0.1
#: A box over more than this share of a place hides it, or holds it together with something else.
_OVER: Final = 0.95
#: From this light on a vehicle that stands there would be found sooner or later.
_LIT: Final = 60.0
#: A vehicle that nobody sees although its bay is lit and open is gone after this time, however it looks.
_LOST: Final = 60.0  # s
#: Likewise where the ground before the bay has changed, so that something unknown may hide it.
_LOST_HIDDEN: Final = 900.0  # s
#: A vehicle that stands where another run left one is another one when it has looked otherwise for this long:
#: until then its plate may be read.
_DOUBTED: Final = 8.0  # s
#: A vehicle is found for longer than this.
_GHOST: Final = 10.0  # s
#: A vehicle that stands still may be overlooked for this long.
_MISSED: Final = 1.0  # s
#: Longest time between two frames that counts in full towards a departure.
_LONGEST_STEP: Final = 1.0  # s
#: A look is renewed this often, so that it follows the daylight.
_RENEW: Final = 5.0  # s
#: Likewise the look of the ground before it.
_REFRESH: Final = 3.0  # s
#: A look is renewed this often where something hides a part of the vehicle, which may stay there.
_RENEW_HIDDEN: Final = 60.0  # s
#: What covers less than this share of a place does not hide it.
_COVERS: Final = 0.05
#: What stands before a place reaches further down, by this share of its height; a neighbour hardly does.
_BEFORE: Final = 0.1


class Change(Enum):
    """What happened to a bay."""

    FOUND = "found"
    """A vehicle stands there that has been there since before the first frame."""
    ARRIVED = "arrived"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Seen:
    """A vehicle that was found in a frame.

    Attributes:
        index: Among the vehicles of the recognition.
        box: Where it is, px.
        bay: Index of the bay that holds most of its foot; None where none holds any.
        share: How much of it that bay holds, 0..1.
    """

    index: int
    box: Box
    bay: int | None
    share: float


@dataclass(frozen=True, slots=True)
class View:
    """A frame as the bays are told of it.

    Attributes:
        time: Seconds, as in :class:`kplate.live.model.Frame`.
        step: Seconds since the frame before; 0 for the first.
        picture: What it shows.
        vehicles: What was found.
    """

    time: float
    step: float
    picture: Picture
    vehicles: tuple[Seen, ...]

    @property
    def single(self) -> bool:
        """Whether it stands alone: there was none shortly before it and will be none shortly after it."""
        return self.picture.single


@dataclass(slots=True)
class _Candidate:
    """A vehicle that may be about to park."""

    box: Box
    since: float
    last: float


@dataclass(slots=True)
class _Parked:
    """The vehicle that stands in a bay."""

    box: Box
    since: float
    last: float
    looked: float
    followed: Box
    memory: Memory = field(default_factory=Memory)
    gone: float = 0.0
    moved: _Candidate | None = None
    screened: bool = False
    doubted: bool = False
    refreshed: float = float("-inf")
    unlike: float = 0.0


class Occupancy:
    """Follows whether one bay is taken.

    Attributes:
        seen: Index of its vehicle in the recognition of the last frame; None where it is not well seen there.
        hidden: Whether something stood before the bay in the last frame, to judge by the ground.
    """

    def __init__(self, bay: int, timing: Timing) -> None:
        """Begin with a bay of which nothing is known.

        Args:
            bay: Its index.
            timing: How long something must be so before it counts.
        """
        self.seen: int | None = None
        self.hidden = False
        self._bay = bay
        self._timing = timing
        self._candidate: _Candidate | None = None
        self._parked: _Parked | None = None
        self._open_for = 0.0
        self._was_open = False

    @property
    def taken(self) -> bool:
        """Whether a vehicle stands there."""
        return self._parked is not None

    @property
    def box(self) -> Box | None:
        """Where the vehicle stands, px."""
        return None if self._parked is None else self._parked.box

    @property
    def since(self) -> float:
        """Since when it has stood there; only while the bay is taken."""
        return 0.0 if self._parked is None else self._parked.since

    @property
    def memory(self) -> Memory | None:
        """How the bay looks with its vehicle; None while it is free."""
        return None if self._parked is None else self._parked.memory

    def resume(
        self, time: float, since: float = 0.0, box: Box | None = None, memory: Memory | None = None
    ) -> None:
        """Go on from what an earlier run knew, instead of from nothing.

        Args:
            time: When this one begins.
            since: Since when a vehicle has stood in the bay.
            box: Where it stands, px; None: the bay was free.
            memory: How it looks there.
        """
        self._was_open = True
        if box is not None:
            # Another vehicle may stand there by now.
            memory = memory or Memory()
            self._parked = _Parked(box, since, time, time, box, memory, doubted=True)

    def confirm(self) -> None:
        """Note that the vehicle is the one that the bay was taken by before."""
        if self._parked is not None:
            self._parked.doubted = False

    def update(self, view: View) -> Change | None:
        """Look at a frame and say what has changed."""
        self.seen, self.hidden = None, False
        if self._parked is None:
            return self._wait(view)
        return self._watch(view, self._parked)

    def _wait(self, view: View) -> Change | None:
        """See whether a vehicle comes to rest in the empty bay."""
        if view.picture.light < DARK:  # what a network finds in noise is no vehicle
            self._candidate = None
            return None
        inside = [one for one in view.vehicles if one.bay == self._bay and one.share >= ENTER]
        if not inside:
            if self._candidate is not None and view.time - self._candidate.last > _MISSED:
                self._candidate = None
            if self._candidate is None:
                self._open_for += min(view.step, _LONGEST_STEP)
                self._was_open |= view.single or self._open_for >= _MISSED
            return None
        found = max(_whole(inside), key=lambda one: one.share)
        self.seen = found.index
        candidate = self._candidate
        if candidate is None or iou(found.box, candidate.box) < _STILL:
            candidate = self._candidate = _Candidate(found.box, view.time, view.time)
        candidate.last = view.time
        if not view.single and view.time - candidate.since < self._timing.arrived:
            return None
        self._parked = _Parked(found.box, candidate.since, view.time, view.time, found.box)
        _remember(view, self._parked)
        self._candidate = None
        known = self._was_open
        self._was_open = True
        return Change.ARRIVED if known else Change.FOUND

    def _watch(self, view: View, parked: _Parked) -> Change | None:
        """See whether the vehicle is still in its bay."""
        self._screen(view, parked)
        same = self._same(view, parked)
        if same is not None:
            # A box that fits less well may be of another vehicle, before this one: nothing is read from it.
            self.seen = same.index if iou(same.box, parked.box) >= _MOVED else None
            if parked.doubted and self._is_other(view, parked):
                self._parked, self.seen = None, None
                return Change.LEFT
            self._keep(view, parked, same)
            return None
        if not self._is_gone(view, parked):
            return None
        if view.single or parked.gone >= self._timing.left:
            self._parked = None
            return Change.LEFT
        return None

    def _is_other(self, view: View, parked: _Parked) -> bool:
        """Tell whether the vehicle in the bay is another one than that of an earlier run, by its looks."""
        alike = parked.memory.alike(view.picture, parked.box, self._covers(view, parked.box, None))
        if alike is None or not parked.memory.rests(view.picture, parked.box):
            return False
        parked.doubted = not alike
        parked.unlike += min(view.step, _LONGEST_STEP)
        return not alike and (view.single or parked.unlike >= _DOUBTED)

    def _screen(self, view: View, parked: _Parked) -> None:
        """Note that something has come between the camera and the vehicle, which is still where it was.

        What a vehicle covers on its own way out, it covers only after it has moved. As long as the ground is
        covered, what is followed may be what covers it.
        """
        self.hidden = parked.memory.hides(view.picture, parked.box)
        if not self.hidden:
            parked.screened = False
        elif not parked.screened:
            parked.screened = parked.memory.alike(view.picture, parked.box, ()) is True

    def _same(self, view: View, parked: _Parked) -> Seen | None:
        """Find the vehicle in its bay: where it was, followed to where it is, or what is to be seen of it.

        On its way out a car may seem to come back, as the picture's edge cuts off what is nearer: then only
        the first counts.
        """
        own = [one for one in view.vehicles if one.bay == self._bay and one.share >= STAY]
        best = max(own, key=lambda one: iou(one.box, parked.box), default=None)
        if best is None:
            return None
        fits = iou(best.box, parked.box)
        near = _within(best.box, parked.box) or iou(best.box, parked.followed) >= _FOLLOWED
        if fits >= _MOVED or (fits >= _SAME_PLACE and near and parked.gone == 0):
            return best
        return None

    def _keep(self, view: View, parked: _Parked, same: Seen) -> None:
        """Note where the vehicle is and how it looks there."""
        parked.last = view.time
        parked.gone = 0.0
        if parked.doubted:
            return
        parked.memory.seen()
        if self.seen is not None or share(parked.box, same.box) <= _OVER:
            parked.followed = same.box
        if self.seen is not None and view.time - parked.refreshed >= _REFRESH:
            parked.refreshed = view.time
            parked.memory.refresh(view.picture)
        if iou(same.box, parked.box) >= _STILL:
            parked.moved = None
            age = view.time - parked.looked
            if age >= _RENEW_HIDDEN or (age >= _RENEW and not self._is_hidden(view, parked, same)):
                parked.box = same.box
                _remember(view, parked)
            return
        # It drove a little further into the bay, or something hides a part of it.
        moved = parked.moved
        if moved is None or iou(same.box, moved.box) < _STILL:
            parked.moved = _Candidate(same.box, view.time, view.time)
        elif same.share >= ENTER and view.time - moved.since >= self._timing.arrived:
            if self._is_hidden(view, parked, same):
                return
            parked.box, parked.moved = same.box, None
            parked.memory.clear()
            _remember(view, parked)

    def _is_hidden(self, view: View, parked: _Parked, same: Seen) -> bool:
        """Tell whether something hides a part of the vehicle that was found in the bay."""
        return parked.memory.hides(view.picture, same.box) or bool(self._covers(view, same.box, same.index))

    def _is_gone(self, view: View, parked: _Parked) -> bool:
        """Tell whether this frame shows that the vehicle is gone, and add up for how long it has been."""
        away = self._follow(view, parked)
        covers = self._covers(view, parked.box, None)
        alike = parked.memory.alike(view.picture, parked.box, covers)
        rests = parked.memory.rests(view.picture, parked.box)
        unseen = view.time - parked.last
        long = unseen >= (_LOST_HIDDEN if self.hidden else _LOST)
        lost = long and view.picture.light >= _LIT and not covers
        # What was found for a moment only and looks as it did then was no vehicle but the ground.
        ghost = lost and parked.last - parked.since < _GHOST
        if alike is True and not ghost:
            parked.gone = 0.0
            parked.followed = parked.box
            return False
        if away or (alike is False and rests) or lost:
            parked.gone += min(view.step, _LONGEST_STEP)
            return True
        return False

    def _follow(self, view: View, parked: _Parked) -> bool:
        """Follow the vehicle from frame to frame and tell whether it is out of the bay."""
        if view.single or parked.screened:
            return False
        nearest = max(view.vehicles, key=lambda one: iou(one.box, parked.followed), default=None)
        if nearest is None or iou(nearest.box, parked.followed) < _FOLLOWED:
            return False
        # A larger box over the whole place is another vehicle before this one, or both in one.
        if share(parked.box, nearest.box) > _OVER:
            return False
        parked.followed = nearest.box
        inside = nearest.bay == self._bay and nearest.share >= STAY and parked.gone == 0
        # What is left to be seen of a car that something hides lies where it was seen whole.
        hidden = _within(nearest.box, _grown(parked.box))
        return not inside and not hidden and iou(nearest.box, parked.box) < _MOVED

    def _covers(self, view: View, place: Box, index: int | None) -> list[Box]:
        """Return the boxes of other vehicles that stand before a place: those that reach further down."""
        low = place[3] + _BEFORE * (place[3] - place[1])
        return [
            one.box
            for one in view.vehicles
            if one.index != index and one.box[3] > low and share(place, one.box) > _COVERS
        ]


def _whole(found: list[Seen]) -> list[Seen]:
    """Leave out what is a part of something else that was found: a network may find a car's tailgate too."""
    return [
        one
        for one in found
        if not any(area(other.box) > area(one.box) and _within(one.box, other.box) for other in found)
    ]


def _grown(box: Box) -> Box:
    across, down = (box[2] - box[0]) * _SLACK, (box[3] - box[1]) * _SLACK
    return box[0] - across, box[1] - down, box[2] + across, box[3] + down


def _within(box: Box, other: Box) -> bool:
    return share(box, other) > _WITHIN


def _remember(view: View, parked: _Parked) -> None:
    """Note how the vehicle looks in its bay, apart for light of each strength."""
    parked.looked = view.time
    parked.memory.remember(view.picture, parked.box)
