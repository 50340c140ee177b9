"""Label files in JSON: kplate's own JSON Lines, and COCO's one file."""

import json
from collections.abc import Iterator, Mapping
from json.decoder import JSONDecoder
from pathlib import Path
from typing import Any, Final

from kplate.classes import CAR, DISABLED_STICKER, LICENSE_PLATE
from kplate.errors import DataError
from kplate.files import is_file, printable
from kplate.training.data import SURE_VEHICLE
from kplate.training.data_formats_readers import (
    Entry,
    LabelledBox,
    Labels,
    four,
    numbered_lines,
    picture_beside,
    read_labels_text,
    split_named,
    split_of,
)

#: Lists of a line that hold boxes of one class.
_LISTS: Final = {"plates": LICENSE_PLATE, "vehicles": CAR, "permits": DISABLED_STICKER}
_BLANKS: Final = " \t\r\n"


def read_lines(path: Path, split: str | None, folder: Path | None = None) -> Labels:
    """Read JSON Lines: a line a picture, with `objects`, or with `plates`, `vehicles` and `permits`.

    Args:
        path: The file.
        split: Keep only lines with this `split`, which is `train` where none is said; None keeps all.
        folder: What `file` is relative to; None = where the file lies.
    """
    wanted = None if split is None else split_named(split)
    return Labels(_of_lines(path, wanted, folder or path.parent))


def _of_lines(path: Path, split: str | None, folder: Path) -> Iterator[Entry]:
    for number, line in numbered_lines(read_labels_text(path)):
        source = f"{printable(path)}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Entry(source, problem=f"not JSON: {getattr(error, 'msg', error)}")
            continue
        if not isinstance(row, dict):
            yield Entry(source, problem="not a JSON object")
        elif not isinstance(row.get("split"), str | None):
            yield Entry(source, problem='"split" is no text')
        elif split is None or split_of(row) == split:
            yield _of_row(source, row, folder)


def _of_row(source: str, row: Mapping[str, Any], folder: Path) -> Entry:
    name = row.get("file")
    if not isinstance(name, str) or not name or "\0" in name:
        return Entry(source, problem='"file" is missing, or no file name')
    boxes: list[LabelledBox] = []
    for key in (*_LISTS, "objects", "ignored"):
        things = row.get(key, [])
        if not isinstance(things, list):
            return Entry(source, problem=f'"{key}" is no list')
        boxes += [_of_thing(source, key, thing) for thing in things]
    negatives = row.get("negatives")
    if negatives is not None and not (isinstance(negatives, list) and all(map(_is_weight, negatives))):
        return Entry(source, problem='"negatives" must be a list with a weight from 0 to 1 for each class')
    weights = None if negatives is None else tuple(map(float, negatives))
    condition = row.get("condition")
    return Entry(
        source, picture_beside(folder, name), boxes, weights, None if condition is None else str(condition)
    )


def _is_weight(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _of_thing(source: str, key: str, thing: Any) -> LabelledBox:
    """One element of a list of boxes."""
    box = thing.get("box") if isinstance(thing, dict) else None
    values = four(box) if isinstance(box, list) else None
    if values is None:
        return LabelledBox(source, problem=f'"{key}" holds something without a "box" of four numbers')
    name = _LISTS.get(key) or thing.get("class")
    if not isinstance(name, str) or not name:
        return LabelledBox(source, problem=f'"{key}" holds something without a "class"')
    score = thing.get("score")
    unsure = key == "vehicles" and isinstance(score, (int, float)) and score < SURE_VEHICLE
    return LabelledBox(source, name, values, ignored=unsure or key == "ignored", optional=key in _LISTS)


def read_coco(path: Path) -> Labels:
    """Read COCO's JSON: `images`, `annotations` and `categories`.

    Raises:
        DataError: It is no such file.
    """
    parts: dict[str, list[tuple[int, Any]]] = {"images": [], "annotations": [], "categories": []}
    text = read_labels_text(path)
    try:
        for key, line, value in _elements(text):
            if key in parts:
                parts[key].append((line, value))
    except json.JSONDecodeError as error:
        raise DataError(f"{printable(path)}, line {error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise DataError(f"{printable(path)}: not JSON that can be read: it is nested too deeply") from None
    except ValueError:
        raise DataError(f"{printable(path)}: not JSON that can be read: a number is too long") from None
    if not parts["images"] or not parts["categories"]:
        raise DataError(f'{printable(path)}: is no COCO file: it needs lists "images" and "categories"')
    names: dict[int | str, str] = {}
    for line, category in parts["categories"]:
        number = _id(category)
        if number is None or not isinstance(category.get("name"), str):
            raise DataError(f"{printable(path)}, line {line}: a category needs an id and a name")
        if number in names:
            raise DataError(f"{printable(path)}, line {line}: another category has the id {number!r}, too")
        names[number] = category["name"]
    # Tools write a category of its own for what several stand under, often of the same name.
    return Labels(_of_coco(path, parts, names), tuple(dict.fromkeys(names.values())))


def _id(thing: Any, key: str = "id") -> int | str | None:
    """A number or text by which something is known; None where it has none."""
    value = thing.get(key) if isinstance(thing, dict) else None
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _elements(text: str) -> Iterator[tuple[str, int, Any]]:
    """The elements of the lists in a JSON object: key, line, value.

    Python's parser forgets lines, and a wrong box in a file of thousands must be found again.
    """
    decoder = JSONDecoder()
    line, counted = 1, 0

    def skip(at: int, wanted: str = "") -> int:
        while at < len(text) and text[at] in _BLANKS:
            at += 1
        if wanted and text[at : at + 1] not in tuple(wanted):
            raise json.JSONDecodeError(f"expecting {' or '.join(wanted)}", text, at)
        return at

    at = skip(skip(0, "{") + 1)
    while text[at : at + 1] != "}":
        key, at = decoder.raw_decode(text, skip(at, '"'))
        at = skip(skip(at, ":") + 1)
        if text[at : at + 1] != "[":
            _, at = decoder.raw_decode(text, at)
        else:
            at = skip(at + 1)
            while text[at : at + 1] != "]":
                line, counted = line + text.count("\n", counted, at), at
                value, at = decoder.raw_decode(text, at)
                yield key, line, value
                at = skip(at, ",]")
                at = skip(at + 1) if text[at] == "," else at
            at += 1
        at = skip(at, ",}")
        at = skip(at + 1) if text[at] == "," else at
    end = skip(at + 1)
    if end < len(text):
        raise json.JSONDecodeError("extra data", text, end)


def _of_coco(
    path: Path, parts: Mapping[str, list[tuple[int, Any]]], names: Mapping[int | str, str]
) -> Iterator[Entry]:
    boxes: dict[int | str, list[LabelledBox]] = {}
    lost = []
    ids = {number for _, image in parts["images"] if (number := _id(image)) is not None}
    for line, note in parts["annotations"]:
        source = f"{printable(path)}, line {line}"
        number = _id(note, "image_id")
        if number not in ids or number is None:
            lost.append(Entry(source, problem="an annotation belongs to none of the images"))
            continue
        boxes.setdefault(number, []).append(_of_note(source, note, names))
    known: set[int | str] = set()
    for line, image in parts["images"]:
        source, number = f"{printable(path)}, line {line}", _id(image)
        name = image.get("file_name") if number is not None else None
        if number is None or not isinstance(name, str) or not name or "\0" in name:
            yield Entry(source, problem="an image needs an id and a file_name")
            continue
        if number in known:
            yield Entry(source, problem=f"another image has the id {number!r}, too")
            continue
        known.add(number)
        folders = (path.parent, path.parent / "images", path.parent.parent, path.parent.parent / "images")
        candidates = [picture_beside(folder, name) for folder in folders]
        picture = next((file for file in candidates if is_file(file)), candidates[0])
        yield Entry(source, picture, boxes.get(number, ()))
    yield from lost


def _of_note(source: str, note: Mapping[str, Any], names: Mapping[int | str, str]) -> LabelledBox:
    box = note.get("bbox")
    values = four(box) if isinstance(box, list) else None
    if values is None:
        return LabelledBox(source, problem='an annotation needs a "bbox" of four numbers')
    category = _id(note, "category_id")
    if category is None or category not in names:
        return LabelledBox(source, problem=f"unknown class: category_id {note.get('category_id')!r}")
    x, y, width, height = values
    crowd = note.get("iscrowd") == 1
    return LabelledBox(source, names[category], (x, y, x + width, y + height), ignored=crowd)
