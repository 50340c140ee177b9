"""Sharing things that only one thread may use at a time."""

import contextlib
import queue
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Lends things out, each to one thread at a time; whoever finds none waits.

    They are made when they are needed: one thread alone never makes a second one.
    """

    def __init__(self, make: Callable[[], T], most: int) -> None:
        """Make the first thing, so that what is wrong with it shows at once.

        Args:
            make: Makes one.
            most: How many there may be.
        """
        self._make = make
        # The last one returned is lent first; a None stands for one that is not made yet.
        self._places: queue.LifoQueue[T | None] = queue.LifoQueue()
        for _ in range(most - 1):
            self._places.put(None)
        self._places.put(make())

    @contextlib.contextmanager
    def lent(self) -> Iterator[T]:
        """Lend one for as long as the body runs."""
        thing = self._places.get()
        try:
            if thing is None:
                thing = self._make()
            yield thing
        finally:
            self._places.put(thing)
