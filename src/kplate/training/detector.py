"""Trains the detector within a time budget.

`python -m kplate.training.detector --data DIR --out DIR --minutes 60` trains, logs `log.csv` and `log.png`,
and writes `last.pt` every few minutes; `--resume` goes on from it. The schedule follows the clock: a
warm-up, then a cosine down to the end of the budget.
"""

import argparse
import math
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kplate.errors import DataError
from kplate.files import printable, reason_of
from kplate.nets.darknet import NANO_CFG, Darknet
from kplate.nets.losses import DetectionLoss, Targets
from kplate.training.curves import Curves
from kplate.training.data import CLASSES, open_pools
from kplate.training.data_augment import Batch, Sampler

CLASS_WEIGHTS = (1.0, 2.0, 2.0)  # a plate has fewer cells than a car
SIZES = ((384, 384), (320, 416), (288, 480), (416, 320), (448, 448), (352, 352), (256, 448), (416, 416))
START_SCORES = (-3.0, -1.5)  # biases of objectness and classes: about 1 % at the start


@dataclass(frozen=True, slots=True)
class Settings:
    """One training run.

    Attributes:
        data: Root of the training folders.
        out: Where checkpoints and logs go.
        minutes: Budget on the clock, earlier parts of a resumed run included.
        cfg: Architecture.
        batch: Pictures a step.
        rate: Highest learning rate (AdamW).
        decay: Weight decay of convolutions.
        seed: Seed of weights and pictures.
        threads: CPU threads.
        extra: Further folders of generated pictures, as `FOLDER=SHARE`.
        without: Names of training folders that are left out.
        steps: Stop after this many steps, for tests (0 = no limit).
        save_minutes: Time between checkpoints.
        init: Darknet `.weights` file of the same cfg to start from, instead of random weights.
    """

    data: Path
    out: Path
    minutes: float = 60.0
    cfg: Path = NANO_CFG
    batch: int = 24
    rate: float = 2.5e-3
    decay: float = 0.03
    seed: int = 1
    threads: int = 1
    extra: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    steps: int = 0
    save_minutes: float = 3.0
    init: Path | None = None


def rate_at(progress: float) -> float:
    """Learning rate as a share of the highest: linear up over 3 % of the budget, then a cosine to 1 %."""
    if progress < 0.03:
        return 0.02 + 0.98 * progress / 0.03
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.03) / 0.97)))


def new_network(cfg: Path | str = NANO_CFG) -> Darknet:
    """A network whose scores start near 1 %, so that the many empty cells do not drown the few full ones."""
    network = Darknet(cfg)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.1, mode="fan_out", nonlinearity="leaky_relu")
    with torch.no_grad():
        for convolution, head in zip(network.head_convolutions(), network.heads, strict=True):
            nn.init.normal_(convolution.weight, std=0.01)
            assert convolution.bias is not None
            bias = convolution.bias.view(len(head.anchors), 5 + head.classes)
            bias.zero_()
            bias[:, 4], bias[:, 5:] = START_SCORES
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class Average:
    """Exponential moving average of a network's weights; young averages forget faster."""

    def __init__(self, network: nn.Module, decay: float = 0.9985) -> None:
        self.decay, self.updates = decay, 0
        self.state = {key: value.detach().clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Takes one step towards the network."""
        self.updates += 1
        keep = self.decay * (1 - math.exp(-self.updates / 600))
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - keep)
            else:
                self.state[key].copy_(value)


def to_tensors(batch: Batch) -> tuple[Tensor, Targets]:
    """Pictures as N x 3 x H x W RGB 0..1 (channels last), and their targets."""
    pictures = torch.from_numpy(np.ascontiguousarray(batch.pictures[..., ::-1])).permute(0, 3, 1, 2)
    targets = Targets(*(torch.from_numpy(array) for array in (batch.objects, batch.ignored, batch.negatives)))
    return pictures.float().div_(255), targets


class Training:
    """The state of a run: network, average, optimiser, clock."""

    def __init__(self, settings: Settings) -> None:
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.network = new_network(settings.cfg)
        if settings.init is not None:
            self.network.load_weights(settings.init)
        self.average = Average(self.network)
        self.loss = DetectionLoss(self.network.heads, CLASS_WEIGHTS[: self.network.heads[0].classes])
        decayed = [p for p in self.network.parameters() if p.dim() > 1]
        plain = [p for p in self.network.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": settings.decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.99))
        self.step, self.minutes = 0, 0.0
        self.stopped = False
        settings.out.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Where the state is saved."""
        return self.settings.out / "last.pt"

    def save(self) -> None:
        """Writes the checkpoint; a run that is interrupted while writing keeps the former one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state,
            "updates": self.average.updates,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "minutes": self.minutes,
            "classes": CLASSES,
            "cfg": self.network.cfg.read_text(encoding="utf-8"),
            "settings": {key: str(value) for key, value in asdict(self.settings).items()},
        }
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def resume(self) -> None:
        """Goes on from the checkpoint.

        Raises:
            DataError: There is none, or it belongs to another network.
        """
        try:
            state = torch.load(self.checkpoint, weights_only=True)
            self.network.load_state_dict(state["network"])
        except FileNotFoundError:
            raise DataError(f"{self.checkpoint}: there is no run to resume") from None
        except RuntimeError as error:
            raise DataError(f"{self.checkpoint}: does not fit {self.network.cfg.name} ({error})") from None
        self.average.state, self.average.updates = state["average"], state["updates"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.minutes = state["step"], state["minutes"]

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; gives the parts of the loss.

        Raises:
            DataError: The loss is not a number.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * rate_at(self.minutes / self.settings.minutes)
        pictures, targets = to_tensors(batch)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = self.network(pictures.contiguous(memory_format=torch.channels_last))
        total, parts = self.loss(outputs, targets)
        if not bool(torch.isfinite(total)):
            raise DataError(
                f"training stopped at step {self.step}: the loss is {float(total.detach())}; "
                f"lower --rate, or go on from {self.checkpoint} with --resume"
            )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        self.average.update(self.network)
        self.step += 1
        return {"loss": float(total.detach()), **parts}

    def _stop(self, *_: object) -> None:
        """Ends the run after this step, with a checkpoint."""
        self.stopped = True

    def run(self) -> dict[str, float]:
        """Trains until the budget is spent; gives the last logged means."""
        settings = self.settings
        rng = np.random.default_rng((settings.seed, self.step))
        named = (text.partition("=") for text in settings.extra)
        extra = [(Path(name), float(share or 0.1)) for name, _, share in named]
        sampler = Sampler(open_pools(settings.data, extra, settings.without), rng)
        curves, recent = Curves(settings.out / "log"), Means()
        row: dict[str, float] = {}
        start, before, saved = time.monotonic(), self.minutes, time.monotonic()
        last = self.step + settings.steps if settings.steps else sys.maxsize
        former = signal.signal(signal.SIGTERM, self._stop)
        while self.minutes < settings.minutes and self.step < last and not self.stopped:
            height, width = SIZES[int(rng.integers(len(SIZES)))]
            recent.add(self.learn(sampler.batch(settings.batch, height, width)))
            self.minutes = before + (time.monotonic() - start) / 60
            if self.step % 50 == 0:
                row = self._row(recent)
                curves.add(self.step, self.minutes, row)
            if time.monotonic() - saved > settings.save_minutes * 60:
                self.save()
                curves.draw()
                saved = time.monotonic()
        signal.signal(signal.SIGTERM, former)
        if recent.count:
            row = self._row(recent)
            curves.add(self.step, self.minutes, row)
        self.save()
        curves.draw()
        return row

    def _row(self, recent: "Means") -> dict[str, float]:
        rate = float(self.optimiser.param_groups[0]["lr"])
        return {"rate": rate, "images_per_s": recent.speed * self.settings.batch, **recent.take()}


class Means:
    """Means of losses since they were last taken."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self.count, self._since = 0, time.monotonic()

    def add(self, parts: dict[str, float]) -> None:
        """Adds one step's losses."""
        for key, value in parts.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self.count += 1

    @property
    def speed(self) -> float:
        """Steps a second."""
        return self.count / max(time.monotonic() - self._since, 1e-9)

    def take(self) -> dict[str, float]:
        """The means; begins anew."""
        means = {key: value / max(self.count, 1) for key, value in self._sums.items()}
        self._sums = dict.fromkeys(self._sums, 0.0)
        self.count, self._since = 0, time.monotonic()
        return means


def load_average(checkpoint: Path, cfg: Path | str = NANO_CFG) -> tuple[Darknet, dict[str, Any]]:
    """The averaged network of a checkpoint, ready to run, and the rest of its state.

    Raises:
        DataError: The file is missing or fits another network.
    """
    network = Darknet(cfg)
    try:
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["average"])
    except OSError as error:
        raise DataError(f"cannot load {printable(checkpoint)}: {reason_of(error)}") from None
    except (RuntimeError, LookupError, TypeError, UnpicklingError):
        raise DataError(f"{printable(checkpoint)} is no checkpoint of {Path(cfg).name}") from None
    return network.eval(), state


def parse(arguments: Sequence[str] | None = None) -> tuple[Settings, bool]:
    """Settings from the command line, and whether to resume."""
    parser = argparse.ArgumentParser(description="Train the detector within a time budget.")
    parser.add_argument("--data", type=Path, required=True, help="root of the training folders")
    parser.add_argument("--out", type=Path, default=Path("runs/detector"))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--cfg", type=Path, default=NANO_CFG)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--extra", action="append", default=[], metavar="FOLDER=SHARE")
    parser.add_argument("--without", action="append", default=[], metavar="FOLDER")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument(
        "--init", type=Path, metavar="WEIGHTS", help="Darknet weights of the cfg to start from"
    )
    parser.add_argument("--resume", action="store_true")
    options = vars(parser.parse_args(arguments))
    resume = bool(options.pop("resume"))
    options["extra"], options["without"] = tuple(options["extra"]), tuple(options["without"])
    return Settings(**options), resume


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the training."""
    settings, resume = parse(arguments)
    training = Training(settings)
    if resume:
        training.resume()
    print(training.run())


if __name__ == "__main__":
    main()
