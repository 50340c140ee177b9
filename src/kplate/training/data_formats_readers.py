"""Takes label files of five formats apart; :mod:`kplate.training.data_formats` checks what they say."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kplate.errors import DataError
from kplate.files import LONGEST_PATH, excerpt, is_file, printable, reason_of

LABELS_FILE: Final = "labels.jsonl"
#: Where a line ends. `str.splitlines` would also end it at characters that JSON and names may hold.
_LINE_END: Final = re.compile("\r\n|\r|\n")
#: What others call the parts of their data.
_SPLITS: Final = {"": "train", "training": "train", "val": "valid", "validation": "valid"}
#: File with the names of classes that labelling tools write beside Darknet's labels.
CLASSES_FILE: Final = "classes.txt"


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box as it is written down.

    Attributes:
        source: Where this is stated, for messages: a file and a line.
        name: Its class.
        values: ``x1, y1, x2, y2`` in px, or the middle and the size as shares of the picture.
        shares: Whether `values` are shares.
        ignored: Whether it should cost nothing to find it or not.
        optional: Whether its class may be one that is not asked for.
        problem: Why it cannot be used; empty where it can.
    """

    source: str
    name: str = ""
    values: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    shares: bool = False
    ignored: bool = False
    optional: bool = False
    problem: str = ""

    def pixels(self, width: int, height: int) -> tuple[float, float, float, float]:
        """``x1, y1, x2, y2`` in px of a picture."""
        if not self.shares:
            return self.values
        x, y, w, h = self.values
        return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture's labels as they are written down.

    Attributes:
        source: Where they are stated, for messages.
        picture: The picture.
        boxes: Its boxes.
        negatives: Weight of "nothing here" for each class; None = what holds for all the data.
        condition: What the picture was taken in, such as night.
        problem: Why nothing of it can be used; empty where it can.
    """

    source: str
    picture: Path = Path()
    boxes: Sequence[LabelledBox] = ()
    negatives: tuple[float, ...] | None = None
    condition: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """What a file or folder labels.

    Attributes:
        entries: Its pictures.
        names: The classes it declares; None where the format declares none.
    """

    entries: Iterable[Entry]
    names: tuple[str, ...] | None = None


def open_labels(path: Path, classes: Sequence[str] | None, split: str | None) -> Labels:
    """Find out which format a path is of, and begin to read it.

    Args:
        path: A file or folder.
        classes: Names of classes, for formats that number them.
        split: Keep only this part of the data, where they have parts.

    Raises:
        DataError: The path does not exist, or no format fits.
    """
    from kplate.training import data_formats_darknet as darknet
    from kplate.training import data_formats_json as json_files
    from kplate.training import data_formats_voc as voc

    if path.is_dir():
        return _open_folder(path, classes, split)
    if not is_file(path):
        raise DataError(f"{printable(path)}: no such file or folder")
    readers: Mapping[str, Callable[[], Labels]] = {
        ".jsonl": lambda: json_files.read_lines(path, split),
        ".json": lambda: json_files.read_coco(path),
        ".xml": lambda: voc.read_files([path]),
        ".data": lambda: darknet.read_data(path, split),
        ".txt": lambda: darknet.read_list(path, classes),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{printable(path)}: labelled boxes are a .data, .json, .jsonl, .xml or .txt file, or a folder"
        )
    return reader()


def _open_folder(folder: Path, classes: Sequence[str] | None, split: str | None) -> Labels:
    from kplate.training import data_formats_darknet as darknet
    from kplate.training import data_formats_voc as voc

    if (folder / LABELS_FILE).is_file():
        return open_labels(folder / LABELS_FILE, classes, split)
    for suffix in (".data", ".json"):
        files = sorted(folder.glob(f"*{suffix}"))
        if len(files) == 1:
            return open_labels(files[0], classes, split)
        if files:
            names = ", ".join(printable(file.name) for file in files[:3])
            raise DataError(f"{printable(folder)}: name one of the files in it: {names}")
    files = sorted(folder.rglob("*.xml"))
    if files:
        return voc.read_files(files)
    names_files = [*sorted(folder.glob("*.names")), *sorted(folder.glob(CLASSES_FILE))]
    if names_files or (classes and any(folder.rglob("*.txt"))):
        return darknet.read_folder(folder, names_files[0] if names_files else None, classes)
    raise DataError(
        f"{printable(folder)}: holds no labels: neither {LABELS_FILE}, nor a .data or .json file, nor .xml "
        f"files, nor a .names file or {CLASSES_FILE} beside Darknet's .txt files"
    )


def read_labels_text(path: Path) -> str:
    """The text of a label file.

    Raises:
        DataError: It cannot be read.
    """
    name = excerpt(path, LONGEST_PATH)
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: cannot be read: it is not UTF-8 text") from error
    except ValueError as error:
        raise DataError(f"{name}: cannot be read: {error}") from error


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold anything, each with its number."""
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if line.strip():
            yield number, line.strip()


def four(values: Sequence[Any]) -> tuple[float, float, float, float] | None:
    """Four finite numbers, or None where there are not just that."""
    if isinstance(values, str) or len(values) != 4 or any(isinstance(value, bool) for value in values):
        return None
    try:
        a, b, c, d = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return (a, b, c, d) if all(map(math.isfinite, (a, b, c, d))) else None


def split_of(row: Mapping[str, Any]) -> str:
    """The part of the data that a line of JSON Lines belongs to: ``train`` where it says nothing of it."""
    split = row.get("split") or ""
    return split_named(split) if isinstance(split, str) else ""


def split_named(name: str) -> str:
    """The part of the data that goes by a name: ``valid`` for ``val``, and so on."""
    return _SPLITS.get(name, name)


def picture_beside(folder: Path, name: str) -> Path:
    """The path of a picture that a label file names; Windows's separators are understood."""
    return folder / name.replace("\\", "/")
