"""Whether engines give the same answers, and how good these are."""

import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from kplate import Recognizer, evaluation
from kplate.boxes import iou_matrix
from kplate.files import StrPath
from kplate.images import Image
from kplate.results import Box, Recognition
from kplate.synth.scenes import demo_scene

#: Boxes are the same from this intersection over union on.
SAME_BOX: Final = 0.99
#: Two plates' boxes show the same plate from this one on.
SAME_PLATE: Final = 0.5
_SCENE: Final = (1280, 720)


def scenes(count: int) -> list[Image]:
    """Draw the pictures that answers are compared on, uint8 H x W x 3 BGR; always the same."""
    return [demo_scene(np.random.default_rng(seed), _SCENE).image for seed in range(count)]


def answers(recognizer: Recognizer, pictures: Sequence[Image]) -> list[Recognition]:
    """Recognise each picture."""
    return [recognizer(picture) for picture in pictures]


def agreement(reference: Sequence[Recognition], others: Sequence[Recognition]) -> dict[str, Any]:
    """Count what two recognisers say the same about.

    Returns:
        ``texts_same``, of ``texts`` plates of the reference; of the ``boxes`` of both, ``boxes_same`` have a
        box of the other with an intersection over union above 0.99, and ``boxes_near`` one above 0.5.
    """
    texts = same_texts = boxes = same_boxes = near_boxes = 0
    for first, second in zip(reference, others, strict=True):
        near = iou_matrix([plate.box for plate in first.plates], [plate.box for plate in second.plates])
        texts += len(first.plates)
        for plate, row in zip(first.plates, near, strict=True):
            same_texts += any(
                other.text == plate.text and iou > SAME_PLATE
                for other, iou in zip(second.plates, row, strict=True)
            )
        overlaps = iou_matrix(_boxes(first), _boxes(second))
        boxes += sum(overlaps.shape)
        same_boxes += sum(int((overlaps > SAME_BOX).any(axis).sum()) for axis in (0, 1))
        near_boxes += sum(int((overlaps > SAME_PLATE).any(axis).sum()) for axis in (0, 1))
    return {
        "texts_same": same_texts,
        "texts": texts,
        "boxes_same": same_boxes,
        "boxes_near": near_boxes,
        "boxes": boxes,
    }


def accuracy(recognizer: Recognizer, folder: StrPath, *, cropped: bool) -> dict[str, int]:
    """Count the labelled plates of a folder that are read exactly, as ``kplate evaluate`` does.

    Args:
        recognizer: What reads.
        folder: Labelled pictures.
        cropped: They are plate crops.

    Returns:
        ``exact`` (best reading), ``trusted_exact`` and ``trusted_wrong``, of ``total`` plates.

    Raises:
        DataError: The folder has no labelled pictures.
    """
    samples = evaluation.load_samples(folder, None, recognizer.reader.script)
    read = functools.partial(recognizer, cropped=cropped)
    summary = evaluation.summarise(list(evaluation.evaluate(samples, read, cropped=cropped)))
    return {
        "exact": summary.seen.count,
        "trusted_exact": summary.trusted_right.count,
        "trusted_wrong": summary.trusted_wrong.count,
        "total": summary.seen.total,
    }


def _boxes(result: Recognition) -> list[Box]:
    return [item.box for part in (result.vehicles, result.plates, result.permits) for item in part]
