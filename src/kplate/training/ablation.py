"""What each part of the reader is worth: trains it without that part, always for as long, and measures.

Every row begins with the same weights as far as its network has the same parts, and sees the same plates in
the same order. A row that is done is kept in the folder and not trained again; several calls may share the
work. Rendered plates are a diagnosis; labelled real crops, named with --real, are only measured on.

Example:
    python -m kplate.training.ablation --out runs/ablation --real korean_plates_eval
"""

import argparse
import json
import math
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import cv2
import torch

from kplate.files import printable, write_atomic
from kplate.images import Image
from kplate.nets.lprnet import LprNetConfig
from kplate.nets.readers import DEFAULT, PUBLISHED, ReaderNet, build_reader, default_config
from kplate.plates.script import KOREAN
from kplate.training.ablation_data import Recipe, open_pool
from kplate.training.ablation_networks import AblatedLprNet, Parts
from kplate.training.ablation_results import Judge, Result, written
from kplate.training.reader_checkpoint import initialise, load_checkpoint, network_of
from kplate.training.reader_columns import column_weights
from kplate.training.reader_data import KINDS, Batch, load_backgrounds
from kplate.training.reader_init import SHIPPED, Weights, load_weights
from kplate.training.reader_loss import LossWeights, reader_loss
from kplate.training.reader_trainer import Average, guide_for, rate_at

_RATE: Final = 6e-4
_FRESH_RATE: Final = 2.5e-3
_FRESH: Final = "nothing"  # --init for weights at random
_FULL: Final = Recipe("full")
#: A network that does not begin at random reads by its own corners from the first step on.
_KNOWS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """One network, trained one way.

    Attributes:
        name: Of the row, for people.
        key: Of the row, for files.
        parts: What the network has.
        sizes: Width and height of crop and plate; ``None`` for those of the weights to begin with.
        recipe: What it is trained on.
        losses: What it is trained for.
        published: LPRNet as published instead, from random weights.
    """

    name: str
    key: str
    parts: Parts = field(default_factory=Parts)
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    recipe: Recipe = _FULL
    losses: LossWeights = field(default_factory=LossWeights)
    published: bool = False


ROWS: Final = (
    Row("all parts", "all"),
    Row("without the spatial transformer", "no-stn", Parts(stn=False)),
    Row("without global context", "no-context", Parts(context=False)),
    Row("steps are columns, as published, instead of attention", "columns", Parts(attention=False)),
    Row("crop 192×96, plate 192×64", "192x96", sizes=((192, 96), (192, 64))),
    Row("crop 192×64, plate 192×48", "192x64", sizes=((192, 64), (192, 48))),
    Row("crop 128×48, plate 128×32", "128x48", sizes=((128, 48), (128, 32))),
    Row("crop 96×24, plate 96×24", "96x24", sizes=((96, 24), (96, 24))),
    Row("rendered without light, blur, noise", "no-effects", recipe=Recipe("clean", effects=False)),
    Row("rendered without surroundings", "no-surroundings", recipe=Recipe("bare", surroundings=False)),
    Row("CTC alone: no aligned steps, no taught attention", "ctc",
        losses=LossWeights(steps=0.0, ctc=1.0, attention=0.0)),
    Row("LPRNet as published, from nothing", PUBLISHED, published=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Budget:
    """What every row gets.

    Attributes:
        steps: Steps.
        batch: Crops in a step.
        crops: Plates in the pool that they are taken from.
        rate: Highest learning rate.
        seed: Seed.
    """

    steps: int
    batch: int
    crops: int
    rate: float
    seed: int


def network_for(row: Row, begin: Weights | None) -> ReaderNet:
    """Build a row's network, with what it can take over from the weights to begin with."""
    if row.published:
        return build_reader(PUBLISHED, default_config(PUBLISHED, 0))
    config = begin.config if begin else LprNetConfig(kinds=len(KINDS))
    if row.sizes:
        config = replace(config, input_size=row.sizes[0], plate_size=row.sizes[1])
    network = AblatedLprNet(config, row.parts)
    if begin:
        initialise(network, KOREAN, begin.values, begin.alphabet)
    return network


def train(
    network: ReaderNet, row: Row, budget: Budget, folder: Path, fresh: bool, around: Sequence[Image]
) -> None:
    """Train a row's network; in the end it has the moving average of its weights."""
    torch.manual_seed(budget.seed)
    pool = open_pool(folder, row.recipe, budget.crops, around)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = Average(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=budget.rate, weight_decay=1e-4)
    batches = pool.batches(budget.batch, budget.steps, network.config.input_size, budget.seed)
    for step, batch in enumerate(batches):
        progress = step / budget.steps
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress, budget.rate)
        loss = _loss(network.train(), batch, row, progress if fresh else _KNOWS, progress)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"{row.key}: the loss is {loss.item()} at step {step}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update(network, step + 1)
    network.load_state_dict(average.network.state_dict())
    network.eval()


def _loss(network: ReaderNet, batch: Batch, row: Row, guided: float, progress: float) -> torch.Tensor:
    image = (batch.image.float() / 255).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(image, guide_for(batch, guided))
    weights = column_weights(progress) if row.published else row.losses
    loss, _ = reader_loss(output, batch, weights)
    return loss


def run(row: Row, budget: Budget, folder: Path, init: str, judge: Judge, around: Sequence[Image]) -> Result:
    """Train and measure one row."""
    begin = None if init == _FRESH or row.published else load_weights(init)
    network = network_for(row, begin)
    if begin is None and budget.rate < _FRESH_RATE:
        budget = replace(budget, rate=_FRESH_RATE)
    started = time.process_time()
    train(network, row, budget, folder, begin is None, around)
    minutes = (time.process_time() - started) / 60
    facts: dict[str, Any] = {
        "steps": budget.steps,
        "batch": budget.batch,
        "crops": budget.crops,
        "rate": budget.rate,
    }
    facts["began with"] = _FRESH if begin is None else printable(init)
    return judge.judge(network, row.name, row.key, minutes, facts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kplate.training.ablation", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for plates, rows and the table")
    parser.add_argument("--steps", type=int, default=1000, help="steps of each row (default 1000)")
    parser.add_argument("--batch", type=int, default=64, help="crops in a step (default 64)")
    parser.add_argument("--crops", type=int, default=32_000, help="plates in a pool (default 32000)")
    parser.add_argument(
        "--rate", type=float, default=_RATE, help=f"highest learning rate (default {_RATE:g})"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="cores (default 1)")
    parser.add_argument(
        "--init", default=SHIPPED, metavar="shipped|nothing|PATH", help="weights that rows begin with"
    )
    parser.add_argument("--rows", help=f"only these, by comma: {','.join(row.key for row in ROWS)}")
    parser.add_argument("--real", type=Path, metavar="DATA", help="labelled real crops, to measure on only")
    parser.add_argument(
        "--also", type=Path, action="append", default=[], metavar="CHECKPOINT",
        help="measure this trained network as well, as it is; may be repeated",
    )  # fmt: skip
    parser.add_argument("--plates", type=int, default=500, help="rendered plates in each test (default 500)")
    parser.add_argument("--backgrounds", type=Path, help="photographs to cut surroundings from")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure from the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    chosen = options.rows.split(",") if options.rows is not None else [row.key for row in ROWS]
    if unknown := sorted(set(chosen) - {row.key for row in ROWS} - {""}):
        parser.error(f"there is no row {', '.join(unknown)}")
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    budget = Budget(options.steps, options.batch, options.crops, options.rate, options.seed)
    missing = [row for row in ROWS if row.key in chosen and not _place(options.out, row.key).is_file()]
    if missing or options.also:
        judge = Judge(options.plates, options.real)
        around = load_backgrounds(options.backgrounds)
        for row in missing:
            _keep(options.out, run(row, budget, options.out, options.init, judge, around))
        for checkpoint in options.also:
            _keep(options.out, _as_it_is(checkpoint, judge))
    keys = [row.key for row in ROWS] + sorted(path.stem for path in options.out.glob("also-*.json"))
    places = [_place(options.out, key) for key in keys]
    print(written([Result.read(place) for place in places if place.is_file()], options.out))
    return 0


def _as_it_is(checkpoint: Path, judge: Judge) -> Result:
    """Measure the averaged network of a checkpoint."""
    state = load_checkpoint(checkpoint)
    minutes = state["seconds"] / 60
    name = f"{state.get('architecture', DEFAULT)} of {state['step']} steps in {minutes:.0f} minutes"
    key = f"also-{zlib.crc32(str(checkpoint.resolve()).encode()):08x}"
    return judge.judge(network_of(state), name, key, minutes, {"checkpoint": printable(checkpoint)})


def _place(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def _keep(folder: Path, result: Result) -> None:
    text = json.dumps(result.to_dict(), ensure_ascii=False, indent=2)
    write_atomic(_place(folder, result.key), f"{text}\n".encode())
    print(f"{result.name}: {result.line()}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
