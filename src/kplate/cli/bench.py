"""``kplate bench``: how fast the networks are on this machine."""

import argparse
import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kplate.cli.common import Screen, input_side, positive, prepare_file, write_json_line
from kplate.cli.engine_arguments import engine_name
from kplate.cli.evaluate_tables import plain_table
from kplate.cli.networks import sizes_named
from kplate.engines import thread_count
from kplate.images import write_image
from kplate.results import json_line
from kplate.weights import PRECISIONS

if TYPE_CHECKING:
    from kplate.bench.cases import Case
    from kplate.bench.run import Report

#: Rendered pictures on which answers are compared.
_SCENES = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--weights", metavar="DIR", help="folder with the networks (default: the shipped ones)"
    )
    listed(parser, "--engine", engine_name, "NAME", "engines to time (default: all that are installed)")
    listed(
        parser, "--precision", _precision, "P", f"of {', '.join(PRECISIONS)} (default: all that there are)"
    )
    listed(parser, "--threads", positive, "N", "numbers of threads (default: 1 and the cores there are)")
    listed(parser, "--size", input_side, "N", "px of the longer side for finding (default: 416)")
    listed(
        parser,
        "--also",
        str,
        "FILE",
        "further networks to time: Darknet's .cfg with random values (yolov4-tiny.cfg comes with kplate) or "
        "a file that some engine runs",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=1.0, metavar="S", help="how long each is timed (default: 1)"
    )
    parser.add_argument(
        "--agreement",
        type=positive,
        nargs="?",
        const=_SCENES,
        default=0,
        metavar="N",
        help=f"compare the answers of the engines on N rendered pictures (N by default: {_SCENES})",
    )
    parser.add_argument("--plates", metavar="DIR", help="labelled plate crops: count those read exactly")
    parser.add_argument(
        "--photographs", metavar="DIR", help="labelled photographs: count the plates likewise"
    )
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument("--picture", metavar="FILE", help="write the times as a picture, such as bench.png")


def listed(
    parser: argparse.ArgumentParser, name: str, kind: Callable[[str], Any], metavar: str, text: str
) -> None:
    """Add an argument that may be repeated and takes several values with commas."""
    parser.add_argument(
        name,
        type=functools.partial(_values, kind),
        action="extend",
        metavar=metavar,
        default=[],
        help=f"{text}; may be repeated or list several with commas",
    )


def run(args: argparse.Namespace) -> int:
    """Measure, and print and write what was asked for."""
    # They import the renderer and the evaluation, which no other command needs to wait for.
    from kplate.bench.cases import Plan
    from kplate.bench.run import Questions
    from kplate.bench.run import run as measure

    picture = prepare_file(args.picture) if args.picture else None
    screen = Screen(json=args.json)
    plan = Plan(
        weights=args.weights,
        engines=tuple(args.engine),
        precisions=tuple(args.precision),
        threads=tuple(args.threads) or tuple(sorted({1, thread_count(None)})),
        sizes=tuple(args.size),
        others=tuple(args.also),
    )
    questions = Questions(args.seconds, args.agreement, args.plates, args.photographs)
    with _status() as say, sizes_named():
        report = measure(plan, questions, say)
    if args.json:
        write_json_line(json_line(report.to_dict()))
    elif args.markdown:
        print(_markdown(report))
    else:
        _print(screen, report)
    if picture:
        from kplate.bench.chart import draw_chart

        cores = f"{report.machine['processor']}, {report.machine['cores_of_this_process']} cores"
        write_image(
            picture, draw_chart(report.cases, f"kplate {report.versions['kplate']} on {cores}: medians")
        )
        if not args.json:
            print(f"picture: {picture}")
    return 0


@contextlib.contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Show what is being done, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Console(stderr=True, highlight=False).status("") as status:
        yield lambda line: status.update(Text(line))


def _print(screen: Screen, report: "Report") -> None:
    columns, rows = _table(report.cases)
    table: Table = plain_table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    screen.out.print(table)
    for line in _facts(report):
        screen.out.print(Text(line), soft_wrap=True)


def _markdown(report: "Report") -> str:
    columns, rows = _table(report.cases)
    lines = [columns, ["---"] * len(columns), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return table + "\n\n" + "  \n".join(_facts(report))


def _table(cases: Sequence["Case"]) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows; columns in which nothing stands are left out."""
    columns = [
        "what",
        "engine",
        "precision",
        "threads",
        "size",
        "median ms",
        "best",
        "p10-p90",
        "GFLOP/s",
        "MB",
    ]
    columns += ["same texts", "boxes IoU > 0.99", "IoU > 0.5", "plates exact", "photographs exact"]
    rows = [_row(case) for case in cases]
    kept = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]


def _row(case: "Case") -> list[str]:
    values = case.to_dict()
    speed = values["best_gflops"]
    same = values.get("agreement") or {}
    return [
        case.what,
        case.engine or case.runtime,
        case.precision,
        str(case.threads),
        f"{case.size[0]}x{case.size[1]}",
        f"{values['median_ms']:.2f}",
        f"{values['best_ms']:.2f}",
        f"{values['p10_ms']:.2f}-{values['p90_ms']:.2f}",
        "" if speed is None else f"{speed:.0f}",
        f"{case.megabytes:.1f}",
        f"{same['texts_same']} / {same['texts']}" if same else "",
        f"{same['boxes_same']} / {same['boxes']}" if same else "",
        f"{same['boxes_near']} / {same['boxes']}" if same else "",
        *(_exact(values.get(name)) for name in ("plates", "photographs")),
    ]


def _exact(counts: dict[str, int] | None) -> str:
    if not counts:
        return ""
    return f"{counts['exact']} / {counts['total']} (trusted {counts['trusted_exact']})"


def _facts(report: "Report") -> list[str]:
    machine, peak = report.machine, report.peak
    load = "" if machine["load"] is None else f"; load before: {machine['load']}"
    lines = [
        f"machine: {machine['processor']} ({', '.join(machine['abilities'])}), {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}{load}",
        f"versions: {', '.join(f'{name} {value}' for name, value in report.versions.items())}",
        "one core's peak, float32: "
        + ", ".join(
            f"{name} {value:.0f} GFLOP/s" for name, value in peak.items() if name != "detector_share"
        ),
    ]
    if "detector_share" in peak:
        lines.append(f"of that, the float32 detector reaches {peak['detector_share']:.0%} with one thread")
    if report.memory is not None:
        lines.append(f"memory: {report.memory:.0f} MiB at most, with all these networks open")
    return lines


def _values(kind: Callable[[str], Any], text: str) -> list[Any]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise argparse.ArgumentTypeError("at least one value is needed")
    return [kind(part) for part in parts]


def _precision(text: str) -> str:
    if text not in PRECISIONS:
        raise argparse.ArgumentTypeError(f"{text!r}: choose of {', '.join(PRECISIONS)}")
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
