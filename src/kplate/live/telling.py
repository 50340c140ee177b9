"""Turns sightings and states of sources into events, and events into lines that people read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from kplate.events import (
    CameraState,
    Event,
    EventPicture,
    EventPlate,
    EventType,
    EventVehicle,
    FrameReference,
    Stay,
    new_id,
)
from kplate.images import Image
from kplate.live.model import Connection, Sighting, SourceState
from kplate.recognizer import crop_window
from kplate.results import Box

#: How people call the states of a camera.
STATES: Final = {
    Connection.CONNECTING: "connecting",
    Connection.CONNECTED: "connected",
    Connection.STALLED: "stalled",
    Connection.WAITING: "lost",
    Connection.ENDED: "ended",
}


def sighting_event(sighting: Sighting, source: str, *, repeatable: bool) -> Event:
    """Make the event of a sighting.

    Args:
        sighting: The sighting.
        source: What the event calls its source.
        repeatable: The same sighting gives the same identifier, as for files: who watches one twice then
            tells nothing twice.
    """
    best, plate = sighting.best, sighting.plate
    height, width = best.image.shape[:2]
    time = best.wall
    # Everything in it is told anyway: with the plate's text, hashed plates could be guessed from identifiers.
    seed = f"{source}|{sighting.track_id}|{best.index}" if repeatable else None
    return Event(
        time,
        source,
        EventType.SIGHTING,
        id=new_id(time, seed),
        plate=EventPlate(
            text=sighting.text,
            display=sighting.display,
            score=sighting.score,
            kind=None if sighting.kind is None else str(sighting.kind),
            use=None if sighting.use is None else str(sighting.use),
            electric=sighting.electric,
            readings=sighting.readings,
            box=plate.box,
        ),
        vehicle=EventVehicle(sighting.track_id, sighting.vehicle_box),
        permit=sighting.permit,
        stay=Stay(sighting.first_wall, sighting.last_wall, round(sighting.last - sighting.first, 3)),
        frame=FrameReference(best.index, best.time, width, height),
        pictures=tuple(EventPicture(name, box) for name, box in _boxes(sighting).items()),
    )


def sighting_pictures(sighting: Sighting) -> Mapping[str, Image]:
    """Return the pictures of a sighting's event: its best frame, with vehicle and plate cut out of it."""
    image = sighting.best.image
    pictures = {}
    for name, box in _boxes(sighting).items():
        if box is None:
            pictures[name] = image
        else:
            left, top, right, bottom = (round(side) for side in box)
            pictures[name] = image[top:bottom, left:right]
    return pictures


def _boxes(sighting: Sighting) -> dict[str, Box | None]:
    """Say which part of the best frame each picture shows, in whole pixels; None for all of it."""
    height, width = sighting.best.image.shape[:2]
    boxes: dict[str, Box | None] = {"frame": None}
    if sighting.vehicle_box is not None:
        left, top, right, bottom = (round(side) for side in sighting.vehicle_box)
        boxes["vehicle"] = (
            float(min(max(0, left), width - 1)),
            float(min(max(0, top), height - 1)),
            float(min(max(left + 1, right), width)),
            float(min(max(top + 1, bottom), height)),
        )
    left, top, right, bottom = crop_window(sighting.plate.box, width, height)
    boxes["plate"] = (float(left), float(top), float(right), float(bottom))
    return boxes


def state_event(state: SourceState, source: str) -> Event:
    """Make the event of a camera that was connected, has stalled or was lost, just now."""
    told = STATES[state.connection]
    text = state.problem or f"{source} is {told}"
    return Event(
        datetime.now(UTC),
        source,
        EventType.STATE,
        state=CameraState(told, text, round(state.rate, 1), round(state.lag, 3)),
    )


def line_of(event: Event, time: str) -> str:
    """Return an event as one line for people.

    Args:
        event: What happened.
        time: When, as the reader wants it told.
    """
    plate, words = event.plate, [time, str(event.type)]
    if event.bay is not None:
        words.append(event.bay.id)
    if plate is not None:
        words.append(plate.display or plate.text or (f"#{plate.hash[:11]}" if plate.hash else ""))
    more = [reason.text.rstrip(".") for reason in event.reasons]
    if plate is not None and plate.kind:
        more.append(plate.kind.replace("_", " "))
    if plate is not None and plate.electric:
        more.append("electric" if plate.kind != "electric" else "")
    if event.permit:
        more.append("permit")
    if plate is not None and plate.score is not None and plate.readings is not None:
        more.append(f"{plate.score:.2f} of {plate.readings} readings")
    if event.vehicle is not None and event.vehicle.track is not None:
        more.append(f"car {event.vehicle.track}")
    if event.state is not None:
        more.append(event.state.text or event.state.state)
    return "  ".join([*words, ", ".join(part for part in more if part)]).rstrip()
