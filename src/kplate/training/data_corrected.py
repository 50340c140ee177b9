"""Labels of training photographs, put right by kplate's own.

The labels of `openimages_plates` leave out every third plate or so, mostly those of cars in the background,
and some of their boxes lie beside the plate. `kplate.labels` says where neither finding a plate nor finding
none is to be taught.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from kplate.labels import labels_file

#: The labels that put those of `openimages_plates` right.
CORRECTED_PLATES: Final = "openimages_plates_train"
_SAME: Final = 0.05  # px


@cache
def corrections(name: str) -> Mapping[str, Sequence[dict[str, Any]]]:
    """What to ignore (`class` and `box`), by picture.

    Raises:
        DataError: kplate has no labels of that name.
    """
    lines = labels_file(name).read_text(encoding="utf-8").splitlines()
    return {row["file"]: row["ignored"] for row in map(json.loads, lines)}


def correct(row: dict[str, Any], ignored: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """A line of `labels.jsonl` with what is to be ignored, and without the plates whose own box is ignored.

    Args:
        row: The line.
        ignored: What :func:`corrections` gives.
    """
    added = ignored.get(row["file"])
    if not added:
        return row
    boxes = [thing["box"] for thing in added]
    plates = [plate for plate in row.get("plates", ()) if not any(_equal(plate["box"], box) for box in boxes)]
    return {**row, "plates": plates, "ignored": [*row.get("ignored", ()), *added]}


def _equal(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(abs(x - y) < _SAME for x, y in zip(a, b, strict=True))
