"""Trains the refiner, which sets a detector's boxes, within a time budget.

`kplate train refiner --data DATA --out DIR --minutes 30` lets the detector look at labelled pictures first,
unless the folder holds what it found already, then trains, logs `log.csv` and `log.png`, and writes `last.pt`
every few minutes; `--resume` goes on from there.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kplate.detector import Detector
from kplate.errors import DataError, KplateError
from kplate.files import printable
from kplate.nets.refiner import RefinerNet
from kplate.refiner import VALUES
from kplate.training import detector_start
from kplate.training.curves import Curves
from kplate.training.data import open_pools
from kplate.training.data_own import parse_extra
from kplate.training.detector_trainer import Average, rate_at
from kplate.training.reader_progress import Progress
from kplate.training.refiner_data import LEAST_SCORE, REFINED, Candidates, collect, load_candidates, shaken

LATEST: Final = "last.pt"
_NEEDED: Final = frozenset({"network", "average", "updates", "classes", "step", "minutes"})
_LOGGED: Final = 50  # steps between rows of the log
#: How often each class is shown.
_SHARES: Final = (0.8, 0.2)
#: Nothing is shown more than so many times as often as the average.
_OFTENEST: Final = 12
#: A box counts as right from the second overlap (IoU) on, as half right between the two.
_HALF_RIGHT, _RIGHT = 0.3, 0.7
_BOX_WEIGHT: Final = 0.5
_GRADIENT: Final = 2.0
_EPS: Final = 1e-6


class Training:
    """One run.

    Attributes:
        network: What learns.
        average: Its moving average, which is what comes out.
        step: Steps so far.
        minutes: Minutes of training so far.
    """

    def __init__(self, candidates: Candidates, out: Path, *, rate: float, batch: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.candidates, self.out, self.rate, self.batch = candidates, out, rate, batch
        self.rng = np.random.default_rng(seed)
        self.network = RefinerNet(len(REFINED)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.network, decay=0.998)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=0.02)
        self.step, self.minutes = 0, 0.0
        self._until = np.cumsum(_frequencies(candidates))

    def save(self) -> None:
        """Write `last.pt`, all or nothing."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state,
            "updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "classes": list(REFINED),
            "step": self.step,
            "minutes": self.minutes,
        }
        draft = self.out / f"{LATEST}.part"
        torch.save(state, draft)
        draft.replace(self.out / LATEST)

    def resume(self) -> None:
        """Go on from `last.pt`.

        Raises:
            DataError: It is not there, is damaged, or is of a refiner of another shape.
        """
        state = load_state(self.out / LATEST)
        if "optimizer" not in state:
            raise DataError(f"{printable(self.out / LATEST)} holds weights alone: begin with them (--init)")
        _take_over(self.network, state["network"], self.out / LATEST)
        self.average.state, self.average.updates = state["average"], state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.minutes = state["step"], state["minutes"]

    def begin_with(self, checkpoint: Path) -> None:
        """Take over the averaged weights of a checkpoint.

        Raises:
            DataError: As for :func:`load_average`.
        """
        average = load_average(checkpoint)[0].state_dict()
        self.network.load_state_dict(average)
        self.average = Average(self.network, self.average.decay)

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a batch.

        Returns:
            Windows float32 N x 3 x 64 x 128 RGB 0..1, the candidates' rows N x 8, and where the labelled
            edges lie N x 4.
        """
        rng, candidates = self.rng, self.candidates
        chosen = np.minimum(np.searchsorted(self._until, rng.random(self.batch)), len(self._until) - 1)
        pairs = [shaken(candidates.patches[i], candidates.rows[i, 2:6], rng) for i in chosen]
        windows = torch.from_numpy(np.stack([window[:, :, ::-1] for window, _ in pairs]))
        shifts = torch.from_numpy(np.stack([shift for _, shift in pairs]))
        return _lit(windows, rng), torch.from_numpy(candidates.rows[chosen]), shifts

    def learn(self) -> dict[str, float]:
        """Take one step and return the losses.

        Raises:
            KplateError: The loss is no number.
        """
        windows, rows, truth = self.draw()
        label, found = rows[:, 0].long(), rows[:, 6] > 0
        first = rows[:, 1].clamp(1e-3, 1 - 1e-3).logit() + 0.3 * torch.randn(self.batch)
        with torch.autocast("cpu", torch.bfloat16):
            raw = self.network(windows.contiguous(memory_format=torch.channels_last))
        values = raw.float().view(self.batch, len(REFINED), VALUES)[torch.arange(self.batch), label]
        logit, shifts = values[:, 0] + self.network.trust[label] * first, values[:, 1:]
        overlap = _overlap(shifts, truth)
        right = ((overlap.detach() - _HALF_RIGHT) / (_RIGHT - _HALF_RIGHT)).clamp(0, 1) * found
        sure = (F.binary_cross_entropy_with_logits(logit, right, reduction="none") * rows[:, 7]).mean()
        apart = F.smooth_l1_loss(shifts, truth, beta=0.05, reduction="none").sum(1)
        boxes = ((1 - overlap + apart) * found).sum() / found.sum().clamp(min=1)
        loss = sure + _BOX_WEIGHT * boxes
        if not torch.isfinite(loss):
            raise KplateError(f"step {self.step + 1}: the loss is {loss.item()}; try a lower --rate")
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT)
        self.optimizer.step()
        self.average.update(self.network)
        self.step += 1
        mean = (overlap * found).sum() / found.sum().clamp(min=1)
        return {"sure": sure.item(), "boxes": boxes.item(), "overlap": mean.item()}

    def run(self, minutes: float, save_minutes: float = 3.0) -> None:
        """Train until so many minutes are over in all; the rate follows the clock."""
        curves = Curves(self.out / "log", self.step)
        begun, saved = time.monotonic() - 60 * self.minutes, time.monotonic()
        recent: list[dict[str, float]] = []
        with Shown() as shown:
            while self.minutes < minutes:
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate * rate_at(self.minutes / minutes)
                recent.append(self.learn())
                self.minutes = (time.monotonic() - begun) / 60
                shown.show(self.minutes / minutes, self.step, recent[-1])
                if len(recent) == _LOGGED or self.minutes >= minutes:
                    means = {name: float(np.mean([row[name] for row in recent])) for name in recent[0]}
                    curves.add(self.step, self.minutes, means)
                    recent.clear()
                if time.monotonic() - saved > 60 * save_minutes:
                    self.save()
                    saved = time.monotonic()
        self.save()
        curves.draw()


class Shown(Progress):
    """The bar, with the latest step's overlap, or how many pictures were looked at."""

    def show(self, progress: float, step: int, values: dict[str, float]) -> None:
        """Show the share that is done, and the latest figures."""
        if self._bar:
            figures = ", ".join(f"{name} {value:.2f}" for name, value in values.items())
            self._bar.update(self._task, completed=progress, description=f"{step} {figures}")


def load_state(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        DataError: It is not there, or is none of a refiner's.
    """
    return detector_start.load_state(path, _NEEDED, "a refiner")


def load_average(path: Path) -> tuple[RefinerNet, dict[str, Any]]:
    """The averaged network of a checkpoint, in evaluation mode, and the checkpoint.

    Raises:
        DataError: As for :func:`load_state`, or it is of a refiner of another shape.
    """
    state = load_state(path)
    network = RefinerNet(len(state["classes"]))
    _take_over(network, state["average"], path)
    return network.eval(), state


def _take_over(network: RefinerNet, weights: dict[str, Tensor], path: Path) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise DataError(f"{printable(path)}: its layers are not those of this refiner") from None


def _frequencies(candidates: Candidates) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How often each candidate is shown: half of the time found things, half needless ones."""
    rows, found = candidates.rows, candidates.found
    often = np.zeros(len(rows))
    for index, share in enumerate(_SHARES):
        for kind in (found, ~found):
            chosen = (rows[:, 0] == index) & kind
            often[chosen] = share / 2 / max(1, chosen.sum())
    often = np.minimum(often, _OFTENEST / len(rows))
    return np.asarray(often / often.sum())


def _lit(windows: Tensor, rng: np.random.Generator) -> Tensor:
    """Change light, colour and noise.

    Args:
        windows: uint8 N x 64 x 128 x 3.
        rng: Chooses.

    Returns:
        float32 N x 3 x 64 x 128, 0..1.
    """
    count = len(windows)
    gain = rng.uniform(0.6, 1.4, (count, 1, 1, 1)) * rng.uniform(0.9, 1.1, (count, 3, 1, 1))
    offset = rng.uniform(-0.12, 0.12, (count, 1, 1, 1))
    light = windows.permute(0, 3, 1, 2).float() / 255
    grey = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.15)
    light = torch.where(grey, light.mean(1, keepdim=True), light)
    blurred = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.25)
    light = torch.where(blurred, F.avg_pool2d(light, 3, 1, 1, count_include_pad=False), light)
    light = light * torch.from_numpy(gain).float() + torch.from_numpy(offset).float()
    noise = torch.randn_like(light) * float(rng.uniform(0, 0.04))
    return (light + noise).clamp(0, 1)


def _overlap(shifts: Tensor, truth: Tensor) -> Tensor:
    """IoU of boxes given by how far their edges lie from those of one box, in its sides; each N x 4."""
    low, high = torch.maximum(shifts[:, :2], truth[:, :2]), torch.minimum(shifts[:, 2:], truth[:, 2:]) + 1
    common = (high - low).clamp(min=0).prod(1)
    areas = [(1 + edges[:, 2:] - edges[:, :2]).clamp(min=0.05).prod(1) for edges in (shifts, truth)]
    return common / (areas[0] + areas[1] - common + _EPS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with the folders of labelled pictures"
    )
    parser.add_argument("--extra", action="append", default=[], metavar="DIR=SHARE", help="a further folder")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave a folder out")
    parser.add_argument("--detector", type=Path, metavar="DIR", help="weights (default: those that ship)")
    parser.add_argument("--out", type=Path, default=Path("runs/refiner"), help="folder of the run")
    parser.add_argument(
        "--pictures", type=int, default=12_000, help="that the detector looks at (default 12000)"
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of training in all (default 30)")
    parser.add_argument("--batch", type=int, default=256, help="boxes a step (default 256)")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate (default 0.002)")
    parser.add_argument("--threads", type=int, default=1, help="cores the network uses (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, metavar="FILE", help="a refiner's checkpoint to begin with")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(prog="kplate train refiner", description="Train a refiner.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    for name in ("minutes", "batch", "rate", "threads", "pictures"):
        if getattr(options, name) <= 0:
            raise DataError(f"--{name} must be above 0, not {getattr(options, name):g}")
    torch.set_num_threads(options.threads)
    if not (options.out / "rows.npy").is_file():
        pools = open_pools(options.data, parse_extra(options.extra), options.without)
        detector = Detector(options.detector, threads=1, min_score=LEAST_SCORE, refine=False)
        with Shown() as shown:
            collect(
                pools, detector, options.out, options.pictures, options.seed,
                lambda done: shown.show(done / options.pictures, done, {}),
            )  # fmt: skip
    candidates = load_candidates(options.out)
    training = Training(candidates, options.out, rate=options.rate, batch=options.batch, seed=options.seed)
    if options.init:
        training.begin_with(options.init)
    if options.resume:
        training.resume()
    print(
        f"training on {len(candidates.rows)} boxes, {int(candidates.found.sum())} of them on labelled things"
    )
    training.run(options.minutes)
    print(f"to use it: kplate export refiner {options.out / LATEST} --out DIR")


if __name__ == "__main__":
    main()
