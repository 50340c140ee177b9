"""Labelled boxes of a user, in the formats that such data come in, checked before any training.

=======================  ==================================================================================
Darknet                  a ``.data`` file that names lists of pictures and a ``.names`` file, or a folder
                         with pictures and ``.names`` (or ``classes.txt``); for each picture a ``.txt``, a
                         line a box: ``class x y width height``, middle and size as shares of the picture
Pascal VOC               an ``.xml`` file a picture; a folder of them
COCO                     one ``.json`` file
JSON Lines               a ``.jsonl`` file, or a folder with ``labels.jsonl``
the TensorFlow scripts'  a ``.txt`` file, a line a picture: ``path x1,y1,x2,y2,class x1,y1,x2,y2,class …``
=======================  ==================================================================================
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import PIL.Image

from kplate.classes import CLASSES
from kplate.errors import DataError
from kplate.files import LONGEST_PATH, excerpt, is_file, printable
from kplate.training.data import CLASS_NAMES, IGNORED_CLASSES, Array, Record
from kplate.training.data_formats_json import read_lines
from kplate.training.data_formats_readers import Entry, LabelledBox, Labels, open_labels

#: Boxes may leave the picture by so many px, and by this share of its side: labels are rounded.
_SLACK_PX: Final = 2.0
_SLACK: Final = 0.01
#: Problems that one message lists before it only counts them.
_LISTED: Final = 20
#: EXIF tag that says how the camera was held; from 5 on width and height change places.
_ORIENTATION: Final = 0x0112
_ON_ITS_SIDE: Final = 5
#: Things that some of kplate's own folders label as well, so that nobody takes them for a class.
_OTHER_THINGS: Final = frozenset({"person", "symbol_of_access"})


@dataclass(frozen=True, slots=True)
class BoxData:
    """Labelled pictures.

    Attributes:
        classes: What the classes of the records are called.
        records: The pictures; those with a label that cannot be used are not among them.
        problems: A line about each label that cannot be used, beginning with its file and line.
    """

    classes: tuple[str, ...]
    records: list[Record]
    problems: list[str]


def load_boxes(path: Path, classes: Sequence[str] | None = None, *, split: str | None = None) -> BoxData:
    """Load labelled boxes of any format, and check every one of them.

    A class that the data do not declare (or, where a format declares none, that no box has) is not labelled:
    the records' ``negatives`` are 0 for it. kplate's own classes are known by other names too: ``truck`` is a
    ``car``, ``plate`` a ``license_plate``.

    Args:
        path: A file or folder, see above.
        classes: Names of the classes, in the network's order; ``None`` = kplate's own, or else those that
            the data declare.
        split: ``train`` or ``valid``, of data that have both; ``None`` keeps all.

    Raises:
        DataError: The path does not exist, holds no labels, or needs names of classes.
    """
    labels = open_labels(path, classes, split)
    _check_names(path, labels.names or ())
    if classes is None:
        classes = _default_classes(labels)
    entries = _entries(path, labels)
    declared = labels.names if labels.names is not None else _names_in(entries)
    numbers = _numbers(classes)
    labelled = {numbers[key] for name in declared if (key := _key(name)) in numbers}
    negatives = tuple(float(n in labelled) for n in range(len(classes)))
    return _checked(entries, classes, negatives)


def load_lines(
    path: Path, folder: Path, *, split: str | None = None, only: Container[Path] | None = None
) -> BoxData:
    """Load JSON Lines that lie away from their pictures, and check them in the same way.

    All of kplate's own classes count as labelled.

    Args:
        path: The file.
        folder: What its pictures' names are relative to.
        split: As for :func:`load_boxes`.
        only: Pictures to keep; None keeps all, each of which has to be there.

    Raises:
        DataError: The file cannot be read, or labels no picture.
    """
    entries = _entries(path, read_lines(path, split, folder))
    if only is not None:
        entries = [entry for entry in entries if entry.problem or entry.picture in only]
    return _checked(entries, CLASSES, (1.0,) * len(CLASSES))


def _entries(path: Path, labels: Labels) -> list[Entry]:
    entries = list(labels.entries)
    if not entries:
        raise DataError(f"{printable(path)}: there are no labelled pictures")
    return entries


def _checked(entries: Iterable[Entry], classes: Sequence[str], negatives: tuple[float, ...]) -> BoxData:
    check = _Check(_numbers(classes), negatives)
    records = [record for entry in entries if (record := check.record(entry))]
    return BoxData(tuple(classes), records, check.problems)


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Refuses declared names of classes that could not stand in a `.names` file, a line each."""
    for number, name in enumerate(names):
        if not name.strip() or not name.isprintable():
            raise DataError(f"{printable(path)}: {printable(name)!r} is no name of a class")
        if _key(name) in map(_key, names[:number]):
            raise DataError(f"{printable(path)}: names the class {name!r} twice")


def listed(problems: Sequence[str]) -> str:
    """Join problems to one message of bounded length."""
    more = len(problems) - _LISTED
    return "\n".join([*problems[:_LISTED], *([f"... and {more} more"] if more > 0 else [])])


def _default_classes(labels: Labels) -> tuple[str, ...]:
    """Kplate's own classes where they cover what the data declare, and what the data declare elsewhere."""
    own = _numbers(CLASSES)
    names = labels.names or ()
    return CLASSES if all(_key(name) in own for name in names) else tuple(names)


def _key(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _numbers(classes: Sequence[str]) -> dict[str, int]:
    """The number of each class by every name that it is known by."""
    numbers = {_key(name): number for number, name in enumerate(classes)}
    for name, own in CLASS_NAMES.items():
        if CLASSES[own] in numbers:
            numbers.setdefault(_key(name), numbers[CLASSES[own]])
    return numbers


def _names_in(entries: Iterable[Entry]) -> set[str]:
    return {box.name for entry in entries for box in entry.boxes}


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is displayed, from its first bytes.

    Raises:
        OSError: It is no picture.
    """
    with PIL.Image.open(path) as picture:
        width, height = picture.size
        try:
            turned = picture.getexif().get(_ORIENTATION, 1) >= _ON_ITS_SIDE
        except Exception:  # a broken EXIF block does not spoil the picture
            turned = False
    return (height, width) if turned else (width, height)


class _Check:
    """Turns entries into records, and remembers what is wrong."""

    def __init__(self, numbers: Mapping[str, int], negatives: tuple[float, ...]) -> None:
        self._numbers, self._negatives = numbers, negatives
        self._seen: dict[Path, str] = {}
        self.problems: list[str] = []

    def record(self, entry: Entry) -> Record | None:
        """The picture with its boxes; None where anything is wrong with it."""
        before = len(self.problems)
        size = self._picture(entry)
        if size is None:
            return None
        objects, ignored = self._boxes(entry, size)
        if len(self.problems) > before:
            return None
        width, height = size
        negatives = entry.negatives or self._negatives
        if len(negatives) != len(self._negatives):
            self._note(entry.source, f'"negatives" has {len(negatives)} values, not {len(self._negatives)}')
            return None
        return Record(entry.picture, objects, ignored, negatives, width, height, entry.condition)

    def _note(self, source: str, problem: str) -> None:
        self.problems.append(f"{source}: {problem}")

    def _picture(self, entry: Entry) -> tuple[int, int] | None:
        if entry.problem:
            self._note(entry.source, entry.problem)
            return None
        name = excerpt(entry.picture, LONGEST_PATH)
        if not is_file(entry.picture):
            self._note(entry.source, f"there is no picture {name}")
            return None
        real = entry.picture.resolve()
        if real in self._seen:
            self._note(entry.source, f"{name} is labelled twice; first by {self._seen[real]}")
            return None
        self._seen[real] = entry.source
        try:
            return picture_size(entry.picture)
        except Exception:  # Pillow's readers raise whatever they like
            self._note(entry.source, f"{name} is no picture that can be read")
            return None

    def _boxes(self, entry: Entry, size: tuple[int, int]) -> tuple[Array, Array]:
        objects: list[tuple[float, ...]] = []
        ignored: list[tuple[float, ...]] = []
        first: dict[tuple[float, ...], str] = {}
        for box in entry.boxes:
            if box.problem:
                self._note(box.source, box.problem)
                continue
            unsure = box.ignored
            number = self._numbers.get(_key(box.name))
            if number is None:
                number = self._known_otherwise(box)
                unsure = True
                if number is None:
                    continue
            row = self._fit(box, number, size)
            if row is None:
                continue
            if row in first:
                self._note(box.source, f"this {box.name} is labelled twice; first by {first[row]}")
                continue
            first[row] = box.source
            (ignored if unsure else objects).append(row)
        return _rows(objects), _rows(ignored)

    def _known_otherwise(self, box: LabelledBox) -> int | None:
        """The class that must not be learned from a thing of no class; notes names that nobody knows."""
        key = _key(box.name)
        similar = IGNORED_CLASSES.get(key)
        if similar is not None:
            return self._numbers.get(CLASSES[similar])
        if not box.optional and key not in _OTHER_THINGS:
            self._note(box.source, f"unknown class {box.name!r}")
        return None

    def _fit(self, box: LabelledBox, number: int, size: tuple[int, int]) -> tuple[float, ...] | None:
        """The row of a box, in px and clipped to the picture; None where it is none."""
        width, height = size
        x1, y1, x2, y2 = box.pixels(width, height)
        if not np.isfinite((x1, y1, x2, y2)).all():
            self._note(box.source, "the box holds a value that is no number")
        elif x2 <= x1 or y2 <= y1:
            self._note(box.source, f"the {box.name} has no area: {_shown(x1, y1, x2, y2)}")
        elif not (
            min(x1, x2 - 1) >= -_slack(width)
            and min(y1, y2 - 1) >= -_slack(height)
            and x2 <= width + _slack(width)
            and y2 <= height + _slack(height)
        ):
            where = f"outside the picture of {width} x {height}"
            self._note(box.source, f"the {box.name} lies {where}: {_shown(x1, y1, x2, y2)}")
        else:
            x1, y1, x2, y2 = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
            if x2 > x1 and y2 > y1:
                return float(number), x1, y1, x2, y2
            self._note(box.source, f"the {box.name} lies outside the picture of {width} x {height}")
        return None


def _slack(side: int) -> float:
    return max(_SLACK_PX, _SLACK * side)


def _shown(*values: float) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _rows(rows: Sequence[tuple[float, ...]]) -> Array:
    return np.asarray(rows, np.float32).reshape(-1, 5)
