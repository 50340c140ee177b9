"""One sink that hands events to many, and lets none of them disturb the others."""

import contextlib
import dataclasses
import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from kplate.errors import KplateError, OutputError
from kplate.events import Event, EventPicture, without_credentials
from kplate.files import printable
from kplate.sinks.base import Log, Output, Picture
from kplate.sinks.courier import Courier
from kplate.sinks.files import PictureFolder
from kplate.sinks.naming import picture_key
from kplate.sinks.privacy import Privacy
from kplate.sinks.store import Store

if TYPE_CHECKING:
    from kplate.images import Image

#: Events that are kept in memory for an output that fails, and how many of them keep their pictures.
_KEPT: Final = 10_000
_KEPT_PICTURES: Final = 50
#: Seconds between two looks for events that are too old.
_PRUNE_EVERY: Final = 3600.0
#: Where less than this is free on the disk of the store or the pictures, no more pictures are stored: what is
#: left is for events. In bytes.
_RESERVE: Final = 256 << 20
#: JPEG quality of stored pictures.
_QUALITY: Final = 88
#: Seconds that closing waits for receivers to take what waits; the rest is delivered by the next run.
PATIENCE: Final = 5.0

log_warning: Log = logging.getLogger("kplate.sinks").warning


class StoreOutput:
    """The store, which also holds what couriers deliver."""

    def __init__(self, store: Store, targets: Sequence[str], *, wants_pictures: bool) -> None:
        self.name = store.path.name
        self.wants_pictures = wants_pictures
        self._store = store
        self._targets = targets

    def write(self, event: Event, pictures: tuple[Picture, ...]) -> None:
        """Take an event, and what is to be delivered of it."""
        self._store.add(event, targets=self._targets, pictures=pictures if self.wants_pictures else ())

    def close(self) -> None:
        """The store is closed last, by its owner."""


class _Guarded:
    """An output that may fail: then it is told once, and events are kept for it until it works again."""

    def __init__(self, output: Output, log: Log) -> None:
        self.output = output
        self._log = log
        self._kept: deque[tuple[Event, tuple[Picture, ...]]] = deque()
        self._lost = 0  # since it failed
        self._gone = 0  # before
        self._failing = False

    def write(self, event: Event, pictures: tuple[Picture, ...]) -> None:
        self._kept.append((event, pictures if len(self._kept) < _KEPT_PICTURES else ()))
        if len(self._kept) > _KEPT:
            self._kept.popleft()
            self._lost += 1
        self._work_off()

    def _work_off(self) -> None:
        late = len(self._kept) - 1
        try:
            while self._kept:
                self.output.write(*self._kept[0])
                self._kept.popleft()
        except Exception as error:  # nothing may stop the reading
            self._fail(error)
            return
        if self._failing:
            self._failing = False
            lost = f", {self._lost} lost" if self._lost else ""
            self._log(f"{self.output.name}: works again; {max(0, late)} events written late{lost}")
            self._gone, self._lost = self._gone + self._lost, 0

    def _fail(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, KplateError) else f"{type(error).__name__}: {error}"
        if not self._failing:
            told = reason if self.output.name in reason else f"{self.output.name}: {reason}"
            self._log(without_credentials(f"{told}; events are kept in memory until it works again"))
        self._failing = True

    def close(self) -> int:
        """Write what is still kept, and return how many events were lost."""
        if self._kept:
            self._work_off()
        lost = len(self._kept) + self._lost
        if lost:
            self._log(f"{self.output.name}: {lost} events could not be written")
        self._kept.clear()
        self.output.close()
        return self._gone + lost


class Sinks:
    """Many sinks as one. It is a context manager; leaving it closes them.

    Attributes:
        lost: How many events could not be written to one of them; known when they are closed.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        *,
        store: Store | None = None,
        couriers: Sequence[Courier] = (),
        privacy: Privacy | None = None,
        keep: timedelta | None = None,
        log: Log = log_warning,
    ) -> None:
        """Take over opened outputs; use :func:`kplate.sinks.open_sinks`."""
        self._outputs = [_Guarded(output, log) for output in outputs]
        self._store = store
        self._couriers = tuple(couriers)
        self._privacy = privacy or Privacy()
        self._keep = keep
        self._log = log
        self._pruned = -_PRUNE_EVERY
        self._closed = False
        self.lost = 0
        self._lock = threading.Lock()
        self._room = True
        self._prune()

    def write(self, event: Event, pictures: Mapping[str, "Image"] | None = None) -> None:
        """Hand an event to every sink. When this returns, it is on the disk; nothing is ever raised.

        May be called from several threads.

        Args:
            event: What happened.
            pictures: Pictures of it by their names, uint8, H x W x 3, BGR. ``event.pictures`` says which part
                of the frame each of them shows; those that are not named there show the whole frame.
        """
        with self._lock:
            self._write(event, pictures or {})

    def _write(self, event: Event, pictures: Mapping[str, "Image"]) -> None:
        if self._closed:
            self._log(f"event {event.id} came after the sinks were closed")
            return
        try:
            event.to_dict()
        except KplateError as error:  # no sink could ever write it, and it would block them
            self.lost += 1
            self._log(f"event {event.id} cannot be written: {error}")
            return
        told, encoded = self._prepared(event, pictures)
        for guarded in self._outputs:
            guarded.write(told, encoded if guarded.output.wants_pictures else ())
        for courier in self._couriers:
            courier.outbox.wake.set()
        self._prune()

    def _prepared(self, event: Event, pictures: Mapping[str, "Image"]) -> tuple[Event, tuple[Picture, ...]]:
        told = self._privacy.event(event)
        if not pictures or not any(guarded.output.wants_pictures for guarded in self._outputs):
            return told, ()
        if not self._has_room():
            return told, ()
        try:
            encoded = [
                Picture(name, picture_key(event, name), _jpeg(image))
                for name, image in self._privacy.pictures(event, pictures).items()
            ]
        except Exception as error:  # an event without pictures is better than none
            self._log(f"the pictures of event {event.id} cannot be stored: {error}")
            return told, ()
        known = {picture.name: picture for picture in event.pictures}
        references = tuple(
            dataclasses.replace(known.get(item.name, EventPicture(item.name)), key=item.key)
            for item in encoded
        )
        return dataclasses.replace(told, pictures=references), tuple(encoded)

    def _has_room(self) -> bool:
        """Say whether pictures may be stored."""
        places = [
            guarded.output.path for guarded in self._outputs if isinstance(guarded.output, PictureFolder)
        ]
        if self._store is not None:
            places.append(self._store.path.parent)
        with contextlib.suppress(OSError):  # a disk that is away
            full = [place for place in places if shutil.disk_usage(place).free < _RESERVE]
            if full and self._room:
                self._log(f"pictures are no longer stored: the disk of {printable(full[0])} is almost full")
            self._room = not full
        return self._room

    def _prune(self) -> None:
        """Delete what is older than it may become, now and then."""
        if self._keep is None or time.monotonic() - self._pruned < _PRUNE_EVERY:
            return
        self._pruned = time.monotonic()
        try:
            if self._store is not None:
                self._store.prune(self._keep)
            for guarded in self._outputs:
                if isinstance(guarded.output, PictureFolder):
                    guarded.output.prune(self._keep)
        except (KplateError, OSError) as error:
            self._log(f"old events cannot be deleted: {error}")

    @property
    def waiting(self) -> dict[str, int]:
        """How many events wait for each receiver on the network."""
        backlog = self._store.backlog() if self._store is not None else {}
        return {courier.name: backlog.get(courier.name, (0, 0))[0] for courier in self._couriers}

    def close(self, patience: float = PATIENCE) -> None:
        """Write what is still to be written, deliver what can be delivered soon, and close everything.

        Args:
            patience: Seconds to wait for receivers that are there; what they have not taken by then waits in
                the store for the next run.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.lost += sum(guarded.close() for guarded in self._outputs)
        end = time.monotonic() + patience
        for courier in self._couriers:
            courier.close(max(0.1, end - time.monotonic()))
        if self._store is None:
            return
        try:
            for name, count in self.waiting.items():
                if count:
                    self._log(f"{name}: {count} events wait in {self._store.path.name} for the next run")
        except KplateError as error:
            self._log(str(error))
        self._store.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.close()


def _jpeg(image: "Image") -> bytes:
    import cv2  # here: programs that write no pictures need not load it

    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise OutputError(f"{image.shape[1]}x{image.shape[0]} pixels cannot be stored as JPEG")
    return data.tobytes()
