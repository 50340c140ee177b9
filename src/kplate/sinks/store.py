"""The store of events: an SQLite file that also holds what is still to be sent.

An event and what is to be sent of it are written in one transaction that is on the disk when
:meth:`Store.add` returns. So a process that is killed, or a machine that loses its power, loses no event that
was taken, and what was not delivered is delivered by the next run. The event's identifier is a key: what
comes again changes nothing.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from kplate.errors import DataError, OutputError
from kplate.events import Event
from kplate.events.codec import time_text
from kplate.files import StrPath, printable
from kplate.results import json_line
from kplate.sinks.base import Picture
from kplate.sinks.migrations import APPLICATION_ID, MIGRATIONS

#: How long another process may keep the file locked before that is a failure, in seconds.
_PATIENCE: Final = 20.0
_WAITING, _DELIVERED, _REFUSED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is to be delivered.

    Attributes:
        seq: Its number among all deliveries, in the order in which events were taken.
        event: The event's identifier.
        body: The event as JSON.
    """

    seq: int
    event: str
    body: str


class Store:
    """A store of events; may be used from several threads, and by several processes at once."""

    def __init__(self, path: StrPath) -> None:
        """Open a store, or make one.

        Raises:
            OutputError: The file cannot be opened or written.
            DataError: It is no store of events, or that of a newer kplate.
        """
        self.path = Path(path)
        self._name = printable(path)
        self._lock = threading.Lock()
        self._check_place()
        with self._failures():
            self._db = sqlite3.connect(
                self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            with self._failures():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _check_place(self) -> None:
        """SQLite says "unable to open" to all of these."""
        if self.path.is_dir():
            raise OutputError(f"cannot open {self._name}: a folder has this name")
        if not self.path.parent.is_dir():
            raise OutputError(f"cannot open {self._name}: the folder does not exist")

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn SQLite's exceptions into sentences that name the file."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "not a database" in text or "malformed" in text:
                raise DataError(f"cannot use {self._name}: it is no store of events ({text})") from error
            raise OutputError(f"cannot write {self._name}: {_REASONS.get(text, text)}") from error

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA foreign_keys = ON")
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and (application or tables):
            raise DataError(f"cannot use {self._name}: it is a database, but no store of events")
        if db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            db.execute("PRAGMA journal_mode = WAL")
        # FULL: on the disk when the call returns, also if the power fails a moment later.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")  # what was pruned is gone from the file as well
        self._migrate()
        # A file that may only be read is told now, not with the first event.
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        finally:
            db.execute("ROLLBACK")

    def _migrate(self) -> None:
        if self._version() == len(MIGRATIONS):
            return
        with self._transaction():
            version = self._version()  # another process may have been quicker
            if version > len(MIGRATIONS):
                raise DataError(
                    f"cannot use {self._name}: a newer kplate wrote it (version {version}, "
                    f"this kplate knows {len(MIGRATIONS)})"
                )
            for step in MIGRATIONS[version:]:
                for statement in step.split(";"):
                    if statement.strip():
                        self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do everything or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction already.
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._failures(), self._transaction():
            yield self._db

    @contextlib.contextmanager
    def _noting(self) -> Iterator[sqlite3.Connection]:
        """Write what may be forgotten when the power fails, but not when the process is killed.

        It does not wait for the disk, which takes a hundred times as long: a process that is killed in that
        time would not know that an event has arrived, and would send it again.
        """
        with self._lock, self._failures():
            self._db.execute("PRAGMA synchronous = NORMAL")
            try:
                with self._transaction():
                    yield self._db
            finally:
                self._db.execute("PRAGMA synchronous = FULL")

    def add(self, event: Event, *, targets: Sequence[str] = (), pictures: Sequence[Picture] = ()) -> bool:
        """Take an event, and note where it is to be sent.

        Args:
            event: The event; one that the store has already is not changed.
            targets: Names of those that it is to be sent to, if it was not sent there before.
            pictures: What is to be sent with it; kept until all have it.

        Returns:
            Whether the event is new.

        Raises:
            OutputError: It cannot be written; then nothing of it was.
        """
        values = event.to_dict()
        row = (
            event.id,
            values["time"],
            values["type"],
            event.source,
            event.bay.id if event.bay else None,
            event.plate.text if event.plate else None,
            event.plate.hash if event.plate else None,
            json_line(values),
        )
        with self._exclusive() as db:
            new = db.execute(
                "INSERT OR IGNORE INTO events (id, time, type, source, bay, plate, plate_hash, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).rowcount
            queued = db.executemany(
                "INSERT OR IGNORE INTO deliveries (target, event) VALUES (?, ?)",
                [(target, event.id) for target in targets],
            ).rowcount
            if queued > 0:
                db.executemany(
                    "INSERT OR IGNORE INTO pictures (event, name, key, data) VALUES (?, ?, ?, ?)",
                    [(event.id, picture.name, picture.key, picture.data) for picture in pictures],
                )
        return new > 0

    def waiting(self, target: str, *, after: int = 0, limit: int = 100) -> list[Waiting]:
        """Return what is to be delivered next, oldest first.

        Args:
            target: To whom.
            after: Only deliveries with higher numbers.
            limit: How many at most.
        """
        with self._lock, self._failures():
            rows = self._db.execute(
                "SELECT d.seq, d.event, e.body FROM deliveries d JOIN events e ON e.id = d.event "
                "WHERE d.target = ? AND d.state = 0 AND d.seq > ? ORDER BY d.seq LIMIT ?",
                (target, after, limit),
            ).fetchall()
        return [Waiting(*row) for row in rows]

    def pictures(self, event: str) -> list[Picture]:
        """Return the pictures that wait with an event."""
        with self._lock, self._failures():
            rows = self._db.execute(
                "SELECT name, key, data FROM pictures WHERE event = ? ORDER BY name", (event,)
            ).fetchall()
        return [Picture(*row) for row in rows]

    def delivered(self, seqs: Sequence[int]) -> None:
        """Note that deliveries have arrived."""
        self._settle(seqs, _DELIVERED, None)

    def refused(self, seq: int, reason: str) -> None:
        """Note that the receiver will never take an event."""
        self._settle([seq], _REFUSED, reason)

    def _settle(self, seqs: Sequence[int], state: int, reason: str | None) -> None:
        with self._noting() as db:
            db.executemany(
                "UPDATE deliveries SET state = ?, reason = ? WHERE seq = ?",
                [(state, reason, seq) for seq in seqs],
            )
            db.executemany(
                "DELETE FROM pictures WHERE event = (SELECT event FROM deliveries WHERE seq = ?) "
                "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = pictures.event AND d.state = 0)",
                [(seq,) for seq in seqs],
            )

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Return for each target how many events wait, and how many it refused."""
        with self._lock, self._failures():
            return read_backlog(self._db)

    def prune(
        self, older_than: timedelta, *, now: datetime | None = None, undelivered: bool = False
    ) -> tuple[int, int]:
        """Delete old events.

        Args:
            older_than: Age from which on events go.
            now: Time to reckon from; None for the clock.
            undelivered: Delete also what still waits to be sent.

        Returns:
            How many were deleted, and how many old ones stay because they still wait to be sent.
        """
        before = time_text((now or datetime.now(UTC)) - older_than)
        kept = "" if undelivered else (
            " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = events.id AND d.state = 0)"
        )  # fmt: skip
        with self._exclusive() as db:
            gone = db.execute(f"DELETE FROM events WHERE time < ?{kept}", (before,)).rowcount
            (left,) = db.execute("SELECT count(*) FROM events WHERE time < ?", (before,)).fetchone()
        if gone:
            with self._lock, contextlib.suppress(sqlite3.Error):  # a reader may hold the log
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone, int(left)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._db.close()


def read_backlog(database: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Return for each target how many events wait in a store, and how many it refused."""
    rows = database.execute("SELECT target, sum(state = 0), sum(state = 2) FROM deliveries GROUP BY target")
    return {target: (int(waiting), int(refused)) for target, waiting, refused in rows}


#: SQLite's words, said plainly.
_REASONS: Final = {
    "database or disk is full": "the disk is full",
    "attempt to write a readonly database": "it may not be written to",
    "unable to open database file": "permission denied",
    "database is locked": "another program keeps it locked",
    "disk I/O error": "the disk refused (is it full?)",
}
