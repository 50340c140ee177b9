"""Labelled boxes for ``kplate evaluate detector``, from whatever ``kplate train detector`` can learn from."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kplate.classes import CLASSES
from kplate.errors import DataError
from kplate.evaluation.boxes import BoxSample, LabelledBox
from kplate.files import printable
from kplate.labels import labels_file

if TYPE_CHECKING:
    from kplate.training.data import Array, Record
    from kplate.training.data_formats import BoxData


def load_boxes(
    path: str,
    classes: Sequence[str],
    *,
    labels: str | None = None,
    ignore: str | None = None,
    splits: Sequence[str] = (),
    only: Sequence[str] = (),
) -> tuple[list[BoxSample], list[str], set[str]]:
    """Load labelled pictures in any format that a detector can be trained on.

    Args:
        path: A file or folder.
        classes: What the network finds, in its order.
        labels: JSON Lines to take the labels of the pictures in this folder from, or the name of labels of
            kplate's own.
        ignore: JSON Lines likewise: what they label besides is neither right nor wrong.
        splits: Keep only the pictures of these splits; none keeps all.
        only: Classes that count as labelled in every picture where the data hold none of them.

    Returns:
        The pictures; a line about each label that cannot be used, beginning with its file and line; those of
        the splits that are there.

    Raises:
        DataError: The labels cannot be used at all, or there are none.
    """
    records: list[Record] = []
    problems: list[str] = []
    failures: list[DataError] = []
    there: set[str] = set()
    for split in splits or (None,):
        try:
            data = _read(Path(path), classes, labels, split)
        except DataError as error:  # a split may be empty where another one is not
            failures.append(error)
            continue
        records += data.records
        problems += data.problems
        if split is not None:
            there.add(split)
    if not records and not problems:
        kept = f" of the split {' or '.join(splits)}" if splits else ""
        raise failures[0] if failures else DataError(f"{printable(path)}: no labelled pictures{kept}")
    seen = {classes[int(row[0])] for record in records for row in record.objects}
    # What was asked for and is nowhere labelled is known to be nowhere.
    absent = frozenset(only) - seen
    samples = [_sample(record, Path(path), classes) for record in records]
    besides = _besides(samples, Path(path), classes, ignore) if ignore else {}
    samples = [
        replace(
            sample,
            ignored=sample.ignored + besides.get(sample.path, ()),
            unlabelled=sample.unlabelled - absent,
        )
        for sample in samples
    ]
    return samples, problems, there


def _besides(
    samples: Sequence[BoxSample], path: Path, classes: Sequence[str], ignore: str
) -> dict[Path, tuple[LabelledBox, ...]]:
    """What is ignored in some of the pictures besides what their own labels say."""
    data = _read_lines(path, classes, ignore, only={sample.path for sample in samples})
    if data.problems:
        raise DataError(data.problems[0])
    return {record.path: tuple(_boxes(record.ignored, classes)) for record in data.records}


def _read(path: Path, classes: Sequence[str], labels: str | None, split: str | None) -> "BoxData":
    # Here, not above: no other command needs the workshop that networks are trained in.
    from kplate.training.data_formats import load_boxes as read

    return _read_lines(path, classes, labels, split=split) if labels else read(path, classes, split=split)


def _read_lines(
    path: Path,
    classes: Sequence[str],
    labels: str,
    *,
    split: str | None = None,
    only: Container[Path] | None = None,
) -> "BoxData":
    from kplate.training.data_formats import load_lines

    if tuple(classes) != CLASSES:
        raise DataError(f"--labels and --ignore are for networks that find {', '.join(CLASSES)}")
    file = Path(labels) if Path(labels).suffix else labels_file(labels)
    return load_lines(file, path, split=split, only=only)


def _sample(record: "Record", root: Path, classes: Sequence[str]) -> BoxSample:
    folder = root if root.is_dir() else root.parent
    inside = record.path.is_relative_to(folder)
    return BoxSample(
        record.path,
        (record.path.relative_to(folder) if inside else record.path).as_posix(),
        record.width,
        record.height,
        tuple(_boxes(record.objects, classes)),
        tuple(_boxes(record.ignored, classes)),
        frozenset(label for label, weight in zip(classes, record.negatives, strict=True) if weight == 0),
        record.condition,
    )


def _boxes(rows: "Array", classes: Sequence[str]) -> Iterable[LabelledBox]:
    for label, x1, y1, x2, y2 in rows.tolist():
        yield LabelledBox(classes[int(label)], (x1, y1, x2, y2))
