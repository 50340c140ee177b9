"""Events in text files: JSON Lines and CSV; pictures in a folder."""

import contextlib
import csv
import io
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

from kplate.errors import DataError, OutputError
from kplate.events import Event
from kplate.files import StrPath, printable, reason_of, write_atomic
from kplate.sinks.base import Picture

#: Columns of CSV.
COLUMNS: Final = (
    "id", "time", "type", "source", "bay", "bay_kind", "plate", "display", "plate_hash", "score",
    "kind", "use", "electric", "permit", "track", "first", "last", "seconds", "reasons", "state", "related",
    "error", "pictures",
)  # fmt: skip
_BOM: Final = "\ufeff"


def cells(event: Event) -> list[str]:
    """Return an event as the cells of one CSV row, in the order of :data:`COLUMNS`."""
    values = event.to_dict()

    def part(name: str) -> dict[str, Any]:
        found = values.get(name)
        return found if isinstance(found, dict) else {}

    plate, bay, stay = part("plate"), part("bay"), part("stay")
    row = {
        **{name: values.get(name) for name in ("id", "time", "type", "source", "permit", "related", "error")},
        **{name: plate.get(name) for name in ("display", "score", "kind", "use", "electric")},
        **{name: stay.get(name) for name in ("first", "last", "seconds")},
        "plate": plate.get("text"),
        "plate_hash": plate.get("hash"),
        "bay": bay.get("id"),
        "bay_kind": bay.get("kind"),
        "track": part("vehicle").get("track"),
        "reasons": " ".join(reason.code for reason in event.reasons),
        "state": part("state").get("state"),
        "pictures": " ".join(picture.key or picture.name for picture in event.pictures),
    }
    return [_cell(row[name]) for name in COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def csv_line(row: list[str]) -> str:
    """Return cells as one line of CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerow(row)
    return text.getvalue()


class LineFile:
    """A text file that grows by whole lines.

    It is opened for each line, so that a file that was moved away is begun anew, and one on a disk that was
    away is found again. A line that could not be written in full is taken back.
    """

    wants_pictures = False

    def __init__(self, path: StrPath, header: str = "") -> None:
        self.path = Path(path)
        self.name = printable(path)
        self._header = header.encode()
        self._lock = threading.Lock()
        if self.path.is_dir():
            raise OutputError(f"cannot write {self.name}: a folder has this name")
        self._append(b"")

    def _append(self, line: bytes) -> None:
        try:
            with self._lock, self.path.open("ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                data = (self._header if size == 0 else b"") + line
                try:
                    if data and file.write(data) != len(data):
                        raise OSError(None, "the disk is full")
                except OSError:
                    with contextlib.suppress(OSError):
                        file.truncate(size)
                    raise
        except OSError as error:
            raise OutputError(f"cannot write {self.name}: {reason_of(error)}") from error

    def _line(self, event: Event) -> str:
        raise NotImplementedError

    def write(self, event: Event, pictures: tuple[Picture, ...]) -> None:  # noqa: ARG002
        """Append an event.

        Raises:
            OutputError: It cannot be written; nothing of it was.
        """
        self._append(self._line(event).encode())

    def close(self) -> None:
        """Nothing is open between two events."""


class JsonLinesFile(LineFile):
    """Events as JSON Lines: one object a line, appended to what is there."""

    def __init__(self, path: StrPath) -> None:
        """Make sure that the file can be written.

        A last line that a crash or a power failure cut short is taken away.

        Raises:
            OutputError: The file cannot be written.
        """
        super().__init__(path)
        self._drop_torn_line()

    def _drop_torn_line(self) -> None:
        try:
            if not self.path.is_file():
                return  # a pipe or a device
            with self.path.open("rb+") as file:
                size = file.seek(0, os.SEEK_END)
                start = max(0, size - (1 << 20))
                file.seek(start)
                before, newline, last = file.read().rpartition(b"\n")
                if not last:
                    return
                try:
                    json.loads(last)
                except ValueError:
                    if newline or start == 0:
                        file.truncate(start + len(before) + len(newline))
                else:
                    file.write(b"\n")
        except OSError as error:
            raise OutputError(f"cannot write {self.name}: {reason_of(error)}") from error

    def _line(self, event: Event) -> str:
        return f"{event.to_json()}\n"


class CsvFile(LineFile):
    """Events as CSV, in UTF-8 with the mark by which spreadsheets know it, appended to what is there."""

    def __init__(self, path: StrPath) -> None:
        """Write the head line of a new file.

        Raises:
            OutputError: The file cannot be written.
            DataError: It has other columns.
        """
        header = _BOM + csv_line(list(COLUMNS))
        super().__init__(path, header)
        if self.path.is_file():
            with self.path.open("rb") as file:
                if file.read(len(self._header)) != self._header:
                    raise DataError(f"cannot append to {self.name}: its columns are not those of events")

    def _line(self, event: Event) -> str:
        return csv_line(cells(event))


class PictureFolder:
    """Pictures in a folder: ``DAY/SOURCE/EVENT-NAME.jpg``, and the event beside them as JSON."""

    wants_pictures = True

    def __init__(self, path: StrPath) -> None:
        """Make the folder.

        Raises:
            OutputError: It cannot be made.
        """
        self.path = Path(path)
        self.name = printable(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write to the folder {self.name}: {reason_of(error)}") from error

    def write(self, event: Event, pictures: tuple[Picture, ...]) -> None:
        """Store the pictures of an event; an event without any leaves nothing here."""
        for picture in pictures:
            target = self.path / picture.key
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot write {printable(target)}: {reason_of(error)}") from error
            write_atomic(target, picture.data)
        if pictures:
            write_atomic((self.path / pictures[0].key).parent / f"{event.id}.json", event.to_json().encode())

    def prune(self, older_than: timedelta, *, now: datetime | None = None) -> int:
        """Delete the folders of days that are wholly older; return how many went."""
        last = ((now or datetime.now(UTC)) - older_than).date()
        gone = 0
        for day in self.path.iterdir():
            with contextlib.suppress(ValueError):
                if day.is_dir() and datetime.strptime(day.name, "%Y-%m-%d").date() < last:
                    rmtree(day, ignore_errors=True)
                    gone += 1
        return gone

    def close(self) -> None:
        """Nothing is open between two events."""
