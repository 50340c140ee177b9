"""A second look at vehicles whose plate is too small to be found in the whole picture.

A picture of a street is scaled to some 400 pixels to find what is in it, which leaves a plate of 30 pixels
six of them. The vehicles are found all the same. Each that shows no plate is cut out and looked at again by
itself, at about its own size, which takes a fraction of the first look's time.
"""

from collections.abc import Collection, Sequence
from typing import Final

from kplate.boxes import area, share
from kplate.detector import Detection, Detector
from kplate.images import Image
from kplate.results import Box

#: Vehicles of a picture that are looked at again at most, nearest first.
_MOST: Final = 16
#: A vehicle this wide in the first look, in pixels of the network's input, shows its plate or has none.
_NEAR_ENOUGH: Final = 120
#: Vehicles narrower than this, in pixels of the picture, have plates of a few pixels.
_LEAST_WIDTH: Final = 40
#: Part of a vehicle that is cut out: how far beyond its sides and its lower edge, and from what height on.
_BESIDE: Final = 0.05
_BELOW: Final = 0.08
_ABOVE: Final = 0.2
#: How much what is cut out is enlarged, and the px that its longer side may have then.
_ENLARGED: Final = 1.25
_SIDES: Final = (96, 288)
#: A second look finds more that is no plate: it must be this much surer, lie in the lower part of the vehicle
#: and be no wider than this share of it.
_SURER: Final = 0.1
_LOWER_PART: Final = 0.4
_WIDEST: Final = 0.4
#: A plate belongs to a vehicle, or is one that was found already, that covers this share of it.
_COVERED: Final = 0.5
_SAME: Final = 0.3


def look_closer(
    detector: Detector, image: Image, found: Sequence[Detection], vehicles: Collection[str], plate: str
) -> list[Detection]:
    """Look for plates on the vehicles of a picture that show none.

    Args:
        detector: What found them; a network whose file takes but a few sizes is not asked again.
        image: uint8 H x W x 3 BGR.
        found: What it found in the picture.
        vehicles: The classes that are vehicles.
        plate: The class that is plates.

    Returns:
        The plates that it finds on them, in pixels of the picture.
    """
    if detector.network.engine.sizes or plate not in detector.labels:
        return []
    longer = detector.size if isinstance(detector.size, int) else max(detector.size)
    scale = longer / max(image.shape[:2])
    plates = [item for item in found if item.label == plate]
    least = min(1.0, detector.threshold(plate) + _SURER)
    more: list[Detection] = []
    for vehicle in _worth_it(found, plates, vehicles, scale):
        window = _window(vehicle, image)
        best = _best_plate(detector, image, window, vehicle, plate, least)
        if best is not None and not any(share(best.box, item.box) > _SAME for item in (*plates, *more)):
            more.append(best)
    return more


def _worth_it(
    found: Sequence[Detection], plates: Sequence[Detection], vehicles: Collection[str], scale: float
) -> list[Box]:
    """Return the vehicles to look at again, the largest first."""
    boxes = [
        item.box
        for item in found
        if item.label in vehicles
        and item.box[2] - item.box[0] >= _LEAST_WIDTH
        and (item.box[2] - item.box[0]) * scale <= _NEAR_ENOUGH
        and not any(share(plate.box, item.box) > _COVERED for plate in plates)
    ]
    return sorted(boxes, key=area, reverse=True)[:_MOST]


def _window(vehicle: Box, image: Image) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is cut out, in whole pixels inside the picture."""
    x1, y1, x2, y2 = vehicle
    beside, height = (x2 - x1) * _BESIDE, y2 - y1
    return (
        max(0, int(x1 - beside)),
        max(0, int(y1 + height * _ABOVE)),
        min(image.shape[1], int(x2 + beside) + 1),
        min(image.shape[0], int(y2 + height * _BELOW) + 1),
    )


def _best_plate(
    detector: Detector,
    image: Image,
    window: tuple[int, int, int, int],
    vehicle: Box,
    plate: str,
    least: float,
) -> Detection | None:
    """Return the surest plate of a vehicle in a part of a picture, in pixels of the picture."""
    left, top, right, bottom = window
    wanted = max(right - left, bottom - top) * _ENLARGED
    multiple = detector.multiple
    size = max(multiple, round(min(max(wanted, _SIDES[0]), _SIDES[1]) / multiple) * multiple)
    x1, y1, x2, y2 = vehicle
    for item in detector(image[top:bottom, left:right], size=size):
        box = (item.box[0] + left, item.box[1] + top, item.box[2] + left, item.box[3] + top)
        low = (box[1] + box[3]) / 2 >= y1 + _LOWER_PART * (y2 - y1)
        if item.label == plate and item.score >= least and low and box[2] - box[0] <= _WIDEST * (x2 - x1):
            return Detection(plate, box, item.score)
    return None
