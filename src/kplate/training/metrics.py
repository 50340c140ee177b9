"""Detection metrics: average precision at one overlap, and recall at a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kplate.boxes import iou_matrix, share_matrix

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector said about one class of one picture, beside the truth.

    Attributes:
        boxes: M x 4 found.
        scores: M.
        truth: K x 4 labelled.
        ignored: L x 4; found boxes mostly inside one of them count neither way.
    """

    boxes: Array
    scores: Array
    truth: Array
    ignored: Array


@dataclass(frozen=True, slots=True)
class Score:
    """The metrics of one class.

    Attributes:
        ap: Average precision (area under the precision envelope, all points).
        recall: Recall at the threshold.
        precision: Precision at the threshold.
        truths: Labelled objects.
        curve: P x 3 (score, recall, precision), by falling score.
    """

    ap: float
    recall: float
    precision: float
    truths: int
    curve: Array


def _judge(found: Found, overlap: float) -> list[tuple[float, bool]]:
    """(score, right) of each found box that counts; each labelled object is given to its best-scored box."""
    verdicts = []
    free = np.ones(len(found.truth), bool)
    iou = iou_matrix(found.boxes, found.truth)
    inside = share_matrix(found.boxes, found.ignored)
    for n in np.argsort(-found.scores, kind="stable"):
        candidates = np.where(free, iou[n], -1.0)
        best = int(candidates.argmax()) if len(candidates) else -1
        if best >= 0 and candidates[best] >= overlap:
            free[best] = False
            verdicts.append((float(found.scores[n]), True))
        elif not len(found.ignored) or inside[n].max() < 0.5:
            verdicts.append((float(found.scores[n]), False))
    return verdicts


def score_class(pictures: Sequence[Found], *, overlap: float = 0.5, threshold: float = 0.3) -> Score:
    """Scores one class over many pictures.

    Args:
        pictures: One entry a picture.
        overlap: IoU from which a box is right.
        threshold: Score from which boxes count for `recall` and `precision`.
    """
    verdicts = [verdict for picture in pictures for verdict in _judge(picture, overlap)]
    truths = sum(len(picture.truth) for picture in pictures)
    if not verdicts or not truths:
        return Score(0.0, 0.0, 0.0, truths, np.zeros((0, 3), np.float32))
    verdicts.sort(key=lambda verdict: -verdict[0])
    scores = np.asarray([score for score, _ in verdicts], np.float32)
    right = np.cumsum([right for _, right in verdicts])
    recall, precision = right / truths, right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap = float(np.sum(np.diff(recall, prepend=0.0) * envelope))
    above = int((scores >= threshold).sum())
    return Score(
        ap,
        float(recall[above - 1]) if above else 0.0,
        float(precision[above - 1]) if above else 0.0,
        truths,
        np.column_stack((scores, recall, precision)).astype(np.float32),
    )
