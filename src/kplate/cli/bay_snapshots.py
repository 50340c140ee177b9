"""Bays in single pictures, minutes apart, for `kplate listen`."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from kplate.bays import BayMonitor, Bays
from kplate.cli.bay_state import BayMemory, state_file
from kplate.live.commands import Tell
from kplate.live.model import Frame, FrameResult
from kplate.live.pipeline import Recognise
from kplate.results import Recognition
from kplate.sinks import Privacy


@dataclass
class _Camera:
    """A camera of the file of bays.

    Attributes:
        monitor: What watches its bays.
        memory: What remembers them.
        lock: Held while a picture of it is looked at.
        first: When its first picture was taken.
        last: Likewise of the last one.
        count: How many pictures there were.
    """

    monitor: BayMonitor
    memory: BayMemory
    lock: threading.Lock = field(default_factory=threading.Lock)
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0


class BaySnapshots:
    """Tells what single pictures show of the bays of their cameras; may be called from several threads."""

    def __init__(
        self, bays: Bays, file: str, recognise: Recognise, privacy: Privacy, log: Callable[[str], None]
    ) -> None:
        """Begin with what an earlier run has left.

        Args:
            bays: What the file of bays says.
            file: The file of bays, beside which it is kept what stands in them.
            recognise: Looks closer at parked vehicles.
            privacy: What must not be kept.
            log: Told what goes wrong.
        """
        self._cameras: dict[str, _Camera] = {}
        for camera in bays.cameras:
            monitor = BayMonitor(bays, camera.name, apart=True, look=recognise)
            memory = BayMemory(state_file(file, camera.name, "listen"), monitor, privacy, log)
            self._cameras[camera.name] = _Camera(monitor, memory)

    def __call__(self, name: str, frame: Frame, found: Recognition, tell: Tell) -> None:
        """Look at a picture; one that is no newer than the last of its camera shows nothing new.

        Args:
            name: Name of the camera.
            frame: The picture.
            found: What was found in it.
            tell: Called with what has happened.
        """
        camera = self._cameras.get(name)
        if camera is None:
            return
        with camera.lock:
            if camera.last is not None and frame.wall <= camera.last:
                return
            if camera.first is None:
                camera.first = frame.wall
                for event in camera.memory.resume():
                    tell(event, {})
            camera.last = frame.wall
            seconds = (frame.wall - camera.first).total_seconds()
            shown = replace(frame, index=camera.count, time=seconds)
            camera.count += 1
            events = camera.monitor.update(FrameResult(shown, found))
            camera.memory.before(events)
            for event in events:
                tell(event, camera.monitor.pictures(event))
            camera.memory.after(events)
