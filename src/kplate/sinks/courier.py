"""Delivering what waits in the store: a thread for each receiver, with growing pauses while it is away."""

import hashlib
import random
import threading
from collections.abc import Callable
from typing import IO, Final, Protocol

from kplate.errors import KplateError
from kplate.events import without_credentials
from kplate.sinks.base import Log, Picture
from kplate.sinks.store import Store, Waiting

#: First and longest pause after a failure, in seconds; each is twice the one before, and a random part of it
#: keeps many senders from coming back at the same moment.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
#: How often a thread looks for events that another process has written, in seconds.
_LOOK: Final = 1.0


class Undelivered(Exception):  # noqa: N818 - never leaves this room
    """A receiver is away or does not take events just now.

    Attributes:
        pause: Seconds that it asked to be left alone; None where it did not.
    """

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class Refused(Exception):  # noqa: N818 - never leaves this room
    """A receiver will never take this event."""


class Outbox:
    """What waits for one receiver."""

    def __init__(self, store: Store, target: str) -> None:
        self._store = store
        self._target = target
        self.wake = threading.Event()
        self.stop = threading.Event()
        #: Set while nothing waits.
        self.empty = threading.Event()

    def next(self, *, after: int = 0, limit: int = 100) -> list[Waiting]:
        """Return what is to be delivered next, oldest first, and note whether anything is."""
        self.wake.clear()
        found = self._store.waiting(self._target, after=after, limit=limit)
        if not found and after == 0:
            self.empty.set()
        return found

    def pictures(self, item: Waiting) -> list[Picture]:
        """Return the pictures of an event."""
        return self._store.pictures(item.event)

    def delivered(self, seqs: list[int]) -> None:
        """Note that events arrived."""
        self._store.delivered(seqs)

    def refused(self, item: Waiting, reason: str) -> None:
        """Note that an event never will."""
        self._store.refused(item.seq, reason)

    def sleep(self, seconds: float = _LOOK) -> None:
        """Wait until there is something to do, or for some time."""
        self.wake.wait(seconds)


class Carrier(Protocol):
    """A way to one receiver."""

    def carry(self, outbox: Outbox, log: Log) -> None:
        """Deliver what waits, and what comes, until the outbox is stopped.

        Raises:
            Undelivered: The receiver is away; this is called again after a pause.
        """
        ...


class Postman:
    """A carrier that delivers one event after another."""

    def __init__(
        self, send: Callable[[Waiting, list[Picture]], None], *, with_pictures: bool = False
    ) -> None:
        """Take the function that sends.

        Args:
            send: Sends an event; raises :class:`Undelivered` or :class:`Refused`.
            with_pictures: Whether it does anything with pictures.
        """
        self._send = send
        self._with_pictures = with_pictures

    def carry(self, outbox: Outbox, log: Log) -> None:
        """Deliver what waits, and what comes, until the outbox is stopped."""
        while not outbox.stop.is_set():
            items = outbox.next(limit=20)
            for item in items:
                if outbox.stop.is_set():
                    return
                try:
                    self._send(item, outbox.pictures(item) if self._with_pictures else [])
                    outbox.delivered([item.seq])
                    log("")
                except Refused as reason:
                    outbox.refused(item, str(reason))
                    log(f"refused event {item.event}: {reason}")
            if not items:
                outbox.sleep()


class Courier:
    """The thread of one receiver."""

    def __init__(self, store: Store, target: str, carrier: Carrier, log: Log) -> None:
        """Start delivering.

        Args:
            store: Where events wait.
            target: Name of the receiver, without credentials; the same in every run.
            carrier: The way there.
            log: Told what goes wrong, once, and when it works again.
        """
        self.name = target
        self.outbox = Outbox(store, target)
        self._carrier = carrier
        self._log = log
        self._lock = _Lock(store, target)
        self._trouble: str | None = None
        self._barred = False
        self._worked = False
        self._thread = threading.Thread(target=self._run, name=f"kplate {target}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._lock.acquire():
            self._barred = True  # another process delivers, ours as well
            if self.outbox.stop.wait(_LOOK):
                return
        self._barred = False
        try:
            while True:
                self._worked = False
                try:
                    self._carrier.carry(self.outbox, self._tell)
                    return
                except (Undelivered, KplateError, OSError) as error:
                    self._fail(str(error))
                    asked = error.pause if isinstance(error, Undelivered) else None
                except Exception as error:  # a bug in a library must not end deliveries
                    self._fail(f"{type(error).__name__}: {error}")
                    asked = None
                if self._worked:
                    pause = FIRST_PAUSE
                # A random part of the pause keeps senders apart; what a receiver asked for is never cut.
                rest = pause * random.uniform(0.5, 1.0) if asked is None else asked * random.uniform(1.0, 1.1)
                if self.outbox.stop.wait(rest):
                    return
                pause = min(LONGEST_PAUSE, 2 * pause)
        finally:
            self._lock.release()

    def _fail(self, reason: str) -> None:
        if self._trouble is None and not self.outbox.stop.is_set():
            self._log(f"{self.name}: {without_credentials(reason)}; events wait until it works again")
        self._trouble = reason

    def _tell(self, message: str) -> None:
        """Take a carrier's word: an empty one says that the receiver takes events."""
        if message:
            self._log(f"{self.name}: {without_credentials(message)}")
            return
        self._worked = True
        if self._trouble is not None:
            self._trouble = None
            self._log(f"{self.name}: works again")

    def close(self, patience: float) -> None:
        """Deliver what waits if that takes no longer than ``patience`` seconds, and end."""
        self.outbox.empty.clear()
        self.outbox.wake.set()
        if self._trouble is None and not self._barred:
            self.outbox.empty.wait(patience)
        self.outbox.stop.set()
        self.outbox.wake.set()
        self._thread.join(patience)


class _Lock:
    """Lets one process at a time deliver to a receiver; the system lifts it when the process ends."""

    def __init__(self, store: Store, target: str) -> None:
        self._path = store.path.with_name(
            f".{store.path.name}.{hashlib.sha256(target.encode()).hexdigest()[:8]}.lock"
        )
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        try:
            import fcntl
        except ImportError:  # Windows: two processes may deliver at once; receivers know events by their ids
            return True
        try:
            self._file = self._path.open("wb")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if self._file is not None:
                self._file.close()
            return False
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
