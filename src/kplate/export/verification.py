"""Running an exported network beside its source, on a fixed set of rendered pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kplate.boxes import iou
from kplate.detector import Detection, Detector
from kplate.engines import open_engine, open_network
from kplate.export.pictures import as_inputs, checked
from kplate.images import Image
from kplate.reader import Reader
from kplate.refiner import Refiner
from kplate.weights import load

Array = NDArray[np.float32]

#: Detections this close to their class's threshold may be on the other side of it in the exported network.
_MARGIN: Final = 0.1
#: The same for readings and the score from which on they are trusted.
_TRUST_MARGIN: Final = 0.05
#: Boxes that overlap by this much show the same thing.
_SAME_THING: Final = 0.5
#: Pictures whose raw outputs are compared.
_RAW: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What an exported network must keep to.

    Attributes:
        difference: Largest difference of a raw output, as a share of the output's largest value (at least 1).
        overlap: Least intersection over union of a box with the source's.
        corner: Farthest that a plate's corner may lie from the source's, as a share of the crop's sides.
        agreement: Least share of boxes, corners or texts that agree.
    """

    difference: float
    overlap: float
    corner: float
    agreement: float


LIMITS: Final = {
    "float32": Limits(1e-3, 0.99, 1e-3, 1.0),
    "float16": Limits(0.02, 0.95, 0.01, 1.0),
    "int8": Limits(0.5, 0.8, 0.02, 0.95),
}


@dataclass(frozen=True, slots=True)
class Report:
    """How an exported network compares with its source.

    Attributes:
        limits: What was asked for.
        differences: Largest difference of each raw output, as a share of the output's largest value.
        what: What was compared beyond them: ``boxes``, ``corners`` or ``texts``.
        compared: How many of them the source gives.
        agreed: How many the exported network gives as well; boxes that only it gives count against.
        overlap: Least intersection over union of the boxes that agree; None where there are no boxes.
    """

    limits: Limits
    differences: dict[str, float]
    what: str
    compared: int
    agreed: int
    overlap: float | None = None

    @property
    def share(self) -> float:
        """The share that agrees; where the source finds nothing, the raw outputs alone count."""
        return self.agreed / self.compared if self.compared else 1.0

    @property
    def faults(self) -> list[str]:
        """What lies beyond the limits, in words; empty where the file may be used."""
        limits, found = self.limits, []
        worst = max(self.differences, key=lambda name: _badness(self.differences[name]))
        if not self.differences[worst] <= limits.difference:
            found.append(f"{worst} differs by {self.differences[worst]:.2g} (limit {limits.difference:g})")
        if self.share < limits.agreement:
            found.append(f"{self.agreed} of {self.compared} {self.what} agree (limit {limits.agreement:.0%})")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values, for the manifest."""
        values: dict[str, Any] = {
            "largest_difference": {name: float(f"{value:.2g}") for name, value in self.differences.items()},
            self.what: self.compared,
            f"{self.what}_that_agree": self.agreed,
        }
        return values if self.overlap is None else values | {"least_overlap": round(self.overlap, 4)}


def verify(task: str, source: Path, exported: Path, precision: str) -> Report:
    """Compare an exported network with its source.

    Args:
        task: One of :data:`kplate.weights.TASKS`.
        source: The source's manifest; float32 ONNX. A detector's refiner, a reader's locator lie beside it.
        exported: The exported network's manifest; likewise.
        precision: Decides the limits.

    Raises:
        KplateError: The exported network does not run.
    """
    images, limits = checked(task), LIMITS[precision]
    compare = {
        "detector": _verify_detector,
        "refiner": _verify_refiner,
        "locator": _verify_locator,
        "reader": _verify_reader,
    }
    return compare[task](images, source, exported, limits)


def _verify_detector(images: Sequence[Image], source: Path, exported: Path, limits: Limits) -> Report:
    network, _ = load(exported, "detector")
    # A file that is made for one size gets, and is compared at, exactly that.
    sizes = open_engine(network).sizes
    exact = sizes[0] if sizes else None
    first, second = Detector(source, engine="onnx", size=exact), Detector(exported, size=exact)
    differences = _differences("detector", source, exported, images)
    compared, agreed, overlaps = 0, 0, [1.0]
    for image in images:
        wanted, found = list(first(image)), list(second(image))
        for detection in _sure(wanted, first):
            best = max((iou(detection.box, other.box) for other in _alike(detection, found)), default=0.0)
            compared += 1
            if best >= limits.overlap:
                agreed += 1
                overlaps.append(best)
        for detection in _sure(found, second):
            if not any(iou(detection.box, other.box) >= _SAME_THING for other in _alike(detection, wanted)):
                compared += 1  # only the exported network sees it
    return Report(limits, differences, "boxes", compared, agreed, min(overlaps))


def _verify_refiner(images: Sequence[Image], source: Path, exported: Path, limits: Limits) -> Report:
    """Compare where both set the box in the middle of each picture, as a thing of each class."""
    differences = _differences("refiner", source, exported, images)
    first, second = Refiner(source, engine="onnx"), Refiner(exported)
    overlaps = []
    for image in images:
        height, width = image.shape[:2]
        box = np.array([[0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height]], np.float32)
        for label in first.labels:
            sides = [refiner(image, label, box, np.ones(1, np.float32))[0][0] for refiner in (first, second)]
            overlaps.append(iou(*(tuple(values.tolist()) for values in sides)))
    agreed = [overlap for overlap in overlaps if overlap >= limits.overlap]
    return Report(limits, differences, "boxes", len(overlaps), len(agreed), min(agreed, default=1.0))


def _verify_locator(images: Sequence[Image], source: Path, exported: Path, limits: Limits) -> Report:
    differences = _differences("locator", source, exported, images)
    engines = [open_network(path, "locator").engine for path in (source, exported)]
    distances = []
    for batch in as_inputs("locator", source, images):
        wanted, found = (engine.run(batch)["corners"].reshape(4, 2) for engine in engines)
        distances += list(np.abs(wanted - found).max(1))
    agreed = sum(bool(distance <= limits.corner) for distance in distances)
    return Report(limits, differences, "corners", len(distances), agreed)


def _verify_reader(images: Sequence[Image], source: Path, exported: Path, limits: Limits) -> Report:
    first, second = Reader(source, engine="onnx"), Reader(exported)
    differences = _differences("reader", source, exported, images)
    pairs = zip(first.read_batch(images), second.read_batch(images), strict=True)
    least = first.min_score + _TRUST_MARGIN
    same = [one.candidate == other.candidate for one, other in pairs if one.score >= least]
    return Report(limits, differences, "texts", len(same), sum(same))


def _differences(task: str, source: Path, exported: Path, images: Sequence[Image]) -> dict[str, float]:
    """Compare the raw outputs for inputs that the source would get."""
    first, second = open_network(source, task, engine="onnx").engine, open_network(exported, task).engine
    worst: dict[str, float] = {}
    for batch in as_inputs(task, source, images[:_RAW]):
        wanted, found = first.run(batch), second.run(batch)
        for name, values in wanted.items():
            other = found.get(name)
            fits = other is not None and other.shape == values.shape
            largest = max(1.0, float(np.abs(values).max()))
            difference = (
                float(np.abs(values - other).max()) / largest if fits and other is not None else np.inf
            )
            worst[name] = max(worst.get(name, 0.0), _badness(difference))
    return worst


def _badness(difference: float) -> float:
    """A difference that is no number is as bad as can be."""
    return difference if np.isfinite(difference) else np.inf


def _alike(detection: Detection, others: Sequence[Detection]) -> list[Detection]:
    return [other for other in others if other.label == detection.label]


def _sure(found: Sequence[Detection], detector: Detector) -> list[Detection]:
    return [item for item in found if item.score >= detector.threshold(item.label) + _MARGIN]
