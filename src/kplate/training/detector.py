"""Trains a detector within a time budget.

`kplate train detector --data DATA --out DIR --minutes 60` trains, logs `log.csv` and `log.png`, and writes
`last.pt` and Darknet's `.cfg`, `.weights` and `.names` every few minutes; `--resume` goes on from there. The
schedule follows the clock: a warm-up, then a cosine down to the end of the budget.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kplate.darknet.network import read_network
from kplate.errors import DataError
from kplate.files import printable
from kplate.training.data_own import TrainingData, open_data
from kplate.training.detector_anchors import box_sizes, find_anchors
from kplate.training.detector_cfg import find_cfg, fit_cfg
from kplate.training.detector_settings import Settings, add_arguments, settings_of
from kplate.training.detector_start import load_average, new_network
from kplate.training.detector_trainer import BEST, Training, rate_at
from kplate.training.reader_parallel import Ranks

#: What PyTorch takes.
_LARGEST_SEED: Final = 2**63 - 1

__all__ = ["Settings", "Training", "load_average", "main", "new_network", "rate_at"]


def parse(arguments: Sequence[str] | None = None) -> tuple[Settings, argparse.Namespace]:
    """Settings from the command line, and its other options.

    Raises:
        CfgError: There is no such network.
        DataError: A number is out of range.
    """
    parser = argparse.ArgumentParser(prog="kplate train detector", description="Train a detector.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    for name in ("minutes", "batch", "rate", "threads"):
        if not getattr(options, name) > 0:  # NaN is not, either
            raise DataError(f"--{name} must be above 0, not {getattr(options, name):g}")
    for name in ("decay", "seed", "workers", "validate_minutes", "save_minutes", "steps"):
        if not getattr(options, name) >= 0:
            shown = name.replace("_", "-")
            raise DataError(f"--{shown} must be 0 or more, not {getattr(options, name):g}")
    if options.seed > _LARGEST_SEED:
        raise DataError(f"--seed must be at most {_LARGEST_SEED}")
    return settings_of(options, find_cfg(options.cfg)), options


def write_anchors(settings: Settings, data: TrainingData) -> Path:
    """Finds anchors for the data, prints them, and writes a `.cfg` with them into the run's folder."""
    network = read_network(settings.cfg)
    count = sum(len(head.anchors) for head in network.heads)
    size = settings.size or network.size
    boxes = box_sizes(data.records, size)
    anchors = find_anchors(boxes, count, settings.seed)
    settings.out.mkdir(parents=True, exist_ok=True)
    cfg = fit_cfg(
        settings.cfg, settings.out, classes=len(data.classes), size=settings.size, anchors=anchors.pairs
    )
    listed = ", ".join(f"{width:g},{height:g}" for width, height in anchors.pairs)
    print(f"anchors={listed}")
    print(
        f"{len(boxes)} boxes at {size[0]}x{size[1]} overlap with the nearest by {anchors.overlap:.3f} (IoU)"
    )
    print(f"to train with them: --cfg {cfg}")
    return cfg


def train(settings: Settings, *, resume: bool, anchors: bool, ranks: Ranks) -> None:
    """Trains, or only finds anchors, as a command line asks for."""
    data = open_data(settings, say=ranks.first)
    if anchors:
        write_anchors(settings, data)
        return
    training = Training(settings, data, ranks)
    if resume:
        training.resume()
    if ranks.first:
        verb = f"going on from step {training.step}" if resume else "training"
        begun = ""
        if training.taken and not resume:
            begun = f", {training.taken.layers} of {training.taken.total} layers taken over"
        held = f"{len(data.validation)} to validate with" if data.validation else "none to validate with"
        print(
            f"{verb} {settings.cfg.stem} on {len(data.records)} pictures, {held}; "
            f"classes: {printable(', '.join(data.classes))}{begun}",
            flush=True,
        )
    training.run()
    if ranks.first:
        _say_how_to_use(training)


def _say_how_to_use(training: Training) -> None:
    cfg = training.network.cfg
    if training.best:
        print(f"best: mean AP50 {training.best.mean:.3f}, in {training.settings.out / BEST}")
    files = f"--detector {cfg} --weights {cfg.with_suffix('.weights')} --names {cfg.with_suffix('.names')}"
    print(f"to use it: kplate read PICTURES {files}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the training."""
    settings, options = parse(arguments)
    ranks = Ranks.from_environment()
    try:
        train(settings, resume=options.resume, anchors=options.anchors, ranks=ranks)
    finally:
        ranks.leave()


if __name__ == "__main__":
    main()
