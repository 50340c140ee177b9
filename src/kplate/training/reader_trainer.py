"""The loop that trains the reader: steps, validation, checkpoints, curves."""

import copy
import math
import multiprocessing
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from multiprocessing.sharedctypes import Synchronized
from typing import Any, Final

import cv2
import torch
from torch import Tensor

from kplate.errors import KplateError
from kplate.nets.readers import DEFAULT, PUBLISHED, ReaderNet, build_reader, default_config
from kplate.plates.script import KOREA, KOREAN, Script
from kplate.training.curves import Curves, TensorBoard
from kplate.training.plates_data_crops import Crops
from kplate.training.reader_checkpoint import (
    BEST,
    LATEST,
    config_of,
    initialise,
    load_checkpoint,
    network_of,
    script_of,
    write_checkpoint,
)
from kplate.training.reader_columns import column_weights
from kplate.training.reader_data import KINDS, Batch, RenderedPlates, load_backgrounds, loader, replay
from kplate.training.reader_init import Weights
from kplate.training.reader_loss import LossWeights, reader_loss, shares_right
from kplate.training.reader_mixed import MixedPlates, steps_per_epoch
from kplate.training.reader_parallel import ALONE, Ranks
from kplate.training.reader_progress import Progress
from kplate.training.reader_settings import Budget, ReaderTraining
from kplate.training.reader_validation import Validation, calibrate, validate

#: Steps between rows of the curves.
_LOGGED: Final = 20
#: Steps between validations at least, so that few plates are not validated more than they are trained on.
_FEWEST_STEPS: Final = 100
#: Guessed cells weigh more than true ones, since nothing else shows the way, but not to the end of a run.
_GUESSED_WEIGHT: Final = 0.6
_GUESSED: Final = 0.7


@dataclass(frozen=True, slots=True)
class OwnPlates:
    """Real plates to train on, and others to validate with."""

    training: Crops
    validation: Crops


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
    use = (torch.rand(len(shaken), 1, device=shaken.device) < chance) & batch.placed[:, None]
    return torch.where(use, shaken, torch.full_like(shaken, float("nan")))


class ReaderTrainer:
    """One run, on rendered plates, on real ones, or on both.

    Attributes:
        network: What is trained.
        average: Its moving average, which is what comes out.
        step: Steps so far.
        seconds: Time spent on them.
        best: The best validation so far.
    """

    def __init__(
        self,
        settings: ReaderTraining,
        *,
        script: Script = KOREAN,
        plates: OwnPlates | None = None,
        begin: Weights | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Prepare a run, or continue the one in the folder.

        Args:
            settings: Settings.
            script: Symbols and grammar.
            plates: Real plates; only rendered ones are drawn without.
            begin: Weights to begin a new run with.
            ranks: This process among those that train together.

        Raises:
            KplateError: The run in the folder, or the weights to begin with, are of another network.
        """
        self.settings, self.script, self._plates, self._ranks = settings, script, plates, ranks
        settings.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed + ranks.rank)
        torch.set_num_threads(settings.threads)
        cv2.setNumThreads(1)
        latest = settings.out / LATEST
        state = load_checkpoint(latest) if latest.exists() else {}
        #: Whether anything ever taught the network where plates are, and whether it began at random.
        taught = plates is None or settings.synthetic > 0 or (begin is not None and begin.taught)
        self._taught = state.get("taught", taught)
        self._fresh = state.get("fresh", begin is None)
        self.network = self._build(begin, state)
        self.average = Average(self.network)
        self._wrapped = ranks.wrap(self.network)
        self.optimizer = torch.optim.AdamW(
            [p for p in self.network.parameters() if p.requires_grad],
            lr=settings.rate,
            weight_decay=settings.decay,
        )
        self.seconds, self.step, self._stale = 0.0, 0, 0
        self.best: Validation | None = None
        if state:
            self._resume(state)
        self._epoch = (
            steps_per_epoch(len(plates.training), settings.batch, settings.synthetic, ranks.world)
            if plates
            else 0
        )
        steps = settings.steps or math.ceil(self._epoch * settings.epochs)
        self.budget = Budget(settings.minutes * 60, steps)
        self.curves = Curves(settings.out / "curves", keep=self.step)
        self.validations = Curves(settings.out / "validation", keep=self.step)
        self._board = TensorBoard(settings.out / "tensorboard") if ranks.first else None

    def _build(self, begin: Weights | None, state: dict[str, Any]) -> ReaderNet:
        name = self.settings.network or (begin.network if begin else DEFAULT)
        if state:
            name, config, begin = state.get("architecture", DEFAULT), config_of(state), None
        else:
            config = self.settings.config(begin.config if begin else default_config(name, len(KINDS)))
            config = replace(config, symbols=self.script.blank)
        if self.settings.network not in (None, name) or (begin and begin.network != name):
            raise KplateError("the run, or the weights to begin with, are of another network")
        try:
            network = build_reader(name, config)
        except ValueError as error:
            raise KplateError(str(error)) from None
        self._name = name
        if begin:
            initialise(network, self.script, begin.values, begin.alphabet)
        if not self._taught:
            network.localisation.keep_whole_crop()
        network.to(self._ranks.device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def _resume(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        where = f"cannot continue {self.settings.out / LATEST}"
        if script_of(state) != self.script:
            raise KplateError(f"{where}: it has another alphabet or grammar; give another --out")
        try:
            self.network.load_state_dict(state["network"])
            self.average.network.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise KplateError(f"{where}: {str(error).splitlines()[0]} Give another --out") from error
        self.seconds, self.step = state["seconds"], state["step"]
        self._stale = state.get("stale", 0)
        self.best = Validation(**state["best"]) if state.get("best") else None

    @property
    def _guesses(self) -> bool:
        """Whether cells are guessed: nothing teaches where symbols stand, and nothing has."""
        return self._fresh and not self._taught

    @property
    def _knows_kinds(self) -> bool:
        """Whether what comes out may name kinds: those of Korea mean nothing elsewhere."""
        korean = self.script.grammar == KOREA or self.settings.synthetic > 0
        return self._taught and korean and self.network.config.kinds > 0

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "architecture": self._name,
            "config": asdict(self.network.config),
            "seconds": self.seconds,
            "step": self.step,
            "alphabet": self.script.alphabet,
            "grammar": self.script.grammar,
            "kinds": [kind.value for kind in KINDS] if self._knows_kinds else [],
            "taught": self._taught,
            "best": asdict(self.best) if self.best else None,
            "stale": self._stale,
            "fresh": self._fresh,
            "settings": {key: str(value) for key, value in asdict(self.settings).items()},
        }

    def save(self, name: str = LATEST, **more: Any) -> None:
        """Write a checkpoint, all or nothing."""
        if self._ranks.first:
            write_checkpoint(self.settings.out / name, self._state() | more)

    def run(self) -> bool:
        """Train until the budget is spent or nothing improves; an interrupt (Ctrl-C) saves first.

        Returns:
            Whether the run came to its end.

        Raises:
            FloatingPointError: The loss is not a number; the last checkpoint is kept.
        """
        try:
            with Progress(self._ranks.first) as self._shown:
                self._loop()
                finished = True
        except KeyboardInterrupt:
            print(f"interrupted; run again to go on from step {self.step}")
            finished = False
        self.save()
        if self._ranks.first:
            self._draw()
            if finished and self._plates:
                self._calibrate(self._plates.validation)
        return finished

    def _draw(self) -> None:
        self.curves.draw()
        self.validations.draw()

    def _calibrate(self, plates: Crops) -> None:
        """Note temperature and threshold in the best checkpoint."""
        path = self.settings.out / BEST
        if not path.exists():
            return
        state = load_checkpoint(path)
        network = network_of(state)
        state["calibration"] = calibrate(network, plates, self.script, network.config.input_size)
        write_checkpoint(path, state)

    def _batches(self, difficulty: "Synchronized[float]") -> Iterable[Batch]:
        settings, ranks = self.settings, self._ranks
        size = self.network.config.input_size
        rendered = RenderedPlates(
            settings.batch,
            size,
            settings.seed + 1000 * self.step + 7919 * ranks.rank,
            load_backgrounds(settings.backgrounds),
            difficulty,
            self.script,
        )
        if self._plates is None:
            return replay(loader(rendered, settings.workers), settings.replay, rendered.seed)
        mixed = MixedPlates(
            self._plates.training,
            rendered if settings.synthetic > 0 else None,
            batch=settings.batch,
            synthetic=settings.synthetic,
            size=size,
            script=self.script,
            seed=settings.seed,
            first=self.step * ranks.world + ranks.rank,
            stride=ranks.world,
            guess=self._guesses,
        )
        return loader(mixed, settings.workers)

    def _loop(self) -> None:
        difficulty = multiprocessing.Value("d", 0.0)
        progress = self.budget.progress(self.seconds, self.step)
        difficulty.value = self._difficulty(progress)
        every = self.settings.validate_steps or max(self._epoch, _FEWEST_STEPS)
        saved = last = time.monotonic()
        if progress >= 1 or self._ended():
            return
        if self._plates and not self._fresh and self.step == 0:
            self._validate(self._plates.validation)  # what training must improve on
            last = time.monotonic()
        for batch in self._batches(difficulty):
            values = self._train_on(batch.to(self._ranks.device), progress)
            now = time.monotonic()
            self.step += 1
            (self.seconds,) = self._ranks.agree(self.seconds + now - last)
            last = now
            progress = self.budget.progress(self.seconds, self.step)
            difficulty.value = self._difficulty(progress)
            self._log(values, progress)
            over = progress >= 1
            if self._plates and (over or self.step % every == 0):
                self._validate(self._plates.validation)
                last = saved = time.monotonic()
                over = over or self._ended()
            if over:
                break
            if now - saved > self.settings.checkpoint_minutes * 60:
                self.save()
                if self._ranks.first:
                    self._draw()
                saved = time.monotonic()

    def _ended(self) -> bool:
        """Whether validation has not improved for too long."""
        (stale,) = self._ranks.agree(self._stale)
        return 0 < self.settings.patience <= stale

    def _difficulty(self, progress: float) -> float:
        return min(1.0, 0.15 + progress / 0.08) if self._fresh else 1.0

    def _log(self, values: dict[str, float], progress: float) -> None:
        if not self._ranks.first:
            return
        self._shown.show(progress, self.step, values)
        if self.step % _LOGGED == 0:
            self.curves.add(self.step, self.seconds / 60, values)
            if self._board:
                self._board.add(self.step, values)

    def _validate(self, plates: Crops) -> None:
        """Validate, keep the best weights, and save; one process does so while the others wait."""
        if self._ranks.first:
            size = self.network.config.input_size
            found = validate(self.average.network, plates, self.script, size)
            better = found.better_than(self.best)
            self._stale = 0 if better else self._stale + 1
            if better:
                self.best = found
                self.save(BEST)
            self.validations.add(self.step, self.seconds / 60, asdict(found))
            if self._board:
                self._board.add(self.step, {f"validation/{key}": v for key, v in asdict(found).items()})
            self._shown.note(
                f"step {self.step}: read exactly {found.exact:.1%}, character errors {found.cer:.2%}, "
                f"loss {found.loss:.3f}{', best so far' if better else ''}"
            )
            self.save()
            self._draw()

    def _train_on(self, batch: Batch, progress: float) -> dict[str, float]:
        rate = rate_at(progress, self.settings.rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._wrapped.train()
        image = (batch.image.float() / 255).to(memory_format=torch.channels_last)
        with torch.autocast(self._ranks.device.type, dtype=torch.bfloat16):
            output = self._wrapped(image, guide_for(batch, progress))
        loss, values = reader_loss(output, batch, self._weights(progress))
        self._demand_finite("loss", loss)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._demand_finite("gradient", norm)
        self.optimizer.step()
        self.average.update(self.network, self.step)
        return values | {"rate": rate} | shares_right(output, batch)

    def _weights(self, progress: float) -> LossWeights:
        """Guessed cells only show the way at first; true ones teach to the end."""
        if self._name == PUBLISHED:
            return column_weights(progress)
        if not self._guesses:
            return LossWeights()
        return LossWeights(attention=_GUESSED_WEIGHT * max(0.0, 1 - progress / _GUESSED))

    def _demand_finite(self, what: str, value: Tensor) -> None:
        if not math.isfinite(value.item()):
            raise FloatingPointError(
                f"the {what} is {value.item()} at step {self.step}: lower --rate and resume"
            )
