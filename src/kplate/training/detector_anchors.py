"""Anchors from the boxes of a data set: k-means by overlap, as in J. Redmon, A. Farhadi, YOLO9000, 2017."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kplate.errors import DataError
from kplate.training.data import Record

Array = NDArray[np.float64]

_ROUNDS = 300
_MOST_BOXES = 20_000


@dataclass(frozen=True, slots=True)
class Anchors:
    """The result.

    Attributes:
        pairs: Widths and heights in px of the input, by area.
        overlap: Mean IoU of a box with the anchor nearest to it, both laid on one corner.
    """

    pairs: tuple[tuple[float, float], ...]
    overlap: float


def box_sizes(records: Iterable[Record], size: tuple[int, int]) -> Array:
    """Widths and heights of all labelled boxes, M x 2, as they are in the network's input.

    Args:
        records: Labelled pictures.
        size: Width and height of the input, px; pictures are scaled until they fit.
    """
    sizes = []
    for record in records:
        scale = min(size[0] / record.width, size[1] / record.height)
        sizes.append((record.objects[:, 3:5] - record.objects[:, 1:3]).astype(np.float64) * scale)
    return np.concatenate(sizes) if sizes else np.zeros((0, 2))


def shape_overlap(boxes: Array, anchors: Array) -> Array:
    """IoU of every box (M x 2) with every anchor (K x 2), both laid on one corner: M x K."""
    common = np.minimum(boxes[:, None], anchors[None]).prod(axis=2)
    return np.asarray(common / (boxes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - common))


def find_anchors(boxes: Array, count: int, seed: int = 1) -> Anchors:
    """Finds the anchors that boxes overlap with most.

    Args:
        boxes: M x 2, as :func:`box_sizes` gives them.
        count: Number of anchors.
        seed: Of the random beginning.

    Raises:
        DataError: There are fewer different boxes than anchors.
    """
    boxes = boxes[(boxes > 0).all(axis=1)]
    rng = np.random.default_rng(seed)
    if len(boxes) > _MOST_BOXES:
        boxes = boxes[rng.choice(len(boxes), _MOST_BOXES, replace=False)]
    if len(np.unique(boxes, axis=0)) < count:
        raise DataError(f"the data hold fewer than {count} different sizes of boxes: too few for anchors")
    centres = boxes[[int(rng.integers(len(boxes)))]]
    while len(centres) < count:  # each next one is likely far from all before it (k-means++)
        distance = np.square(1 - shape_overlap(boxes, centres).max(axis=1))
        centres = np.vstack((centres, boxes[rng.choice(len(boxes), p=distance / distance.sum())]))
    nearest = np.full(len(boxes), -1)
    for _ in range(_ROUNDS):
        former, nearest = nearest, shape_overlap(boxes, centres).argmax(axis=1)
        if np.array_equal(former, nearest):
            break
        for n in range(count):
            members = boxes[nearest == n]
            if len(members):
                centres[n] = np.median(members, axis=0)
    overlap = float(shape_overlap(boxes, centres).max(axis=1).mean())
    centres = centres[np.argsort(centres.prod(axis=1))]
    return Anchors(tuple((_short(w), _short(h)) for w, h in centres), overlap)


def _short(value: float) -> float:
    """Whole px, and tenths where an anchor is small."""
    return round(float(value), 1 if value < 20 else 0)
