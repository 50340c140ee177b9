"""Settings of a training run of the reader, and its command line."""

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from kplate.nets.lprnet import LprNetConfig
from kplate.nets.readers import DEFAULT, READERS

#: Highest learning rates of a network that begins at random, and of one that can read already.
_RATE: Final = 2.5e-3
_TUNING_RATE: Final = 5e-4


@dataclass(frozen=True, slots=True)
class ReaderTraining:
    """Settings of a run.

    Attributes:
        out: Folder for checkpoints and curves; an earlier run there is continued.
        minutes: Time budget of the whole run, earlier parts counted in; 0 is no limit.
        batch: Crops in a step.
        rate: Highest learning rate.
        decay: Weight decay.
        seed: Seed of the plates.
        workers: Processes that draw plates.
        threads: Cores that the network uses.
        backgrounds: Folder of openly licensed photographs to cut surroundings from.
        network: Name of the network; ``None`` for that of the weights to begin with, or else kplate's own.
        width: Channels of the last stage; ``None`` for that of the weights to begin with, or else the
            network's own.
        input_size: Width and height of the crop, in px; ``None`` likewise.
        plate_size: Width and height of the straightened plate, in px; ``None`` likewise.
        checkpoint_minutes: Pause between checkpoints.
        replay: Earlier batches to keep and show once more; 0 shows each batch once.
        steps: Stop after so many steps in all, if the minutes last that long; 0 is no limit.
        synthetic: Rendered plates for each real one.
        epochs: Times that each real plate is shown.
        patience: Validations without progress after which a run on real plates ends; 0 never ends it.
        validate_steps: Steps between validations; 0 is an epoch, but at least 100 steps.
    """

    out: Path
    minutes: float = 60.0
    batch: int = 128
    rate: float = _RATE
    decay: float = 1e-4
    seed: int = 1
    workers: int = 1
    threads: int = 1
    backgrounds: Path | None = None
    network: str | None = None
    width: int | None = None
    input_size: tuple[int, int] | None = None
    plate_size: tuple[int, int] | None = None
    checkpoint_minutes: float = 3.0
    replay: int = 120
    steps: int = 0
    synthetic: float = 0.0
    epochs: float = 40.0
    patience: int = 10
    validate_steps: int = 0

    def config(self, begin: LprNetConfig) -> LprNetConfig:
        """Return the sizes of the network, given those of the weights to begin with."""
        return replace(
            begin,
            width=self.width or begin.width,
            input_size=self.input_size or begin.input_size,
            plate_size=self.plate_size or begin.plate_size,
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a run lasts.

    Attributes:
        seconds: Time; 0 is no limit.
        steps: Steps; 0 is no limit.
    """

    seconds: float
    steps: int

    def progress(self, seconds: float, step: int) -> float:
        """Return the share of the budget that is spent; the run is over at 1."""
        by_time = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(by_time, step / self.steps if self.steps else 0.0))


def size_of(text: str) -> tuple[int, int]:
    """Return width and height of a size such as ``192x96``.

    Raises:
        argparse.ArgumentTypeError: It is no size, or not in whole cells of the network.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 192x96")
    size = int(width), int(height)
    if min(size) < 16 or size[0] % 8 or size[1] % 8 or max(size) > 1024:
        raise argparse.ArgumentTypeError(f"{text}: sides must be multiples of 8 from 16 to 1024")
    return size


_NUMBERS: Final = (
    ("batch", "crops in a step"),
    ("decay", "weight decay"),
    ("seed", "seed of the plates"),
    ("workers", "processes that draw plates"),
    ("threads", "cores the network uses"),
    ("checkpoint-minutes", "pause between checkpoints"),
    ("replay", "earlier batches of rendered plates kept to show once more; without --data"),
    ("steps", "stop after so many steps in all; 0 is no limit"),
)
_DATA_NUMBERS: Final = (
    ("synthetic", "rendered Korean plates to mix in for each real one"),
    ("epochs", "times that each real plate is shown at most"),
    ("patience", "validations without progress that end the run; 0 never does"),
    ("validate-steps", "steps between validations; 0 is an epoch, but at least 100 steps"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; a run there is continued")
    parser.add_argument(
        "--minutes",
        type=float,
        help="time budget of the whole run (default 60, with --data no limit)",
    )
    parser.add_argument(
        "--rate", type=float, help=f"highest learning rate (default {_RATE:g}, with --init {_TUNING_RATE:g})"
    )
    _add_numbers(parser, _NUMBERS)
    parser.add_argument(
        "--network", choices=READERS,
        help=f"the network (default: of the weights to begin with, or else {DEFAULT})",
    )  # fmt: skip
    for name, what in (("input", "crop"), ("plate", "straightened plate")):
        parser.add_argument(
            f"--{name}-size", type=size_of, metavar="WxH",
            help=f"width and height of the {what} in px (default: of the weights to begin with)",
        )  # fmt: skip
    parser.add_argument(
        "--width", type=int, help="channels of the last stage (default: of the weights to begin with)"
    )
    parser.add_argument("--backgrounds", type=Path, help="folder of photographs to cut surroundings from")
    parser.add_argument(
        "--init", "--start", dest="init", metavar="shipped|CHECKPOINT|FOLDER",
        help="weights to begin with: the shipped ones, a checkpoint, or a folder with reader.onnx or best.pt",
    )  # fmt: skip
    own = parser.add_argument_group("your own plates")
    own.add_argument(
        "--data", type=Path, action="append", default=[], metavar="PATH",
        help="labelled plate crops: a folder of pictures named by their text (12가3456_1.jpg), JSON Lines "
        '{"file", "text"}, one JSON with "data", or a folder of JSON files {"imagePath", "value"}; '
        "may be repeated",
    )  # fmt: skip
    own.add_argument(
        "--validation", type=Path, action="append", default=[], metavar="PATH",
        help="plates to validate with, in the same formats (default: a tenth of the data, by text)",
    )  # fmt: skip
    _add_numbers(own, _DATA_NUMBERS)
    own.add_argument("--skip-bad", action="store_true", help="leave labels that cannot be used out")
    own.add_argument("--alphabet", metavar="FILE|STRING", help="symbols of the plates (default: Korea's 80)")
    own.add_argument("--no-grammar", action="store_true", help="allow any text; implied by another alphabet")


def _add_numbers(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, options: tuple[tuple[str, str], ...]
) -> None:
    defaults = {item.name: item.default for item in fields(ReaderTraining)}
    for name, text in options:
        default = defaults[name.replace("-", "_")]
        parser.add_argument(
            f"--{name}", type=type(default), default=default, help=f"{text} (default {default})"
        )


def settings_of(arguments: argparse.Namespace) -> ReaderTraining:
    """Return the settings that a command line asks for."""
    values: dict[str, Any] = {
        item.name: getattr(arguments, item.name, item.default) for item in fields(ReaderTraining)
    }
    if arguments.minutes is None:
        values["minutes"] = 0.0 if arguments.data else 60.0
    if arguments.rate is None:
        values["rate"] = _TUNING_RATE if arguments.init else _RATE
    return ReaderTraining(**values)
