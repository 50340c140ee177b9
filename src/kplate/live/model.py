"""What the rooms that deal with video hand to one another: frames, followed vehicles, sightings."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from kplate.errors import KplateError
from kplate.images import Image
from kplate.recognizer import crop_window
from kplate.results import Box, Plate, Recognition


class SourceError(KplateError):
    """A video or a camera cannot be opened or read."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video or a camera.

    Attributes:
        index: Number of the frame in its source, from 0; frames that were passed over count.
        time: Seconds since the start of the source: the file's own clock, or since the camera was opened.
        wall: When it was taken, UTC: for a file, the file's start plus ``time``.
        image: uint8 H x W x 3 BGR. Nobody may write into it.
    """

    index: int
    time: float
    wall: datetime
    image: Image


@dataclass(frozen=True, slots=True)
class Sighting:
    """A car that was there, with a plate that frames agreed on. One for each car and stay.

    Attributes:
        track_id: Number of the followed car; counts from 1 within a run and is never used twice.
        text: What its plate says, without blanks.
        display: The text as people write it, such as ``52주 3108``.
        score: How sure the text is, 0..1, all agreeing readings together.
        readings: How many readings say so, at least two.
        kind: What the plate looks like, a value of :class:`kplate.plates.kinds.Kind`.
        use: What the text says about the vehicle, a value of :class:`kplate.plates.kinds.Use`.
        electric: Whether it is of an electric vehicle's kind; None where colour says nothing.
        permit: Whether a disabled permit was seen on the car so far; false does not mean that there is none.
        first: Time of the first frame that shows the car, like :attr:`Frame.time`.
        last: Likewise of the last one so far.
        first_wall: When that was, UTC.
        last_wall: Likewise.
        best: The frame with the best reading.
        plate: What was read in exactly that frame.
        vehicle_box: Where the car was in that frame; None where only the plate was found.
    """

    track_id: int
    text: str
    display: str
    score: float
    readings: int
    kind: str | None
    use: str | None
    electric: bool | None
    permit: bool
    first: float
    last: float
    first_wall: datetime
    last_wall: datetime
    best: Frame
    plate: Plate
    vehicle_box: Box | None

    @property
    def crop(self) -> Image:
        """The plate as the reader saw it, cut out of the best frame."""
        height, width = self.best.image.shape[:2]
        left, top, right, bottom = crop_window(self.plate.box, width, height)
        return self.best.image[top:bottom, left:right]


@dataclass(frozen=True, slots=True)
class TrackedVehicle:
    """A followed car in one frame.

    Attributes:
        track_id: Its number, the same in every frame of its stay.
        box: Where it is, px; the plate's box where only that was found.
        seen: Whether it was found in this frame; otherwise the box is where it was last seen.
        vehicle: Index among ``Recognition.vehicles`` of this frame, None where only its plate was found or
            nothing.
        plate: Index of its plate among ``Recognition.plates`` of this frame, or None.
        permit: Whether a disabled permit was seen on it so far.
        sighting: What its plate says as soon as frames agree on it; None before.
    """

    track_id: int
    box: Box
    seen: bool
    vehicle: int | None
    plate: int | None
    permit: bool
    sighting: Sighting | None


@dataclass(frozen=True, slots=True)
class FrameResult:
    """All that is known with one frame.

    Attributes:
        frame: The frame.
        recognition: What was found in it alone.
        vehicles: The followed cars, also those that are hidden just now.
        settled: Sightings that were settled with this frame.
        left: Sightings of cars that are gone: they were not seen for a while before this frame.
    """

    frame: Frame
    recognition: Recognition
    vehicles: tuple[TrackedVehicle, ...] = ()
    settled: tuple[Sighting, ...] = ()
    left: tuple[Sighting, ...] = ()


class Connection(StrEnum):
    """How a source does."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    STALLED = "stalled"
    WAITING = "waiting"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source does, for the log and the status file.

    Attributes:
        connection: Whether frames come.
        frames: Frames decoded so far.
        dropped: Of these, how many were passed over because newer ones had come (live sources).
        rate: Frames a second that the source gave lately.
        lag: Seconds that frames waited lately until they were handed out, in the network's buffers and here.
        reconnects: How often the source was opened again.
        problem: Why it is not connected; None where it is. Holds no credentials.
    """

    connection: Connection
    frames: int = 0
    dropped: int = 0
    rate: float = 0.0
    lag: float = 0.0
    reconnects: int = 0
    problem: str | None = None


class Source(Protocol):
    """Where frames come from. A source is a context manager; leaving it closes it.

    Attributes:
        name: What people call it: a path, or an address without credentials.
        live: Frames come at their own pace, and late ones are passed over.
        total: Frames to come, about, for a progress bar; None where nobody knows.
    """

    name: str
    live: bool
    total: int | None

    @property
    def state(self) -> SourceState:
        """How it does just now; may be asked from any thread."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield its frames in order.

        Raises:
            SourceError: It cannot be opened or read.
        """
        ...

    def close(self) -> None:
        """Stop and let go of everything; may be called twice and from any thread."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...
