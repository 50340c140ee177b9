"""Running exported networks: one small protocol, and one module per runtime.

A new runtime is a new module with a class that fits :class:`Engine`, and one entry in
:data:`kplate.engines.runtimes.RUNTIMES`.
"""

import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from kplate import weights as manifests
from kplate.engines.runtimes import (
    AUTO,
    RUNTIMES,
    Choice,
    Runtime,
    choice_of,
    fastest,
    install_hint,
    is_installed,
)
from kplate.errors import EngineError, WeightsError
from kplate.files import StrPath, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Choice",
    "Engine",
    "Network",
    "candidates",
    "choose",
    "open_engine",
    "open_model",
    "open_network",
    "thread_count",
]

#: Of all files that some runtime runs.
_SUFFIXES: Final = tuple(dict.fromkeys(suffix for r in RUNTIMES.values() for suffix in r.suffixes))
#: More threads than this gain nothing on networks of about 1 GFLOP, and take the cores from others.
_MOST_THREADS: Final = 4


class Engine(Protocol):
    """A network that is ready to run. One engine may be used from several threads at once.

    Attributes:
        sizes: Width and height, in pixels, of each input that the network takes; empty where it takes any
            that its layers can.
        version: Name and version of the runtime, and what it computes on.
    """

    sizes: tuple[tuple[int, int], ...]
    version: str

    def run(self, batch: "NDArray[np.float32]") -> "dict[str, NDArray[np.float32]]":
        """Run the network.

        Args:
            batch: float32, N x C x H x W; N may differ from call to call.

        Returns:
            The network's outputs by name; the first axis of each is N.

        Raises:
            WeightsError: The network does not take such a batch, or fails on it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Network:
    """A network of kplate's that is ready to run.

    Attributes:
        path: Its file.
        manifest: What is known about it.
        engine: What runs it.
    """

    path: Path
    manifest: manifests.Manifest
    engine: Engine

    def __str__(self) -> str:
        return f"{self.path.name} ({self.manifest.precision}) with {self.engine.version}"


def open_engine(
    path: StrPath, *, threads: int | None = None, engine: str | None = None, provider: str | None = None
) -> Engine:
    """Open a network's file.

    Args:
        path: The network's file, or the folder of a SavedModel.
        threads: Cores one run may use; None means those of this process, but no more than four.
        engine: Which runtime, as :func:`~kplate.engines.runtimes.choice_of` takes it; None or ``auto`` for
            the fastest one that is installed and takes such files.
        provider: What the runtime computes on; None for the processor.

    Raises:
        EngineError: There is no such engine or provider, it is not installed, or it takes no such files.
        WeightsError: The file is missing or damaged, or is of no known format.
    """
    choice = choice_of(engine, provider)
    suffix = Path(path).suffix.lower()
    able = [runtime for runtime in RUNTIMES.values() if suffix in runtime.suffixes]
    if not able:
        raise WeightsError(f"cannot load {printable(path)}: networks are read from {_listed(_SUFFIXES)}")
    if choice.engine != AUTO:
        runtime = RUNTIMES[choice.engine]
        if runtime not in able:
            raise EngineError(f"cannot load {printable(path)}: {_unfit(runtime)}")
        able = [runtime]
    return _open(path, _installed(able, choice, path), threads, choice)


def open_network(
    weights: StrPath | None,
    task: str,
    *,
    threads: int | None = None,
    engine: str | None = None,
    provider: str | None = None,
    precision: str | None = None,
) -> Network:
    """Find the network of a task that suits an engine, check it, and open it.

    Args:
        weights: Folder, manifest or network; None for the networks that ship with kplate.
        task: One of :data:`kplate.weights.TASKS`.
        threads: As above.
        engine: A runtime's name, maybe with its provider; None or ``auto``: see :func:`choose`.
        provider: As above.
        precision: ``float32``, ``float16`` or ``int8``; None for the most precise.

    Raises:
        EngineError: There is no such engine, it is not installed, or the folder has no network for it.
        WeightsError: A file is missing, damaged or not the one that its manifest was written for.
    """
    choice = choice_of(engine, provider)
    runtime, source, _ = choose(weights, task, choice, precision)
    path, manifest = manifests.load(source, task)
    return Network(path, manifest, _open(path, runtime, threads, choice))


def choose(
    weights: StrPath | None, task: str, choice: Choice, precision: str | None = None
) -> tuple[Runtime, Path, manifests.Manifest]:
    """Find what is to run which of the networks that there are for a task, in several formats and precisions.

    ``auto`` stands for the most precise network that anything installed runs, since a faster one must not
    cost accuracy unasked; and of the engines that run it for the one that is fastest with such networks.

    Args:
        weights: As above.
        task: As above.
        choice: What the user wants.
        precision: As above.

    Returns:
        The runtime, and the path of the network's manifest with the manifest itself.

    Raises:
        EngineError: As above.
        WeightsError: There are no networks at all, or a manifest is damaged.
    """
    wanted = list(RUNTIMES.values())
    if choice.engine != AUTO:
        wanted = [_installed([RUNTIMES[choice.engine]], choice, f"the {task}")]
    found = manifests.find(weights, task)
    place = "kplate itself" if weights is None else printable(weights)
    if precision is not None:
        found = [(source, manifest) for source, manifest in found if manifest.precision == precision]
        if not found:
            raise EngineError(f"cannot load the {task}: {place} has no {precision} network")
    pairs = _ranked(wanted, found)
    if not pairs:
        held = ", ".join(manifest.file for _, manifest in found)
        raise EngineError(f"cannot load the {task}: {_unfit(wanted[0])}; {place} has {held}")
    runtime = _installed(list(dict.fromkeys(runtime for runtime, _ in pairs)), choice, f"the {task}")
    source, manifest = next(network for able, network in pairs if able is runtime)
    return runtime, source, manifest


def candidates(
    weights: StrPath | None, task: str, engine: str | None = None
) -> list[tuple[Path, manifests.Manifest]]:
    """List the networks that there are for an engine, the one that it would take first.

    Args:
        weights: As above.
        task: As above.
        engine: As above; None or ``auto`` for all that any engine runs, installed or not.

    Returns:
        The path of each manifest, and the manifest.

    Raises:
        EngineError: There is no such engine.
        WeightsError: There are no networks at all, or a manifest is damaged.
    """
    choice = choice_of(engine)
    able = list(RUNTIMES.values()) if choice.engine == AUTO else [RUNTIMES[choice.engine]]
    return [network for _, network in _ranked(able, manifests.find(weights, task))]


def open_model(
    model: bytes, name: StrPath, *, threads: int | None = None, engine: str | None = None
) -> Engine:
    """Open an ONNX network that is in memory.

    Args:
        model: The network's bytes.
        name: What it is called in messages: the file it was made from.
        threads: As above.
        engine: As above, but only ONNX Runtime runs such networks.

    Raises:
        EngineError: ONNX Runtime is not installed, or another engine is asked for.
        WeightsError: The bytes are no network that can be run.
    """
    choice = choice_of(engine)
    runtime = RUNTIMES["onnx"]
    if choice.engine not in (AUTO, runtime.name):
        raise EngineError(f"cannot load {printable(name)}: of the engines, only {runtime.name} runs it")
    return _open(name, _installed([runtime], choice, name), threads, choice, model=model)


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


def _open(path: StrPath, runtime: Runtime, threads: int | None, choice: Choice, **more: Any) -> Engine:
    try:
        factory: Any = getattr(importlib.import_module(runtime.module), runtime.factory)
    except ImportError as error:  # it is there, but damaged, or lacks a library of the system's
        # Another one must not step in: it may be slower, and nobody would know.
        raise EngineError(
            f"cannot load {printable(path)}: {runtime.title} is installed but does not load "
            f"({' '.join(str(error).split())}); repair it with {install_hint(runtime)} --force-reinstall, "
            "or choose another engine"
        ) from error
    opened: Engine = factory(
        path, threads=thread_count(threads), provider=choice.provider or runtime.providers[0], **more
    )
    return opened


def _installed(able: list[Runtime], choice: Choice, what: StrPath) -> Runtime:
    """Return the first runtime that is installed.

    Raises:
        EngineError: None is.
    """
    for runtime in able:
        if is_installed(runtime):
            return runtime
    first, *others = able
    also = "".join(f", or {other.title}: {install_hint(other)}" for other in others)
    raise EngineError(
        f"cannot load {printable(what)}: {first.title} is not installed: "
        f"{install_hint(first, choice.provider)}{also}"
    )


def _takes(runtime: Runtime, manifest: manifests.Manifest) -> bool:
    return Path(manifest.file).suffix.lower() in runtime.suffixes


def _ranked(
    runtimes: Sequence[Runtime], found: Sequence[tuple[Path, manifests.Manifest]]
) -> list[tuple[Runtime, tuple[Path, manifests.Manifest]]]:
    """Pair runtimes with the networks that they take, in the order of :func:`choose`, own formats first."""

    def rank(pair: tuple[Runtime, tuple[Path, manifests.Manifest]]) -> tuple[int, int, int]:
        runtime, (_, manifest) = pair
        return (
            manifests.PRECISIONS.index(manifest.precision),
            fastest(manifest.precision).index(runtime),
            runtime.suffixes.index(Path(manifest.file).suffix.lower()),
        )

    pairs = [(runtime, network) for runtime in runtimes for network in found if _takes(runtime, network[1])]
    return sorted(pairs, key=rank)


def _unfit(runtime: Runtime) -> str:
    made = f"`kplate export --format {runtime.format}`"
    return f"{runtime.title} runs {_listed(runtime.suffixes)}, which {made} makes"


def _listed(suffixes: Iterable[str]) -> str:
    """Name kinds of files in a sentence."""
    names = (f"{s} files" if s not in ("", ".saved_model") else "SavedModel folders" for s in suffixes)
    return " and ".join(dict.fromkeys(names))
