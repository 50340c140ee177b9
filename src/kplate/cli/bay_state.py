"""What commands share that watch bays: remembering these from one run to the next."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kplate.bays import BayMonitor
from kplate.bays.state import StateFile
from kplate.errors import KplateError
from kplate.events import Event
from kplate.files import printable
from kplate.sinks import Privacy
from kplate.sinks.naming import slug

#: Seconds between two times that what is known is written although nothing has happened.
_SAVE_EVERY: Final = 10.0


def state_file(bays: str, camera: str, command: str) -> Path:
    """Return where the state of a camera's bays is kept when nobody says where: beside the file of bays.

    Args:
        bays: The file of bays.
        camera: Name of the camera.
        command: Who keeps it: two commands may look at the same bays.
    """
    file = Path(bays)
    return file.with_name(f"{file.stem}.{slug(camera)}.{command}.state")


class BayMemory:
    """Keeps the state of a monitor's bays in a file; what goes wrong is told once and disturbs nothing."""

    def __init__(
        self,
        file: str | os.PathLike[str],
        monitor: BayMonitor,
        privacy: Privacy,
        log: Callable[[str], None],
    ) -> None:
        """Take note of the file.

        Args:
            file: The file.
            monitor: What watches the bays.
            privacy: What must not be kept.
            log: Told what goes wrong.
        """
        self._file = StateFile(file, private=privacy.key is not None or privacy.blur)
        self._monitor = monitor
        self._privacy = privacy
        self._log = log
        self._failing = False
        self._due = 0.0

    def resume(self) -> list[Event]:
        """Let the monitor go on from the file; return events that are still to be told."""
        try:
            state, untold = self._file.load()
        except KplateError as error:
            self._log(f"{error}; cars in bays are taken to have been there from the start")
            return []
        if state is not None:
            self._monitor.resume(state)
        return untold

    def before(self, events: Sequence[Event]) -> None:
        """Note events that are about to be told."""
        if events:
            self._save([self._privacy.event(event) for event in events])

    def after(self, events: Sequence[Event]) -> None:
        """Note that events have been told, and every so often what is known in any case."""
        if events or time.monotonic() >= self._due:
            self._save([])

    def close(self) -> None:
        """Write what is known."""
        self._save([])

    def _save(self, untold: Sequence[Event]) -> None:
        state = self._monitor.state()
        if state is None:
            return
        self._due = time.monotonic() + _SAVE_EVERY
        try:
            self._file.save(state, untold)
        except KplateError as error:
            if not self._failing:
                self._log(f"{error}; after a new start, cars in bays will be told anew")
            self._failing = True
            return
        if self._failing:
            self._log(f"{printable(self._file.path)} can be written again")
        self._failing = False
