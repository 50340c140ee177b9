"""Looking into a store of events, also one that is being written to."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from kplate.errors import DataError
from kplate.events import Event
from kplate.events.codec import time_text
from kplate.files import StrPath, printable, reason_of
from kplate.sinks.migrations import APPLICATION_ID
from kplate.sinks.privacy import hashed
from kplate.sinks.store import read_backlog

_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are asked for; what is None or empty does not matter.

    Attributes:
        since: Not before this time.
        until: Before this time.
        types: Of one of these types.
        plate: With this plate, blanks or not; ``*`` stands for anything, ``?`` for one character.
        key: Key under which the store's plates are hashed; a plate without wildcards is then found as well.
        source: From this source; wildcards as in a plate.
        bay: In this bay.
        last: Only so many, the newest.
    """

    since: datetime | None = None
    until: datetime | None = None
    types: tuple[str, ...] = ()
    plate: str | None = None
    key: bytes | None = None
    source: str | None = None
    bay: str | None = None
    last: int | None = None


def find(path: StrPath, wanted: Filter | None = None) -> Iterator[Event]:
    """Yield a store's events, oldest first. Nothing is written, not even to an old store.

    Args:
        path: The store.
        wanted: Which events; None for all.

    Raises:
        DataError: There is no such file, it is no store of events, or an event in it is damaged.
    """
    where, values = _condition(wanted or Filter())
    last = wanted.last if wanted is not None else None
    name = printable(path)
    try:
        database = _open(Path(path))
        try:
            query = f"SELECT body, time, seq FROM events{where} ORDER BY time, seq"
            if last is not None:
                newest = f"SELECT body, time, seq FROM events{where} ORDER BY time DESC, seq DESC LIMIT ?"
                query = f"SELECT * FROM ({newest}) ORDER BY time, seq"
                values = [*values, last]
            rows = database.execute(query, values)
            while found := rows.fetchmany(_AT_ONCE):
                for body, _, _ in found:
                    yield Event.from_json(body)
        finally:
            database.close()
    except sqlite3.Error as error:
        raise DataError(f"cannot read {name}: {error}") from error


def backlog(path: StrPath) -> dict[str, tuple[int, int]]:
    """Return for each target of a store how many events wait, and how many it refused; nothing is written.

    Raises:
        DataError: There is no such file, or it is no store of events.
    """
    try:
        with contextlib.closing(_open(Path(path))) as database:
            (known,) = database.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'deliveries'"
            ).fetchone()
            return read_backlog(database) if known else {}  # a store of an older kplate knows of none
    except sqlite3.Error as error:
        raise DataError(f"cannot read {printable(path)}: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    name = printable(path)
    try:
        with path.open("rb"):  # SQLite says "unable to open" whatever the reason
            pass
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise DataError(
            f"cannot read {name}: {'a folder has this name' if path.is_dir() else reason}"
        ) from error
    address = path.resolve().as_uri()
    database = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=20.0)
    try:
        application = _application(database)
    except sqlite3.OperationalError:
        # Where nothing may be written, SQLite cannot follow a writer; then nobody writes there either.
        database.close()
        database = sqlite3.connect(f"{address}?immutable=1", uri=True)
        application = _application(database)
    except sqlite3.DatabaseError as error:
        database.close()
        raise DataError(f"cannot use {name}: it is no store of events ({error})") from error
    if application != APPLICATION_ID:
        database.close()
        raise DataError(f"cannot use {name}: it is no store of events")
    return database


def _application(database: sqlite3.Connection) -> int:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    return int(application)


def _condition(wanted: Filter) -> tuple[str, list[object]]:
    parts: list[str] = []
    values: list[object] = []

    def add(part: str, *given: object) -> None:
        parts.append(part)
        values.extend(given)

    if wanted.since is not None:
        add("time >= ?", time_text(wanted.since))
    if wanted.until is not None:
        add("time < ?", time_text(wanted.until))
    if wanted.types:
        add(f"type IN ({', '.join('?' * len(wanted.types))})", *wanted.types)
    if wanted.plate is not None:
        text = "".join(wanted.plate.split())
        digest = hashed(text, wanted.key) if wanted.key is not None else None
        add("(plate GLOB ? OR plate_hash = ?)", _pattern(text), digest)
    if wanted.source is not None:
        add("source GLOB ?", _pattern(wanted.source))
    if wanted.bay is not None:
        add("bay = ?", wanted.bay)
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _pattern(text: str) -> str:
    """Keep ``*`` and ``?``; a bracket is only a bracket."""
    return text.replace("[", "[[]")
