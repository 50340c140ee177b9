"""Looks closer at a parked vehicle: what is small in the whole picture is large in a part of it.

A permit is 13 cm wide: 17 pixels of a picture of four bays, and 6 once that picture is scaled for finding. In
the windscreen alone it is three times that.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kplate.boxes import area
from kplate.images import Image
from kplate.results import Box, Plate, Point, Quad, Recognition

Recognise = Callable[[Image], Recognition]
#: Room around the vehicle, as a share of its size: networks expect to see where it stands.
_MARGIN: Final = 0.1
#: Share of a vehicle's height, from above, that holds its windscreen.
_WINDSCREEN: Final = 0.6


def closer_plate(recognise: Recognise, image: Image, box: Box) -> Plate | None:
    """Read the plate of a vehicle by itself.

    Args:
        recognise: A recogniser.
        image: uint8 H x W x 3 BGR.
        box: The vehicle in it, px.

    Returns:
        Its plate, in pixels of the whole picture; None where none was found.
    """
    across, down = (box[2] - box[0]) * _MARGIN, (box[3] - box[1]) * _MARGIN
    part = (box[0] - across, box[1] - down, box[2] + across, box[3] + down)
    found, left, top = _recognised(recognise, image, part)
    sizes = [area(vehicle.box) for vehicle in found.vehicles]
    own = sizes.index(max(sizes)) if sizes else None
    plates = [plate for plate in found.plates if plate.vehicle == own]
    plate = max(plates, key=lambda plate: (plate.trusted, plate.score), default=None)
    return None if plate is None else _moved(plate, left, top)


def closer_permit(recognise: Recognise, image: Image, box: Box) -> bool:
    """Tell whether a permit is seen behind a vehicle's windscreen, looking at that alone.

    Args:
        recognise: A recogniser.
        image: uint8 H x W x 3 BGR.
        box: The vehicle in it, px.
    """
    part = (box[0], box[1], box[2], box[1] + (box[3] - box[1]) * _WINDSCREEN)
    found, _, _ = _recognised(recognise, image, part)
    return bool(found.permits)


def _recognised(recognise: Recognise, image: Image, part: Box) -> tuple[Recognition, int, int]:
    """Recognise a part of a picture; return with it where the part begins."""
    height, width = image.shape[:2]
    left, top = min(max(0, round(part[0])), width - 1), min(max(0, round(part[1])), height - 1)
    right, bottom = max(left + 1, min(width, round(part[2]))), max(top + 1, min(height, round(part[3])))
    return recognise(image[top:bottom, left:right]), left, top


def _moved(plate: Plate, x: int, y: int) -> Plate:
    def at(point: Point) -> Point:
        return point[0] + x, point[1] + y

    left, top, right, bottom = plate.box
    first, second, third, fourth = plate.corners
    corners: Quad = (at(first), at(second), at(third), at(fourth))
    return replace(plate, box=(left + x, top + y, right + x, bottom + y), corners=corners)
