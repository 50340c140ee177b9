"""What commands share that make events: where these go, and what is not told. Durations and times, too."""

import argparse
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from kplate.errors import KplateError

if TYPE_CHECKING:
    from kplate.sinks import Log, Privacy, Sinks

#: Holds the key for hashing plates: in the environment, since arguments can be seen by everybody.
PLATE_KEY: Final = "KPLATE_PLATE_KEY"
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """Read an argument such as ``30d``, ``12h``, ``90m`` or ``180s``; a number alone is days."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw]?)", text.strip())
    try:
        if found is not None:
            return timedelta(**{_UNITS[found[2] or "d"]: float(found[1])})
    except OverflowError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 30d, 12h or 90m")


def moment(text: str) -> datetime:
    """Read a time: ``2026-03-01``, ``2026-03-01T08:30`` (local), or ``2h`` (so long ago)."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        pass
    try:
        return datetime.now(UTC) - duration(text)
    except (argparse.ArgumentTypeError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time such as 2026-03-01, 2026-03-01T08:30 or 2h (ago)"
        ) from None


def add_sink_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes that makes events."""
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="TARGET",
        help="write events to: FILE.db (the store that `kplate events` reads), FILE.jsonl, FILE.csv, FOLDER/ "
        "(pictures), mqtt://broker/base, https://host/path, s3://bucket/prefix; may be given several times",
    )
    parser.add_argument(
        "--spool",
        metavar="FILE",
        help="where events wait for receivers on the network when no store is written (kplate-spool.db)",
    )
    parser.add_argument(
        "--keep",
        type=duration,
        metavar="TIME",
        help="delete events and their pictures after so long, such as 30d",
    )
    parser.add_argument(
        "--hash-plates",
        action="store_true",
        help="tell plates as keyed hashes, and hide them and all other cars in pictures; the key is in "
        f"{PLATE_KEY}",
    )
    parser.add_argument(
        "--blur", action="store_true", help="blur in pictures everything outside the vehicle of the event"
    )


def privacy_of(args: argparse.Namespace) -> "Privacy":
    """Return what the arguments ask not to tell.

    Raises:
        KplateError: Plates are to be hashed, and there is no key.
    """
    from kplate.sinks import Privacy

    return Privacy(plate_key() if args.hash_plates else None, args.blur)


def plate_key() -> bytes:
    """Return the key for hashing plates.

    Raises:
        KplateError: There is none.
    """
    key = os.environ.get(PLATE_KEY, "")
    if not key:
        raise KplateError(f"hashing plates needs a key of 16 or more characters in {PLATE_KEY}")
    return key.encode()


def open_sinks_of(args: argparse.Namespace, log: "Log", more: Sequence[str] = ()) -> "Sinks":
    """Open the sinks that the arguments ask for.

    Args:
        args: The arguments.
        log: Told what goes wrong, from any thread.
        more: Further targets.

    Raises:
        KplateError: One of them cannot be.
    """
    from kplate.sinks import open_sinks

    return open_sinks([*args.to, *more], spool=args.spool, privacy=privacy_of(args), keep=args.keep, log=log)
