"""Finds vehicles, plates and permits in a picture: letterbox, network, decoding, non-maximum suppression.

The network gives raw numbers of the YOLO kind; everything after it is numpy, so that every runtime gives
the same boxes. What the numbers mean (anchors, strides, classes) stands in the manifest beside the network.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from kplate.classes import CAR, DISABLED_STICKER, LICENSE_PLATE
from kplate.engines import Network, open_model, open_network
from kplate.engines.sizes import fitting
from kplate.errors import WeightsError
from kplate.files import StrPath, printable
from kplate.images import Image, as_image
from kplate.images.letterbox import LARGEST_SIDE, Letterbox, Size, letterbox
from kplate.linking import one_plate_each
from kplate.refiner import Refiner, refiner_beside
from kplate.results import Box
from kplate.suppression import MOST_BOXES, VOTES_LEAST, Rule, suppress, vote
from kplate.weights import Manifest

Array = NDArray[np.float32]


#: Vehicles may stand one before the other, but half a car is no second one.
_VEHICLE_RULE: Final = Rule(0.5, 0.9, 0.25)
#: Plates and permits never overlap, and what lies within one is a part of it.
_PLATE_RULE: Final = Rule(0.3, 0.6)
_RULES: Final = {CAR: _VEHICLE_RULE, LICENSE_PLATE: _PLATE_RULE, DISABLED_STICKER: _PLATE_RULE}
#: For the other classes of a custom network: Darknet's own choice (src/detector.c, nms = .45).
_OTHER_RULE: Final = Rule(0.45)
#: Boxes of classes that are looked at again count from this score of the detector's on, at the least.
_LEAST_CANDIDATE: Final = 0.02
#: Vehicles from this score on have one plate each, whether they are reported or not.
_BEARER: Final = 0.4
#: exp() of more than this is no size of anything in a picture.
_LARGEST_LOG: Final = 10.0


@dataclass(frozen=True, slots=True)
class Detection:
    """Something found in a picture.

    Attributes:
        label: ``car``, ``license_plate``, ``disabled_sticker``, or a name of a custom network.
        box: ``x1, y1, x2, y2`` in px of the picture.
        score: 0..1.
    """

    label: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Head:
    """How to decode one output of the network.

    Attributes:
        output: Its name.
        stride: Px of the network's input per cell.
        anchors: A x 2, widths and heights in px of the network's input.
        scale_x_y: How far a centre may leave its cell; 1 = not at all.
        new_coords: Sizes are ``anchor * (2 sigmoid)^2`` (true) or ``anchor * exp`` (false).
    """

    output: str
    stride: int
    anchors: Array
    scale_x_y: float
    new_coords: bool


def decode(
    raw: Array, head: Head, classes: int, least: Sequence[float]
) -> tuple[Array, Array, NDArray[np.intp]]:
    """Boxes from one raw output.

    Args:
        raw: 1 x A*(5+C) x H x W, per anchor x, y, w, h, objectness, classes, all before their sigmoids.
        head: The output's constants.
        classes: C.
        least: Lowest score of each class.

    Returns:
        Boxes M x 4 (``x1, y1, x2, y2``, px of the network's input), scores M, and classes M.
    """
    rows, columns = raw.shape[2:]
    values = raw.reshape(len(head.anchors), 5 + classes, rows, columns)
    floor = min(least)
    threshold = math.log(floor / (1 - floor)) if 0 < floor < 1 else math.copysign(math.inf, floor - 0.5)
    # A score is objectness times class, so nothing below the threshold in objectness alone can pass.
    anchor, row, column = np.nonzero(values[:, 4] >= threshold)
    chosen = values[anchor, :, row, column]
    scores = _sigmoid(chosen[:, 4:5]) * _sigmoid(chosen[:, 5:])
    which, label = np.nonzero(scores >= np.asarray(least, np.float32))
    chosen = chosen[which]
    offset = _sigmoid(chosen[:, :2]) * head.scale_x_y - 0.5 * (head.scale_x_y - 1)
    cells = np.column_stack((column[which], row[which]))
    centre = (offset + cells) * head.stride
    if head.new_coords:
        size = np.square(2 * _sigmoid(chosen[:, 2:4]))
    else:
        size = np.exp(np.minimum(chosen[:, 2:4], _LARGEST_LOG))
    half = size * head.anchors[anchor[which]] / 2
    boxes = np.concatenate((centre - half, centre + half), axis=1).astype(np.float32)
    return boxes, scores[which, label].astype(np.float32), label


class Detector:
    """Finds vehicles, plates and permits. One detector may be used from several threads at once.

    Args:
        weights: A network, its manifest or their folder; None = the network that ships with kplate.
        threads: Cores one picture may use; None = those of this process, four at most.
        min_score: Lowest score that is reported, for all classes; None = the manifest's.
        size: Px that the longer side of a picture is scaled to, or width and height that it is fitted into,
            multiples of the largest stride (32), 8192 at most; larger finds smaller plates and takes longer.
            None = the manifest's.
        engine: What runs the network, such as ``litert`` or ``onnx:cuda``; None = the fastest installed.
        precision: ``float32``, ``float16`` or ``int8``; None = the most precise there is.
        refine: Look again at plates and permits, where a refiner lies beside the network: their boxes fit
            better, and fewer are needless.

    Raises:
        EngineError: There is no such engine, it is not installed, or there is no network for it.
        WeightsError: The network cannot be used; the message says why.
        ValueError: ``min_score`` or ``size`` is out of range.
    """

    refiner: Refiner | None = None

    def __init__(
        self,
        weights: StrPath | None = None,
        *,
        threads: int | None = None,
        min_score: float | None = None,
        size: Size | None = None,
        engine: str | None = None,
        precision: str | None = None,
        refine: bool = True,
    ) -> None:
        network = open_network(weights, "detector", threads=threads, engine=engine, precision=precision)
        beside = refiner_beside(network.path) if refine else None
        if beside is not None:
            self.refiner = Refiner(beside, threads=threads, engine=engine)
        self._set_up(network, min_score, size)

    @classmethod
    def from_darknet(
        cls,
        cfg: StrPath,
        weights: StrPath,
        names: StrPath | Sequence[str],
        *,
        threads: int | None = None,
        min_score: float | None = None,
        size: Size | None = None,
        engine: str | None = None,
    ) -> Self:
        """Opens a network of Darknet's, without PyTorch; needs ``pip install 'kplate[darknet]'``.

        Args:
            cfg: The ``.cfg`` file.
            weights: The ``.weights`` file.
            names: The ``.names`` file, or the names. ``car``, ``license_plate`` (also ``license-plate``,
                ``plate``) and ``disabled_sticker`` become kplate's own classes.
            threads: As above.
            min_score: As above; None = Darknet's 0.25.
            size: As above; None = the longer of the ``.cfg``'s ``width=`` and ``height=``.
            engine: ``onnx``, also with a provider; no other runs these networks.

        Raises:
            CfgError: The ``.cfg`` or the names cannot be used; the message names the line.
            EngineError: Another engine is asked for, or it is not installed.
            WeightsError: The weights do not fit, or the extra is not installed.
            ValueError: ``min_score`` or ``size`` is out of range.
        """
        from kplate.darknet.model import load_model  # most readers have no network of Darknet's

        model, manifest = load_model(cfg, weights, names)
        detector = cls.__new__(cls)
        opened = open_model(model, weights, threads=threads, engine=engine)
        detector._set_up(Network(Path(weights), manifest, opened), min_score, size)
        return detector

    def _set_up(self, network: Network, min_score: float | None, size: Size | None) -> None:
        self.network = network
        self._engine = network.engine
        self._name = printable(network.path)
        manifest = network.manifest
        self.labels = manifest.classes
        self.heads = _heads(manifest, self._name)
        # A layer between the heads may be coarser than all of them.
        multiple = manifest.extra.get("multiple")
        strides = [head.stride for head in self.heads]
        self.multiple = multiple if isinstance(multiple, int) and multiple > 0 else max(strides)
        self.size: Size = max(manifest.input) if size is None else size
        _check_size(self.size, self.multiple)
        fitting(network.engine.sizes, self.size, (1, 1), self._name)  # says now what would fail later
        if min_score is not None and not 0 <= min_score <= 1:
            raise ValueError(f"min_score must be between 0 and 1, not {min_score}")
        self._least = _thresholds(manifest, min_score, self._name)
        self._first = self._least
        if self.refiner:
            own = {} if min_score is not None else self.refiner.thresholds
            pairs = tuple(zip(self.labels, self._least, strict=True))
            self._least = tuple(own.get(label, score) for label, score in pairs)
            self._first = tuple(map(self._candidates_from, self.labels, self._least))

    def _candidates_from(self, label: str, least: float) -> float:
        """The lowest score of the detector's that matters.

        Of what is looked at again, that which the mean with another score of 1 can raise to the threshold; of
        vehicles, that from which they have one plate.
        """
        if self.refiner is None:
            return least
        if label not in self.refiner.labels:
            return min(least, _BEARER) if label == CAR else least
        return max(least**2, min(least, _LEAST_CANDIDATE))

    def __call__(self, image: Image | StrPath, *, size: Size | None = None) -> tuple[Detection, ...]:
        """Finds what there is in one picture.

        Args:
            image: uint8 H x W x 3 BGR, or a path.
            size: As above, for this picture alone, without being checked; None = the detector's.

        Returns:
            Detections by falling score.

        Raises:
            EngineError: The network's file is made for other sizes.
            ImageError: The picture cannot be read.
            WeightsError: The network and its manifest disagree.
        """
        pixels = as_image(image)
        shape = (pixels.shape[1], pixels.shape[0])
        fit = fitting(self._engine.sizes, self.size if size is None else size, shape, self._name)
        boxed = letterbox(pixels, fit, self.multiple)
        return self._detections(pixels, self._engine.run(boxed.batch), boxed)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks in the order in which they look at a picture."""
        return (self.network,) if self.refiner is None else (self.network, self.refiner.network)

    def threshold(self, label: str) -> float:
        """The lowest score of a class that is reported."""
        return self._least[self.labels.index(label)]

    def _detections(
        self, image: Image, outputs: Mapping[str, Array], boxed: Letterbox
    ) -> tuple[Detection, ...]:
        classes = len(self.labels)
        # Boxes below the threshold are not told, but vote, so that no box depends on the threshold.
        least = [VOTES_LEAST * score for score in self._first]
        parts = [decode(self._output(outputs, head), head, classes, least) for head in self.heads]
        boxes, scores, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
        boxes = boxed.restore(boxes)
        sides = boxes[:, 2:] - boxes[:, :2]
        real = np.isfinite(boxes).all(1) & (sides > 0).all(1)
        boxes, scores, labels = boxes[real], scores[real], labels[real]
        known: dict[int, tuple[Array, Array]] = {}
        for label in sorted(set(labels.tolist())):
            voters = np.flatnonzero(labels == label)
            voters = voters[np.argsort(-scores[voters], kind="stable")[:MOST_BOXES]]
            told = voters[scores[voters] >= self._first[label]]
            name = self.labels[label]
            rule = _RULES.get(name, _OTHER_RULE)
            kept = told[suppress(boxes[told], scores[told], rule)]
            voted, sure = vote(boxes[kept], scores[kept], boxes[voters], scores[voters]), scores[kept]
            if self.refiner and name in self.refiner.labels:
                voted, sure = self.refiner(image, name, voted, sure)
                again = suppress(voted, sure, rule)
                voted, sure = voted[again], sure[again]
            known[label] = voted, sure
        return self._reported(known)

    def _reported(self, known: dict[int, tuple[Array, Array]]) -> tuple[Detection, ...]:
        """What of each class is sure enough."""
        by_name = {self.labels[label]: found for label, found in known.items()}
        if self.refiner and {CAR, LICENSE_PLATE} <= by_name.keys():
            boxes, scores = by_name[LICENSE_PLATE]
            vehicles, sure = by_name[CAR]
            lowered = one_plate_each(boxes, scores, vehicles[sure >= _BEARER])
            known[self.labels.index(LICENSE_PLATE)] = boxes, lowered
        found = []
        for label, (boxes, scores) in known.items():
            for box, score in zip(boxes.tolist(), scores.tolist(), strict=True):
                if score >= self._least[label]:
                    found.append(Detection(self.labels[label], tuple(box), score))
        return tuple(sorted(found, key=lambda detection: -detection.score))

    def _output(self, outputs: Mapping[str, Array], head: Head) -> Array:
        raw = outputs.get(head.output)
        channels = len(head.anchors) * (5 + len(self.labels))
        if raw is None or raw.ndim != 4 or raw.shape[1] != channels:
            found = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in outputs.items())
            raise WeightsError(
                f"cannot use {self._name}: {len(head.anchors)} anchors and {len(self.labels)} classes need "
                f"an output {head.output!r} of {channels} channels, but it gives {found}"
            )
        return raw


def _check_size(size: object, multiple: int) -> None:
    """Refuses a size that no picture can be scaled to."""
    sides = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size,)
    for side in sides:
        if not isinstance(side, (int, np.integer)):
            raise ValueError(f"size must be px of the longer side, or width and height, not {size!r:.80}")
        if side < multiple or side % multiple:
            raise ValueError(f"size must be a multiple of {multiple}, not {side}")
        if side > LARGEST_SIDE:
            raise ValueError(f"size must be at most {LARGEST_SIDE} px, not {side}")


def _sigmoid(values: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float32)  # never overflows


def _heads(manifest: Manifest, name: str) -> tuple[Head, ...]:
    heads = []
    try:
        for values in manifest.extra["heads"]:
            anchors = np.asarray(values["anchors"], np.float32)
            if anchors.ndim != 2 or anchors.shape[1] != 2 or not (anchors > 0).all():
                raise ValueError("anchors must be pairs of sizes")
            stride, scale = int(values["stride"]), float(values.get("scale_x_y", 1.0))
            if stride < 1:
                raise ValueError("stride must be at least 1")
            heads.append(
                Head(str(values["output"]), stride, anchors, scale, bool(values.get("new_coords", False)))
            )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"cannot use {name}: its manifest does not describe its heads ({error})"
        ) from error
    if not heads or not manifest.classes:
        raise WeightsError(f"cannot use {name}: its manifest names no heads or no classes")
    return tuple(heads)


def _thresholds(manifest: Manifest, min_score: float | None, name: str) -> tuple[float, ...]:
    if min_score is not None:
        return (min_score,) * len(manifest.classes)
    own: Any = manifest.extra.get("thresholds", {})
    try:
        return tuple(float(own.get(label, manifest.threshold)) for label in manifest.classes)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"cannot use {name}: 'thresholds' must map classes to scores ({error})") from error
