"""Rendered plates as training batches for the reader."""

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from kplate.images import Image, find_images, read_image
from kplate.nets.lprnet import STEPS
from kplate.plates.kinds import Kind
from kplate.plates.script import KOREAN, Script
from kplate.reader_views import fit_to_input
from kplate.synth.crops import PlateCrop, sample_crop, sample_negative

KINDS: Final = tuple(Kind)
#: Longest text: one symbol a step. (The longest Korean one is 영경기14노8695.)
MAX_TEXT: Final = STEPS
_NO_KIND: Final = -100  # what PyTorch's cross entropy ignores
_NEGATIVE_SHARE: Final = 0.04


@dataclass(frozen=True, slots=True)
class Batch:
    """Training targets for N crops.

    Attributes:
        image: uint8 (N, 3, H, W) RGB.
        steps: int64 (N, 18), the symbol or blank that each step should say.
        text: int64 (N, 18), padded with blanks.
        length: int64 (N,).
        slots: int64 (N, 18), the step of each symbol.
        corners: float32 (N, 8), as shares of the crop; NaN where nobody knows them.
        boxes: float32 (N, 18, 4), cells as shares of the plate; empty where nobody knows them.
        kind: int64 (N,), -100 where there is no plate, or of an unknown kind.
    """

    image: Tensor
    steps: Tensor
    text: Tensor
    length: Tensor
    slots: Tensor
    corners: Tensor
    boxes: Tensor
    kind: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(
            **{item.name: getattr(self, item.name).to(device, non_blocking=True) for item in fields(self)}
        )

    @property
    def placed(self) -> Tensor:
        """Bool (N,): rows that show a plate whose corners are known."""
        return (self.kind >= 0) & ~self.corners.isnan().any(1)


def stack(rows: Sequence[dict[str, NDArray[np.generic]]]) -> Batch:
    """Join the rows of :func:`encode_crop` to a batch."""
    return Batch(**{key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]})


def slots_of(text: str) -> list[int]:
    """Return the step at which each symbol is said: every other one, closer where the text is long.

    Equal neighbours always keep a step for the blank between them.
    """
    if 2 * len(text) <= STEPS:
        return list(range(0, 2 * len(text), 2))
    slots = [0]
    for before, symbol in pairwise(text):
        slots.append(slots[-1] + (2 if symbol == before else 1))
    return slots


def encode_crop(
    crop: PlateCrop, size: tuple[int, int], script: Script = KOREAN
) -> dict[str, NDArray[np.generic]]:
    """Turn a crop into one row of a batch."""
    height, width = crop.image.shape[:2]
    slots = slots_of(crop.text)
    symbols = script.encode(crop.text)
    row: dict[str, NDArray[np.generic]] = {
        "image": fit_to_input(crop.image, size),
        "steps": np.full(STEPS, script.blank, np.int64),
        "text": np.full(MAX_TEXT, script.blank, np.int64),
        "length": np.array(len(symbols), np.int64),
        "slots": np.zeros(MAX_TEXT, np.int64),
        "corners": (crop.corners / (width, height)).astype(np.float32).reshape(8),
        "boxes": np.zeros((MAX_TEXT, 4), np.float32),
        "kind": np.array(_NO_KIND if crop.kind is None else KINDS.index(crop.kind), np.int64),
    }
    row["steps"][slots] = symbols
    row["text"][: len(symbols)] = symbols
    row["slots"][: len(symbols)] = slots
    row["boxes"][: len(symbols)] = crop.char_boxes
    return row


class RenderedPlates(IterableDataset[Batch]):
    """Endless batches of rendered plate crops.

    Args:
        batch: Crops in a batch.
        size: Width and height of the network's input.
        seed: Seed; every worker draws its own stream from it.
        backgrounds: Small pictures to cut surroundings from.
        difficulty: Shared value in 0..1 that the loop raises as training goes on.
        script: Symbols that the texts are encoded by; all of Korea's must be among them.
    """

    def __init__(
        self,
        batch: int,
        size: tuple[int, int],
        seed: int,
        backgrounds: list[Image],
        difficulty: "Synchronized[float] | None" = None,
        script: Script = KOREAN,
    ) -> None:
        self._batch = batch
        self._size = size
        self.seed = seed
        self._backgrounds = backgrounds
        self._difficulty = difficulty
        self._script = script

    def __iter__(self) -> Iterator[Batch]:
        """Draw batches for ever."""
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            yield stack([self.row(rng) for _ in range(self._batch)])

    def row(self, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
        """Draw one row of a batch."""
        level = self._difficulty.value if self._difficulty is not None else 1.0
        return encode_crop(self._sample(rng, level), self._size, self._script)

    def _sample(self, rng: np.random.Generator, level: float) -> PlateCrop:
        if rng.random() < _NEGATIVE_SHARE:
            return sample_negative(rng, self._backgrounds)
        own = 1.0 if rng.random() < level else level
        return sample_crop(rng, backgrounds=self._backgrounds, difficulty=own)


def load_backgrounds(folder: Path | None, limit: int = 1200, side: int = 256) -> list[Image]:
    """Read pictures to cut surroundings from, shrunk to ``side`` px; none without a folder."""
    if folder is None:
        return []
    paths = [path for path in find_images([folder]) if isinstance(path, Path)][:limit]
    pictures = []
    for path in paths:
        picture = read_image(path)
        scale = side / max(picture.shape[:2])
        if scale < 1:
            smaller = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            picture = smaller.astype(np.uint8)
        if min(picture.shape[:2]) >= 16:
            pictures.append(picture)
    return pictures


def replay(batches: Iterable[Batch], depth: int, seed: int) -> Iterator[Batch]:
    """Yield each new batch, and after it an earlier one in other light: drawing costs as much as learning.

    Args:
        batches: New batches.
        depth: Batches to keep; 0 yields the new ones alone.
        seed: Seed of the choice.
    """
    rng = np.random.default_rng(seed)
    kept: list[Batch] = []
    for batch in batches:
        yield batch
        if depth == 0:
            continue
        if len(kept) > 8:
            old = kept[int(rng.integers(len(kept)))]
            gain = np.exp(rng.normal(0, 0.2, (len(old.image), 1, 1, 1))).astype(np.float32)
            lift = rng.normal(0, 12, gain.shape).astype(np.float32)
            light = (old.image * torch.from_numpy(gain) + torch.from_numpy(lift)).clamp(0, 255)
            yield replace(old, image=light.to(torch.uint8))
        if len(kept) < depth:
            kept.append(batch)
        else:
            kept[int(rng.integers(depth))] = batch


def loader(dataset: IterableDataset[Batch], workers: int) -> "DataLoader[Batch]":
    """Make batches in ``workers`` processes beside the training."""
    context = multiprocessing.get_context("fork") if workers else None
    return DataLoader(
        dataset, batch_size=None, num_workers=workers, multiprocessing_context=context,
        prefetch_factor=4 if workers else None,
    )  # fmt: skip
