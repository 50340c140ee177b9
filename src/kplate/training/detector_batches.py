"""What a detector learns from, step by step: batches, and how they become tensors."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from kplate.errors import KplateError
from kplate.nets.losses import Targets
from kplate.training.data_augment import Batch, Sampler
from kplate.training.data_own import TrainingData
from kplate.training.detector_settings import Settings
from kplate.training.reader_parallel import ALONE


class Batches(IterableDataset[Batch | KplateError]):
    """An endless row of batches, each of another size; what went wrong is its last item.

    Args:
        data: What is learned from.
        settings: Batch, seed.
        sizes: Heights and widths to choose from; the first is that of `batch` pictures.
        seed: Further numbers that set this row apart from others: the step, the process.
        ranks: Number of processes that train together on this machine, and share its memory.
    """

    def __init__(
        self,
        data: TrainingData,
        settings: Settings,
        sizes: tuple[tuple[int, int], ...],
        seed: tuple[int, ...],
        ranks: int = 1,
    ) -> None:
        self._data, self._settings, self._sizes, self._seed = data, settings, sizes, seed
        self._ranks = ranks

    def __iter__(self) -> Iterator[Batch | KplateError]:
        worker = torch.utils.data.get_worker_info()
        # Each process keeps pictures of its own.
        for memory in {id(pool.memory): pool.memory for pool in self._data.pools}.values():
            memory.left //= self._ranks * (worker.num_workers if worker else 1)
        rng = np.random.default_rng((self._settings.seed, *self._seed, worker.id if worker else 0))
        sampler = Sampler(self._data.pools, rng, self._data.classes)
        pixels = self._settings.batch * max(h * w for h, w in self._sizes[:1])
        while True:
            height, width = self._sizes[int(rng.integers(len(self._sizes)))]
            try:
                yield sampler.batch(max(2, round(pixels / (height * width))), height, width)
            except KplateError as error:  # raised in a worker it would reach the user as a traceback
                yield error
                return

    def batches(self) -> Iterator[Batch]:
        """The row, made by as many processes as the settings say.

        Raises:
            DataError: No picture can be read.
        """
        workers = self._settings.workers
        for item in DataLoader(self, batch_size=None, num_workers=workers) if workers else self:
            if isinstance(item, KplateError):
                raise item
            yield item


def to_tensors(batch: Batch, device: torch.device = ALONE.device) -> tuple[Tensor, Targets]:
    """Pictures as N x 3 x H x W RGB 0..1 (channels last), and their targets."""
    pictures = torch.from_numpy(np.ascontiguousarray(batch.pictures[..., ::-1])).permute(0, 3, 1, 2)
    parts = (batch.objects, batch.ignored, batch.negatives)
    targets = Targets(*(torch.from_numpy(array).to(device) for array in parts))
    return pictures.to(device).float().div_(255), targets
