"""Settings of a training run of the detector, and its command line."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from kplate.nets.darknet import NANO_CFG
from kplate.training.detector_cfg import NAMED
from kplate.training.reader_settings import size_of

#: Shares of the input's longer side, width and height, that a run mixes: pictures are seldom square.
_SHAPES: Final = (
    *((1.0, 1.0), (0.77, 1.0), (1.0, 0.77), (0.69, 1.15), (1.08, 1.08), (0.85, 0.85), (0.62, 1.08)),
    *((0.92, 1.23), (1.23, 0.92), (0.77, 1.31), (1.23, 1.23), (0.85, 1.54)),
)
#: The same of a network whose input is not square: its own shape, smaller and larger.
_SCALES: Final = (0.7, 0.8, 0.9, 1.0, 1.0, 1.1, 1.2)


@dataclass(frozen=True, slots=True)
class Settings:
    """One training run.

    Attributes:
        data: What is learned from: files or folders of labelled boxes in any format, or the root of kplate's
            own training folders.
        out: Where checkpoints and logs go.
        minutes: Budget on the clock, earlier parts of a resumed run included.
        cfg: Architecture.
        batch: Pictures a step, of the input's own size; of larger ones fewer.
        rate: Highest learning rate (AdamW).
        decay: Weight decay of convolutions.
        seed: Seed of weights and pictures.
        threads: CPU threads.
        workers: Processes that prepare pictures; 0 = this one does.
        names: File with the names of the classes; None = kplate's own, or those of the data.
        size: Width and height of the input, px; None = the `.cfg`'s.
        validation: Labelled boxes that the run is judged by, and keeps its best weights by.
        validate_minutes: Time between validations.
        extra: Further folders of generated pictures, as `FOLDER=SHARE`.
        without: Names of training folders that are left out.
        steps: Budget in steps, likewise; what is spent first ends the run (0 = no limit).
        save_minutes: Time between checkpoints.
        init: Weights to start from: Darknet's, or a checkpoint.
        skip_bad: Leave pictures with wrong labels out instead of refusing the data.
        freeze: So many of the first layers, as Darknet numbers them, keep their weights: less to compute, and
            features of a trained network stay as they are.
    """

    data: tuple[Path, ...]
    out: Path
    minutes: float = 60.0
    cfg: Path = NANO_CFG
    batch: int = 24
    rate: float = 2.5e-3
    decay: float = 0.03
    seed: int = 1
    threads: int = 1
    workers: int = 0
    names: Path | None = None
    size: tuple[int, int] | None = None
    validation: tuple[Path, ...] = ()
    validate_minutes: float = 10.0
    extra: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    steps: int = 0
    save_minutes: float = 3.0
    init: Path | None = None
    skip_bad: bool = False
    freeze: int = 0


def sizes_for(width: int, height: int, multiple: int) -> tuple[tuple[int, int], ...]:
    """Heights and widths of the pictures that a run mixes.

    Args:
        width: Of the network's input, px.
        height: Likewise.
        multiple: What sides must be multiples of.
    """
    shapes = _SHAPES if width == height else tuple((scale, scale) for scale in _SCALES)

    def fit(value: float) -> int:
        return max(multiple, round(value / multiple) * multiple)

    return tuple((fit(height * tall), fit(width * wide)) for tall, wide in shapes)


_NUMBERS: Final = (
    ("minutes", "time budget of the whole run"),
    ("batch", "pictures a step, of the input's own size"),
    ("rate", "highest learning rate"),
    ("decay", "weight decay"),
    ("seed", "seed of weights and pictures"),
    ("threads", "cores the network uses"),
    ("workers", "processes that prepare pictures; 0 = none of their own"),
    ("validate-minutes", "time between validations"),
    ("save-minutes", "time between checkpoints"),
    ("steps", "stop after so many steps in all; 0 is no limit"),
    ("freeze", "so many of the first layers keep their weights, which is quicker"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's options."""
    parser.add_argument(
        "--data", type=Path, action="append", required=True, metavar="PATH",
        help="labelled boxes: Darknet's .data file or folder, Pascal VOC's XML, COCO's JSON, JSON Lines, or "
        "a list `path x1,y1,x2,y2,class ...`; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs/detector"), help="folder of the run")
    parser.add_argument(
        "--cfg", default=NAMED[0], metavar="NAME|FILE",
        help=f"network: {', '.join(NAMED)}, or a Darknet .cfg (default {NAMED[0]})",
    )  # fmt: skip
    parser.add_argument(
        "--names", type=Path, help="names of the classes, one a line (default: kplate's, or the data's)"
    )
    parser.add_argument(
        "--size",
        type=size_of,
        metavar="WxH",
        help="width and height of the input in px (default: the .cfg's)",
    )
    defaults = {item.name: item.default for item in fields(Settings)}
    for name, text in _NUMBERS:
        default: Any = defaults[name.replace("-", "_")]
        parser.add_argument(
            f"--{name}", type=type(default), default=default, help=f"{text} (default {default:g})"
        )
    parser.add_argument(
        "--validation", type=Path, action="append", default=[], metavar="PATH",
        help="labelled boxes to validate with, in the same formats (default: the valid part of the data, "
        "where they name one)",
    )  # fmt: skip
    parser.add_argument(
        "--init", type=Path, metavar="FILE", help="weights to start from: Darknet .weights or a checkpoint"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--skip-bad", action="store_true", help="leave pictures with wrong labels out")
    parser.add_argument(
        "--anchors", action="store_true", help="find anchors for the data, write a .cfg with them, and stop"
    )
    own = parser.add_argument_group("kplate's own training folders")
    own.add_argument("--extra", action="append", default=[], metavar="FOLDER=SHARE",
                     help="a further folder of generated pictures")  # fmt: skip
    own.add_argument("--without", action="append", default=[], metavar="FOLDER", help="a folder to leave out")


def settings_of(options: argparse.Namespace, cfg: Path) -> Settings:
    """The settings that a command line asks for."""
    values = {item.name: getattr(options, item.name) for item in fields(Settings)}
    for name in ("data", "validation", "extra", "without"):
        values[name] = tuple(values[name])
    return Settings(**{**values, "cfg": cfg})
