"""The pictures that ``kplate synth`` renders, each with its label as plain values."""

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kplate.classes import CLASSES
from kplate.errors import DataError
from kplate.evaluation.data import LABELS_FILE
from kplate.files import printable
from kplate.images import Image, read_image
from kplate.results import Box
from kplate.synth.conditions import CONDITIONS, ON_PHOTOGRAPHS, legible
from kplate.synth.crops import sample_crop
from kplate.synth.scenes import Scene, procedural_scene
from kplate.synth.swapping import Photograph, PlateTruth, add_stickers, swap_plates

Label = dict[str, Any]
#: Vehicles that only a model has seen, and not clearly, are neither right nor wrong to find.
_SURE_VEHICLE: Final = 0.5
#: Plates of which less than this share lies in the picture may be found or not.
_WELL_SHOWN: Final = 0.9


def plate(rng: np.random.Generator) -> tuple[Image, Label]:
    """Render one plate crop."""
    crop = sample_crop(rng)
    return crop.image, {
        "text": crop.text,
        "kind": crop.kind,
        "electric": crop.electric,
        "corners": _rounded(crop.corners),
    }


def scene(rng: np.random.Generator) -> tuple[Image, Label]:
    """Render a car park."""
    drawn = procedural_scene(rng)
    return drawn.image, _drawn_label(drawn)


def _drawn_label(drawn: Scene) -> Label:
    """Label a drawn picture; what is cut off or half hidden is ignored."""
    plates = [
        {
            "text": found.text,
            "kind": found.kind,
            "electric": found.electric,
            "box": _rounded(found.box),
            "corners": _rounded(found.corners),
            "vehicle": found.vehicle,
        }
        for found in drawn.plates
    ]
    return {
        **_scene_label(plates, drawn.vehicles, drawn.permits),
        "ignored": [{"class": CLASSES[label], "box": _rounded(box)} for label, box in drawn.unsure],
    }


def conditional(name: str, rng: np.random.Generator) -> tuple[Image, Label]:
    """Render a picture of a condition."""
    drawn = CONDITIONS[name].draw(rng)
    return drawn.image, _with_condition(name, _drawn_label(drawn))


def _with_condition(name: str, label: Label) -> Label:
    """Name the condition; the texts of plates that are too small to be read come under ``also``."""
    read = [found for found in label["plates"] if found["text"]]
    texts = [found["text"] for found in read if found["corners"] and legible(found["corners"])]
    also = [found["text"] for found in read if found["text"] not in texts]
    return {"condition": name, **label, "texts": texts, "also": also}


class PlateSwapper:
    """Lays rendered plates over the real ones of photographs, and permits on windscreens.

    Args:
        folder: Photographs with a ``labels.jsonl``: one object a line with ``file``, ``plates`` (``box`` and,
            where known, ``corners``) and optionally ``vehicles`` (``box``, ``score``) and ``split``.
        split: Use only photographs of this split; None uses all.

    Raises:
        DataError: The labels cannot be used.
    """

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self.folder = folder
        self.rows = _photographs(folder, split)

    def __call__(self, rng: np.random.Generator, condition: str | None = None) -> tuple[Image, Label]:
        """Make one picture.

        Args:
            rng: Source of randomness.
            condition: What it is to look as if taken in, one of ``ON_PHOTOGRAPHS``; None leaves it as it is.

        Raises:
            ImageError: A photograph cannot be read.
        """
        row = self.rows[int(rng.integers(len(self.rows)))]
        truths = tuple(
            PlateTruth(
                _box(found["box"]),
                corners=np.asarray(found["corners"], np.float32) if found.get("corners") else None,
            )
            for found in row["plates"]
        )
        sure, unsure = _vehicles(row)
        photograph = Photograph(read_image(self.folder / row["file"]), truths, sure)
        done = add_stickers(swap_plates(photograph, rng), rng, 0.9 if condition == "permits" else 0.5)
        image = done.image
        if condition is not None:
            image = ON_PHOTOGRAPHS[condition](image, [found.outline for found in done.plates], rng)
        plates = [
            {
                "text": found.text,
                "kind": found.kind,
                "box": _rounded(_clipped(found.box, image)),
                "corners": None if found.corners is None else _rounded(found.corners),
            }
            for found in done.plates
            if _shown(found.box, image) >= _WELL_SHOWN
        ]
        label = _scene_label(plates, done.vehicles, done.permits)
        cut = [found.box for found in done.plates if _shown(found.box, image) < _WELL_SHOWN]
        label["ignored"] = [
            {"class": CLASSES[kind], "box": _rounded(_clipped(box, image))}
            for kind, boxes in enumerate((unsure, cut))
            for box in boxes
        ]
        return image, label if condition is None else _with_condition(condition, label)


@functools.lru_cache(maxsize=1)
def swapper(folder: Path, split: str | None = None) -> PlateSwapper:
    """Return the swapper of a folder; a worker reads the labels once."""
    return PlateSwapper(folder, split)


def _clipped(box: Box, image: Image) -> Box:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    return max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)


def _shown(box: Box, image: Image) -> float:
    """Return the share of a box that lies in the picture."""
    x1, y1, x2, y2 = _clipped(box, image)
    area = max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)
    return max(0.0, x2 - x1) * max(0.0, y2 - y1) / area


def _vehicles(row: dict[str, Any]) -> tuple[tuple[Box, ...], tuple[Box, ...]]:
    """Return the boxes of vehicles that are surely there, and of those that may be."""
    boxes: tuple[list[Box], list[Box]] = ([], [])
    for vehicle in row.get("vehicles", ()):
        score = vehicle.get("score")
        boxes[score is not None and score < _SURE_VEHICLE].append(_box(vehicle["box"]))
    return tuple(boxes[0]), tuple(boxes[1])


def _scene_label(plates: list[Label], vehicles: Iterable[Box], permits: Iterable[Box]) -> Label:
    return {
        "texts": [found["text"] for found in plates if found["text"]],
        "plates": plates,
        "vehicles": [{"box": _rounded(box)} for box in vehicles],
        "permits": [{"box": _rounded(box)} for box in permits],
    }


def _photographs(folder: Path, split: str | None) -> list[dict[str, Any]]:
    labels = folder / LABELS_FILE
    rows = []
    try:
        for number, line in enumerate(labels.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            if not isinstance(row, dict) or not isinstance(row.get("file"), str):
                raise DataError(f'{printable(labels)}, line {number}: "file" is missing')
            if split is not None and row.get("split") != split:
                continue
            if any(found.get("corners") for found in row.get("plates", ())):
                rows.append(row)
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{printable(labels)} cannot be used: {error}") from error
    if not rows:
        raise DataError(f"{printable(labels)} names no photograph with the corners of a plate")
    return rows


def _box(values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = map(float, values)
    return x1, y1, x2, y2


def _rounded(values: Sequence[float] | NDArray[np.float32]) -> list[Any]:
    rounded: list[Any] = np.asarray(values, np.float64).round(1).tolist()
    return rounded
