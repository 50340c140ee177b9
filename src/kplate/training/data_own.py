"""What a detector learns from: a user's labelled boxes in any format, or kplate's own training folders."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kplate.classes import CLASSES
from kplate.darknet.cfg import read_text
from kplate.darknet.network import read_network
from kplate.errors import DataError
from kplate.files import excerpt, printable
from kplate.training.data import SOURCES, Memory, Pool, Record, open_pools
from kplate.training.data_formats import BoxData, listed, load_boxes
from kplate.training.data_formats_readers import (
    LABELS_FILE,
    numbered_lines,
    open_labels,
    read_labels_text,
    split_of,
)
from kplate.training.detector_cfg import NAMED, find_cfg
from kplate.training.detector_settings import Settings

_TRAIN: Final = "train"
_VALID: Final = "valid"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a run learns from and is judged by.

    Attributes:
        pools: Pictures to learn from.
        classes: Names of the classes.
        validation: Pictures to be judged by; may be none.
    """

    pools: list[Pool]
    classes: tuple[str, ...]
    validation: list[Record]

    @property
    def records(self) -> list[Record]:
        """All pictures to learn from."""
        return [record for pool in self.pools for record in pool.records]


def parse_extra(texts: Sequence[str]) -> list[tuple[Path, float]]:
    """Folders and their shares from ``FOLDER=SHARE``; the share is 0.1 where it is not said.

    Raises:
        DataError: A share is no number above 0.
    """
    found = []
    for text in texts:
        name, _, share = text.partition("=")
        try:
            value = float(share or 0.1)
        except ValueError:
            value = 0.0
        if not 0 < value < math.inf:
            raise DataError(f"--extra {excerpt(text)}: the share must be a number above 0")
        found.append((Path(name), value))
    return found


def open_data(settings: Settings, *, say: bool = True) -> TrainingData:
    """Loads and checks the data that settings name.

    Args:
        settings: Which data, and what to do with wrong labels.
        say: Print what is left out.

    Raises:
        DataError: Something is wrong with them; the message lists it with file and line.
    """
    classes = read_names(settings.names) if settings.names else None
    if any(is_root(path) for path in settings.data):
        if classes not in (None, CLASSES) or len(settings.data) > 1:
            raise DataError("kplate's own training folders have kplate's classes, and are --data alone")
        pools = open_pools(settings.data[0], parse_extra(settings.extra), settings.without)
        held = [load_boxes(path, CLASSES) for path in settings.validation]
        _report(settings, [problem for data in held for problem in data.problems], say)
        return TrainingData(pools, CLASSES, [record for data in held for record in data.records])
    if classes is None:
        classes = _classes_of_cfg(settings)
    memory, parts = Memory(), [(path, parts_of(path)) for path in settings.data]
    learned: list[BoxData] = []
    for path, found in parts:
        learned.append(load_boxes(path, classes, split=_TRAIN if found else None))
        classes = learned[0].classes
    held = [load_boxes(path, classes) for path in settings.validation]
    if not settings.validation:
        held = [load_boxes(path, classes, split=_VALID) for path, found in parts if _VALID in found]
    _report(settings, [problem for data in (*learned, *held) for problem in data.problems], say)
    validation = [record for data in held for record in data.records]
    _keep_apart([record for data in learned for record in data.records], validation)
    pools = [Pool(data.records, float(len(data.records)), memory=memory) for data in learned if data.records]
    result = TrainingData(pools, classes or CLASSES, validation)
    if not any(len(record.objects) for record in result.records):
        raise DataError(f"{printable(settings.data[0])}: there is no box to learn from")
    return result


def _classes_of_cfg(settings: Settings) -> tuple[str, ...] | None:
    """The classes that the data declare, where a user's `.cfg` is made for as many; None elsewhere.

    They are then taken as they are, and not for kplate's own three, some of which the network has no place
    for.
    """
    if settings.cfg in map(find_cfg, NAMED):
        return None
    declared = open_labels(settings.data[0], None, None).names
    return declared if declared and len(declared) == read_network(settings.cfg).heads[0].classes else None


def read_names(path: Path) -> tuple[str, ...]:
    """The classes of a `.names` file.

    Raises:
        CfgError: It cannot be read.
        DataError: It names none, or one twice.
    """
    names = tuple(line for _, line in numbered_lines(read_text(path, ".names")))
    if not names:
        raise DataError(f"{printable(path)}: names no class")
    twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if twice is not None:
        raise DataError(f"{printable(path)}: names the class {twice!r} twice")
    return names


def is_root(path: Path) -> bool:
    """Whether a folder holds kplate's own training folders."""
    if not path.is_dir() or (path / LABELS_FILE).is_file():
        return False
    return any((path / source.folder / LABELS_FILE).is_file() for source in SOURCES)


def parts_of(path: Path) -> frozenset[str]:
    """Which of the parts `train` and `valid` data have; none where they are not split.

    Raises:
        DataError: The file cannot be read.
    """
    if path.is_dir():
        files = [path / LABELS_FILE] if (path / LABELS_FILE).is_file() else sorted(path.glob("*.data"))
        return parts_of(files[0]) if len(files) == 1 else frozenset()
    if not path.is_file() or path.suffix not in (".jsonl", ".data"):
        return frozenset()
    lines = [line for _, line in numbered_lines(read_labels_text(path))]
    if path.suffix == ".data":
        keys = {line.partition("=")[0].strip() for line in lines}
        return frozenset({_VALID, _TRAIN} if keys & {"valid", "val"} else {_TRAIN})
    splits = set()
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue  # it will be listed when the labels are loaded
        splits.add(split_of(row) if isinstance(row, dict) else _TRAIN)
    return frozenset(splits & {_TRAIN, _VALID}) if len(splits) > 1 else frozenset()


def _report(settings: Settings, problems: Sequence[str], say: bool) -> None:
    """Refuses data with wrong labels, or says what is left out of them."""
    if not problems:
        return
    count = f"{len(problems)} label{'s' if len(problems) > 1 else ''} cannot be used"
    if not settings.skip_bad:
        raise DataError(f"{count} (--skip-bad leaves their pictures out):\n{listed(problems)}")
    if say:
        print(f"{count}; their pictures were left out:\n{listed(problems)}", flush=True)


def _keep_apart(learned: Sequence[Record], held: Sequence[Record]) -> None:
    trained = {record.path.resolve() for record in learned}
    both = [printable(record.path) for record in held if record.path.resolve() in trained]
    if both:
        raise DataError(f"{len(both)} pictures are both learned from and validated with, first {both[0]}")
