"""Looks closer at a parked vehicle: what is small in the whole picture is large in a part of it.

A permit is 13 cm wide: 17 pixels of a picture of four bays, and 6 once that picture is scaled for finding. In
the vehicle alone it is three times that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from kplate.bays.geometry import size_of
from kplate.images import Image
from kplate.results import Box, Plate, Point, Quad, Recognition

Recognise = Callable[[Image], Recognition]
#: Room around the vehicle, as a share of its size: networks expect to see where it stands.
_MARGIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class CloserLook:
    """What a part of a picture shows of its vehicle.

    Attributes:
        plate: Its plate, in pixels of the whole picture; None where none was found.
        permit: Whether a permit was found on it.
    """

    plate: Plate | None
    permit: bool


def look_closer(recognise: Recognise, image: Image, box: Box) -> CloserLook:
    """Recognise a vehicle by itself.

    Args:
        recognise: A recogniser.
        image: uint8 H x W x 3 BGR.
        box: The vehicle in it, px.
    """
    height, width = image.shape[:2]
    across, down = (box[2] - box[0]) * _MARGIN, (box[3] - box[1]) * _MARGIN
    left, top = max(0, round(box[0] - across)), max(0, round(box[1] - down))
    right, bottom = min(width, round(box[2] + across)), min(height, round(box[3] + down))
    if right - left < 2 or bottom - top < 2:
        return CloserLook(None, False)
    found = recognise(image[top:bottom, left:right])
    sizes = [size_of(vehicle.box) for vehicle in found.vehicles]
    own = sizes.index(max(sizes)) if sizes else None
    plates = [plate for plate in found.plates if plate.vehicle == own]
    plate = max(plates, key=lambda plate: (plate.trusted, plate.score), default=None)
    permit = any(permit.vehicle == own for permit in found.permits)
    return CloserLook(None if plate is None else _moved(plate, left, top), permit)


def _moved(plate: Plate, x: int, y: int) -> Plate:
    def at(point: Point) -> Point:
        return point[0] + x, point[1] + y

    left, top, right, bottom = plate.box
    first, second, third, fourth = plate.corners
    corners: Quad = (at(first), at(second), at(third), at(fourth))
    return replace(plate, box=(left + x, top + y, right + x, bottom + y), corners=corners)
