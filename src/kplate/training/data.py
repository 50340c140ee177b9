"""Labelled pictures for the detector, from JSON Lines folders.

A folder holds `labels.jsonl`, one picture a line, in any of the forms kplate's training folders have:
`plates` and `vehicles` lists (with `score` where a model made the box), or `objects` with class names. What
a folder does not label is recorded as such, so that a visible but unlabelled plate is never taught to be
"nothing".
"""

import json
import os
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.errors import DataError, ImageError
from kplate.files import printable
from kplate.images import read_image
from kplate.training.data_corrected import CORRECTED_PLATES, correct, corrections
from kplate.training.data_formats_readers import LABELS_FILE, numbered_lines, read_labels_text

CAR, PLATE, PERMIT = range(3)
CLASS_NAMES = {
    **dict.fromkeys(("car", "truck", "bus", "ambulance", "van", "taxi", "vehicle"), CAR),
    **dict.fromkeys(("license_plate", "license-plate", "plate"), PLATE),
    "disabled_sticker": PERMIT,
}
IGNORED_CLASSES = {"motorcycle": CAR, "motorbike": CAR}  # neither a car nor surely not one
SURE_VEHICLE = 0.5  # boxes made by a model below this score are ignored rather than taught
STORED_SIDE = 640  # pictures are kept in memory with this longer side at most

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled picture.

    Attributes:
        path: The picture.
        objects: M x 5 float32 (class, x1, y1, x2, y2), px of the stored picture.
        ignored: K x 5 float32, likewise.
        negatives: Weight of "nothing here" per class, 0 = the picture does not label the class.
        width: Width in px.
        height: Height in px.
        condition: What the picture was taken in, such as night; None where nobody said.
    """

    path: Path
    objects: Array
    ignored: Array
    negatives: tuple[float, ...]
    width: int
    height: int
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of pictures: where it lies, how much it counts, and what it labels.

    Attributes:
        folder: Name below the data root.
        share: Relative share of the training pictures.
        negatives: Weight of "nothing here" for car, plate, permit.
        split: Split to train on; None where the folder has none.
        corrected: Name of kplate's own labels of what those there lack, and of what to ignore.
    """

    folder: str
    share: float
    negatives: tuple[float, float, float]
    split: str | None = "train"
    corrected: str | None = None


# Openly licensed folders (CC BY, MIT). Neither all vehicles nor all plates are labelled in the photographs of
# vehicles: a found one costs little.
SOURCES = (
    Source("openimages_plates", 0.50, (1.0, 1.0, 1.0), corrected=CORRECTED_PLATES),
    Source("vehicles_openimages", 0.14, (0.3, 0.3, 1.0), corrected="vehicles_openimages_train"),
    Source("vehicles_roadside", 0.08, (0.3, 0.3, 1.0), corrected="vehicles_roadside_train"),
    Source("ccpd_corners", 0.02, (0.0, 0.5, 1.0), None),
    Source("access_symbol", 0.05, (0.0, 0.0, 1.0)),
)


def _rows(entries: list[tuple[int, list[float]]]) -> Array:
    if not entries:
        return np.zeros((0, 5), np.float32)
    return np.asarray([[label, *box] for label, box in entries], np.float32)


def _labels(row: dict[str, Any]) -> tuple[Array, Array]:
    objects: list[tuple[int, list[float]]] = []
    ignored: list[tuple[int, list[float]]] = []
    objects += [(PLATE, plate["box"]) for plate in row.get("plates", [])]
    for vehicle in row.get("vehicles", []):
        sure = vehicle.get("score") is None or vehicle["score"] >= SURE_VEHICLE
        (objects if sure else ignored).append((CAR, vehicle["box"]))
    objects += [(PERMIT, permit["box"]) for permit in row.get("permits", [])]
    for thing in row.get("objects", []):
        name = str(thing["class"]).lower()
        if name in CLASS_NAMES:
            objects.append((CLASS_NAMES[name], thing["box"]))
        elif name in IGNORED_CLASSES:
            ignored.append((IGNORED_CLASSES[name], thing["box"]))
    ignored += [(CLASS_NAMES[str(thing["class"]).lower()], thing["box"]) for thing in row.get("ignored", [])]
    return _rows(objects), _rows(ignored)


def load_source(root: Path, source: Source) -> list[Record]:
    """Reads the labels of a folder of :data:`SOURCES`, put right where kplate has corrections.

    Raises:
        DataError: As :func:`load_folder`.
    """
    return load_folder(root / source.folder, source.negatives, source.split, source.corrected)


def load_folder(
    folder: Path,
    negatives: tuple[float, float, float] = (1.0, 1.0, 1.0),
    split: str | None = None,
    corrected: str | None = None,
) -> list[Record]:
    """Reads the labels of a folder; pictures are not opened yet.

    Args:
        folder: Holds `labels.jsonl`.
        negatives: See :class:`Record`; a line's own `negatives` wins.
        split: Keep only lines with this `split`; None keeps all.
        corrected: Name of kplate's own labels that put them right.

    Raises:
        DataError: The file is missing, or a line is no label; the message names file and line.
    """
    path = folder / LABELS_FILE
    name = printable(path)
    records = []
    ours = corrections(corrected) if corrected else {}
    for number, line in numbered_lines(read_labels_text(path)):
        try:
            row = json.loads(line)
            if split is not None and row.get("split") != split:
                continue
            objects, unsure = _labels(correct(row, ours))
            own = tuple(row["negatives"]) if "negatives" in row else negatives
            size = int(row["width"]), int(row["height"])
            records.append(
                Record(folder / row["file"], objects, unsure, own, *size, condition=row.get("condition"))
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise DataError(f"{name}, line {number}: not a label ({type(error).__name__}: {error})") from None
    return records


def shrink(image: NDArray[np.uint8], side: int = STORED_SIDE) -> NDArray[np.uint8]:
    """The picture with its longer side at most `side` px."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass
class Memory:
    """How many bytes of pictures pools that share this keep at most: half of what is free."""

    left: int = field(default_factory=lambda: _free_memory() // 2)


def _free_memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # other systems do not say
        return 4 << 30


def note_unreadable(error: ImageError) -> None:
    """Tells about a picture that is left out.

    The note goes past the bar of a terminal, not through it: the process that meets the picture may be a
    copy of the one that draws the bar, without the thread that does.
    """
    print(f"kplate: {error}; it is left out", file=sys.__stderr__, flush=True)


@dataclass
class Pool:
    """Pictures of one source, decoded once where memory lasts, and kept at a reduced size."""

    records: list[Record]
    share: float
    side: int = STORED_SIDE
    memory: Memory = field(default_factory=Memory)
    _pictures: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    _unreadable: set[int] = field(default_factory=set)

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Record, float]:
        """A picture at random, as :meth:`get` gives it; one that cannot be read is told once and left out.

        Raises:
            DataError: None of the pictures can be read.
        """
        while len(self._unreadable) < len(self.records):
            index = int(rng.integers(len(self.records)))
            if index in self._unreadable:
                continue
            try:
                return self.get(index)
            except ImageError as error:
                self._unreadable.add(index)
                note_unreadable(error)
        first, others = printable(self.records[0].path), len(self.records) - 1
        more = f" (nor can the {others} beside it)" if others else ""
        raise DataError(f"{first}: cannot be read{more}, so there is no picture to learn from")

    def get(self, index: int) -> tuple[NDArray[np.uint8], Record, float]:
        """Picture, label and the factor from the label's px to the picture's.

        Raises:
            ImageError: The picture cannot be read.
        """
        record = self.records[index]
        picture = self._pictures.get(index)
        if picture is None:
            picture = shrink(read_image(record.path), self.side)
            if self.memory.left >= picture.nbytes:
                self.memory.left -= picture.nbytes
                self._pictures[index] = picture
        return picture, record, picture.shape[1] / record.width


def open_pools(
    root: Path, extra: Iterable[tuple[Path, float]] = (), without: Collection[str] = ()
) -> list[Pool]:
    """The pools of training pictures.

    Args:
        root: Holds the folders of :data:`SOURCES`, or some of them, or is such a folder itself.
        extra: Further folders, and their shares.
        without: Names of folders below `root` to leave out.

    Raises:
        DataError: No folder is there at all.
    """
    memory = Memory()
    pools = [
        Pool(
            load_source(root, source),
            source.share,
            memory=memory,
        )
        for source in SOURCES
        if source.folder not in without and (root / source.folder / "labels.jsonl").exists()
    ]
    if (root / "labels.jsonl").exists():
        pools.append(Pool(load_folder(root), 1.0, memory=memory))
    pools += [Pool(load_folder(folder), share, memory=memory) for folder, share in extra]
    if not pools:
        names = ", ".join(source.folder for source in SOURCES)
        raise DataError(f"{root}: holds neither labels.jsonl nor any of the folders {names}")
    return pools
