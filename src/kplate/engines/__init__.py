"""Running exported networks: one small protocol, and one module per runtime.

A new runtime is a new module with a class that fits :class:`Engine`, and one line in ``_ENGINES``.
"""

import importlib
import os
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from kplate.errors import WeightsError
from kplate.files import StrPath, printable

#: Suffix of a network's file -> module and class that run it. Imported on demand: a runtime that is not
#: used need not be installed.
_ENGINES: Final = {".onnx": ("kplate.engines.onnx", "OnnxEngine")}

#: More threads than this gain nothing on networks of about 1 GFLOP, and take the cores from others.
_MOST_THREADS: Final = 4


class Engine(Protocol):
    """A network that is ready to run. One engine may be used from several threads at once."""

    def run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            batch: float32, N x C x H x W; N may differ from call to call.

        Returns:
            The network's outputs by name; the first axis of each is N.

        Raises:
            WeightsError: The network does not take such a batch, or fails on it.
        """
        ...


def open_engine(path: StrPath, *, threads: int | None = None) -> Engine:
    """Open a network with the runtime that its suffix calls for.

    Args:
        path: The network's file.
        threads: Cores one run may use; None means those of this process, but no more than four.

    Raises:
        WeightsError: No runtime takes such files, or the file is missing or damaged.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _ENGINES:
        known = ", ".join(_ENGINES)
        raise WeightsError(f"cannot load {printable(path)}: networks are read from files ending in {known}")
    module, name = _ENGINES[suffix]
    engine: Any = getattr(importlib.import_module(module), name)
    opened: Engine = engine(path, threads=thread_count(threads))
    return opened


def open_model(model: bytes, name: StrPath, *, threads: int | None = None) -> Engine:
    """Open an ONNX network that is in memory.

    Args:
        model: The network's bytes.
        name: What it is called in messages: the file it was made from.
        threads: As above.

    Raises:
        WeightsError: The bytes are no network that can be run.
    """
    from kplate.engines.onnx import OnnxEngine

    return OnnxEngine(name, threads=thread_count(threads), model=model)


def thread_count(threads: int | None) -> int:
    """Return how many threads a run may use.

    Raises:
        ValueError: Fewer than one is asked for.
    """
    if threads is None:
        return min(_available_cores(), _MOST_THREADS)
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return threads


def _available_cores() -> int:
    """Count the cores this process may use, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
