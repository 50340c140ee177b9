"""Labels of training photographs, put right by kplate's own.

The labels of `openimages_plates` leave out every third plate or so, mostly those of cars in the background,
and some of their boxes lie beside the plate; those of the vehicles' photographs have no plates at all.
`kplate.labels` has plates for them, and says where neither finding a plate nor finding none is to be taught.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from kplate.labels import labels_file

#: The labels that put those of `openimages_plates` right.
CORRECTED_PLATES: Final = "openimages_plates_train"
_SAME: Final = 1.0  # px; ours end at the edge of the picture


@cache
def corrections(name: str) -> Mapping[str, Mapping[str, Any]]:
    """By picture: `plates` that its labels lack, and what to ignore (`ignored`: `class` and `box`).

    Raises:
        DataError: kplate has no labels of that name.
    """
    lines = labels_file(name).read_text(encoding="utf-8").splitlines()
    return {row["file"]: row for row in map(json.loads, lines)}


def correct(row: dict[str, Any], corrected: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A line of `labels.jsonl` with what it lacks, and without the plates whose own box is ignored.

    Args:
        row: The line.
        corrected: What :func:`corrections` gives.
    """
    ours = corrected.get(row["file"])
    if ours is None:
        return row
    boxes = [thing["box"] for thing in ours["ignored"]]
    plates = [plate for plate in row.get("plates", ()) if not any(_equal(plate["box"], box) for box in boxes)]
    plates += [{"box": plate["box"], "corners": None} for plate in ours.get("plates", ())]
    return {**row, "plates": plates, "ignored": [*row.get("ignored", ()), *ours["ignored"]]}


def _equal(a: list[float], b: list[float]) -> bool:
    return all(abs(x - y) < _SAME for x, y in zip(a, b, strict=True))
