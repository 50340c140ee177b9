"""Taking single pictures of cameras, by their names."""

import contextlib
import threading
from collections.abc import Iterator, Mapping

from kplate.errors import KplateError
from kplate.live.model import Frame, Source
from kplate.live.sources import open_source


class Grabber:
    """Takes pictures of cameras. It is a context manager; leaving it closes them."""

    def __init__(self, addresses: Mapping[str, str], *, stay: bool = False) -> None:
        """Take note of the cameras; each is opened when a picture of it is wanted.

        Args:
            addresses: Name -> what :func:`kplate.live.sources.open_source` opens.
            stay: Stay connected: the picture is there at once, at the price of decoding all the time.
        """
        self._addresses = dict(addresses)
        self._stay = stay
        self._open: dict[str, tuple[Source, Iterator[Frame]]] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Frame:
        """Take a picture of a camera.

        Raises:
            KplateError: It cannot be reached, or gives no picture.
        """
        if not self._stay:
            with open_source(self._addresses[name]) as source:
                return self._first(source, iter(source))
        with self._lock:
            if name not in self._open:
                source = open_source(self._addresses[name])
                self._open[name] = (source, iter(source))
            source, frames = self._open[name]
            try:
                return self._first(source, frames)
            except KplateError:  # opened anew the next time
                del self._open[name]
                source.close()
                raise

    @staticmethod
    def _first(source: Source, frames: Iterator[Frame]) -> Frame:
        frame = next(frames, None)
        if frame is None:
            raise KplateError(f"{source.name} gave no picture")
        return frame

    def close(self) -> None:
        """Let go of the cameras; a second call does nothing."""
        with self._lock, contextlib.ExitStack() as stack:
            for source, _ in self._open.values():
                stack.callback(source.close)
            self._open.clear()

    def __enter__(self) -> "Grabber":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the cameras."""
        self.close()
