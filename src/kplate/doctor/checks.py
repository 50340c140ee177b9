"""What is examined, one finding a line."""

import importlib
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import kplate
from kplate import weights as manifests
from kplate.doctor.trial import Trial, try_engine
from kplate.engines import candidates, choose
from kplate.engines.runtimes import AUTO, RUNTIMES, Runtime, choice_of, install_hint, is_installed
from kplate.errors import KplateError
from kplate.files import StrPath
from kplate.reader_network import STRAIGHTENED

#: What kplate cannot do without: module, and the package that brings it.
_LIBRARIES: Final = {
    "numpy": ("numpy",),
    "cv2": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    "PIL": ("pillow",),
    "simplejpeg": ("simplejpeg",),
    "rich": ("rich",),
}
_REINSTALL: Final = "pip install --force-reinstall --no-deps kplate"


class State(StrEnum):
    """How serious a finding is."""

    GOOD = "good"
    #: It does not disturb, but somebody may want to know.
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: How serious it is.
        what: What was looked at.
        says: What was found.
        advice: What to do about it; empty where there is nothing to do.
    """

    state: State
    what: str
    says: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def examine(weights: StrPath | None = None) -> Iterator[Finding]:
    """Look at everything, and yield what is found as it is found.

    Args:
        weights: Folder with the networks; None for those that ship.
    """
    system = f"Python {platform.python_version()}, {sys.platform} {platform.machine()}"
    yield Finding(State.GOOD, "kplate", f"{kplate.__version__}, {system}")
    for module, packages in _LIBRARIES.items():
        yield _library(module, packages)
    damaged: set[str] = set()
    tasks = _tasks(weights)
    for task in tasks:
        for finding in _networks(weights, task):
            if finding.state is State.FAULT:
                damaged.add(finding.what)
            yield finding
    for runtime in RUNTIMES.values():
        yield from _engine(runtime, weights, tasks, damaged)
    if any(map(is_installed, RUNTIMES.values())):
        yield from _automatic(weights)
    else:
        first = next(iter(RUNTIMES.values()))
        yield Finding(
            State.FAULT,
            "engines",
            "none is installed, so that nothing can be read",
            f"{install_hint(first)}, or on a small board {install_hint(RUNTIMES['litert'])}",
        )


def _library(module: str, packages: tuple[str, ...]) -> Finding:
    found = _versions(packages)
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a damaged package may raise
        reason = " ".join(str(error).split()) or type(error).__name__
        name = next(iter(found), packages[0])
        return Finding(
            State.FAULT, name, f"does not load: {reason}", f"pip install --force-reinstall --no-deps {name}"
        )
    return _twice(module, found) or Finding(State.GOOD, *_named(module, found))


def _named(module: str, found: dict[str, str]) -> tuple[str, str]:
    return next(iter(found.items()), (module, "there, of unknown version"))


def _twice(module: str, found: dict[str, str]) -> Finding | None:
    """Several packages that bring the same module overwrite one another's files."""
    if len(found) < 2:
        return None
    names = " and ".join(found)
    return Finding(
        State.NOTE,
        module,
        f"{names} are installed at once, and one has overwritten the other",
        f"pip uninstall {' '.join(found)}, then install the one that you want",
    )


def _tasks(weights: StrPath | None) -> tuple[str, ...]:
    """Return what there must be networks for: detectors need no refiner, readers in one piece no locator."""
    try:
        pieces = any(manifest.extra.get(STRAIGHTENED) for _, manifest in manifests.find(weights, "reader"))
    except KplateError:  # said when its turn comes
        pieces = False
    folder = Path(manifests.__file__).parent if weights is None else Path(weights)
    spared = {"refiner"} if not manifests.holds(folder, "refiner") else set()
    if not pieces:
        spared.add("locator")
    return tuple(task for task in manifests.TASKS if task not in spared)


def _networks(weights: StrPath | None, task: str) -> Iterator[Finding]:
    try:
        found = manifests.find(weights, task)
    except KplateError as error:
        yield Finding(State.FAULT, task, str(error), _REINSTALL if weights is None else "")
        return
    for source, manifest in found:
        try:
            manifests.load(source, task)
        except KplateError as error:
            advice = _REINSTALL if weights is None else "copy the network and its manifest here again"
            yield Finding(State.FAULT, manifest.file, str(error), advice)
        else:
            yield Finding(State.GOOD, manifest.file, f"{manifest.name}, {manifest.precision}, checksum right")


def _engine(
    runtime: Runtime, weights: StrPath | None, tasks: tuple[str, ...], damaged: set[str]
) -> Iterator[Finding]:
    if not is_installed(runtime):
        yield Finding(State.NOTE, runtime.name, f"{runtime.title} is not installed", install_hint(runtime))
        return
    if double := _twice(runtime.name, _versions(runtime.distributions)):
        yield double
    try:
        # Of each task, what the engine would take.
        chosen = [candidates(weights, task, runtime.name)[:1] for task in tasks]
    except KplateError:
        chosen = []  # what is wrong with the manifests was said before
    files = {manifest.file for networks in chosen for _, manifest in networks}
    if not chosen or files & damaged:
        yield Finding(State.NOTE, runtime.name, "not tried: its networks are damaged")
    elif not all(chosen):
        yield Finding(
            State.NOTE,
            runtime.name,
            f"{runtime.title} is installed, but there are no networks in its format",
            f"kplate export all --format {runtime.format} --out DIR, then --weights DIR",
        )
    else:
        yield _verdict(runtime, try_engine(runtime.name, weights))


def _automatic(weights: StrPath | None) -> Iterator[Finding]:
    """Say what is taken where no engine is named."""
    try:
        chosen = [choose(weights, task, choice_of(AUTO)) for task in ("detector", "reader")]
    except KplateError:  # said before
        return
    titles = " and ".join(dict.fromkeys(runtime.title for runtime, *_ in chosen))
    precisions = dict.fromkeys(manifest.precision for *_, manifest in chosen)
    yield Finding(
        State.GOOD,
        AUTO,
        f"without --engine, {titles}: of what is installed the fastest with the most precise networks there "
        f"are ({' and '.join(precisions)})",
    )


def _verdict(runtime: Runtime, trial: Trial) -> Finding:
    package = next(iter(_versions(runtime.distributions)), runtime.distributions[0])
    repair = f"pip install --force-reinstall --no-deps {package}"
    if trial.error is not None:
        return Finding(State.FAULT, runtime.name, trial.error, repair)
    said = f"{trial.runtime}: read {trial.read} of {trial.plates} rendered plates in {trial.ms:.0f} ms"
    if trial.wrong or not trial.read:
        wrong = f", and wrongly {', '.join(trial.wrong)}" if trial.wrong else ""
        return Finding(State.FAULT, runtime.name, said + wrong, f"{repair}, or use another engine")
    return Finding(State.GOOD, runtime.name, f"{said}, with {', '.join(trial.networks)}")


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
