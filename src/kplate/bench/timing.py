"""Timing several things fairly on a machine that does other work as well."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

#: Calls in a row when it is a case's turn; the one before them brings its data back into the caches.
_BURST: Final = 5
#: Calls before anything is timed: buffers are made and kernels chosen in the first.
_WARM_UP: Final = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one thing.

    Attributes:
        times: In ms, in the order they were taken.
    """

    times: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """Return the time that this share of the calls stayed within, in ms."""
        return float(np.quantile(self.times, share))

    @property
    def median(self) -> float:
        """The median, in ms."""
        return self.quantile(0.5)

    @property
    def best(self) -> float:
        """The shortest, in ms: what the machine can do when nothing else disturbs it."""
        return min(self.times)

    def to_dict(self) -> dict[str, float | int]:
        """Return plain values, in ms."""
        return {
            "runs": len(self.times),
            "median_ms": round(self.median, 3),
            "best_ms": round(self.best, 3),
            "p10_ms": round(self.quantile(0.1), 3),
            "p90_ms": round(self.quantile(0.9), 3),
        }


@dataclass(slots=True)
class _Turn:
    call: Callable[[], object]
    times: list[float] = field(default_factory=list)
    spent: float = 0.0

    def take(self) -> None:
        self.call()
        for _ in range(_BURST):
            start = time.perf_counter()
            self.call()
            elapsed = time.perf_counter() - start
            self.times.append(elapsed * 1000)
            self.spent += elapsed


def measure(
    calls: Sequence[Callable[[], object]], seconds: float, step: Callable[[float], None] | None = None
) -> list[Timing]:
    """Time several calls, in turns, so that what disturbs the machine disturbs all of them alike.

    Args:
        calls: What to time.
        seconds: How long each is timed, in all.
        step: Told the share that is done, 0 to 1, after each round.

    Returns:
        The times of each call.
    """
    turns = [_Turn(call) for call in calls]
    for turn in turns:
        for _ in range(_WARM_UP):
            turn.call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        while waiting := [turn for turn in turns if turn.spent < seconds]:
            for turn in waiting:
                turn.take()
            if step:
                step(min(min(1.0, turn.spent / seconds) for turn in turns))
    finally:
        if collecting:
            gc.enable()
    return [Timing(tuple(turn.times)) for turn in turns]
