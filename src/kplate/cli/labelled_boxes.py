"""Labelled boxes for ``kplate evaluate detector``, from whatever ``kplate train detector`` can learn from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kplate.errors import DataError
from kplate.evaluation.boxes import BoxSample, LabelledBox
from kplate.evaluation.data import LABELS_FILE
from kplate.files import printable
from kplate.labels import labels_file
from kplate.results import Box

if TYPE_CHECKING:
    from kplate.training.data import Array, Record


def load_boxes(
    path: str, *, labels: str | None = None, splits: Sequence[str] = (), only: Sequence[str] = ()
) -> list[BoxSample]:
    """Load labelled pictures in any format that a detector can be trained on.

    Args:
        path: A folder with ``labels.jsonl``, or what else training reads.
        labels: JSON Lines to take the labels from instead, or the name of labels of kplate's own.
        splits: Keep only the pictures of these splits; none keeps all.
        only: Classes that count as labelled in every picture even where the data holds none of them.

    Raises:
        DataError: The labels cannot be used, or hold no picture; the message names file and line.
    """
    records = [record for split in splits or (None,) for record in _records(Path(path), labels, split)]
    if not records:
        kept = f" of the split {', '.join(splits)}" if splits else ""
        raise DataError(f"{printable(path)}: there are no labelled pictures{kept}")
    samples = [_sample(record, Path(path)) for record in records]
    # A class that the whole data never labels was not looked for, unless somebody says so.
    seen = {truth.label for sample in samples for truth in sample.truths} | set(only)
    absent = frozenset(_classes()) - seen
    return [replace(sample, unlabelled=sample.unlabelled | absent) for sample in samples]


def _classes() -> Sequence[str]:
    from kplate.training.data import CLASSES

    return CLASSES


def _records(path: Path, labels: str | None, split: str | None) -> "list[Record]":
    # Here, not above: no other command needs the workshop that networks are trained in.
    from kplate.training import data

    if labels is not None:
        file = Path(labels) if Path(labels).suffix else labels_file(labels)
        return data.load_lines(file, path, split=split)
    known = {source.folder: source.negatives for source in data.SOURCES}
    if path.is_dir() and (path / LABELS_FILE).is_file():
        return data.load_folder(path, known.get(path.resolve().name, (1.0, 1.0, 1.0)), split)
    raise DataError(f"{printable(path)}: there is no {LABELS_FILE} in it")


def _sample(record: "Record", root: Path) -> BoxSample:
    classes = _classes()
    name = record.path.relative_to(root) if record.path.is_relative_to(root) else record.path
    return BoxSample(
        record.path,
        name.as_posix(),
        record.width,
        record.height,
        _boxes(record.objects, classes),
        _boxes(record.ignored, classes),
        frozenset(label for label, weight in zip(classes, record.negatives, strict=True) if weight == 0),
        record.condition,
    )


def _boxes(rows: "Array", classes: Sequence[str]) -> tuple[LabelledBox, ...]:
    boxes: list[tuple[str, Box]] = [
        (classes[int(row[0])], (float(row[1]), float(row[2]), float(row[3]), float(row[4]))) for row in rows
    ]
    return tuple(LabelledBox(label, box) for label, box in boxes)
