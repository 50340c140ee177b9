"""Taking single pictures of cameras, by their names."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Final

from kplate.errors import KplateError
from kplate.live.model import Frame, Source
from kplate.live.sources import open_source

#: Seconds until a camera must have given a picture.
_PATIENCE: Final = 12.0


class Grabber:
    """Takes pictures of cameras, also of several at once. It is a context manager; leaving it closes them."""

    def __init__(self, addresses: Mapping[str, str], *, stay: bool = False) -> None:
        """Take note of the cameras; each is opened when a picture of it is wanted.

        Args:
            addresses: Name -> what :func:`kplate.live.sources.open_source` opens.
            stay: Stay connected: the picture is there at once, at the price of decoding all the time.
        """
        self._addresses = dict(addresses)
        self._stay = stay
        self._open: dict[str, tuple[Source, Iterator[Frame]]] = {}
        self._locks = {name: threading.Lock() for name in self._addresses}

    def __call__(self, name: str) -> Frame:
        """Take a picture of a camera.

        Raises:
            KplateError: It cannot be reached, or gives no picture.
        """
        if not self._stay:
            with open_source(self._addresses[name]) as source:
                return self._first(source, iter(source))
        with self._locks[name]:
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
        late = threading.Timer(_PATIENCE, source.close)  # which ends the wait
        late.start()
        try:
            frame = next(frames, None)
        finally:
            late.cancel()
        if frame is None:
            raise KplateError(f"{source.name} gave no picture")
        return frame

    def close(self) -> None:
        """Let go of the cameras; a second call does nothing."""
        with contextlib.ExitStack() as stack:
            for source, _ in list(self._open.values()):
                stack.callback(source.close)
            self._open.clear()

    def __enter__(self) -> "Grabber":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the cameras."""
        self.close()
