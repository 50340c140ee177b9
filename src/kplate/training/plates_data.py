"""Labelled plate crops of a user, in the four formats that such data come in, checked before any training.

========================  ==================================================================================
a folder of pictures      each named by its text: ``12가3456_1.jpg`` (what follows the first ``_`` is free)
JSON Lines (``.jsonl``)   a line a picture: ``{"file": "a.jpg", "text": "12가3456"}``, at will with ``kind``
one JSON file             ``{"class_names": [...], "data": [{"images": {"filename": …}, "annotations":
                          {"text": …}}]}``: the format of the TensorFlow scripts that kplate replaces
AI-Hub's JSON             a file a picture: ``{"imagePath": "a.jpg", "value": "01가0785"}``; a folder of them
========================  ==================================================================================

File names are relative to the file that states them; AI-Hub's pictures may also lie anywhere in the folder.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from kplate.errors import DataError
from kplate.files import printable, reason_of
from kplate.plates.kinds import Kind
from kplate.plates.script import Script

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
#: File of a folder that labels its pictures, before their names are looked at.
LABELS_FILE: Final = "labels.jsonl"
#: CTC steps of the network: a text needs one a symbol, and one more between equal neighbours.
STEPS: Final = 18
#: Problems that one message lists before it only counts them.
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class LabelledPlate:
    """A picture of one plate and what it says.

    Attributes:
        path: The picture.
        text: Canonical text.
        kind: What the plate looks like; ``None`` where nobody said.
        source: Where this is stated, for messages: a file, or a file and a line.
    """

    path: Path
    text: str
    kind: Kind | None
    source: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """A label as it is written down; ``problem`` where it cannot even be taken apart."""

    source: str
    path: Path = Path()
    text: str = ""
    kind: str | None = None
    problem: str = ""


def load_plates(paths: Iterable[Path], script: Script) -> tuple[list[LabelledPlate], list[str]]:
    """Load labelled plates from files and folders of any of the formats.

    Args:
        paths: Folders of pictures or of AI-Hub's JSON, ``.jsonl`` files, ``.json`` files.
        script: What the texts may be.

    Returns:
        What can be used, and one line about each label that cannot, beginning with its file and line.

    Raises:
        DataError: A path does not exist or holds no labels.
    """
    plates: list[LabelledPlate] = []
    problems: list[str] = []
    seen: dict[Path, str] = {}
    for path in paths:
        found = 0
        for entry in _entries(path):
            found += 1
            result = _check(entry, script, seen)
            if isinstance(result, str):
                problems.append(f"{entry.source}: {result}")
            else:
                plates.append(result)
        if not found:
            raise DataError(f"{printable(path)}: no labelled pictures: see `kplate train reader --help`")
    return plates, problems


def listed(problems: Sequence[str]) -> str:
    """Join problems to one message of bounded length."""
    more = len(problems) - _LISTED
    return "\n".join([*problems[:_LISTED], *([f"... and {more} more"] if more > 0 else [])])


def steps_needed(text: str) -> int:
    """Return how many CTC steps a text needs at least."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def _check(entry: _Entry, script: Script, seen: dict[Path, str]) -> LabelledPlate | str:
    """Turn an entry into a labelled plate, or say what is wrong with it."""
    if entry.problem:
        return entry.problem
    text = script.clean(entry.text)
    problem = script.problem(text)
    if problem:
        return problem
    if steps_needed(text) > STEPS:
        return f"{text!r} is too long: with its repeated symbols it needs more than {STEPS} steps"
    if entry.kind is not None and entry.kind not in set(Kind):
        return f'"kind" is none that kplate knows: {entry.kind!r}'
    if not entry.path.is_file():
        return f"there is no picture {printable(entry.path)}"
    real = entry.path.resolve()
    if real in seen:
        return f"{printable(entry.path)} is labelled twice; first by {seen[real]}"
    seen[real] = entry.source
    return LabelledPlate(entry.path, text, Kind(entry.kind) if entry.kind else None, entry.source)


def _entries(path: Path) -> Iterator[_Entry]:
    """Find out which format a path is of, and yield its labels."""
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise DataError(f"{printable(path)}: no such file or folder")
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return _of_lines(path)
    if suffix == ".json":
        return _of_json(path, path.parent, {})
    raise DataError(f"{printable(path)}: labels are a folder, a .jsonl or a .json file")


def _of_folder(folder: Path) -> Iterator[_Entry]:
    if (folder / LABELS_FILE).is_file():
        yield from _of_lines(folder / LABELS_FILE)
        return
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    pictures = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    labels = [path for path in files if path.suffix.lower() == ".json"]
    if not labels:
        for path in pictures:
            yield _Entry(printable(path), path, path.stem.split("_", maxsplit=1)[0])
        return
    by_name: dict[str, list[Path]] = {}
    for path in pictures:
        by_name.setdefault(path.name, []).append(path)
    for path in labels:
        yield from _of_json(path, path.parent, by_name)


def _of_lines(path: Path) -> Iterator[_Entry]:
    content = _read(path)
    if isinstance(content, _Entry):
        yield content
        return
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            source = f"{printable(path)}, line {number}"
            yield _entry(source, _parse(line), path.parent, ("file", "text"), ("kind",))


def _of_json(path: Path, folder: Path, by_name: dict[str, list[Path]]) -> Iterator[_Entry]:
    """Yield the labels of a JSON file: one of AI-Hub's, or a list of the TensorFlow scripts'."""
    source = printable(path)
    content = _read(path)
    values = content if isinstance(content, _Entry) else _parse(content)
    if isinstance(values, _Entry):
        yield _Entry(source, problem=values.problem)
    elif isinstance(values, dict) and isinstance(values.get("data"), list):
        texts = content.splitlines() if isinstance(content, str) else []
        for number, item in enumerate(values["data"], start=1):
            yield _scripts_entry(path, number, item, texts)
    else:
        found = _entry(source, values, folder, ("imagePath", "value"), ())
        same = by_name.get(found.path.name, [])
        if not found.problem and not found.path.is_file() and len(same) == 1:
            found = _Entry(source, same[0], found.text)
        yield found


def _scripts_entry(path: Path, number: int, item: Any, lines: Sequence[str]) -> _Entry:
    """Take one element of the TensorFlow scripts' ``data`` apart."""
    image = item.get("images") if isinstance(item, dict) else None
    label = item.get("annotations") if isinstance(item, dict) else None
    if not isinstance(image, dict) or not isinstance(label, dict):
        return _Entry(f"{printable(path)}, entry {number}", problem='"images" or "annotations" is no object')
    name = image.get("filename")
    line = next((i for i, row in enumerate(lines, start=1) if isinstance(name, str) and name in row), None)
    # A file that is all one line has no line to point at.
    where = f"line {line}" if line and len(lines) > 1 else f"entry {number}"
    return _entry(f"{printable(path)}, {where}", {**image, **label}, path.parent, ("filename", "text"), ())


def _entry(
    source: str, values: Any, folder: Path, keys: tuple[str, str], optional: tuple[str, ...]
) -> _Entry:
    """Take one labelled picture out of a JSON object."""
    fail = partial(_Entry, source)
    if isinstance(values, _Entry):
        return fail(problem=values.problem)
    if not isinstance(values, dict):
        return fail(problem="not a JSON object")
    for key in keys:
        if not isinstance(values.get(key), str) or not values[key].strip():
            return fail(problem=f'"{key}" is missing, empty or not a text')
    name = values[keys[0]].replace("\\", "/")  # some tools write Windows paths
    if "\0" in name:
        return fail(problem=f'"{keys[0]}" is no file name')
    more = {key: str(values[key]) for key in optional if values.get(key) is not None}
    return _Entry(source, folder / name, values[keys[1]], **more)


def _read(path: Path) -> str | _Entry:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return _Entry(printable(path), problem=f"cannot be read: {reason_of(error)}")
    except UnicodeDecodeError:
        return _Entry(printable(path), problem="cannot be read: it is not UTF-8 text")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) and "\n" in text else ""
        return _Entry("", problem=f"not JSON{line}: {getattr(error, 'msg', error)}")
