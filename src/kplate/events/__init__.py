"""Events: what happened in front of a camera, as frozen values with a published JSON Schema.

>>> from datetime import UTC, datetime
>>> time = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
>>> event = Event(time, "gate", EventType.SIGHTING, plate=EventPlate("52주3108"))
>>> Event.from_json(event.to_json()) == event
True
"""

from kplate.events.ids import new_id
from kplate.events.model import (
    CameraState,
    Event,
    EventBay,
    EventPicture,
    EventPlate,
    EventType,
    EventVehicle,
    FrameReference,
    Reason,
    Stay,
    Trigger,
    schema,
)
from kplate.events.urls import without_credentials

__all__ = [
    "CameraState",
    "Event",
    "EventBay",
    "EventPicture",
    "EventPlate",
    "EventType",
    "EventVehicle",
    "FrameReference",
    "Reason",
    "Stay",
    "Trigger",
    "new_id",
    "schema",
    "without_credentials",
]
