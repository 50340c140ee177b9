"""Average precision as COCO counts it, by the library faster-coco-eval.

Source:
    T.-Y. Lin et al., Microsoft COCO: Common objects in context, ECCV 2014, and its evaluation server: 101
    points of recall, overlaps from 0.5 to 0.95, at most 100 boxes of a class in a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kplate.errors import KplateError
from kplate.evaluation.boxes import BoxOutcome, BoxSample
from kplate.results import Box

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Precision:
    """Average precision of one class.

    Attributes:
        ap50: At an overlap of 0.5.
        ap: Mean over overlaps of 0.5 to 0.95 in steps of 0.05.
        curve: Precision at 101 points of recall from 0 to 1, at an overlap of 0.5.
        scores: Score that each of them takes, 0 where recall does not come so far.
    """

    ap50: float
    ap: float
    curve: Curve
    scores: Curve


def average_precision(outcomes: Sequence[BoxOutcome], labels: Sequence[str]) -> dict[str, Precision | None]:
    """Measure the average precision of each class.

    Args:
        outcomes: What was found in each picture.
        labels: The classes.

    Returns:
        A class that has no labelled object has no average precision: None.

    Raises:
        KplateError: The library is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "faster_coco_eval":
            raise
        raise KplateError(
            "measuring a detector needs faster-coco-eval, which is not installed: "
            "pip install 'kplate[evaluate]'"
        ) from error
    truth = COCO(_truth([outcome.sample for outcome in outcomes], labels))
    found = truth.loadRes(_found(outcomes, labels))
    evaluation = COCOeval_faster(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    # Overlaps x points of recall x classes; of all areas, at the largest number of boxes.
    precision = np.asarray(evaluation.eval["precision"], np.float64)[..., 0, -1]
    scores = np.asarray(evaluation.eval["scores"], np.float64)[..., 0, -1]
    return {
        label: None
        if (precision[:, :, n] < 0).any()  # the library's mark of a class without objects
        else Precision(
            float(precision[0, :, n].mean()),
            float(precision[:, :, n].mean()),
            precision[0, :, n],
            np.maximum(scores[0, :, n], 0),
        )
        for n, label in enumerate(labels)
    }


def _truth(samples: Sequence[BoxSample], labels: Sequence[str]) -> dict[str, Any]:
    """Return the labels in COCO's form; what is ignored is a crowd there, and so are unlabelled pictures."""
    annotations: list[dict[str, Any]] = []

    def add(image: int, label: str, box: Box, crowd: bool) -> None:
        if label in labels:
            x, y, width, height = _xywh(box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": labels.index(label) + 1,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": int(crowd),
                }
            )

    for image, sample in enumerate(samples, start=1):
        for known in sample.truths:
            add(image, known.label, known.box, crowd=False)
        for doubtful in sample.ignored:
            add(image, doubtful.label, doubtful.box, crowd=True)
        for label in sample.unlabelled:
            add(image, label, (0.0, 0.0, float(sample.width), float(sample.height)), crowd=True)
    return {
        "info": {},
        "images": [
            {"id": image, "width": sample.width, "height": sample.height, "file_name": sample.name}
            for image, sample in enumerate(samples, start=1)
        ],
        "categories": [{"id": n, "name": label} for n, label in enumerate(labels, start=1)],
        "annotations": annotations,
    }


def _found(outcomes: Sequence[BoxOutcome], labels: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image,
            "category_id": labels.index(found.label) + 1,
            "bbox": _xywh(found.box),
            "score": found.score,
        }
        for image, outcome in enumerate(outcomes, start=1)
        for found in outcome.detections
        if found.label in labels
    ]


def _xywh(box: Box) -> list[float]:
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]
