"""What one picture tells, as an event with its pictures."""

from datetime import UTC, datetime

from kplate.boxes import area
from kplate.events import (
    Event,
    EventBay,
    EventPicture,
    EventPlate,
    EventType,
    EventVehicle,
    FrameReference,
    Trigger,
)
from kplate.images import Image
from kplate.live.model import Frame
from kplate.recognizer import crop_window
from kplate.results import Box, Permit, Plate, Recognition, Vehicle


def reading_event(
    frame: Frame, found: Recognition, source: str, trigger: Trigger, bay: EventBay | None = None
) -> Event:
    """Make the event of a picture that was read.

    It is about the largest plate with a trusted text, which is the nearest, and that plate's vehicle; further
    plates are named beside it. Without a plate it is about the largest vehicle.

    Args:
        frame: The picture.
        found: What was found in it.
        source: What the event calls the camera.
        trigger: What asked for it.
        bay: The bay that was asked for, or None.
    """
    plates = sorted(
        (plate for plate in found.plates if plate.trusted), key=lambda one: area(one.box), reverse=True
    )
    main = plates[0] if plates else None
    vehicle = _vehicle(found, main)
    return Event(
        frame.wall,
        source,
        EventType.READING,
        bay=bay,
        plate=None if main is None else EventPlate.of(main),
        others=tuple(EventPlate.of(plate) for plate in plates[1:]),
        vehicle=None if vehicle is None else EventVehicle(None, vehicle.box, vehicle.label, vehicle.score),
        permit=any(_belongs(permit, main) for permit in found.permits),
        trigger=trigger,
        frame=FrameReference(frame.index, frame.time, found.width, found.height),
        pictures=tuple(
            EventPicture(name, box)
            for name, box in _boxes(found, main, None if vehicle is None else vehicle.box)
        ),
    )


def failed_reading(source: str, trigger: Trigger, error: str, bay: EventBay | None = None) -> Event:
    """Make the event of a picture that could not be had or read."""
    return Event(datetime.now(UTC), source, EventType.READING, bay=bay, trigger=trigger, error=error)


def event_pictures(event: Event, image: Image) -> dict[str, Image]:
    """Cut an event's pictures out of its frame."""
    pictures = {}
    for picture in event.pictures:
        if picture.box is None:
            pictures[picture.name] = image
        else:
            left, top, right, bottom = (int(side) for side in picture.box)
            pictures[picture.name] = image[top:bottom, left:right]
    return pictures


def _vehicle(found: Recognition, plate: Plate | None) -> Vehicle | None:
    if plate is not None:
        return None if plate.vehicle is None else found.vehicles[plate.vehicle]
    return max(found.vehicles, key=lambda one: area(one.box), default=None)


def _belongs(permit: Permit, plate: Plate | None) -> bool:
    """Say whether a permit is that of the plate's vehicle; where no vehicle is known, any one counts."""
    return plate is None or plate.vehicle is None or permit.vehicle == plate.vehicle


def _boxes(found: Recognition, plate: Plate | None, vehicle: Box | None) -> list[tuple[str, Box | None]]:
    """Return names and boxes, in whole pixels, of the pictures: the frame, the vehicle and the plate."""
    boxes: list[tuple[str, Box | None]] = [("frame", None)]
    if vehicle is not None:
        left, top = max(0, int(vehicle[0])), max(0, int(vehicle[1]))
        right, bottom = min(found.width, int(vehicle[2]) + 1), min(found.height, int(vehicle[3]) + 1)
        if right > left and bottom > top:
            boxes.append(("vehicle", (float(left), float(top), float(right), float(bottom))))
    if plate is not None:
        window = crop_window(plate.box, found.width, found.height)
        boxes.append(("plate", (float(window[0]), float(window[1]), float(window[2]), float(window[3]))))
    return boxes
