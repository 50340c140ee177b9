"""From a picture to everything on it: vehicles, plates with their texts, permits."""

import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from kplate.boxes import area, overlap
from kplate.classes import CAR, CLASSES, DISABLED_STICKER, LICENSE_PLATE, VEHICLES
from kplate.closer import look_closer
from kplate.detector import Detection, Detector
from kplate.files import StrPath
from kplate.images import Image, as_image
from kplate.images.letterbox import Size
from kplate.linking import owner
from kplate.reader import Reader, Reading
from kplate.reader_light import light_of
from kplate.results import Box, Other, Permit, Plate, Point, Recognition, Vehicle

_KNOWN_LABELS: Final = VEHICLES | set(CLASSES)

#: How much a plate's box grows before it is cut out: share of its width to the left and right, share of
#: its height above and below. The reader finds the plate's corners itself, so it may see some of its
#: surroundings, but it cannot read what was cut off.
_GROW: Final = (0.08, 0.16)
#: Pictures of fewer pixels across hold no plate that anyone could read.
_SMALLEST_SIDE: Final = 8
#: Of two plate boxes one of which lies in the other by more than this share of its area, both show the
#: same plate, or one shows a line of it. Real plates do not lie in one another.
_SAME_PLATE: Final = 0.7
#: Boxes that overlap by this much (intersection over union) and read the same also show one plate.
_SAME_TEXT_IOU: Final = 0.3
#: A box at least this wide in pixels shows a plate large enough to be read ...
_READABLE_WIDTH: Final = 40.0
#: ... so that one whose reading is as good as nothing shows no plate, unless the detector is this sure of it.
_HOPELESS: Final = 0.001
_SURELY_A_PLATE: Final = 0.8


class Recognizer:
    """Finds vehicles, number plates and disabled permits in pictures and reads the plates.

    One recognizer may be used from several threads at once: a call keeps nothing in the object.

    Attributes:
        detector: What finds boxes.
        reader: What reads plates.
        closer: Whether vehicles that show no plate are looked at again.

    Example:
        >>> recognizer = Recognizer(threads=2)  # doctest: +SKIP
        >>> recognizer("car-park.jpg").plates[0].text  # doctest: +SKIP
        '52주3108'
    """

    def __init__(
        self,
        *,
        weights: StrPath | None = None,
        threads: int | None = None,
        min_score: float | None = None,
        detector: Detector | None = None,
        reader: Reader | None = None,
        detector_weights: StrPath | None = None,
        reader_weights: StrPath | None = None,
        size: Size | None = None,
        closer: bool = False,
        engine: str | None = None,
        precision: str | None = None,
    ) -> None:
        """Load the networks.

        Args:
            weights: Folder with ``detector.json``, ``reader.json`` and their networks; None for those
                that ship with kplate.
            threads: Threads of one call; None for the cores of this process, but no more than four.
            min_score: Lowest score at which a reading is trusted; None for what the reader was
                calibrated to.
            detector: A detector that is loaded already; the arguments above do not concern it.
            reader: A reader that is loaded already; likewise.
            detector_weights: Other weights for the detector alone: a folder, manifest or network.
            reader_weights: Other weights for the reader alone.
            size: Px that the detector scales the longer side of a picture to, or width and height that it
                fits it into; None for the network's own.
            closer: Look again at vehicles that show no plate, each by itself: finds small plates in large
                pictures and takes a little longer.
            engine: What runs both networks: ``onnx``, ``litert``, ``openvino`` or ``saved_model``, also with
                what it computes on (``onnx:cuda``); None for the fastest that is installed.
            precision: ``float32``, ``float16`` or ``int8``; None for the most precise there is.

        Raises:
            EngineError: There is no such engine, it is not installed, or there are no networks for it.
            WeightsError: Weights are missing, damaged or do not fit.
            ValueError: ``threads``, ``min_score`` or ``size`` is out of range.
        """
        if min_score is not None and not 0 <= min_score <= 1:
            raise ValueError(f"min_score must be from 0 to 1, not {min_score}")
        self.detector = detector or Detector(
            detector_weights or weights, threads=threads, size=size, engine=engine, precision=precision
        )
        self.reader = reader or Reader(
            reader_weights or weights,
            threads=threads,
            min_score=min_score,
            engine=engine,
            precision=precision,
        )
        self.closer = closer

    def __call__(self, image: Image | StrPath, *, cropped: bool = False) -> Recognition:
        """Recognise what is in a picture.

        Args:
            image: A path, or uint8, H x W x 3, BGR.
            cropped: The picture shows one plate and nothing else: read it and detect nothing.

        Returns:
            What was found, in pixels of the picture as displayed; plates, vehicles and permits in the
            order of the detector, which is by falling score.

        Raises:
            ImageError: The picture cannot be read or is none.
        """
        pixels = as_image(image)
        start = time.perf_counter()
        found = self._read_crop(pixels) if cropped else self._recognise(pixels)
        elapsed_ms = (time.perf_counter() - start) * 1000
        name = os.fspath(image) if isinstance(image, (str, os.PathLike)) else None
        return replace(found, elapsed_ms=elapsed_ms, file=name)

    def _read_crop(self, image: Image) -> Recognition:
        height, width = image.shape[:2]
        reading = self.reader.read_batch([image])[0]
        plate = _plate(reading, (0.0, 0.0, float(width), float(height)), (0, 0), None, None)
        return Recognition(width, height, 0.0, plates=(plate,))

    def _recognise(self, image: Image) -> Recognition:
        height, width = image.shape[:2]
        if min(width, height) < _SMALLEST_SIDE:
            return Recognition(width, height, 0.0, others=self._others(()))
        seen = list(self.detector(image))
        if self.closer:
            seen += look_closer(self.detector, image, seen, VEHICLES, LICENSE_PLATE)
        found = [replace(item, box=_clipped(item.box, width, height)) for item in seen]
        found = [item for item in found if area(item.box) > 0]
        vehicles = tuple(
            Vehicle(item.box, item.score, None if item.label == CAR else item.label)
            for item in found
            if item.label in VEHICLES
        )
        bearers = [vehicle.box for vehicle in vehicles]
        permits = tuple(
            Permit(item.box, item.score, owner(item.box, bearers))
            for item in found
            if item.label == DISABLED_STICKER
        )
        plates = self._read_plates(image, [item for item in found if item.label == LICENSE_PLATE], bearers)
        return Recognition(width, height, 0.0, vehicles, plates, permits, others=self._others(found))

    def _others(self, found: Sequence[Detection]) -> tuple[Other, ...] | None:
        """List what kplate has no place of its own for; None where the detector knows no such classes."""
        # Whatever finds boxes can stand in for a detector, whether or not it says what it knows.
        if _KNOWN_LABELS.issuperset(getattr(self.detector, "labels", ())):
            return None
        return tuple(
            Other(item.label, item.box, item.score) for item in found if item.label not in _KNOWN_LABELS
        )

    def _read_plates(
        self, image: Image, found: Sequence[Detection], vehicles: Sequence[Box]
    ) -> tuple[Plate, ...]:
        """Read all plates of a picture in one batch."""
        if not found:
            return ()
        windows = [crop_window(item.box, image.shape[1], image.shape[0]) for item in found]
        crops = [image[top:bottom, left:right] for left, top, right, bottom in windows]
        # A single plate may be grey in broad daylight: whether colour says anything, the whole picture shows.
        readings = self.reader.read_batch(crops, light=light_of(image))
        plates = [
            _plate(
                reading,
                item.box,
                window[:2],
                item.score,
                owner(item.box, vehicles),
            )
            for item, window, reading in zip(found, windows, readings, strict=True)
        ]
        return _merged([plate for plate in plates if not _is_none(plate)])


def crop_window(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the part of a picture that the reader is given for a plate's box.

    Args:
        box: The plate's box, inside the picture.
        width: Of the picture, in pixels.
        height: Likewise.

    Returns:
        Left, top, right, bottom in whole pixels, right and bottom exclusive, at least one pixel each way.
    """
    left, top, right, bottom = box
    across, down = (right - left) * _GROW[0], (bottom - top) * _GROW[1]
    return (
        min(width - 1, max(0, math.floor(left - across))),
        min(height - 1, max(0, math.floor(top - down))),
        min(width, max(1, math.ceil(right + across))),
        min(height, max(1, math.ceil(bottom + down))),
    )


def _plate(
    reading: Reading,
    box: Box,
    offset: Iterable[int],
    detection_score: float | None,
    vehicle: int | None,
) -> Plate:
    """Combine a reading with where its crop came from.

    A reading that is not trusted has no display form either: whoever shows that must not show a guess.
    """
    left, top = offset
    first, second, third, fourth = (_moved(corner, left, top) for corner in reading.corners)
    return Plate(
        text=reading.text,
        candidate=reading.candidate,
        display=None if reading.text is None else reading.display,
        score=reading.score,
        characters=reading.characters,
        kind=reading.kind,
        use=reading.use,
        electric=reading.electric,
        box=box,
        corners=(first, second, third, fourth),
        detection_score=detection_score,
        vehicle=vehicle,
    )


def _moved(corner: Point, left: int, top: int) -> Point:
    return (float(corner[0]) + left, float(corner[1]) + top)


def _is_none(plate: Plate) -> bool:
    """Say whether a box shows no plate: it is large, the detector is not sure, and nothing can be read there.

    Signs, lamps and grilles are found at times. What is on them is no registration.
    """
    return (
        plate.box[2] - plate.box[0] >= _READABLE_WIDTH
        and plate.score < _HOPELESS
        and (plate.detection_score or 0.0) < _SURELY_A_PLATE
    )


def _merged(plates: Sequence[Plate]) -> tuple[Plate, ...]:
    """Keep the best of the plates that were found twice; the order stays."""
    ranked = sorted(
        plates, key=lambda plate: (plate.trusted, plate.score, plate.detection_score), reverse=True
    )
    kept: list[Plate] = []
    for plate in ranked:
        if not any(_same(plate, other) for other in kept):
            kept.append(plate)
    chosen = {id(plate) for plate in kept}
    return tuple(plate for plate in plates if id(plate) in chosen)


def _same(first: Plate, second: Plate) -> bool:
    shared = overlap(first.box, second.box)
    areas = area(first.box), area(second.box)
    if shared > _SAME_PLATE * min(areas):
        return True
    same_text = first.candidate is not None and first.candidate == second.candidate
    return same_text and shared > _SAME_TEXT_IOU * (sum(areas) - shared)


def _clipped(box: Box, width: int, height: int) -> Box:
    left, top, right, bottom = (float(value) for value in box)
    return (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
