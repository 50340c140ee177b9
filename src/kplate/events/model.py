"""What happened in front of a camera: one typed event for everything that kplate tells.

Boxes are pixels of the frame (left, top, right, bottom), scores lie between 0 and 1, times are UTC. Only
trusted texts are in events.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from kplate.errors import DataError
from kplate.events.codec import from_plain, schema_of, to_plain
from kplate.events.ids import new_id
from kplate.events.urls import without_credentials
from kplate.results import Box, Plate, json_line

#: Version of the event's form. It grows when a field changes its meaning; new fields leave it as it is.
VERSION: Final = 1


class EventType(StrEnum):
    """What an event says."""

    SIGHTING = "sighting"
    """A vehicle was seen, with its plate settled over several frames."""
    READING = "reading"
    """One picture was read because somebody asked for it, or because it was time."""
    ARRIVED = "arrived"
    """A vehicle came into a bay."""
    PARKED = "parked"
    """The vehicle in a bay has come to rest."""
    LEFT = "left"
    """A vehicle left a bay."""
    REVIEW = "review"
    """Somebody should look at this; the reasons say why. It is never a verdict."""
    STATE = "state"
    """A camera was connected, lost or found again."""


@dataclass(frozen=True, slots=True)
class FrameReference:
    """The frame that an event shows.

    Attributes:
        index: Number of the frame in its source, from 0.
        time: Seconds since the start of the source.
        width: Of the frame, in pixels.
        height: Likewise.
    """

    index: int
    time: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class EventPlate:
    """A number plate with its trusted text.

    Attributes:
        text: What it says, without blanks; null where plates are told hashed.
        display: The text as people write it, such as ``52주 3108``.
        score: How sure the text is, 0 to 1.
        kind: What the plate looks like, such as ``electric``.
        use: What the text says about the vehicle, such as ``rental``.
        electric: Whether the plate is of an electric vehicle's kind; null where colour says nothing.
        readings: How many frames agreed on the text; null for a single picture.
        box: Where it is in the frame, in pixels: left, top, right, bottom.
        hash: Keyed hash (HMAC-SHA-256, hexadecimal) of the text where plates are told hashed.
    """

    text: str | None
    display: str | None = None
    score: float | None = None
    kind: str | None = None
    use: str | None = None
    electric: bool | None = None
    readings: int | None = None
    box: Box | None = None
    hash: str | None = None

    @classmethod
    def of(cls, plate: Plate, readings: int | None = None) -> "EventPlate":
        """Take over a plate of a recognition, without what was not trusted."""
        return cls(
            text=plate.text,
            display=plate.display,
            score=plate.score,
            kind=None if plate.kind is None else str(plate.kind),
            use=None if plate.text is None or plate.use is None else str(plate.use),
            electric=plate.electric,
            readings=readings,
            box=plate.box,
        )


@dataclass(frozen=True, slots=True)
class EventVehicle:
    """The vehicle that an event is about.

    Attributes:
        track: Number that the vehicle keeps while it is followed; null for a single picture.
        box: Where it is in the frame, in pixels: left, top, right, bottom.
        label: What it is, such as ``bus``, where the network says so.
        score: How sure it is that this is a vehicle, 0 to 1.
    """

    track: int | None = None
    box: Box | None = None
    label: str | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class EventBay:
    """A parking bay.

    Attributes:
        id: Its name in the file of bays, such as ``A1``.
        kind: What it is for: ``ordinary``, ``disabled``, ``charging`` or ``reserved``.
    """

    id: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """For how long the vehicle has been seen, or has stood in its bay.

    Attributes:
        first: When it was seen first, or arrived.
        last: When it was seen last.
        seconds: Time between both.
    """

    first: datetime
    last: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why somebody should look.

    Attributes:
        code: The rule, such as ``no-permit-seen``, ``over-time`` or ``watch-list``.
        text: The reason as a sentence.
        korean: The same sentence in Korean.
    """

    code: str
    text: str
    korean: str | None = None


@dataclass(frozen=True, slots=True)
class CameraState:
    """How a camera is.

    Attributes:
        state: Such as ``connected``, ``stalled`` or ``lost``.
        text: What happened, as a sentence.
        fps: Frames a second that arrive.
        lag: Age of the newest frame, in seconds.
    """

    state: str
    text: str | None = None
    fps: float | None = None
    lag: float | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """What asked for a reading.

    Attributes:
        kind: ``mqtt`` for a message, ``timer`` for a periodic snapshot.
        topic: Topic of the message.
        id: Identifier that the message gave, so that its sender knows the answer.
    """

    kind: str
    topic: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class EventPicture:
    """A picture that belongs to the event.

    Attributes:
        name: What it shows: ``frame``, ``vehicle``, ``plate`` or another short name.
        box: Part of the frame that it shows, in pixels; null for the whole frame.
        key: Its name in the store of pictures; filled in when it is written.
    """

    name: str
    box: Box | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in front of a camera.

    Attributes:
        time: When, UTC, to the millisecond.
        source: The camera's name, or its address or file without credentials.
        type: What the event says.
        id: Identifier (UUID version 7): receivers know an event that comes again by it.
        plate: The plate that the event is about.
        vehicle: The vehicle that the event is about.
        permit: Whether a disabled-parking permit was seen; null where nobody looked for one.
        bay: The parking bay.
        stay: For how long.
        reasons: Why somebody should look: review events only.
        state: The camera's state: state events only.
        trigger: What asked for the reading: reading events only.
        others: Further plates in the picture: reading events only.
        related: Identifier of the event that this one continues, such as the arrival of a car that left.
        error: Why a reading that was asked for could not be made.
        frame: The frame that the event shows.
        pictures: Pictures that belong to it.
        details: Further values, such as a rule's figures.
    """

    time: datetime
    source: str
    type: EventType
    _: dataclasses.KW_ONLY
    id: str = ""
    plate: EventPlate | None = None
    vehicle: EventVehicle | None = None
    permit: bool | None = None
    bay: EventBay | None = None
    stay: Stay | None = None
    reasons: tuple[Reason, ...] = ()
    state: CameraState | None = None
    trigger: Trigger | None = None
    others: tuple[EventPlate, ...] = ()
    related: str | None = None
    error: str | None = None
    frame: FrameReference | None = None
    pictures: tuple[EventPicture, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bring the time to UTC and milliseconds, drop credentials, and give an identifier where none is.

        Raises:
            DataError: The time has no time zone.
        """
        if self.time.tzinfo is None:
            raise DataError("an event's time needs a time zone")
        time = self.time.astimezone(UTC)
        settle = object.__setattr__
        settle(self, "time", time.replace(microsecond=time.microsecond // 1000 * 1000))
        settle(self, "source", without_credentials(self.source))
        settle(self, "type", EventType(self.type))
        settle(self, "id", self.id or new_id(self.time))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; fields that say nothing are left out."""
        values = {item.name: to_plain(getattr(self, item.name)) for item in dataclasses.fields(self)}
        head = {"version": VERSION, "id": values.pop("id")}
        return {**head, **{name: value for name, value in values.items() if value not in (None, [], {})}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Event":
        """Return the event of such values.

        Fields that this version of kplate does not know are passed over.

        Raises:
            DataError: Something is missing or of the wrong type; the message names the field.
        """
        if values.get("version", VERSION) != VERSION:
            raise DataError(f"the event has version {values['version']!r}; this kplate knows {VERSION}")
        if not values.get("id"):
            raise DataError("the event has no id")
        event: Event = from_plain(cls, dict(values), "")
        return event

    def to_json(self) -> str:
        """Return the dictionary as one line of JSON, Hangul as it is."""
        return json_line(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> "Event":
        """Return the event of a line of JSON.

        Raises:
            DataError: It is no JSON object, or none of an event.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise DataError(f"the event is no JSON: {error}") from None
        if not isinstance(values, dict):
            raise DataError("the event is no JSON object")
        return cls.from_dict(values)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an event; ``docs/event.schema.json`` holds it."""
    body = schema_of(Event)
    properties = {"version": {"const": VERSION, "description": "Version of this form."}, **body["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kplate event",
        **body,
        "properties": properties,
        "required": ["version", "id", *body["required"]],
    }
