"""A second look at what a detector finds: where exactly it lies, and how sure it is.

A detector sees the whole picture scaled to some 400 px, where a plate may be ten px wide and a permit five.
Its boxes are cut out of the picture itself, with as much of their surroundings, and a small network says
where in them the thing lies. That more than one network in a row sets boxes better than one is from Z. Cai
and N. Vasconcelos, "Cascade R-CNN: Delving into High Quality Object Detection", CVPR 2018.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.engines import open_network
from kplate.errors import WeightsError
from kplate.files import StrPath, printable
from kplate.images import Image
from kplate.weights import Manifest

Array = NDArray[np.float32]

#: Beyond the picture: the grey that networks are used to.
PADDING: Final = (114, 114, 114)
#: No edge moves by more than this share of its box.
_FARTHEST: Final = 0.6
#: Px of a window at least, and of what is held of it at most.
_LEAST_SIDE: Final = 2
_LARGEST_SIDE: Final = 1024
#: Scores are kept this far from 0 and 1, whose logits are infinite.
_SURE: Final = 1e-3
#: Boxes that are looked at together.
_BATCH: Final = 64
#: Values per class: how sure, then how far left, top, right and bottom edge move.
VALUES: Final = 5
#: Of kplate's own refiner: width and height of its input, px (a plate in the middle of it is 64 x 32 px, so
#: that letters can be told), and sides of what is cut out, per side of the box.
SIZE: Final = (128, 64)
WINDOW: Final = 2.0


class Refiner:
    """Sets the boxes of a detector. One refiner may be used from several threads at once.

    Attributes:
        network: What runs it, and its manifest.
        labels: The classes that it knows.
        thresholds: Lowest score of each that is reported.
    """

    def __init__(
        self,
        weights: StrPath | None = None,
        *,
        threads: int | None = None,
        engine: str | None = None,
        precision: str | None = None,
    ) -> None:
        """Load it.

        Args:
            weights: A network, its manifest or their folder; None = the network that ships with kplate.
            threads: Cores that one call may use; None = those of this process, four at most.
            engine: As for :class:`kplate.Detector`.
            precision: Likewise.

        Raises:
            EngineError: There is no such engine, it is not installed, or there is no network for it.
            WeightsError: The network cannot be used.
        """
        self.network = open_network(weights, "refiner", threads=threads, engine=engine, precision=precision)
        manifest = self.network.manifest
        self.labels = manifest.classes
        self._name = printable(self.network.path)
        self._window, self._trust, self.thresholds = _constants(manifest, self._name)

    def __call__(self, image: Image, label: str, boxes: Array, scores: Array) -> tuple[Array, Array]:
        """Look again at the boxes of one class.

        Args:
            image: uint8 H x W x 3 BGR.
            label: The class, one of :attr:`labels`.
            boxes: float32 M x 4, ``x1, y1, x2, y2`` in px of the picture.
            scores: float32 M, the detector's.

        Returns:
            The boxes as they lie, inside the picture, and how sure both networks are together: the geometric
            mean of their scores, which is never above the root of the detector's. Same order and dtypes.

        Raises:
            WeightsError: The network and its manifest disagree.
        """
        if not len(boxes):
            return boxes, scores
        windows = windows_around(boxes, self._window)
        parts = [
            self._run(
                [cut_window(image, window, self.network.manifest.input) for window in windows[i : i + _BATCH]]
            )
            for i in range(0, len(windows), _BATCH)
        ]
        index = self.labels.index(label)
        values = np.concatenate(parts)[:, index * VALUES : (index + 1) * VALUES]
        first = np.clip(scores, _SURE, 1 - _SURE)
        logits = values[:, 0] + self._trust[index] * np.log(first / (1 - first))
        own = 0.5 * (1 + np.tanh(0.5 * logits))
        moved = moved_boxes(boxes, values[:, 1:])
        limit = np.array(image.shape[1::-1], np.float32)
        low = np.clip(moved[:, :2], 0, limit - 1)  # at least one px stays inside
        high = np.clip(moved[:, 2:], low + 1, limit)
        return np.concatenate((low, high), axis=1), np.sqrt(own * scores).astype(np.float32)

    def _run(self, crops: Sequence[Image]) -> Array:
        batch = cv2.dnn.blobFromImages(list(crops), 1 / 255, swapRB=True).astype(np.float32, copy=False)
        outputs = self.network.engine.run(batch)
        values = next(iter(outputs.values())).reshape(len(crops), -1)
        if values.shape[1] != VALUES * len(self.labels):
            raise WeightsError(
                f"cannot use {self._name}: {len(self.labels)} classes need {VALUES * len(self.labels)} "
                f"values, but it gives {values.shape[1]}"
            )
        return values


def windows_around(boxes: Array, factor: float) -> NDArray[np.intp]:
    """Return what is cut out for boxes, in whole px; it may reach beyond the picture.

    Args:
        boxes: M x 4, ``x1, y1, x2, y2`` in px.
        factor: Sides of a window per side of its box.

    Returns:
        M x 4, right and bottom exclusive.
    """
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * (factor / 2)
    low = np.round(centre - half)
    high = np.maximum(np.round(centre + half), low + _LEAST_SIDE)
    return np.concatenate((low, high), axis=1).astype(np.intp)


def cut_window(image: Image, window: NDArray[np.intp], size: tuple[int, int]) -> Image:
    """Cut a window out of a picture, scaled to a network's input, grey where it leaves the picture.

    Args:
        image: uint8 H x W x 3 BGR.
        window: Left, top, right, bottom, in px.
        size: Width and height of the result.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = (int(value) for value in window)
    x1, x2 = (min(max(value, 0), width) for value in (left, right))
    y1, y2 = (min(max(value, 0), height) for value in (top, bottom))
    # What is far larger than the result is scaled down before the grey around it takes memory.
    scale = min(1.0, _LARGEST_SIDE / max(right - left, bottom - top))
    across, down = (
        [round((value - start) * scale) for value in edges]
        for start, edges in ((left, (x1, x2, right)), (top, (y1, y2, bottom)))
    )
    part = np.full((max(1, down[2]), max(1, across[2]), 3), PADDING, np.uint8)
    inside = (across[1] - across[0], down[1] - down[0])
    if min(inside) > 0:
        seen = image[y1:y2, x1:x2]
        if scale < 1:
            seen = np.asarray(cv2.resize(seen, inside, interpolation=cv2.INTER_AREA), np.uint8)
        part[down[0] : down[1], across[0] : across[1]] = seen
    smaller = part.shape[1] > size[0] and part.shape[0] > size[1]
    return np.asarray(
        cv2.resize(part, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8
    )


def moved_boxes(boxes: Array, shifts: Array) -> Array:
    """Return where boxes lie once their edges have moved.

    They are moved from where the detector put them, not from the middle of their windows, which lie on whole
    px: of a small plate that is a coarse place.

    Args:
        boxes: M x 4, ``x1, y1, x2, y2`` in px.
        shifts: M x 4: how far left, top, right and bottom edge move, in sides of the box.

    Returns:
        float32 M x 4, at least one px each way.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    shifts = np.clip(shifts, -_FARTHEST, _FARTHEST)
    low = boxes[:, :2] + shifts[:, :2] * sides
    high = boxes[:, 2:] + shifts[:, 2:] * sides
    return np.concatenate((low, np.maximum(high, low + 1)), axis=1).astype(np.float32)


def refiner_beside(path: Path) -> Path | None:
    """Return the refiner of a detector, a file of the same kind beside it; None where there is none.

    Args:
        path: The detector's file, such as ``detector.int8.tflite``, whose refiner is ``refiner.int8.tflite``.
    """
    own = path.with_name(path.name.replace("detector", "refiner", 1))
    return own if own != path and own.exists() else None


def _constants(manifest: Manifest, name: str) -> tuple[float, tuple[float, ...], dict[str, float]]:
    try:
        window = float(manifest.extra["window"])
        trust, thresholds = (
            {label: float(manifest.extra[key][label]) for label in manifest.classes}
            for key in ("trust", "thresholds")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"cannot use {name}: its manifest does not say what its values mean ({error})"
        ) from error
    if not window >= 1 or not manifest.classes:
        raise WeightsError(f"cannot use {name}: its manifest names no classes, or windows smaller than boxes")
    return window, tuple(trust.values()), thresholds
