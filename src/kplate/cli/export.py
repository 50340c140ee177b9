"""``kplate export``: turn a network into the file that a runtime runs, and check that the answers stay."""

import argparse
import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from kplate.cli.common import Screen, input_size, prepare_folder, score
from kplate.errors import KplateError
from kplate.weights import FORMATS, PRECISIONS

if TYPE_CHECKING:
    from kplate.export.run import Exported

_NETWORKS: Final = ("detector", "reader")
_REFINER: Final = "refiner"
_ALL: Final = "all"
#: Of one export, for the progress bar.
_STEPS: Final = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "what",
        choices=(*_NETWORKS, _REFINER, _ALL),
        help="the network, or detector and reader; a detector comes with the refiner that lies beside it, "
        "a reader with its locator",
    )
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        metavar="SOURCE",
        help="a training's folder or checkpoint, a folder of weights, or a Darknet .cfg "
        "(default: the shipped network)",
    )
    parser.add_argument("--format", choices=FORMATS, default="onnx", help="of the file (default: onnx)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="float32", help="of its numbers (default: float32)"
    )
    parser.add_argument(
        "--size", type=_pixels, metavar="N|WxH", help="the detector's input in pixels (default: the source's)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="int8: find the ranges of values on these pictures (default: rendered ones); photographs for a "
        "detector, plate crops for a reader",
    )
    parser.add_argument(
        "--evaluate", metavar="DATA", help="read labelled pictures before and after, and print what is lost"
    )
    parser.add_argument("--cropped", action="store_true", help="the pictures of --evaluate are plate crops")
    about = parser.add_argument_group("about the source")
    about.add_argument("--weights", type=Path, metavar="FILE", help="the .weights file of a .cfg")
    about.add_argument("--names", type=Path, metavar="FILE", help="names of its classes, one a line")
    about.add_argument("--cfg", type=Path, metavar="FILE", help="how a detector's checkpoint is built")
    about.add_argument("--name", help="name of the network in the manifest")
    about.add_argument("--threshold", type=score, metavar="S", help="reader: lowest score that is trusted")
    about.add_argument("--temperature", type=float, metavar="T", help="reader: divides the logits")
    about.add_argument(
        "--facts", type=Path, metavar="FILE", help="JSON with the manifest's training and accuracy entries"
    )


def run(args: argparse.Namespace) -> int:
    """Export, compare, and with ``--evaluate`` measure."""
    # Here, not above: only this command needs them.
    from kplate.export.run import Order, check, export
    from kplate.export.sources import Told, read_facts

    wanted = _NETWORKS if args.what == _ALL else (args.what,)
    told = Told(
        args.weights,
        args.names,
        args.cfg,
        args.name,
        args.threshold,
        args.temperature,
        read_facts(args.facts),
    )
    orders = [
        Order(
            what, args.out, args.source, args.format, args.precision,
            None if args.what == _ALL and what == "reader" else args.size, args.calibration, told,
        )
        for what in wanted
    ]  # fmt: skip
    if args.what == _ALL and args.calibration is not None:
        raise KplateError(
            "--calibration takes photographs or plate crops: export one network at a time with it"
        )
    if args.what == _REFINER and args.evaluate is not None:
        raise KplateError(
            "--evaluate reads pictures, which a refiner alone cannot: export the detector with it"
        )
    if args.temperature is not None and args.temperature <= 0:
        raise KplateError("--temperature must be above 0")
    for order in orders:
        check(order)
    screen = Screen()
    prepare_folder(args.out)
    with tempfile.TemporaryDirectory() as beside:
        done: list[Exported] = []
        with screen.progress(_STEPS * len(orders), "steps") as step:
            for order in orders:
                folder = Path(beside) / order.what
                folder.mkdir()
                done += export(order, folder, _prefixed(order.what, step)).values()
        for exported in done:
            _tell(screen, exported)
        if args.evaluate is not None:
            _evaluate(screen, args.evaluate, args.cropped or args.what == "reader", done)
    return 0


def _prefixed(what: str, step: Callable[[str], None]) -> Callable[[str], None]:
    return lambda name: step(f"{what}: {name}")


def _tell(screen: Screen, exported: "Exported") -> None:
    """Say what was written and how it compares."""
    report, path = exported.report, exported.network_path
    screen.out.print(Text(f"wrote {path} ({exported.size / 1e6:.2f} MB) and its manifest"), soft_wrap=True)
    differences = ", ".join(f"{name} {value:.1e}" for name, value in report.differences.items())
    least = "" if report.overlap is None else f", least overlap {report.overlap:.3f}"
    screen.out.print(
        Text(
            f"  beside its source: {report.agreed} of {report.compared} {report.what} agree{least}; "
            f"largest difference: {differences}"
        ),
        soft_wrap=True,
    )


def _evaluate(screen: Screen, data: str, cropped: bool, done: Sequence["Exported"]) -> None:
    """Read labelled pictures with the source and with what was exported, and print both."""
    from kplate import Detector, Reader, Recognizer, evaluation

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("", "plates", "best reading exact", "trusted exact", "trusted and wrong"):
        table.add_column(column, justify="right" if column else "left")
    exact = []
    for title in ("before", "after"):
        weights: dict[str, Path] = {
            one.manifest.task: one.reference if title == "before" else one.manifest_path for one in done
        }
        recognizer = Recognizer(
            detector=Detector(weights.get("detector")), reader=Reader(weights.get("reader"))
        )
        samples = evaluation.load_samples(data, None, recognizer.reader.script)
        recognise = functools.partial(recognizer, cropped=cropped)
        outcomes = []
        with screen.progress(len(samples), "pictures") as step:
            for outcome in evaluation.evaluate(samples, recognise, cropped=cropped):
                outcomes.append(outcome)
                step(outcome.sample.name)
        summary = evaluation.summarise(outcomes)
        exact.append(summary.seen)
        wrong = summary.to_dict()["trusted_wrong"]["count"]
        counts = (summary.seen.total, summary.seen.count, summary.trusted_right.count, wrong)
        table.add_row(title, *map(str, counts))
    screen.out.print(table)
    lost = 100 * (exact[0].count - exact[1].count) / max(1, exact[0].total)
    screen.out.print(Text(f"lost: {lost:.1f} points of exact best readings"))


def _pixels(text: str) -> tuple[int, int]:
    size = input_size(text)
    return (size, size) if isinstance(size, int) else size
