"""Draws followed cars, their ways and settled plates into frames."""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from kplate.drawing import COLOURS, Colour, draw, text_mask
from kplate.images import Image
from kplate.live.model import FrameResult, Sighting, TrackedVehicle
from kplate.results import Plate, Point, Recognition

#: Places of a car that its way shows.
_WAY: Final = 40
#: A name's height as a share of the picture's, and its least in px.
_NAME_SHARE: Final = 0.022
_SMALLEST_NAME: Final = 12


class Annotator:
    """Draws the frames of one source in their order."""

    def __init__(self) -> None:
        self._ways: dict[int, deque[tuple[int, int]]] = {}

    def __call__(self, result: FrameResult, ground: Image | None = None) -> Image:
        """Return a frame with everything drawn in.

        Args:
            result: What is known with the frame, which is left as it is.
            ground: The frame with what lies beneath the cars drawn in already, such as bays.
        """
        self._remember(result)
        canvas = result.frame.image.copy() if ground is None else ground
        for way in self._ways.values():
            cv2.polylines(canvas, [np.array(way, np.int32)], False, COLOURS["vehicle"], 1, cv2.LINE_AA)
        canvas = draw(_told(result), canvas)
        for vehicle in result.vehicles:
            if vehicle.seen and vehicle.plate is None and vehicle.sighting is not None:
                left, _, _, bottom = vehicle.box
                _write(canvas, vehicle.sighting.display, (left, bottom), COLOURS["plate"])
        return canvas

    def _remember(self, result: FrameResult) -> None:
        present = {vehicle.track_id: vehicle for vehicle in result.vehicles if vehicle.seen}
        self._ways = {number: way for number, way in self._ways.items() if number in present}
        for number, vehicle in present.items():
            left, _, right, bottom = vehicle.box
            way = self._ways.setdefault(number, deque(maxlen=_WAY))
            way.append((round((left + right) / 2), round(bottom)))


def _told(result: FrameResult) -> Recognition:
    """Replace what the frame alone shows by what is known: numbers of cars, settled texts."""
    tracked = {vehicle.vehicle: vehicle for vehicle in result.vehicles if vehicle.vehicle is not None}
    vehicles = tuple(
        replace(vehicle, label=_number(tracked.get(index), vehicle.label))
        for index, vehicle in enumerate(result.recognition.vehicles)
    )
    settled: Mapping[int | None, Sighting] = {
        vehicle.plate: vehicle.sighting for vehicle in result.vehicles if vehicle.sighting is not None
    }
    plates = tuple(
        _settled(plate, settled.get(index)) for index, plate in enumerate(result.recognition.plates)
    )
    return replace(result.recognition, vehicles=vehicles, plates=plates)


def _number(vehicle: TrackedVehicle | None, label: str | None) -> str | None:
    return label if vehicle is None else f"{label or 'car'} {vehicle.track_id}"


def _settled(plate: Plate, sighting: Sighting | None) -> Plate:
    """Show the settled text; a reading that nothing confirms yet is shown as a guess."""
    if sighting is None:
        return replace(plate, text=None, display=None)
    return replace(
        plate,
        text=sighting.text,
        candidate=sighting.text,
        display=sighting.display,
        score=sighting.score,
        electric=sighting.electric,
    )


def _write(canvas: Image, text: str, at: Point, ground: Colour) -> None:
    """Write a text above a point, on a ground, inside the picture."""
    height, width = canvas.shape[:2]
    ink = text_mask(text, max(_SMALLEST_NAME, round(height * _NAME_SHARE)))
    label = np.pad(ink, 4)[:height, :width]
    left = min(max(0, round(at[0])), width - label.shape[1])
    top = min(max(0, round(at[1]) - label.shape[0]), height - label.shape[0])
    part = canvas[top : top + label.shape[0], left : left + label.shape[1]]
    share = label[..., None].astype(np.float32) / 255
    part[:] = (np.array(ground) * (1 - share) + 255 * share).astype(np.uint8)
