"""Keeps an eye on a source while it is watched: tells changes, and writes a small file that others read."""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from kplate.errors import OutputError
from kplate.files import write_atomic
from kplate.live.model import Connection, Source, SourceState
from kplate.live.telling import STATES

#: Seconds between two looks, two files, and two lines of log.
_LOOK_EVERY: Final = 0.5
_WRITE_EVERY: Final = 2.0
_LOG_EVERY: Final = 300.0
#: States that are news; connecting is only the way between them.
_NEWS: Final = (Connection.CONNECTED, Connection.STALLED, Connection.WAITING)


class StatusKeeper:
    """Looks at a source from a thread of its own: one that has stalled yields no frames to look at."""

    def __init__(
        self,
        source: Source,
        *,
        file: Path | None = None,
        counts: Callable[[], Mapping[str, Any]] = dict,
        on_change: Callable[[SourceState], None] = lambda _: None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take note of what is wanted; entering the context starts the thread.

        Args:
            source: The source.
            file: JSON file to keep up to date, or None.
            counts: Gives further values for it; called from the thread.
            on_change: Told each time a live source was connected, has stalled or was lost; from the thread.
            log: Told how a live source does, now and then, and what goes wrong here.

        Raises:
            OutputError: The file cannot be written.
        """
        self._source, self._file, self._counts = source, file, counts
        self._on_change, self._log = on_change, log
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._failed = False
        self._put()  # at once: whoever looks finds a whole file

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and write the file a last time."""
        self._done.set()
        self._thread.join()
        self._write()

    def values(self) -> dict[str, Any]:
        """Return what the file says."""
        state = self._source.state
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "source": self._source.name,
            "state": STATES[state.connection],
            "connected": state.connection is Connection.CONNECTED,
            "problem": state.problem,
            "fps": round(state.rate, 1),
            "lag": round(state.lag, 3),
            "frames": state.frames,
            "dropped": state.dropped,
            "reconnects": state.reconnects,
            **self._counts(),
        }

    def _run(self) -> None:
        known = Connection.CONNECTING
        ticks = 0
        while not self._done.wait(_LOOK_EVERY):
            ticks += 1
            state = self._source.state
            if self._source.live and state.connection in _NEWS and state.connection is not known:
                known = state.connection
                self._on_change(state)
            if ticks % round(_WRITE_EVERY / _LOOK_EVERY) == 0:
                self._write()
            if self._source.live and ticks % round(_LOG_EVERY / _LOOK_EVERY) == 0:
                told = STATES[state.connection]
                self._log(
                    f"{self._source.name}: {told}, {state.rate:.1f} frames/s, lag {state.lag * 1000:.0f} ms, "
                    f"{state.frames} frames, {state.dropped} passed over, {state.reconnects} reconnects"
                )

    def _put(self) -> None:
        if self._file is not None:
            write_atomic(self._file, f"{json.dumps(self.values(), ensure_ascii=False)}\n".encode())

    def _write(self) -> None:
        try:
            self._put()
            self._failed = False
        except OutputError as error:
            if not self._failed:
                self._log(str(error))
            self._failed = True
