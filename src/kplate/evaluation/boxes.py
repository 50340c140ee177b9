"""Boxes: what is labelled in pictures, what a detector found, and which found box is which labelled one."""

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate.boxes import iou_matrix, share_matrix
from kplate.detector import Detection
from kplate.errors import KplateError
from kplate.images import Image, read_image
from kplate.images.letterbox import Size
from kplate.results import Box

#: Overlap (intersection over union) from which a found box is the labelled one.
OVERLAP: Final = 0.5
#: Overlap from which a found box has at least to do with a labelled one.
_TOUCHING: Final = 0.1
#: A found box of which this share lies in an ignored one counts neither way.
_INSIDE: Final = 0.5

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A thing that truly is in a picture.

    Attributes:
        label: Its class.
        box: ``x1, y1, x2, y2`` in px of the picture.
    """

    label: str
    box: Box


@dataclass(frozen=True, slots=True)
class BoxSample:
    """One picture with its labelled boxes.

    Attributes:
        path: Where the picture lies.
        name: Its name in reports.
        width: In px.
        height: In px.
        truths: What is in it.
        ignored: What may be found or not: cut off, tiny, or doubtful.
        unlabelled: Classes that nobody labelled in it; what is found of them counts neither way.
        condition: What it was taken in, such as ``night``; None where nobody said.
    """

    path: Path
    name: str
    width: int
    height: int
    truths: tuple[LabelledBox, ...]
    ignored: tuple[LabelledBox, ...] = ()
    unlabelled: frozenset[str] = frozenset()
    condition: str | None = None

    def scale(self, size: Size) -> float:
        """Return px of the network's input per px of the picture."""
        width, height = (size, size) if isinstance(size, int) else size
        return min(width / self.width, height / self.height)


class Verdict(enum.StrEnum):
    """What a found box is.

    Source:
        The kinds of error follow D. Bolya et al., TIDE: A general toolbox for identifying object detection
        errors, ECCV 2020.
    """

    RIGHT = "right"
    IGNORED = "ignored"
    CONFUSED = "confused"  # lies on a labelled thing of another class
    DUPLICATE = "duplicate"  # lies on a labelled thing that a surer box has found
    LOOSE = "loose"  # has to do with a labelled thing of its class, but fits badly
    BACKGROUND = "background"  # lies on nothing that is labelled


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A found box that is sure enough to be reported, and what it is.

    Attributes:
        detection: The box.
        verdict: What it is.
        truth: Index of the labelled box that it found or is confused with; None for the others.
    """

    detection: Detection
    verdict: Verdict
    truth: int | None = None


@dataclass(frozen=True, slots=True)
class BoxOutcome:
    """What a detector said about one picture.

    Attributes:
        sample: The picture.
        detections: All it found, down to very low scores, as average precision needs them.
        found: Those that are sure enough to be reported, by falling score.
        error: Why the picture could not be read; None where it could.
    """

    sample: BoxSample
    detections: tuple[Detection, ...] = ()
    found: tuple[FoundBox, ...] = ()
    error: str | None = None

    @property
    def hits(self) -> dict[int, FoundBox]:
        """The right boxes by the index of the labelled one."""
        return {n.truth: n for n in self.found if n.verdict is Verdict.RIGHT and n.truth is not None}


def evaluate_boxes(
    samples: Sequence[BoxSample],
    detect: Callable[[Image], Sequence[Detection]],
    thresholds: Mapping[str, float],
) -> Iterator[BoxOutcome]:
    """Find in each picture and hold it against its labels, one at a time and in order.

    Args:
        samples: The pictures.
        detect: Finds boxes, down to very low scores.
        thresholds: Score from which a box of a class is reported; classes that are not in it are left out.

    Yields:
        One outcome a picture; a picture that cannot be read is an outcome with its error.
    """
    for sample in samples:
        try:
            image = read_image(sample.path)
        except KplateError as error:
            yield BoxOutcome(sample, error=str(error))
            continue
        detections = tuple(found for found in detect(image) if found.label in thresholds)
        sure = [found for found in detections if found.score >= thresholds[found.label]]
        yield BoxOutcome(sample, detections, match_boxes(sample, sure))


def match_boxes(sample: BoxSample, detections: Sequence[Detection]) -> tuple[FoundBox, ...]:
    """Say of each found box what it is. Each labelled box goes to the surest box that fits it.

    Args:
        sample: The labels.
        detections: What was found.

    Returns:
        The found boxes by falling score.
    """
    ranked = sorted(detections, key=lambda found: -found.score)
    iou = iou_matrix([found.box for found in ranked], [truth.box for truth in sample.truths])
    taken: dict[int, int] = {}  # labelled -> found
    for n, found in enumerate(ranked):
        own = [i for i, truth in enumerate(sample.truths) if truth.label == found.label and i not in taken]
        best = max(own, key=lambda i: iou[n, i], default=None)
        if best is not None and iou[n, best] >= OVERLAP:
            taken[best] = n
    chosen = {n: i for i, n in taken.items()}
    return tuple(
        FoundBox(found, Verdict.RIGHT, chosen[n])
        if n in chosen
        else _wrong(sample, found, iou[n], frozenset(taken))
        for n, found in enumerate(ranked)
    )


def _wrong(sample: BoxSample, found: Detection, iou: Matrix, taken: frozenset[int]) -> FoundBox:
    """Say what a found box is that is no labelled one of its class."""
    if found.label in sample.unlabelled or _is_ignored(sample, found):
        return FoundBox(found, Verdict.IGNORED)
    same = [i for i, truth in enumerate(sample.truths) if truth.label == found.label]
    if any(iou[i] >= OVERLAP for i in same):
        return FoundBox(found, Verdict.DUPLICATE)
    others = [i for i, truth in enumerate(sample.truths) if truth.label != found.label and i not in taken]
    other = max(others, key=lambda i: iou[i], default=None)
    if other is not None and iou[other] >= OVERLAP:
        return FoundBox(found, Verdict.CONFUSED, other)
    loose = any(iou[i] >= _TOUCHING for i in same)
    return FoundBox(found, Verdict.LOOSE if loose else Verdict.BACKGROUND)


def _is_ignored(sample: BoxSample, found: Detection) -> bool:
    regions = [region.box for region in sample.ignored if region.label == found.label]
    if not regions:
        return False
    inside = share_matrix([found.box], regions)
    return bool(inside.max() >= _INSIDE or iou_matrix([found.box], regions).max() >= OVERLAP)
