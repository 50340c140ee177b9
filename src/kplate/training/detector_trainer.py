"""The loop that trains a detector: steps, moving average, validation, checkpoints, Darknet's files."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import cv2
import torch
from torch import Tensor, nn

from kplate.classes import CLASSES
from kplate.darknet.weights import Header
from kplate.errors import DataError
from kplate.files import printable, write_atomic
from kplate.nets.losses import DetectionLoss
from kplate.training.curves import Curves
from kplate.training.data_augment import Batch
from kplate.training.data_own import TrainingData
from kplate.training.detector_batches import Batches, to_tensors
from kplate.training.detector_cfg import fit_cfg
from kplate.training.detector_settings import Settings, sizes_for
from kplate.training.detector_start import freeze, load_state, new_network, start_from
from kplate.training.detector_validation import Validation, validate
from kplate.training.reader_checkpoint import write_checkpoint
from kplate.training.reader_parallel import ALONE, Ranks
from kplate.training.reader_progress import Progress
from kplate.training.reader_settings import Budget

#: Weights of kplate's own classes: a plate has fewer cells than a car, and permits are rare. Others have 1.
CLASS_WEIGHTS: Final = dict(zip(CLASSES, (1.6, 2.0, 2.5), strict=True))
LATEST: Final = "last.pt"
BEST: Final = "best.pt"
_LOGGED: Final = 50  # steps between rows of the log
_LARGEST_GRADIENT: Final = 10.0


def rate_at(progress: float) -> float:
    """Learning rate as a share of the highest: linear up over 3 % of the budget, then a cosine to 1 %."""
    if progress < 0.03:
        return 0.02 + 0.98 * progress / 0.03
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.03) / 0.97)))


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


class Shown(Progress):
    """The bar, with the loss of the latest step."""

    def show(self, progress: float, step: int, values: dict[str, float]) -> None:
        """Shows the share of the budget that is spent, and the latest step's figures."""
        if self._bar:
            text = f"step {step}, loss {values['loss']:.3f}, overlap {values['iou']:.2f}"
            self._bar.update(self._task, completed=progress, description=text)


class Training:
    """The state of a run: network, average, optimiser, clock.

    Args:
        settings: Settings.
        data: What is learned from.
        ranks: This process among those that train together.

    Raises:
        CfgError: The `.cfg` cannot be used.
        DataError: No layer would be left to learn.
        KplateError: The weights to start from cannot be used.
    """

    def __init__(self, settings: Settings, data: TrainingData, ranks: Ranks = ALONE) -> None:
        torch.set_num_threads(settings.threads)
        cv2.setNumThreads(1)
        torch.manual_seed(settings.seed)
        self.settings, self.data, self._ranks = settings, data, ranks
        settings.out.mkdir(parents=True, exist_ok=True)
        classes = len(data.classes)
        cfg = fit_cfg(settings.cfg, settings.out, classes=classes, size=settings.size)
        self.network = new_network(cfg)
        self.taken = start_from(self.network, settings.init) if settings.init is not None else None
        self.network.to(ranks.device)
        self._frozen = freeze(self.network, settings.freeze)
        self.average = Average(self.network)
        self.loss = DetectionLoss(self.network.heads, [CLASS_WEIGHTS.get(name, 1.0) for name in data.classes])
        decayed = [p for p in self.network.parameters() if p.dim() > 1]
        plain = [p for p in self.network.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": settings.decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.99))
        self._wrapped = ranks.wrap(self.network)
        self.step, self.minutes = 0, 0.0
        self.best: Validation | None = None
        self.stopped = False
        self._unreadable: set[Path] = set()

    @property
    def progress(self) -> float:
        """Share of the budget that is spent; the run is over at 1."""
        return Budget(self.settings.minutes * 60, self.settings.steps).progress(self.minutes * 60, self.step)

    @property
    def checkpoint(self) -> Path:
        """Where the state is saved."""
        return self.settings.out / LATEST

    def save(self, name: str = LATEST) -> None:
        """Writes a checkpoint, all or nothing, and the average as Darknet's three files beside it."""
        if not self._ranks.first:
            return
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state,
            "updates": self.average.updates,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "minutes": self.minutes,
            "classes": self.data.classes,
            "name": self.network.cfg.name,
            "cfg": self.network.cfg.read_text(encoding="utf-8", errors="replace"),
            "best": self.best.classes if self.best else None,
            "settings": {key: str(value) for key, value in asdict(self.settings).items()},
        }
        write_checkpoint(self.settings.out / name, state)
        if name == BEST or self.best is None:
            self._save_darknet()

    def _save_darknet(self) -> None:
        """Writes `.weights` and `.names` of the average beside the `.cfg`."""
        own = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average.state)
        seen = self.step * self.settings.batch * self._ranks.world
        self.network.save_weights(self.network.cfg.with_suffix(".weights"), Header(seen=seen))
        self.network.load_state_dict(own)
        names = "".join(f"{name}\n" for name in self.data.classes)
        write_atomic(self.network.cfg.with_suffix(".names"), names.encode())

    def resume(self) -> None:
        """Goes on from the checkpoint.

        Raises:
            DataError: There is none, or it belongs to another network or other classes.
        """
        where = printable(self.checkpoint)
        if not self.checkpoint.exists():
            raise DataError(f"{where}: there is no run to resume")
        state = load_state(self.checkpoint)
        if tuple(state["classes"]) != tuple(self.data.classes):
            raise DataError(f"{where}: is a run of other classes: {', '.join(state['classes'])}")
        try:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError) as error:
            raise DataError(
                f"{where}: does not fit {self.network.cfg.name} ({str(error).splitlines()[0]})"
            ) from None
        device = self._ranks.device
        self.average.state = {key: value.to(device) for key, value in state["average"].items()}
        self.average.updates = state["updates"]
        self.step, self.minutes = state["step"], state["minutes"]
        self.best = Validation(state["best"]) if state.get("best") else None

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; gives the parts of the loss.

        Raises:
            DataError: The loss or the gradient is not a number.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * rate_at(self.progress)
        pictures, targets = to_tensors(batch, self._ranks.device)
        self.network.train()
        self._frozen.eval()  # their batch normalisation keeps its statistics, too
        with torch.autocast(self._ranks.device.type, torch.bfloat16):
            outputs = self._wrapped(pictures.contiguous(memory_format=torch.channels_last))
        total, parts = self.loss(outputs, targets)
        self._demand_finite("loss", total)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._demand_finite("gradient", norm)
        self.optimiser.step()
        self.average.update(self.network)
        self.step += 1
        return {"loss": float(total.detach()), **parts}

    def _demand_finite(self, what: str, value: Tensor) -> None:
        if not bool(torch.isfinite(value)):
            raise DataError(
                f"training stopped at step {self.step}: the {what} is {float(value.detach())}; "
                f"lower --rate, or go on from {printable(self.checkpoint)} with --resume"
            )

    def _stop(self, *_: object) -> None:
        """Ends the run after this step, with a checkpoint."""
        self.stopped = True

    @contextlib.contextmanager
    def _stoppable(self) -> Iterator[None]:
        """While this lasts, an interrupt (Ctrl-C) or a polite kill ends the run with a checkpoint."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def batches(self) -> Iterator[Batch]:
        """The pictures to learn from, as this process sees them from here on."""
        width, height = self.network.size
        multiple = self.network.description.multiple
        return Batches(
            self.data,
            self.settings,
            sizes_for(width, height, multiple),
            (self.step, self._ranks.rank),
            self._ranks.local,
        ).batches()

    def run(self) -> dict[str, float]:
        """Trains until the budget is spent; gives the last logged means.

        Raises:
            DataError: No picture can be read, or the loss is not a number.
        """
        self._shown = Shown(self._ranks.first)
        with self._stoppable(), self._shown:
            row = self._loop(self._shown)
            self.save()  # whatever becomes of the validation
            if self.data.validation:
                self._validate()
                self.save()  # with what it found
        return row

    def _loop(self, shown: Shown) -> dict[str, float]:
        settings, ranks = self.settings, self._ranks
        curves, recent = Curves(settings.out / "log", keep=self.step), Means()
        row: dict[str, float] = {}
        now = time.monotonic()
        start, before, saved, judged = now, self.minutes, now, now
        batches = self.batches()
        while self.progress < 1 and not self.stopped:
            recent.add(self.learn(next(batches)))
            now = time.monotonic()
            # All processes go by the first one's clock, so that they stop at the same step.
            minutes, stopped = ranks.agree(before + (now - start) / 60, float(self.stopped))
            self.minutes, self.stopped = minutes, bool(stopped)
            shown.show(self.progress, self.step, recent.latest)
            if ranks.first and self.step % _LOGGED == 0:
                row = self._row(recent)
                curves.add(self.step, self.minutes, row)
            judge, save = ranks.agree(
                float(now - judged > settings.validate_minutes * 60),
                float(now - saved > settings.save_minutes * 60),
            )
            if judge and self.data.validation:
                self._validate()
            if judge:
                judged = time.monotonic()
            if save:
                self.save()
                saved = time.monotonic()
                if ranks.first:
                    curves.draw()
        if ranks.first:
            if recent.count:
                row = self._row(recent)
                curves.add(self.step, self.minutes, row)
            curves.draw()
        return row

    def _validate(self) -> None:
        """Judges the average on one process, and keeps it where it is the best so far."""
        if not self._ranks.first:
            return
        own = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average.state)
        found = validate(self.network, self.data.validation, self.data.classes, self._unreadable)
        self.network.load_state_dict(own)
        if len(self._unreadable) == len(self.data.validation):
            return
        curves = Curves(self.settings.out / "validation", keep=self.step)
        curves.add(self.step, self.minutes, {"mean": found.mean, **found.classes})
        curves.draw()
        better = self.best is None or found.mean > self.best.mean
        listed = ", ".join(f"{name} {ap:.3f}" for name, ap in found.classes.items())
        self._shown.note(f"step {self.step}: AP50 {listed}{', best so far' if better else ''}")
        if better:
            self.best = found
            self.save(BEST)

    def _row(self, recent: "Means") -> dict[str, float]:
        rate = float(self.optimiser.param_groups[0]["lr"])
        speed = recent.speed * self.settings.batch * self._ranks.world
        return {"rate": rate, "images_per_s": speed, **recent.take()}


class Means:
    """Means of losses since they were last taken."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self.latest: dict[str, float] = {}
        self.count, self._since = 0, time.monotonic()

    def add(self, parts: dict[str, float]) -> None:
        """Adds one step's losses."""
        self.latest = parts
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
