"""What the refiner learns from: what a detector finds in labelled pictures, cut out, beside the truth."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.boxes import iou_matrix, share_matrix
from kplate.classes import CLASSES, DISABLED_STICKER, LICENSE_PLATE
from kplate.detector import Detection, Detector
from kplate.errors import DataError
from kplate.images import Image, read_image
from kplate.refiner import PADDING, SIZE, WINDOW
from kplate.training.data import Pool, Record
from kplate.training.data_augment import between_middles

Array = NDArray[np.float32]

#: The classes that it knows. Vehicles it set worse than the detector, which sees all of them at 416 px.
REFINED: Final = (LICENSE_PLATE, DISABLED_STICKER)
#: Patches are kept with more around the box than the network sees, so that boxes can be shaken.
PATCH_WINDOW: Final = 3.0
_PATCHES: Final = "patches.bin"
_ROWS: Final = "rows.npy"
#: Width and height of a patch, px.
PATCH: Final = (192, 96)
#: Px of the longer side that pictures are looked at with.
_SIZES: Final = (352, 416, 416, 512, 640, 640, 704)
#: Lowest score of what is looked at, how many boxes a picture gives at most, and how many of them on nothing.
LEAST_SCORE: Final = 0.03
_MOST: Final = {LICENSE_PLATE: 30, DISABLED_STICKER: 20}
_NEEDLESS: Final = {LICENSE_PLATE: 8, DISABLED_STICKER: 3}
#: Overlap (IoU) from which a box has found the labelled one, and up to which it has found nothing.
FOUND: Final = 0.35
_NOTHING: Final = 0.2
#: A box of which this share lies in an ignored one counts neither way.
_IGNORED: Final = 0.5
#: Where a box's edges lie from its middle, in its sides.
_EDGES: Final = np.array((-0.5, -0.5, 0.5, 0.5))
#: How often a box is shaken.
_SHAKEN: Final = 0.75
#: Sides of what a picture is scaled down to, per px of the patch, before its last scaling.
_COARSER: Final = 2.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes that a detector found.

    Attributes:
        patches: uint8 M x 96 x 192 x 3 BGR, three times as wide and high as the box.
        rows: float32 M x 8: class (index of :data:`REFINED`), score, where the labelled box's edges lie
            relative to the found one's in sides of it (left, top, right, bottom), overlap with it, and how
            much the candidate counts.
    """

    patches: NDArray[np.uint8]
    rows: Array

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which lie on a labelled box."""
        return np.asarray(self.rows[:, 6] >= FOUND)


def collect(
    pools: Sequence[Pool],
    detector: Detector,
    out: Path,
    count: int,
    seed: int,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Let a detector look at labelled pictures, and write what it finds.

    Args:
        pools: The pictures; each is drawn as often as its share says.
        detector: Reports boxes from :data:`LEAST_SCORE` on; it is given a size for each picture.
        out: Folder for ``patches.bin`` and ``rows.npy``.
        count: Pictures to look at; one may be looked at several times, in other sizes.
        seed: Of the choice.
        advance: Is told how many pictures were looked at.

    Raises:
        DataError: Nothing was found.
        ImageError: A picture cannot be read.
    """
    rng = random.Random(seed)
    rows: list[list[float]] = []
    out.mkdir(parents=True, exist_ok=True)
    with (out / _PATCHES).open("wb") as patches:
        for number in range(count):
            pool = rng.choices(pools, [pool.share for pool in pools])[0]
            record = rng.choice(pool.records)
            image = read_image(record.path)
            found = detector(image, size=rng.choice(_SIZES))
            mixed = rng.sample(found, len(found))
            for detection, row in _judged(record, mixed, image.shape[1] / record.width):
                patches.write(patch_of(image, detection.box).tobytes())
                rows.append(row)
            advance(number + 1)
    if not rows:
        raise DataError("nothing was found in the pictures: there is nothing to learn from")
    np.save(out / _ROWS, np.asarray(rows, np.float32))


def load_candidates(folder: Path) -> Candidates:
    """Open what :func:`collect` wrote; patches stay on disk until they are used.

    Raises:
        DataError: It is not there, or is damaged.
    """
    try:
        patches = np.memmap(folder / _PATCHES, np.uint8, "r").reshape(-1, PATCH[1], PATCH[0], 3)
        rows = np.load(folder / _ROWS)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot load the candidates in {folder}: {error}") from None
    if len(patches) != len(rows):
        raise DataError(f"cannot load the candidates in {folder}: {len(rows)} rows, {len(patches)} patches")
    return Candidates(patches, rows)


def _judged(record: Record, found: Sequence[Detection], scale: float) -> list[tuple[Detection, list[float]]]:
    """Say of each box what it lies on; those of which that is not known are left out."""
    judged = []
    left, needless = dict(_MOST), dict(_NEEDLESS)
    for detection in found:
        if not left.get(detection.label):
            continue
        label = CLASSES.index(detection.label)
        box = np.asarray([detection.box], np.float32)
        truths, ignored = (
            rows[rows[:, 0] == label, 1:] * np.float32(scale) for rows in (record.objects, record.ignored)
        )
        overlaps = iou_matrix(box, truths)[0] if len(truths) else np.zeros(1, np.float32)
        best = int(overlaps.argmax())
        overlap, weight = float(overlaps[best]), 1.0
        if _NOTHING <= overlap < FOUND:
            continue
        if overlap < _NOTHING:
            weight = record.negatives[label]
            inside = len(ignored) and float(share_matrix(box, ignored).max()) >= _IGNORED
            if weight == 0 or inside or not needless[detection.label]:
                continue
            needless[detection.label] -= 1
        sides = np.tile(box[0, 2:] - box[0, :2], 2)
        shifts = (truths[best] - box[0]) / sides if overlap >= FOUND else np.zeros(4)
        row = [REFINED.index(detection.label), detection.score, *shifts.tolist(), overlap, weight]
        judged.append((detection, row))
        left[detection.label] -= 1
    return judged


def patch_of(image: Image, box: Sequence[float]) -> NDArray[np.uint8]:
    """Cut a box out with its surroundings, without aliasing.

    Returns:
        uint8 96 x 192 x 3 BGR; the box is its middle third each way.
    """
    x1, y1, x2, y2 = box
    width, height = (x2 - x1) * PATCH_WINDOW, (y2 - y1) * PATCH_WINDOW
    # Finer than wanted where the picture has more px, and then averaged.
    across, down = (
        min(8, max(1, int(np.ceil(side / px / _COARSER))))
        for side, px in zip((width, height), PATCH, strict=True)
    )
    size = PATCH[0] * across, PATCH[1] * down
    matrix = np.array(
        (
            (width / size[0], 0, (x1 + x2 - width) / 2),
            (0, height / size[1], (y1 + y2 - height) / 2),
            (0, 0, 1),
        )
    )
    fine = cut(image, matrix, size, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.resize(fine, PATCH, interpolation=cv2.INTER_AREA), np.uint8)


def cut(image: Image, matrix: NDArray[np.float64], size: tuple[int, int], border: int) -> NDArray[np.uint8]:
    """Warp a picture.

    Args:
        image: uint8 H x W x 3.
        matrix: 3 x 3, from the result's px to the picture's, counted from the edge of the first px.
        size: Width and height of the result.
        border: What lies beyond the picture, as OpenCV numbers it.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(
        image, between_middles(matrix)[:2], size, flags=flags, borderMode=border, borderValue=PADDING
    )
    return np.asarray(warped, np.uint8)


def shaken(
    patch: NDArray[np.uint8], shifts: Array, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Array]:
    """Cut a window out of a patch around another box than the detector's, perhaps mirrored.

    Args:
        patch: A candidate's.
        shifts: Where the labelled box's edges lie relative to the found one's, in sides of it.
        rng: Chooses.

    Returns:
        uint8 64 x 128 x 3 BGR, and the shifts from the other box.
    """
    scale, offset = np.ones(2), np.zeros(2)
    if rng.random() < _SHAKEN:
        scale = np.exp(np.clip(rng.normal(0, 0.13, 2), -0.25, 0.25))
        offset = np.clip(rng.normal(0, 0.09, 2), -0.2, 0.2)
    patch_size, size = np.array(PATCH), np.array(SIZE)
    unit = patch_size / PATCH_WINDOW  # px of the patch along a side of the found box
    centre = patch_size / 2 + offset * unit
    step = WINDOW * scale * unit / size
    low = centre - step * size / 2
    mirrored = rng.random() < 0.5
    matrix = np.array(((step[0], 0, low[0]), (0, step[1], low[1]), (0, 0, 1)))
    if mirrored:
        matrix = matrix @ np.array(((-1.0, 0, SIZE[0]), (0, 1, 0), (0, 0, 1)))
    window = cut(patch, matrix, SIZE, cv2.BORDER_REPLICATE)
    edges = (shifts + _EDGES - np.tile(offset, 2)) / np.tile(scale, 2)
    moved = edges - _EDGES
    if mirrored:
        moved = np.array((-moved[2], moved[1], -moved[0], moved[3]))
    return window, moved.astype(np.float32)
