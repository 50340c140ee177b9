"""What is known of the vehicle in a bay: its plate, agreed upon by several readings, and its permit."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from kplate.events import EventPlate
from kplate.images import Image
from kplate.live.agreement import differing
from kplate.live.model import Sighting
from kplate.results import Box, Plate

#: Readings in video that make a text, and close looks that make a permit; a picture by itself has one.
AGREEING: Final = 2
#: Readings in a row of another plate after which another vehicle stands there, and in how many characters
#: that plate differs.
_OTHER_CAR: Final = 3
_OTHER_TEXT: Final = 3


@dataclass(slots=True)
class _Votes:
    """Readings of one text.

    Attributes:
        best: The surest reading.
        readings: How many there were.
        score: Sum of their scores.
    """

    best: Plate
    readings: int = 0
    score: float = 0.0


@dataclass(slots=True)
class Occupant:
    """The vehicle that stands in a bay.

    Attributes:
        since: Since when, in seconds of the source's time.
        since_wall: The same, UTC.
        found: It was there before the first frame.
        box: Where it stands, px.
        evidence: Picture of its arrival, uint8 H x W x 3 BGR, and the part of the frame that it shows, px.
        last: When it was last found, in seconds of the source's time.
        last_wall: The same, UTC.
        arrival: Identifier of the event that told of it; empty before.
        track: Number that it is followed under, if it is.
        told: Reasons that were given already.
        parked: Whether it was told what stands there.
        glimpsed: Whether the whole picture has shown a permit on it, here or on its way.
        closely: Whether it is looked at closely.
        closer: How often that has shown a permit.
        looked: When it was last looked at so, in seconds of the source's time.
        single: Whether single readings count.
        interrupted: Whether it was out of view for a while since its plate was read: another vehicle may have
            taken its place.
        known: Its plate as an earlier run has read it; None where it did not.
    """

    since: float
    since_wall: datetime
    found: bool
    box: Box
    evidence: tuple[Image, Box]
    last: float
    last_wall: datetime
    arrival: str = ""
    track: int | None = None
    told: set[str] = field(default_factory=set)
    parked: bool = False
    glimpsed: bool = False
    closely: bool = False
    closer: int = 0
    looked: float = float("-inf")
    single: bool = False
    interrupted: bool = False
    known: EventPlate | None = None
    _votes: dict[str, _Votes] = field(default_factory=dict)
    _sighting: Sighting | None = None
    _contrary: dict[str, int] = field(default_factory=dict)
    _plate_box: Box | None = None

    def see(
        self, plate: Plate | None, sighting: Sighting | None, permit: bool, *, hidden: bool = False
    ) -> None:
        """Take in what one frame shows of it.

        Args:
            plate: Its plate in this frame.
            sighting: What the frames have agreed on so far, if the vehicle is followed.
            permit: Whether a permit was seen in this frame, or in one before.
            hidden: Something stands before it: another plate may be that of what stands there.
        """
        self.glimpsed |= permit
        if sighting is not None:
            self._sighting = sighting
        if plate is None:
            return
        self._plate_box = plate.box  # where it is by now, whenever it was read best
        if plate.text is None:
            return
        if self._contradicts(plate.text, hidden):
            return
        votes = self._votes.setdefault(plate.text, _Votes(plate))
        votes.readings += 1
        votes.score += plate.score
        if plate.score > votes.best.score:
            votes.best = plate

    def _contradicts(self, text: str, hidden: bool) -> bool:
        """Count readings of a plate that cannot be this vehicle's; they do not become its own."""
        known = self.text
        if known is None or differing(text, known) < _OTHER_TEXT:
            self._contrary.clear()
            self.interrupted = self.interrupted and known is None
            return False
        if hidden:
            return True
        if not self.interrupted:  # it has been in view all the time: a misreading, however often it comes
            return known in self._votes or self.known is not None
        self._contrary = {text: self._contrary.get(text, 0) + 1}
        return True

    @property
    def replaced(self) -> bool:
        """Whether the readings show that another vehicle stands there now."""
        return max(self._contrary.values(), default=0) >= (1 if self.single else _OTHER_CAR)

    @property
    def permit(self) -> bool:
        """Whether a permit was seen on it.

        A close look decides, where there is one. In the whole picture a permit is so small that it is seen
        only for a moment, if at all: there, once is enough.
        """
        if self.closely:
            return self.closer >= (1 if self.single else AGREEING)
        return self.glimpsed

    @property
    def text(self) -> str | None:
        """What its plate says; None before readings agree."""
        plate = self.plate
        return None if plate is None else plate.text

    @property
    def plate(self) -> EventPlate | None:
        """Its plate; None before readings agree."""
        votes = max(self._votes.values(), key=lambda votes: votes.score, default=None)
        if votes is not None and votes.readings >= (1 if self.single else AGREEING):
            plate = EventPlate.of(votes.best, votes.readings)
        elif self._sighting is not None:
            plate = EventPlate.of(self._sighting.plate, self._sighting.readings)
        elif self.known is not None:
            plate = self.known
        else:
            return None
        return replace(plate, box=self._plate_box)
