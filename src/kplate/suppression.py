"""Which of many boxes around one thing stays, and where it lies then."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate.boxes import iou_matrix

Array = NDArray[np.float32]

#: Overlap (IoU) from which a box that went has a say on where the kept one lies, and the least share of its
#: score that it must have.
_VOTES_FROM: Final = 0.5
VOTES_LEAST: Final = 0.5
#: Boxes of one class that go into suppression, or vote, at most; pictures hold far fewer.
MOST_BOXES: Final = 1000
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Rule:
    """When the worse of two boxes of one class goes.

    Attributes:
        overlap: IoU from which it does.
        inside: Share of the smaller box within the other from which it does, too.
        least: The second rule holds for boxes of at least this share of the other's area.
    """

    overlap: float
    inside: float = 2.0
    least: float = 0.0


def suppress(boxes: Array, scores: Array, rule: Rule) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Args:
        boxes: M x 4 (``x1, y1, x2, y2``).
        scores: M.
        rule: When a box goes.

    Returns:
        Indices of the boxes that stay, by falling score.
    """
    order = np.argsort(-scores, kind="stable")[:MOST_BOXES]
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=1)
        smaller, larger = np.minimum(areas[best], areas[rest]), np.maximum(areas[best], areas[rest])
        gone = common > rule.overlap * (smaller + larger - common)
        gone |= (common > rule.inside * smaller) & (smaller >= rule.least * larger)
        order = rest[~gone]
    return np.asarray(kept, np.intp)


def vote(kept: Array, kept_scores: Array, boxes: Array, scores: Array) -> Array:
    """Let all boxes around a kept one have their say on where it lies, by score times overlap.

    Several cells and anchors find one object, each a little beside it; their mean lies closer than the
    surest. Box voting: S. Gidaris and N. Komodakis, "Object detection via a multi-region and semantic
    segmentation-aware CNN model", ICCV 2015.

    Args:
        kept: K x 4 (``x1, y1, x2, y2``), of one class.
        kept_scores: K.
        boxes: M x 4, of the same class; the kept ones are among them.
        scores: M.

    Returns:
        K x 4.
    """
    overlaps = iou_matrix(kept, boxes)
    heard = (overlaps >= _VOTES_FROM) & (scores >= VOTES_LEAST * kept_scores[:, None])
    # In double precision, so that no mean of boxes leaves the picture that all of them lie in.
    weights = np.where(heard, np.maximum(scores, _TINY) * overlaps, 0).astype(np.float64)
    return np.asarray(weights @ boxes / weights.sum(1, keepdims=True), np.float32)
