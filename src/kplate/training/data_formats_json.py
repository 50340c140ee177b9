"""Label files in JSON: kplate's own JSON Lines, and COCO's one file."""

import json
from collections.abc import Iterator, Mapping
from json.decoder import JSONDecoder
from pathlib import Path
from typing import Any, Final

from kplate.classes import CAR, DISABLED_STICKER, LICENSE_PLATE
from kplate.errors import DataError
from kplate.files import printable
from kplate.training.data import SURE_VEHICLE
from kplate.training.data_formats_readers import (
    Entry,
    LabelledBox,
    Labels,
    four,
    numbered_lines,
    picture_beside,
    read_labels_text,
)

#: Lists of a line that hold boxes of one class.
_LISTS: Final = {"plates": LICENSE_PLATE, "vehicles": CAR, "permits": DISABLED_STICKER}
_BLANKS: Final = " \t\r\n"


def read_lines(path: Path, split: str | None) -> Labels:
    """Read JSON Lines: a line a picture, with `objects`, or with `plates`, `vehicles` and `permits`.

    Args:
        path: The file.
        split: Keep only lines with this `split`, which is `train` where none is said; None keeps all.
    """
    return Labels(_of_lines(path, split))


def _of_lines(path: Path, split: str | None) -> Iterator[Entry]:
    for number, line in numbered_lines(read_labels_text(path)):
        source = f"{printable(path)}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Entry(source, problem=f"not JSON: {getattr(error, 'msg', error)}")
            continue
        if not isinstance(row, dict):
            yield Entry(source, problem="not a JSON object")
        elif split is None or (row.get("split") or "train") == split:
            yield _of_row(source, row, path.parent)


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
    if negatives is not None:
        try:
            negatives = tuple(float(value) for value in negatives)
        except (TypeError, ValueError):
            return Entry(source, problem='"negatives" must be a list with a weight for each class')
    condition = row.get("condition")
    return Entry(
        source, picture_beside(folder, name), boxes, negatives, None if condition is None else str(condition)
    )


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
    if not parts["images"] or not parts["categories"]:
        raise DataError(f'{printable(path)}: is no COCO file: it needs lists "images" and "categories"')
    names = {}
    for line, category in parts["categories"]:
        if not isinstance(category, dict) or not isinstance(category.get("name"), str):
            raise DataError(f"{printable(path)}, line {line}: a category needs an id and a name")
        names[category.get("id")] = category["name"]
    return Labels(_of_coco(path, parts, names), tuple(names.values()))


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
    path: Path, parts: Mapping[str, list[tuple[int, Any]]], names: Mapping[Any, str]
) -> Iterator[Entry]:
    boxes: dict[Any, list[LabelledBox]] = {}
    lost = []
    ids = {image.get("id") for _, image in parts["images"] if isinstance(image, dict)}
    for line, note in parts["annotations"]:
        source = f"{printable(path)}, line {line}"
        if not isinstance(note, dict) or note.get("image_id") not in ids:
            lost.append(Entry(source, problem="an annotation belongs to none of the images"))
            continue
        boxes.setdefault(note["image_id"], []).append(_of_note(source, note, names))
    for line, image in parts["images"]:
        source = f"{printable(path)}, line {line}"
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str) or not name or "\0" in name:
            yield Entry(source, problem="an image needs an id and a file_name")
            continue
        folders = (path.parent, path.parent / "images", path.parent.parent, path.parent.parent / "images")
        candidates = [picture_beside(folder, name) for folder in folders]
        picture = next((file for file in candidates if file.is_file()), candidates[0])
        yield Entry(source, picture, boxes.get(image.get("id"), ()))
    yield from lost


def _of_note(source: str, note: Mapping[str, Any], names: Mapping[Any, str]) -> LabelledBox:
    box = note.get("bbox")
    values = four(box) if isinstance(box, list) else None
    if values is None:
        return LabelledBox(source, problem='an annotation needs a "bbox" of four numbers')
    if note.get("category_id") not in names:
        return LabelledBox(source, problem=f"unknown class: category_id {note.get('category_id')!r}")
    x, y, width, height = values
    crowd = note.get("iscrowd") == 1
    name = names[note["category_id"]]
    return LabelledBox(source, name, (x, y, x + width, y + height), ignored=crowd)
