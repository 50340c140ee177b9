"""Cameras as sources: a thread decodes and keeps the newest frame; what breaks is opened again, for ever."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Self

import cv2

from kplate.events.urls import without_credentials
from kplate.images import Image
from kplate.live.model import Connection, Frame, SourceError, SourceState
from kplate.live.opencv import quiet_opencv
from kplate.live.reach import why_unreachable

_log = logging.getLogger(__name__)

#: Seconds: to open a camera; until a frame must have come; until a camera without frames counts as stalled.
_OPEN_WITHIN: Final = 8.0
_READ_WITHIN: Final = 6.0
_STALLED_AFTER: Final = 3.0
#: Seconds until a camera is opened again: at first, and at most. Each failure doubles it.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0
#: A connection that lasted this many seconds was a good one: pauses begin anew after it.
_GOOD_AFTER: Final = 5.0
#: Seconds over which the rate is measured.
_RATE_OVER: Final = 5.0
_SHORTEST_SPAN: Final = 1.0
#: Share of a new value in the running mean of the lag.
_LAG_SHARE: Final = 0.1
#: Frames that come later than this, in seconds, are passed over, which is faster than reading them; but for
#: no longer than this: then the camera's clock is wrong.
_LATE: Final = 1.0
#: What carries the times of the camera. Pictures over HTTP carry none, and FFmpeg makes some up.
_TIMED: Final = ("rtsp://", "rtsps://", "rtmp://", "srt://")
_CATCH_UP: Final = 3.0
#: A camera's clock runs slower than ours by up to this share.
_CLOCKS_APART: Final = 0.001
#: Of the time between two frames: what took less was there already, what took more says nothing.
_QUICK: Final = 0.5
_PATIENT: Final = 3.0
#: Share of a new frame in the mean of those that had to be waited for, and from where on all had to be.
_WAIT_SHARE: Final = 0.2
_LIVE: Final = 0.9


class Delay:
    """Tells how late the frames of a connection come, by the times that the camera has given them.

    A machine that was busy for a while gets frames out of the network's buffers that are seconds old: one
    after the other, without waiting. The quickest frame so far counts as one that came at once, and so does
    one that had to be waited for: many a camera's clock is wrong.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._least = float("inf")
        self._stamp = self._now = -1.0
        self._waited = 1.0  # share of frames that had to be waited for, lately
        self._late_since: float | None = None

    def __call__(self, now: float, stamp: float, took: float) -> float:
        """Return how many seconds late a frame is.

        Args:
            now: When it came, seconds of our clock.
            stamp: Likewise of the camera's; one that does not grow says nothing.
            took: Seconds that it took to get it.
        """
        passed, between = now - self._now, stamp - self._stamp
        offset = now - stamp
        self._now, self._stamp = now, stamp
        waited = took > _QUICK * between
        if took < _PATIENT * between:  # else the machine or the network stood still
            self._waited += _WAIT_SHARE * (waited - self._waited)
            if waited and self._waited > _LIVE:
                self._least = offset
        self._least = min(offset, self._least + _CLOCKS_APART * passed) if between > 0 else offset
        late = offset - self._least
        if self._waited > _QUICK or late <= _LATE:
            self._late_since = None
            return 0.0 if self._waited > _QUICK else late
        self._late_since = self._late_since or now
        if now - self._late_since > _CATCH_UP:
            self._least, self._late_since, late = offset, None, 0.0
        return late


class Camera:
    """A camera of this machine or of the network.

    Attributes:
        name: Its address without credentials, or ``camera 0``.
        live: Always true.
        total: Always None.
    """

    live = True
    total: int | None = None

    def __init__(self, address: str | int, *, every: int = 1, wait: bool = False) -> None:
        """Take note of the camera; it is opened when frames are asked for.

        Args:
            address: Such as ``rtsp://user:password@host/stream``, or the number of a camera of this machine.
            every: Of this many frames, one counts; the others are passed over.
            wait: Keep trying where it cannot be reached at first, instead of giving up.
        """
        quiet_opencv()
        self.name = f"camera {address}" if isinstance(address, int) else without_credentials(address)
        self._address, self._every, self._wait = address, every, wait
        self._timed = isinstance(address, str) and address.lower().startswith(_TIMED)
        self._state = SourceState(Connection.CONNECTING)
        self._news = threading.Condition()
        self._closed = threading.Event()
        self._slot: Frame | None = None
        self._late = 0.0  # of the frame in the slot, in seconds
        self._arrivals: deque[float] = deque()
        self._opened = time.monotonic()
        self._last = self._opened
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> SourceState:
        """How it does just now; may be asked from any thread."""
        now = time.monotonic()
        with self._news:
            recent = sum(1 for moment in self._arrivals if moment > now - _RATE_OVER)
            span = min(_RATE_OVER, max(now - self._opened, _SHORTEST_SPAN))
            state = replace(self._state, rate=recent / span)
            if state.connection is Connection.CONNECTED and now - self._last > _STALLED_AFTER:
                problem = f"no frame for {now - self._last:.0f} s"
                return replace(state, connection=Connection.STALLED, problem=problem)
            return state

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time, waiting for one where none is new.

        Raises:
            SourceError: The camera could not be reached at first.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
            self._thread.start()
        while True:
            with self._news:
                while self._slot is None and self._thread.is_alive() and not self._closed.is_set():
                    self._news.wait(0.5)
                frame, self._slot = self._slot, None
                if frame is None:
                    if self._state.problem and not self._closed.is_set():
                        raise SourceError(self._state.problem)
                    return
                waited = time.monotonic() - self._opened - frame.time + self._late
                lag = self._state.lag + _LAG_SHARE * (waited - self._state.lag)
                self._state = replace(self._state, lag=lag)
            yield frame

    def close(self) -> None:
        """Stop and let go of the camera."""
        self._closed.set()
        with self._news:
            self._news.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_READ_WITHIN + 1)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _run(self) -> None:
        """Open the camera, pump its frames, and when that breaks, wait and begin anew."""
        pause, once = _FIRST_PAUSE, self._wait
        while not self._closed.is_set():
            self._change(Connection.CONNECTING)
            began = time.monotonic()
            capture = self._open()
            problem = self._pump(capture) if capture else why_unreachable(self._address, self.name)
            if capture:
                capture.release()
                once = True
            if self._closed.is_set():
                break
            if not once:
                with self._news:
                    self._state = replace(self._state, connection=Connection.ENDED, problem=problem)
                    self._news.notify_all()
                return
            if time.monotonic() - began > _GOOD_AFTER and capture:
                pause = _FIRST_PAUSE
            self._change(Connection.WAITING, problem)
            _log.warning("%s; trying again in %.1f s", problem, pause)
            self._closed.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._change(Connection.ENDED)

    def _open(self) -> cv2.VideoCapture | None:
        if isinstance(self._address, int):
            capture = cv2.VideoCapture(self._address)
        else:
            limits = [
                *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(_OPEN_WITHIN * 1000)),
                *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(_READ_WITHIN * 1000)),
                *(cv2.CAP_PROP_N_THREADS, 1),
            ]
            capture = cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, limits)
        return capture if capture.isOpened() else None

    def _pump(self, capture: cv2.VideoCapture) -> str:
        """Keep the newest frame until none comes any more; return why."""
        began, frames, delay = time.monotonic(), 0, Delay()
        while not self._closed.is_set():
            asked = time.monotonic()
            done, image = capture.read()
            now = time.monotonic()
            if not done:
                if now - asked > _READ_WITHIN - 1:
                    return f"{self.name} has stalled: no frame for {now - asked:.0f} s"
                lasted = f"after {now - began:.0f} s" if frames else "before its first frame"
                return f"{self.name} ended the connection {lasted}"
            if not frames:
                self._connected()
            frames += 1
            stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            late = delay(now, stamp, now - asked) if self._timed else 0.0
            self._keep(image, now, late)  # type: ignore[arg-type]
        return ""

    def _connected(self) -> None:
        with self._news:
            again = self._state.frames > 0
            reconnects = self._state.reconnects + again
            self._state = replace(
                self._state, connection=Connection.CONNECTED, problem=None, reconnects=reconnects
            )
        _log.info("%s is connected%s", self.name, " again" if again else "")

    def _keep(self, image: Image, now: float, late: float) -> None:
        with self._news:
            if self._state.frames == 0:
                self._opened = now
            self._last = now
            self._arrivals.append(now)
            while self._arrivals[0] < now - _RATE_OVER:
                self._arrivals.popleft()
            index = self._state.frames
            wanted = index % self._every == 0 and late <= _LATE
            dropped = self._state.dropped + (not wanted or self._slot is not None)
            self._state = replace(self._state, frames=index + 1, dropped=dropped)
            if wanted:
                self._slot = Frame(index, now - self._opened, datetime.now(UTC), image)
                self._late = late
                self._news.notify_all()

    def _change(self, connection: Connection, problem: str | None = None) -> None:
        with self._news:
            # While a camera is opened again, the reason that it was lost stays the news.
            problem = problem or (self._state.problem if connection is Connection.CONNECTING else None)
            self._state = replace(self._state, connection=connection, problem=problem)
            self._news.notify_all()
