"""Darknet's label files, and the list of the TensorFlow scripts, which both number their classes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from kplate.errors import DataError
from kplate.files import is_file, printable
from kplate.images import SUFFIXES
from kplate.training.data_formats_readers import (
    CLASSES_FILE,
    Entry,
    LabelledBox,
    Labels,
    four,
    numbered_lines,
    picture_beside,
    read_labels_text,
)

#: Folders of pictures whose labels lie in a folder `labels` beside them.
_PICTURE_FOLDERS: Final = ("images", "JPEGImages")
#: One box of the TensorFlow scripts' list: four corners and a class.
_LISTED_BOX: Final = re.compile(r"[-+.\deE]+(?:,[-+.\deE]+){4}")
#: Digits that a class's number has at most, and characters of a wrong one that are shown.
_DIGITS: Final = 9
_SHOWN: Final = 40
#: The keys of a `.data` file that name lists of pictures, by split.
_LISTS: Final = {"train": ("train",), "valid": ("valid", "val"), None: ("train", "valid", "val")}


def read_data(path: Path, split: str | None) -> Labels:
    """Read a `.data` file: lists of pictures, and a file with the names of classes.

    Args:
        path: The file.
        split: ``train`` or ``valid``; None reads both.

    Raises:
        DataError: The file, a list or the names cannot be read, or are not named.
    """
    options = {}
    for number, line in numbered_lines(read_labels_text(path)):
        if line.startswith(("#", ";")):
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise DataError(f"{printable(path)}, line {number}: is no `option = value`")
        options[key.strip()] = value.strip()
    names = _names(_option(path, options, "names"))
    wanted = options.get("classes", "").partition("#")[0].strip()
    if wanted and wanted != str(len(names)):
        raise DataError(
            f"{printable(path)}: says `classes={wanted}`, but {options['names']} has {len(names)} names"
        )
    found = [key for key in _LISTS.get(split, (split or "",)) if options.get(key)]
    if not found:
        raise DataError(f"{printable(path)}: names no list of pictures as `{split or 'train'} = FILE`")
    lists = dict.fromkeys(_option(path, options, key) for key in found)
    return Labels(chain.from_iterable(_of_pictures(file, names) for file in lists), names)


def read_folder(folder: Path, names_file: Path | None, classes: Sequence[str] | None) -> Labels:
    """Read a folder of pictures, each with a `.txt` file beside it or under `labels`.

    Args:
        folder: The folder.
        names_file: A file with the names of classes.
        classes: The names, where there is no such file.
    """
    names = _names(names_file) if names_file else tuple(classes or ())
    pictures = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
    return Labels((_of_picture(path, names) for path in pictures), names)


def read_list(path: Path, classes: Sequence[str] | None) -> Labels:
    """Read a list of pictures: with boxes, as the TensorFlow scripts have it, or of Darknet's.

    Args:
        path: The file.
        classes: Names of the numbered classes, where not just one `.names` file or `classes.txt` lies
            beside it, which says what its own numbers stand for.

    Raises:
        DataError: There are no names.
    """
    beside = [*sorted(path.parent.glob("*.names")), *path.parent.glob(CLASSES_FILE)]
    beside = [file for file in beside if file != path]
    if classes is None and len(beside) != 1:
        raise DataError(
            f"{printable(path)}: its classes are numbers; name them with --names FILE, or put a .names file "
            "beside it"
        )
    names = _names(beside[0]) if len(beside) == 1 else tuple(classes or ())
    if _LISTED_BOX.search(read_labels_text(path)):
        return Labels(_of_list(path, names), names)
    return Labels(_of_pictures(path, names), names)


def _option(path: Path, options: Mapping[str, str], key: str) -> Path:
    """The file that an option names: beside the `.data` file, or below where Darknet would be started."""
    if not options.get(key):
        raise DataError(f"{printable(path)}: there is no `{key} = FILE` in it")
    for folder in (path.parent, Path(), path.parent.parent):
        if is_file(folder / options[key]):
            return folder / options[key]
    return path.parent / options[key]


def _names(path: Path) -> tuple[str, ...]:
    names = tuple(line for _, line in numbered_lines(read_labels_text(path)))
    if not names:
        raise DataError(f"{printable(path)}: names no class")
    return names


def _of_pictures(path: Path, names: Sequence[str]) -> Iterator[Entry]:
    """The labels of the pictures that a file lists."""
    for number, line in numbered_lines(read_labels_text(path)):
        picture = picture_beside(path.parent, line)
        if not is_file(picture) and is_file(picture_beside(Path(), line)):
            picture = picture_beside(Path(), line)
        if not is_file(picture):
            yield Entry(f"{printable(path)}, line {number}", picture)
        else:
            yield _of_picture(picture, names)


def _of_picture(picture: Path, names: Sequence[str]) -> Entry:
    """The labels of one picture, from the `.txt` file of its name."""
    file = picture.with_suffix(".txt")
    for folder in _PICTURE_FOLDERS:
        if not is_file(file) and folder in picture.parts[:-1]:
            parts = list(file.parts)
            at = max(n for n, part in enumerate(picture.parts[:-1]) if part == folder)
            parts[at] = "labels"
            file = Path(*parts)
    if not is_file(file):
        problem = f"there is no {printable(picture.with_suffix('.txt'))} beside it; empty = nothing is in it"
        return Entry(printable(picture), picture, problem=problem)
    try:
        lines = list(numbered_lines(read_labels_text(file)))
    except DataError as error:
        return Entry(printable(picture), picture, problem=str(error))
    boxes = [_shares(f"{printable(file)}, line {number}", line.split(), names) for number, line in lines]
    return Entry(printable(file), picture, boxes)


def _shares(source: str, values: Sequence[str], names: Sequence[str]) -> LabelledBox:
    numbers = four(values[1:]) if len(values) == 5 else None
    if numbers is None:
        return LabelledBox(source, problem="is no `class x y width height`")
    if max(numbers) > 2:
        return LabelledBox(source, problem="x, y, width and height must be shares of the picture, not px")
    return _numbered(source, values[0], names, numbers, shares=True)


def _numbered(
    source: str,
    number: str,
    names: Sequence[str],
    values: tuple[float, float, float, float],
    *,
    shares: bool = False,
) -> LabelledBox:
    if not number.isdecimal() or len(number) > _DIGITS or int(number) >= len(names):
        said = printable(number[:_SHOWN])
        return LabelledBox(source, problem=f"unknown class {said!r}: there are {len(names)}, from 0 on")
    return LabelledBox(source, names[int(number)], values, shares)


def _of_list(path: Path, names: Sequence[str]) -> Iterator[Entry]:
    """The labels of the TensorFlow scripts' list; a path may hold blanks."""
    for number, line in numbered_lines(read_labels_text(path)):
        source = f"{printable(path)}, line {number}"
        words = line.split(" ")
        end = next((n for n, word in enumerate(words) if n and "," in word), len(words))
        name = " ".join(words[:end]).strip()
        picture = picture_beside(path.parent, name)
        if not is_file(picture) and is_file(picture_beside(Path(), name)):
            picture = picture_beside(Path(), name)
        boxes = [_listed(source, word, names) for word in words[end:] if word]
        yield Entry(source, picture, boxes)


def _listed(source: str, word: str, names: Sequence[str]) -> LabelledBox:
    values = word.split(",")
    numbers = four(values[:4])
    if len(values) != 5 or numbers is None:
        return LabelledBox(source, problem=f"{printable(word)!r} is no `x1,y1,x2,y2,class`")
    return _numbered(source, values[4], names, numbers)
