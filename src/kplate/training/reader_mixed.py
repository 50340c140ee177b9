"""Batches of real plates, with rendered ones mixed in, that go on after a restart where they were."""

import math
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset

from kplate.plates.script import Script
from kplate.training.plates_data_crops import Crops
from kplate.training.reader_data import Batch, RenderedPlates, encode_crop, stack

_STREAM: Final = 77  # tells this stream of random numbers from those of rendered plates


class MixedPlates(IterableDataset[Batch]):
    """Endless batches over shuffled real plates.

    Which plates a batch holds follows from its number alone, whatever the workers and processes are.

    Args:
        crops: Real plates.
        rendered: Where rendered plates come from; none are mixed in without.
        batch: Rows of a batch.
        synthetic: Rendered plates for each real one.
        size: Width and height of the network's input.
        script: Symbols that the texts are encoded by.
        seed: Seed of order and changes.
        first: Number of the first batch.
        stride: Every how manieth batch is wanted: the number of processes that train together.
        guess: Guess where the symbols of one-line plates stand.
    """

    def __init__(
        self,
        crops: Crops,
        rendered: RenderedPlates | None,
        *,
        batch: int,
        synthetic: float,
        size: tuple[int, int],
        script: Script,
        seed: int,
        first: int,
        stride: int = 1,
        guess: bool = False,
    ) -> None:
        self.real = real_share(batch, synthetic)
        self._crops, self._rendered = crops, rendered
        self._drawn = batch - self.real if rendered else 0
        self._size, self._script = size, script
        self._seed, self._first, self._stride = seed, first, stride
        self._guess = guess

    def __iter__(self) -> Iterator[Batch]:
        """Make batches for ever."""
        cv2.setNumThreads(1)
        worker = torch.utils.data.get_worker_info()
        number = self._first + (worker.id if worker else 0) * self._stride
        while True:
            yield self.make(number)
            number += (worker.num_workers if worker else 1) * self._stride

    def make(self, number: int) -> Batch:
        """Make the batch of a number."""
        rng = np.random.default_rng((self._seed, _STREAM, number))
        rows = [
            encode_crop(self._crops.crop(index, rng, guess=self._guess), self._size, self._script)
            for index in self.indices(number)
        ]
        if self._rendered:
            rows += [self._rendered.row(rng) for _ in range(self._drawn)]
        return stack(rows)

    def indices(self, number: int) -> list[int]:
        """Return which plates the batch of a number holds: a stretch of one shuffled epoch after another."""
        count = len(self._crops)
        orders: dict[int, list[int]] = {}
        found = []
        for place in range(number * self.real, (number + 1) * self.real):
            epoch, index = divmod(place, count)
            if epoch not in orders:
                order = np.random.default_rng((self._seed, _STREAM, 0, epoch)).permutation(count)
                orders[epoch] = order.tolist()
            found.append(orders[epoch][index])
        return found


def real_share(batch: int, synthetic: float) -> int:
    """Return how many rows of a batch are real where there are ``synthetic`` rendered ones for each."""
    return max(1, round(batch / (1 + synthetic)))


def steps_per_epoch(count: int, batch: int, synthetic: float, processes: int) -> int:
    """Return after how many steps every real plate was shown once."""
    return max(1, math.ceil(count / (real_share(batch, synthetic) * processes)))
