"""The pictures that ``kplate synth`` renders, each with its label as plain values."""

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kplate.errors import DataError
from kplate.evaluation.data import LABELS_FILE
from kplate.files import printable
from kplate.images import Image, read_image
from kplate.results import Box
from kplate.synth.crops import sample_crop
from kplate.synth.scenes import procedural_scene
from kplate.synth.swapping import Photograph, PlateTruth, add_stickers, swap_plates

Label = dict[str, Any]


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
    return drawn.image, _scene_label(plates, drawn.vehicles, drawn.permits)


class PlateSwapper:
    """Lays rendered plates over the real ones of photographs, and permits on windscreens.

    Args:
        folder: Photographs with a ``labels.jsonl``: one object a line with ``file``, ``plates`` (``box`` and,
            where known, ``corners``) and optionally ``vehicles`` (``box``).

    Raises:
        DataError: The labels cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = _photographs(folder)

    def __call__(self, rng: np.random.Generator) -> tuple[Image, Label]:
        """Make one picture.

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
        vehicles = tuple(_box(vehicle["box"]) for vehicle in row.get("vehicles", ()))
        photograph = Photograph(read_image(self.folder / row["file"]), truths, vehicles)
        done = add_stickers(swap_plates(photograph, rng), rng)
        plates = [
            {
                "text": found.text,
                "kind": found.kind,
                "box": _rounded(found.box),
                "corners": None if found.corners is None else _rounded(found.corners),
            }
            for found in done.plates
        ]
        return done.image, _scene_label(plates, done.vehicles, done.permits)


@functools.lru_cache(maxsize=1)
def swapper(folder: Path) -> PlateSwapper:
    """Return the swapper of a folder; a worker reads the labels once."""
    return PlateSwapper(folder)


def _scene_label(plates: list[Label], vehicles: Iterable[Box], permits: Iterable[Box]) -> Label:
    return {
        "texts": [found["text"] for found in plates if found["text"]],
        "plates": plates,
        "vehicles": [{"box": _rounded(box)} for box in vehicles],
        "permits": [{"box": _rounded(box)} for box in permits],
    }


def _photographs(folder: Path) -> list[dict[str, Any]]:
    labels = folder / LABELS_FILE
    rows = []
    try:
        for number, line in enumerate(labels.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            if not isinstance(row, dict) or not isinstance(row.get("file"), str):
                raise DataError(f'{printable(labels)}, line {number}: "file" is missing')
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
