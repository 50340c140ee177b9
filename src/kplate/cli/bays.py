"""``kplate bays``: make and check a file of parking bays, and measure on a rendered car park."""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table

from kplate.cli.common import FAILED, Screen, add_run_arguments, complain, positive, prepare_folder, seed
from kplate.cli.networks import open_recognizer
from kplate.errors import DataError, KplateError, OutputError
from kplate.files import printable, write_atomic
from kplate.results import json_line

if TYPE_CHECKING:
    from kplate.bays import Bays
    from kplate.evaluation.bays import BaysReport
    from kplate.events import Event

_CLIP: Final = "clip.mp4"
_LABELS: Final = "clip.json"
_BAYS: Final = "bays.toml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parts = parser.add_subparsers(dest="part", metavar="WHAT", title="what to do", required=True)

    new = _part(parts, "new", "make a file of bays to begin with, from a picture of the camera", _new)
    new.add_argument("picture", metavar="PICTURE", help="what the camera sees, best with cars in the bays")
    new.add_argument(
        "--out", default=_BAYS, metavar="FILE", help="file to write (default: bays.toml); FILE.png shows it"
    )
    new.add_argument(
        "--camera", default="camera", metavar="NAME", help="name of the camera (default: camera)"
    )
    new.add_argument(
        "--thirds", action="store_true", help="take thirds of the picture instead of looking for cars"
    )
    add_run_arguments(new)

    check = _part(parts, "check", "list all mistakes of a file of bays, and draw it over a picture", _check)
    check.add_argument("file", metavar="FILE", help="the file of bays")
    check.add_argument("picture", nargs="?", metavar="PICTURE", help="what the camera sees")
    check.add_argument("--camera", metavar="NAME", help="the camera, where the file has several")
    check.add_argument("--out", metavar="PNG", help="picture to write (default: FILE.png)")

    clip = _part(parts, "clip", "render a car park with cars that come and go, and its file of bays", _clip)
    clip.add_argument(
        "--out", required=True, metavar="DIR", help=f"folder for {_CLIP}, {_LABELS} and {_BAYS}"
    )
    clip.add_argument("--seconds", type=positive, default=600, metavar="S", help="length (default: 600)")
    clip.add_argument("--seed", type=seed, default=0, metavar="N", help="same seed, same clip (default: 0)")

    measure = _part(
        parts, "evaluate", "watch such a clip and compare what is told with what happened", _evaluate
    )
    measure.add_argument("folder", metavar="DIR", help="folder that `kplate bays clip` has written")
    measure.add_argument("--events", metavar="FILE", help="write the events as JSON Lines")
    measure.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    add_run_arguments(measure)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    part: Callable[[argparse.Namespace], int] = args.do
    return part(args)


def _part(
    parts: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    line: str,
    do: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = parts.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
    parser.set_defaults(do=do)
    return parser


def _new(args: argparse.Namespace) -> int:
    """Write a file of bays, and a picture of it."""
    from kplate.bays import parse_bays
    from kplate.bays.guess import guess_bays, starting_file
    from kplate.images import read_image

    out = Path(args.out)
    if out.exists():
        raise OutputError(f"{printable(out)} exists already: choose another name with --out, or remove it")
    if not args.camera.strip() or not args.camera.isprintable():
        raise KplateError(f"{args.camera!r} is no name of a camera")
    image = read_image(args.picture)
    _not_the_same(out.with_suffix(".png"), args.picture)
    height, width = image.shape[:2]
    grounds = [] if args.thirds else guess_bays(open_recognizer(args)(image).vehicles, width, height)
    text = starting_file(args.camera, grounds, width, height)
    bays = parse_bays(text, printable(out))
    write_atomic(out, text.encode())
    picture = _drawn(bays, None, args.picture, out.with_suffix(".png"))
    count = len(bays.cameras[0].bays)
    found = f"{count} bays where cars stand" if grounds else "the picture in thirds"
    print(f"wrote {printable(out)} ({found}) and {printable(picture)}, which shows it")
    return 0


def _check(args: argparse.Namespace) -> int:
    """Say what is wrong with a file, or what is in it."""
    from kplate.bays import BaysError, load_bays

    try:
        bays = load_bays(args.file)
    except BaysError as error:
        for mistake in error.mistakes:
            complain(error.describe(mistake))
        return FAILED
    _list(bays)
    if args.picture is not None:
        out = Path(args.out) if args.out else Path(args.file).with_suffix(".png")
        picture = _drawn(bays, args.camera, args.picture, out)
        print(f"wrote {printable(picture)}")
    elif args.out is not None or args.camera is not None:
        raise KplateError("--out and --camera need a PICTURE to draw the bays over")
    return 0


def _list(bays: "Bays") -> None:
    from kplate.bays.limits import limits_of

    screen = Screen()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("camera", "bay", "kind", "limit", "plates"):
        table.add_column(title, no_wrap=True)
    for camera in bays.cameras:
        for bay in camera.bays:
            limits = ", ".join(
                f"{limit.seconds / 3600:g} h{' (plug-in hybrids)' if limit.plug_in else ''}"
                for limit in limits_of(bay)
            )
            plates = f"{len(bay.plates)} listed" if bay.plates else ""
            table.add_row(printable(camera.name), printable(bay.name), str(bay.kind), limits, plates)
    screen.out.print(table)
    if bays.watch_list:
        screen.out.print(f"{len(bays.watch_list)} plates on the watch list")


def _not_the_same(out: Path, picture: str) -> None:
    if out.exists() and out.samefile(picture):
        raise OutputError(f"{printable(out)} is the picture itself: choose another name with --out")


def _drawn(bays: "Bays", camera: str | None, picture: str, out: Path) -> Path:
    """Write a picture with its bays drawn in."""
    from kplate.bays import BayState
    from kplate.bays.drawing import draw_bays
    from kplate.images import read_image, write_image

    states = [BayState(bay) for bay in bays.camera(camera).bays]
    _not_the_same(out, picture)
    write_image(out, draw_bays(read_image(picture), states))
    return out


def _clip(args: argparse.Namespace) -> int:
    """Render a car park."""
    import numpy as np

    from kplate.synth.car_park import CarPark, write_car_park

    folder = prepare_folder(args.out)
    for name in (_CLIP, _LABELS, _BAYS):
        if (folder / name).exists():
            raise OutputError(
                f"{printable(folder / name)} exists already: choose another folder or remove it"
            )
    park = CarPark(np.random.default_rng(args.seed), float(args.seconds))
    with Screen().progress(park.frames, "frames") as advance:
        write_car_park(park, folder, advance)
    visits = park.labels()["visits"]
    came, went = (sum(visit[what] is not None for visit in visits) for what in ("arrived", "left"))
    print(
        f"{args.seconds} s with {came} arrivals and {went} departures: "
        f"{_CLIP}, {_LABELS} and {_BAYS} in {printable(folder)}"
    )
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    """Watch a clip and compare; the status is 1 where anything was told wrongly or missed."""
    from kplate.bays import load_bays
    from kplate.evaluation.bays import compare_bays

    folder = Path(args.folder)
    bays = load_bays(folder / _BAYS)
    labels = folder / _LABELS
    try:
        truth = json.loads(labels.read_text(encoding="utf-8"))
        frames = round(truth["seconds"] * truth["rate"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{printable(labels)} cannot be used: {error}") from error
    events = _watched(args, folder / _CLIP, bays, frames)
    if args.events is not None:
        write_atomic(args.events, "".join(f"{event.to_json()}\n" for event in events).encode())
    report = compare_bays(truth, events)
    if args.json:
        print(json_line({**asdict(report), "misses": [str(miss) for miss in report.misses]}))
    else:
        _show(report, events)
    return 0 if report.perfect else FAILED


def _watched(args: argparse.Namespace, clip: Path, bays: "Bays", frames: int) -> "list[Event]":
    """Return the events of a clip, read as `kplate watch` reads it."""
    import cv2

    from kplate.bays import BayMonitor
    from kplate.live.pipeline import recognised
    from kplate.live.sources import open_source
    from kplate.live.watcher import Watcher

    cv2.setNumThreads(1)  # frames are spread over the cores, not the pixels of one
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers, args.threads = args.threads or cores, 1
    recognizer = open_recognizer(args)
    watcher, monitor = Watcher(), BayMonitor(bays, look=recognizer)
    events: list[Event] = []
    screen = Screen(json=args.json)
    with open_source(os.fspath(clip)) as source, screen.progress(frames, "frames") as advance:
        for frame, recognition in recognised(source, recognizer, workers=workers):
            events += monitor.update(watcher.update(frame, recognition))
            advance("")
    return events


def _show(report: "BaysReport", events: "list[Event]") -> None:
    from kplate.evaluation.bays import TOLERANCE

    screen = Screen()
    missed = {what: sum(m.what == what and not m.told for m in report.misses) for what in ("arrived", "left")}
    wrong = sum(miss.told for miss in report.misses)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    told = report.arrivals - missed["arrived"]
    table.add_row(f"Arrivals told within {TOLERANCE:g} s", f"{told} / {report.arrivals}")
    told = report.departures - missed["left"]
    table.add_row(f"Departures told within {TOLERANCE:g} s", f"{told} / {report.departures}")
    table.add_row("Told but not so", str(wrong))
    if report.delays:
        spread = f"{min(report.delays):.1f} to {max(report.delays):.1f} s"
        table.add_row("Told after", spread)
    table.add_row(
        "Plates of visits right / wrong", f"{report.plates} of {report.visits} / {report.wrong_plates}"
    )
    table.add_row("Permits right (cars seen from the front)", f"{report.permits} of {report.permit_visits}")
    table.add_row("Reviews", str(sum(bool(event.reasons) for event in events)))
    screen.out.print(table)
    for miss in report.misses:
        screen.out.print(f"  {miss}")
