"""Trains the reader on rendered plates: a time budget, checkpoints, resume, curves.

Example:
    python -m kplate.training.reader --out runs/reader --minutes 60 --backgrounds PHOTOS
"""

import argparse
import copy
import math
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from kplate.nets.lprnet import LprNet, LprNetConfig
from kplate.plates.alphabet import BLANK
from kplate.training.curves import Curves
from kplate.training.reader_data import KINDS, Batch, RenderedPlates, load_backgrounds, loader, replay
from kplate.training.reader_loss import LossWeights, reader_loss


@dataclass(frozen=True, slots=True)
class ReaderTraining:
    """Settings of a run.

    Attributes:
        out: Folder for checkpoints and curves; an earlier run there is continued.
        minutes: Time budget of the whole run, earlier parts counted in.
        batch: Crops in a step.
        rate: Highest learning rate.
        decay: Weight decay.
        seed: Seed of the plates.
        workers: Processes that draw plates.
        threads: Cores that the network uses.
        backgrounds: Folder of openly licensed photographs to cut surroundings from.
        width: Channels of the last stage.
        checkpoint_minutes: Pause between checkpoints.
        start: Checkpoint to take the weights from, for a new run.
        replay: Earlier batches to keep and show once more; 0 shows each batch once.
        steps: Stop after so many steps in all, if the minutes last that long; 0 is no limit.
    """

    out: Path
    minutes: float = 60.0
    batch: int = 128
    rate: float = 2.5e-3
    decay: float = 1e-4
    seed: int = 1
    workers: int = 1
    threads: int = 1
    backgrounds: Path | None = None
    width: int = 128
    checkpoint_minutes: float = 3.0
    start: Path | None = None
    replay: int = 120
    steps: int = 0


class Average:
    """Exponential moving average of a network's weights, faster at the start of a run."""

    def __init__(self, network: torch.nn.Module, horizon: float = 600.0) -> None:
        self.network = copy.deepcopy(network).eval()
        self._horizon = horizon

    def update(self, network: torch.nn.Module, step: int) -> None:
        """Move towards ``network``."""
        share = max(1 / self._horizon, 1 / (step / 4 + 1))
        with torch.no_grad():
            for own, new in zip(
                self.network.state_dict().values(), network.state_dict().values(), strict=True
            ):
                if own.dtype.is_floating_point:
                    own.lerp_(new.to(own.dtype), share)
                else:
                    own.copy_(new)


def rate_at(progress: float, highest: float) -> float:
    """Return the learning rate at a share of the budget: a short warm-up, then half a cosine to nothing."""
    if progress < 0.02:
        return highest * (0.05 + 0.95 * progress / 0.02)
    return highest * max(0.002, 0.5 * (1 + math.cos(math.pi * (progress - 0.02) / 0.98)))


def guide_for(batch: Batch, progress: float) -> Tensor | None:
    """Straighten by the true corners at first, shaken a little, then more and more by the predicted ones."""
    chance = 1.0 - (progress - 0.12) / 0.2
    if chance <= 0:
        return None
    shaken = batch.corners + torch.randn_like(batch.corners) * 0.012
    use = (torch.rand(len(shaken), 1) < chance) & (batch.kind >= 0)[:, None]
    return torch.where(use, shaken, torch.full_like(shaken, float("nan")))


class ReaderTrainer:
    """One run."""

    def __init__(self, settings: ReaderTraining) -> None:
        self.settings = settings
        settings.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads)
        cv2.setNumThreads(1)
        self.network = LprNet(LprNetConfig(kinds=len(KINDS), width=settings.width))
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if settings.start is not None:
            self.network.load_state_dict(load_checkpoint(settings.start)["average"])
        self.average = Average(self.network)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=settings.decay
        )
        self.seconds = 0.0
        self.step = 0
        self._checkpoint = settings.out / "checkpoint.pt"
        if self._checkpoint.exists():
            self._resume()
        self.curves = Curves(settings.out / "curves")

    def _resume(self) -> None:
        state = load_checkpoint(self._checkpoint)
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.seconds, self.step = state["seconds"], state["step"]

    def save(self) -> None:
        """Write the checkpoint, all or nothing."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "config": asdict(self.network.config),
            "seconds": self.seconds,
            "step": self.step,
            "settings": {key: str(value) for key, value in asdict(self.settings).items()},
        }
        part = self._checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._checkpoint)

    def run(self) -> None:
        """Train until the budget is spent; an interrupt (Ctrl-C) saves first.

        Raises:
            FloatingPointError: The loss is not a number; the last checkpoint is kept.
        """
        try:
            self._loop()
        except KeyboardInterrupt:
            print(f"interrupted; run again to go on from step {self.step}")
        self.save()
        self.curves.draw()

    def _loop(self) -> None:
        budget = self.settings.minutes * 60
        difficulty = multiprocessing.Value("d", 0.0)
        data = RenderedPlates(
            self.settings.batch,
            self.network.config.input_size,
            self.settings.seed + 1000 * self.step,
            load_backgrounds(self.settings.backgrounds),
            difficulty,
        )
        saved = last = time.monotonic()
        difficulty.value = self._difficulty(self.seconds / budget)
        for batch in replay(loader(data, self.settings.workers), self.settings.replay, data.seed):
            if self.seconds >= budget or 0 < self.settings.steps <= self.step:
                break
            progress = self.seconds / budget
            difficulty.value = self._difficulty(progress)
            values = self._train_on(batch, progress)
            now = time.monotonic()
            self.seconds += now - last
            last = now
            self.step += 1
            if self.step % 20 == 0:
                self.curves.add(self.step, self.seconds / 60, values)
            if now - saved > self.settings.checkpoint_minutes * 60:
                self.save()
                self.curves.draw()
                saved = time.monotonic()

    @staticmethod
    def _difficulty(progress: float) -> float:
        return min(1.0, 0.15 + progress / 0.08)

    def _train_on(self, batch: Batch, progress: float) -> dict[str, float]:
        rate = rate_at(progress, self.settings.rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        image = (batch.image.float() / 255).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = self.network(image, guide_for(batch, progress))
        loss, values = reader_loss(output, batch, LossWeights())
        if not math.isfinite(loss.item()):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.step}: lower --rate and resume"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        if not bool(torch.isfinite(norm)):
            raise FloatingPointError(
                f"the gradient is {norm.item()} at step {self.step}: lower --rate and resume"
            )
        self.optimizer.step()
        self.average.update(self.network, self.step)
        right = output.logits.argmax(-1) == batch.steps
        symbols = batch.steps != BLANK
        return values | {
            "rate": rate,
            "symbols_right": (right & symbols).sum().item() / max(1, symbols.sum().item()),
            "plates_right": right.all(1).float().mean().item(),
        }


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    defaults = {item.name: item.default for item in fields(ReaderTraining)}
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; a run there is continued")
    for name, text in (
        ("minutes", "time budget of the whole run"),
        ("batch", "crops in a step"),
        ("rate", "highest learning rate"),
        ("decay", "weight decay"),
        ("seed", "seed of the plates"),
        ("workers", "processes that draw plates"),
        ("threads", "cores the network uses"),
        ("width", "channels of the last stage"),
        ("checkpoint-minutes", "pause between checkpoints"),
        ("replay", "earlier batches kept to show once more"),
        ("steps", "stop after so many steps in all; 0 is no limit"),
    ):
        default = defaults[name.replace("-", "_")]
        text = f"{text} (default {default})"
        parser.add_argument(f"--{name}", type=type(default), default=default, help=text)
    parser.add_argument("--backgrounds", type=Path, help="folder of photographs to cut surroundings from")
    parser.add_argument("--start", type=Path, help="checkpoint to take the weights from")


def main(arguments: Sequence[str] | argparse.Namespace | None = None) -> int:
    """Train from the command line."""
    if not isinstance(arguments, argparse.Namespace):
        parser = argparse.ArgumentParser(prog="kplate train reader", description=__doc__)
        add_arguments(parser)
        arguments = parser.parse_args(arguments)
    names = {item.name for item in fields(ReaderTraining)}
    ReaderTrainer(ReaderTraining(**{k: v for k, v in vars(arguments).items() if k in names})).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
