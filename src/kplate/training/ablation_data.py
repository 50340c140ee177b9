"""A pool of rendered plates on disk, drawn once and shared by all rows of the ablation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from kplate.errors import DataError
from kplate.images import Image
from kplate.synth.crops import PlateCrop, sample_crop
from kplate.training.reader_data import Batch, encode_crop

#: Width and height that crops are kept at, in px: the largest input of any row.
SIZE: Final = (192, 96)
_IMAGES: Final = "images.npy"
_LABELS: Final = "labels.npz"
_STREAM: Final = 411  # tells the pool's random numbers from those of other plates


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the plates of a pool are drawn.

    Attributes:
        name: Of the pool.
        effects: Light, lens, sensor and compression.
        surroundings: What is around the plate; else one plain tone.
    """

    name: str
    effects: bool = True
    surroundings: bool = True


class Pool:
    """Rendered plates with all that is known about them."""

    def __init__(self, folder: Path) -> None:
        """Open a pool.

        Raises:
            DataError: There is none in the folder.
        """
        try:
            self._images: NDArray[np.uint8] = np.load(folder / _IMAGES, mmap_mode="r")
            with np.load(folder / _LABELS) as labels:
                self._labels = {key: labels[key] for key in labels.files}
        except (OSError, ValueError) as error:
            raise DataError(f"{folder}: cannot read the pool of plates: {error}") from error

    def __len__(self) -> int:
        return len(self._images)

    def batches(self, batch: int, steps: int, size: tuple[int, int], seed: int) -> Iterator[Batch]:
        """Yield ``steps`` batches of shuffled plates, each plate once before any comes again."""
        rng = np.random.default_rng((_STREAM, seed))
        order: list[int] = []
        for _ in range(steps):
            while len(order) < batch:
                order += rng.permutation(len(self)).tolist()
            chosen, order = np.sort(order[:batch]), order[batch:]
            rows = {key: torch.from_numpy(values[chosen]) for key, values in self._labels.items()}
            yield Batch(image=shrink(torch.from_numpy(self._images[chosen]), size), **rows)


def shrink(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize uint8 (N, 3, H, W) to a width and height."""
    if (images.shape[3], images.shape[2]) == size:
        return images
    shape = (size[1], size[0])
    resized = F.interpolate(images.float(), size=shape, mode="bilinear", antialias=True, align_corners=False)
    return resized.round().clamp(0, 255).to(torch.uint8)


def open_pool(folder: Path, recipe: Recipe, count: int, backgrounds: Sequence[Image]) -> Pool:
    """Open a pool, drawing it first where it is not there."""
    place = folder / f"{recipe.name}-{count}"
    if not (place / _LABELS).is_file():
        place.mkdir(parents=True, exist_ok=True)
        _render(place, recipe, count, backgrounds)
    return Pool(place)


def _render(place: Path, recipe: Recipe, count: int, backgrounds: Sequence[Image]) -> None:
    """Draw a pool; its labels are written last, so that one that is half drawn is drawn again."""
    shape = (count, 3, SIZE[1], SIZE[0])
    images = np.lib.format.open_memmap(place / _IMAGES, mode="w+", dtype=np.uint8, shape=shape)
    labels: dict[str, NDArray[np.generic]] = {}
    for index in range(count):
        row = encode_crop(_crop(recipe, index, backgrounds), SIZE)
        images[index] = row.pop("image")
        for key, value in row.items():
            if key not in labels:
                labels[key] = np.zeros((count, *value.shape), value.dtype)
            labels[key][index] = value
    images.flush()
    assert set(labels) | {"image"} == {item.name for item in fields(Batch)}
    part = place / f"{_LABELS}.part"
    with part.open("wb") as file:
        np.savez(file, **labels)  # type: ignore[arg-type]
    part.replace(place / _LABELS)


def _crop(recipe: Recipe, index: int, backgrounds: Sequence[Image]) -> PlateCrop:
    rng = np.random.default_rng((_STREAM, index))
    around = backgrounds if recipe.surroundings else None
    return sample_crop(rng, backgrounds=around, effects_on=recipe.effects)
