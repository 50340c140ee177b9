"""Labelled pictures: JSON Lines beside the pictures, or pictures named by their text."""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kplate.errors import DataError
from kplate.plates.script import KOREAN, Script

LABELS_FILE: Final = "labels.jsonl"
#: What a picture named by its text may end in.
PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
#: How many mistakes of a labels file one message lists before it only counts them.
_LISTED_MISTAKES: Final = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture.

    Attributes:
        path: Where the picture lies.
        name: The picture's name in reports: its path in the labels file.
        texts: Canonical texts of the labelled plates.
        also: Texts of further plates that can truly be read in the picture; reading them is no error.
        electric: Whether the labelled car is electric by its plate; ``None`` where nobody said.
        kind: The labelled plate's kind; ``None`` where nobody said.
        condition: What the picture was taken in, such as ``night``; ``None`` where nobody said.
    """

    path: Path
    name: str
    texts: tuple[str, ...]
    also: tuple[str, ...] = ()
    electric: bool | None = None
    kind: str | None = None
    condition: str | None = None


def load_samples(
    folder: str | os.PathLike[str],
    also: Mapping[str, tuple[str, ...]] | None = None,
    script: Script = KOREAN,
) -> list[Sample]:
    """Load a folder of labelled pictures.

    With ``labels.jsonl`` in the folder each of its lines is an object with ``file`` and either ``text``
    or ``texts``, optionally ``also`` (a list of texts), ``electric``, ``kind`` and ``condition``. Without it,
    every picture of the folder whose name begins with a plate's text (``12가3456_1.jpg``) is a sample.

    Args:
        folder: The folder.
        also: Further plates by picture name, from :func:`load_also`.
        script: What texts may be; pictures whose name begins otherwise are no samples.

    Raises:
        DataError: The folder or its labels cannot be used; the message names file and line.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder")
    labels = root / LABELS_FILE
    samples = list(_from_labels(labels, script) if labels.is_file() else _from_names(root, script))
    if not samples:
        raise DataError(
            f"{root}: no labelled pictures: it needs a {LABELS_FILE}, "
            "or pictures named by their text such as 12가3456_1.jpg"
        )
    further = also or {}
    unknown = sorted(set(further) - {sample.name for sample in samples})
    if unknown:
        raise DataError(
            f"the list of further plates names a picture that {root} does not label: {unknown[0]}"
        )
    return [
        dataclasses.replace(sample, also=(*sample.also, *further.get(sample.name, ()))) for sample in samples
    ]


def load_also(path: str | os.PathLike[str], script: Script = KOREAN) -> dict[str, tuple[str, ...]]:
    """Load further true plates of pictures: JSON Lines of ``{"file": …, "texts": […]}``.

    Raises:
        DataError: The file cannot be read, or a line is wrong.
    """
    further: dict[str, tuple[str, ...]] = {}
    for line, entry in _lines(Path(path)):
        name, texts = _file_of(entry, path, line), _texts_of(entry, path, line, "texts", script)
        further[name] = (*further.get(name, ()), *texts)
    return further


def _from_labels(labels: Path, script: Script) -> Iterator[Sample]:
    seen: dict[str, int] = {}
    missing: list[str] = []
    for line, entry in _lines(labels):
        name = _file_of(entry, labels, line)
        if name in seen:
            raise DataError(f"{labels}, line {line}: {name} was labelled before, on line {seen[name]}")
        seen[name] = line
        path = labels.parent / name
        if not path.is_file():
            missing.append(f"line {line}: {name}")
        electric, kind, condition = (entry.get(key) for key in ("electric", "kind", "condition"))
        if electric is not None and not isinstance(electric, bool):
            raise DataError(f'{labels}, line {line}: "electric" is neither true, false nor null')
        yield Sample(
            path=path,
            name=name,
            texts=_texts_of(entry, labels, line, "text" if "text" in entry else "texts", script),
            also=_texts_of(entry, labels, line, "also", script) if "also" in entry else (),
            electric=electric,
            kind=str(kind) if kind is not None else None,
            condition=str(condition) if condition is not None else None,
        )
    if missing:
        listed = ", ".join(missing[:_LISTED_MISTAKES])
        more = f" and {len(missing) - _LISTED_MISTAKES} more" if len(missing) > _LISTED_MISTAKES else ""
        raise DataError(f"{labels}: pictures that are not there: {listed}{more}")


def _from_names(root: Path, script: Script) -> Iterator[Sample]:
    for path in sorted(root.iterdir()):
        if path.suffix.lower() not in PICTURE_SUFFIXES:
            continue
        # What follows the first underscore tells pictures of one plate apart.
        text = script.clean(path.stem.split("_", maxsplit=1)[0])
        if script.problem(text) is None:
            yield Sample(path=path, name=path.name, texts=(text,))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text: {error}") from error
    for line, row in enumerate(content.splitlines(), start=1):
        if not row.strip():
            continue
        try:
            entry = json.loads(row)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise DataError(f"{path}, line {line}: not a JSON object")
        yield line, entry


def _file_of(entry: Mapping[str, Any], path: str | os.PathLike[str], line: int) -> str:
    name = entry.get("file")
    if not isinstance(name, str) or not name:
        raise DataError(f'{path}, line {line}: "file" is missing or not a text')
    return name


def _texts_of(
    entry: Mapping[str, Any], path: str | os.PathLike[str], line: int, key: str, script: Script
) -> tuple[str, ...]:
    value = entry.get(key)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(text, str) and text.strip() for text in values):
        raise DataError(f'{path}, line {line}: "{key}" is missing, empty or not text')
    return tuple(script.clean(text) for text in values)
