"""Judges a network while it trains: AP50 of each class on pictures that it does not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kplate.detector import Head, decode
from kplate.errors import ImageError
from kplate.images import read_image
from kplate.images.letterbox import letterbox
from kplate.nets.darknet import Darknet
from kplate.suppression import Rule, suppress
from kplate.training.data import Array, Record, note_unreadable
from kplate.training.metrics import Found, score_class

#: Boxes below this score do not change AP50 in the second decimal.
_LEAST = 0.01
#: IoU from which the worse of two boxes of a class goes; Darknet's own.
_RULE = Rule(0.45)


@dataclass(frozen=True, slots=True)
class Validation:
    """The result: AP50 of each class that the pictures hold, by name, and their mean."""

    classes: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean AP50 (mAP)."""
        return sum(self.classes.values()) / max(1, len(self.classes))


@torch.no_grad()
def validate(
    network: Darknet, records: Sequence[Record], classes: Sequence[str], unreadable: set[Path] | None = None
) -> Validation:
    """Runs a network over labelled pictures.

    Args:
        network: The network; it is put into evaluation mode.
        records: The pictures.
        classes: Names of the classes.
        unreadable: Pictures that are left out; those that turn out to be unreadable are told and added.
    """
    unreadable = set() if unreadable is None else unreadable
    network.eval()
    device = next(network.parameters()).device
    heads = [
        Head(f"head{n}", head.stride, np.asarray(head.anchors, np.float32), head.scale_x_y, head.new_coords)
        for n, head in enumerate(network.heads)
    ]
    found: list[list[Found]] = [[] for _ in classes]
    for record in records:
        if record.path in unreadable:
            continue
        try:
            picture = read_image(record.path)
        except ImageError as error:
            unreadable.add(record.path)
            note_unreadable(error)
            continue
        boxed = letterbox(picture, max(network.size), network.description.multiple)
        outputs: tuple[Tensor, ...] = network(torch.from_numpy(boxed.batch).to(device))
        least = [_LEAST] * len(classes)
        parts = [
            decode(output.float().cpu().numpy(), head, len(classes), least)
            for output, head in zip(outputs, heads, strict=True)
        ]
        boxes, scores, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
        boxes = boxed.restore(boxes)
        for number in range(len(classes)):
            if record.negatives[number] == 0:
                continue
            mine = np.flatnonzero(labels == number)
            kept = mine[suppress(boxes[mine], scores[mine], _RULE)]
            truth, ignored = _of(record.objects, number), _of(record.ignored, number)
            found[number].append(Found(boxes[kept], scores[kept], truth, ignored))
    return Validation(
        {
            name: score_class(pictures).ap
            for name, pictures in zip(classes, found, strict=True)
            if any(len(picture.truth) for picture in pictures)
        }
    )


def _of(rows: Array, label: int) -> Array:
    return rows[rows[:, 0] == label, 1:]
