"""``kplate events``: list, export and delete what the store of events holds."""

import argparse
import contextlib
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from kplate.cli.common import FAILED, Screen, complain, positive, write_json_line
from kplate.cli.event_sinks import PLATE_KEY, add_sink_arguments, duration, moment, open_sinks_of
from kplate.errors import KplateError
from kplate.events import Event, EventType
from kplate.files import printable
from kplate.plates.grammar import display
from kplate.sinks.files import COLUMNS, PictureFolder, cells, csv_line
from kplate.sinks.opening import DEFAULT_STORE
from kplate.sinks.query import Filter, backlog, find
from kplate.sinks.store import Store

#: Title and width of the table's columns, in terminal cells; the last one takes what is left.
_COLUMNS = (("time", 14), ("type", 8), ("source", 12), ("bay", 4), ("plate", 13), ("", None))
_BATCH = 200


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="without one, events are listed")
    prune = actions.add_parser("prune", help="delete old events")
    prune.add_argument(
        "--older-than", type=duration, required=True, metavar="TIME", help="such as 30d or 12h"
    )
    prune.add_argument("--pictures", metavar="FOLDER", help="delete the pictures of those days as well")
    prune.add_argument("--undelivered", action="store_true", help="also what still waits to be sent")
    _add_store(prune)
    waiting = actions.add_parser("waiting", help="tell how many events wait for which receiver")
    waiting.add_argument("--json", action="store_true", help="one JSON object a receiver")
    _add_store(waiting)
    send = actions.add_parser("send", help="deliver what waits in a store, and end")
    send.add_argument("--for", dest="patience", type=duration, default="60s", metavar="TIME",
                      help="give up after so long (60s)")  # fmt: skip
    add_sink_arguments(send)
    _configure_list(parser)


def _configure_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="2026-03-01, 2026-03-01T08:30, or 2h (ago)"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="likewise; events before this time")
    parser.add_argument("--type", type=_types, metavar="A,B", help=f"of {', '.join(EventType)}")
    parser.add_argument("--plate", metavar="TEXT", help="such as 52주3108, or '*3108'")
    parser.add_argument("--source", metavar="NAME", help="camera, address or file; * stands for anything")
    parser.add_argument("--bay", metavar="NAME", help="parking bay")
    parser.add_argument("--last", type=positive, metavar="N", help="only the newest N")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON Lines")
    form.add_argument("--csv", action="store_true", help="CSV with a head line")
    _add_store(parser)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", default=argparse.SUPPRESS, metavar="FILE", help=f"the store of events ({DEFAULT_STORE})"
    )


def _types(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts or not set(parts) <= set(EventType):
        raise argparse.ArgumentTypeError(f"{text!r}: choose of {', '.join(EventType)}")
    return parts


def run(args: argparse.Namespace) -> int:
    """Run the command and return the exit status."""
    args.store = getattr(args, "store", DEFAULT_STORE)
    actions = {"prune": _prune, "waiting": _waiting, "send": _send}
    return actions.get(args.action, _list)(args)


def _list(args: argparse.Namespace) -> int:
    key = os.environ.get(PLATE_KEY)
    wanted = Filter(
        since=args.since,
        until=args.until,
        types=args.type or (),
        plate=args.plate,
        key=key.encode() if key else None,
        source=args.source,
        bay=args.bay,
        last=args.last,
    )
    found = find(args.store, wanted)
    if args.json:
        for event in found:
            write_json_line(event.to_json())
    elif args.csv:
        _write("\ufeff" + csv_line(list(COLUMNS)))
        for event in found:
            _write(csv_line(cells(event)))
    else:
        _show(found)
    return 0


def _write(text: str) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())


def _show(found: Iterator[Event]) -> None:
    """Print a table on a terminal, tab-separated lines in a pipe."""
    screen = Screen()
    count = 0
    if not screen.shows_table:
        for event in found:
            print(line_of(event))
        return
    while True:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=count == 0)
        for name, width in _COLUMNS:
            table.add_column(name, min_width=width, no_wrap=True, header_style="dim")
        for event in itertools.islice(found, _BATCH):
            count += 1
            cells_of = [Text(printable(cell)) for cell in _row(event)]
            cells_of[0] = cells_of[0][5:]  # everybody knows the year
            cells_of[4].stylize("bold green")
            table.add_row(*cells_of)
        if not table.rows:
            break
        screen.out.print(table)
    screen.out.print(Text(f"{count} events" if count != 1 else "1 event", style="dim"))


def line_of(event: Event) -> str:
    """Return an event as one line with tabs between its parts."""
    return "\t".join(printable(cell) for cell in _row(event))


def _row(event: Event) -> list[str]:
    plate = event.plate
    text = ""
    if plate is not None:
        text = display(plate.text) if plate.text else f"#{plate.hash[:11]}" if plate.hash else ""
    return [
        f"{event.time.astimezone():%Y-%m-%d %H:%M:%S}",
        str(event.type),
        event.source,
        event.bay.id if event.bay else "",
        text,
        _more(event),
    ]


def _more(event: Event) -> str:
    """Say in a few words what an event adds to its plate."""
    parts = [reason.text for reason in event.reasons]
    if event.plate is not None and event.plate.electric:
        parts.append("electric")
    if event.permit:
        parts.append("permit")
    if event.stay is not None and event.stay.seconds >= 1:
        parts.append(_span(event.stay.seconds))
    if event.state is not None:
        parts.append(event.state.text or event.state.state)
    if event.error:
        parts.append(event.error)
    return ", ".join(parts)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"


@contextlib.contextmanager
def _store(path: str) -> Iterator[Store]:
    """Open a store that exists."""
    if not Path(path).exists():
        raise KplateError(f"cannot open {printable(path)}: no such file")
    store = Store(path)
    try:
        yield store
    finally:
        store.close()


def _prune(args: argparse.Namespace) -> int:
    with _store(args.store) as store:
        gone, left = store.prune(args.older_than, undelivered=args.undelivered)
    print(f"{gone} events deleted")
    if left:
        complain(f"{left} older events still wait to be sent and stay; --undelivered deletes them")
    if args.pictures:
        if not Path(args.pictures).is_dir():
            raise KplateError(f"cannot delete pictures in {printable(args.pictures)}: no such folder")
        print(f"{PictureFolder(args.pictures).prune(args.older_than)} days of pictures deleted")
    return 0


def _waiting(args: argparse.Namespace) -> int:
    for name, (waiting, refused) in backlog(args.store).items():
        if args.json:
            import json

            write_json_line(json.dumps({"target": name, "waiting": waiting, "refused": refused}))
        else:
            more = f", {refused} refused" if refused else ""
            print(f"{printable(name)}\t{waiting} waiting{more}")
    return 0


def _send(args: argparse.Namespace) -> int:
    """Open the sinks and wait until nothing waits."""
    with open_sinks_of(args, complain) as sinks:
        end = time.monotonic() + args.patience.total_seconds()
        while any(sinks.waiting.values()) and time.monotonic() < end:
            time.sleep(0.1)
        return FAILED if any(sinks.waiting.values()) else 0
