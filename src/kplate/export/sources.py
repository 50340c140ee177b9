"""What an export begins with: shipped weights, a folder of weights, a training's result, or Darknet files.

Whatever it is, it becomes a float32 ONNX network with its manifest first: that is what every exported file is
compared with. A PyTorch network is built from it only where a format needs one.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kplate import weights as manifests
from kplate.classes import CLASSES
from kplate.darknet.model import load_model
from kplate.errors import KplateError, WeightsError
from kplate.export.libraries import require
from kplate.files import printable, reason_of
from kplate.reader_network import STRAIGHTENED, locator_beside
from kplate.refiner import refiner_beside
from kplate.weights import Manifest, fingerprint

if TYPE_CHECKING:
    from torch import nn

    from kplate.nets.readers import ReaderNet

#: What trainings leave in their folders, the best first.
_CHECKPOINTS: Final = {
    "reader": ("best.pt", "checkpoint.pt"),
    "detector": ("best.pt", "last.pt"),
    "refiner": ("last.pt",),
}
_CHECKPOINT: Final = ".pt"
_CFG: Final = ".cfg"


@dataclass(frozen=True, slots=True)
class Told:
    """What the user says about a source.

    Attributes:
        weights: The ``.weights`` file of a ``.cfg``.
        names: Its ``.names`` file.
        cfg: Architecture of a detector's checkpoint or ONNX network; None = the one that it names.
        name: Of the network in the manifest; None = the source's.
        threshold: Lowest score that a reader trusts; None likewise.
        temperature: What a reader's logits are divided by; None likewise.
        facts: ``training``, ``accuracy`` and ``thresholds`` of the manifest.
    """

    weights: Path | None = None
    names: Path | None = None
    cfg: Path | None = None
    name: str | None = None
    threshold: float | None = None
    temperature: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A network to export.

    Attributes:
        model: As a float32 ONNX network.
        manifest: What is known about it.
        files: What it was made from.
        build: Builds it in PyTorch, in evaluation mode, NCHW, with a tuple of outputs.
    """

    model: bytes
    manifest: Manifest
    files: tuple[Path, ...]
    build: "Callable[[], nn.Module]"

    @property
    def checksums(self) -> dict[str, str]:
        """The SHA-256 checksum of each file it was made from."""
        return {path.name: fingerprint(path) for path in self.files}


def open_sources(what: str, path: Path | None, told: Told, folder: Path) -> dict[str, Source]:
    """Open what is to be exported.

    Args:
        what: ``detector`` or ``reader`` for it and its refiner or locator, where it has one; or ``refiner``.
        path: None for the shipped networks; a folder of weights, a network, or a manifest; a training's
            folder or checkpoint; or a Darknet ``.cfg``.
        told: What the user says about it.
        folder: For files that are needed on the way.

    Returns:
        The networks by their tasks.

    Raises:
        KplateError: It cannot be used, or a library that it needs is not installed.
    """
    if path is not None and path.suffix.lower() == _CFG:
        return {"detector": _darknet(what, path, told)}
    if path is not None and (checkpoint := _checkpoint(what, path)):
        require("torch", "onnxscript", purpose="Exporting a training's result", extra="export")
        if what == "reader":
            return _trained_reader(checkpoint, told, folder)
        trained = _trained_detector if what == "detector" else _trained_refiner
        return {what: trained(checkpoint, told, folder)}
    file, manifest = _float32(path, what)
    if what == "detector":
        own = {what: _source(file, manifest, lambda: _detector(file, manifest, told.cfg))}
        beside = refiner_beside(file)
        return own if beside is None else own | open_sources("refiner", beside, told, folder)
    if what == "refiner":
        return {what: _source(file, manifest, lambda: _refiner(file, manifest))}
    if not manifest.extra.get(STRAIGHTENED):
        return {what: _source(file, manifest, lambda: _refuse_rebuilding(file))}
    locator, described = _float32(locator_beside(file), "locator")
    network = functools.cache(lambda: _reader(file, locator, manifest))
    return {
        "locator": _source(locator, described, lambda: _part(network(), "locator")),
        "reader": _source(file, manifest, lambda: _part(network(), "reader")),
    }


def _float32(path: Path | None, task: str) -> tuple[Path, Manifest]:
    """Load a network and its manifest, and refuse what is made from others."""
    file, manifest = manifests.load(path, task)
    if (manifest.format, manifest.precision) != ("onnx", "float32"):
        raise WeightsError(
            f"cannot export {printable(file)}: it is a {manifest.precision} {manifest.format} network; begin "
            "with the float32 ONNX network that it was made from"
        )
    return file, manifest


def _source(file: Path, manifest: Manifest, build: "Callable[[], nn.Module]") -> Source:
    return Source(file.read_bytes(), manifest, (file,), build)


def output_names(model: bytes) -> tuple[str, ...]:
    """Names of an ONNX network's outputs, in order."""
    import onnx

    return tuple(value.name for value in onnx.load_from_string(model).graph.output)


def _checkpoint(task: str, path: Path) -> Path | None:
    """Return the checkpoint that a path is or holds, unless it is a folder of weights."""
    if path.suffix == _CHECKPOINT:
        return path
    if not path.is_dir() or (path / f"{task}.json").is_file():
        return None
    return next((path / name for name in _CHECKPOINTS[task] if (path / name).is_file()), None)


def _darknet(task: str, cfg: Path, told: Told) -> Source:
    if task != "detector":
        raise KplateError(f"cannot export {printable(cfg)}: a .cfg describes a detector, not a {task}")
    if told.weights is None or told.names is None:
        raise KplateError(
            f"exporting {printable(cfg)} needs --weights and --names: its .weights and .names files"
        )
    model, manifest = load_model(cfg, told.weights, told.names)
    weights = told.weights

    def build() -> "nn.Module":
        from kplate.export.detector import fuse
        from kplate.nets.darknet import Darknet

        network = Darknet(cfg)
        network.load_weights(weights)
        return fuse(network.eval())

    return Source(model, manifest, (cfg, weights), build)


def _trained_reader(checkpoint: Path, told: Told, folder: Path) -> dict[str, Source]:
    from kplate.export.reader import export_reader, load_network

    export_reader(
        checkpoint, folder, name=told.name or "kplate-lprnet", threshold=told.threshold,
        temperature=told.temperature, facts=dict(told.facts),
    )  # fmt: skip
    network = functools.cache(lambda: load_network(checkpoint)[0])

    def source(task: str) -> Source:
        file, manifest = manifests.load(folder, task)
        return Source(file.read_bytes(), manifest, (checkpoint,), lambda: _part(network(), task))

    return {task: source(task) for task in ("locator", "reader") if manifests.holds(folder, task)}


def _trained_detector(checkpoint: Path, told: Told, folder: Path) -> Source:
    from kplate.export.detector import export_detector, facts_of
    from kplate.nets.darknet import NANO_CFG
    from kplate.training.detector_start import load_average, load_state

    cfg, known = told.cfg, load_state(checkpoint)
    if cfg is None and isinstance(known.get("cfg"), str):  # a checkpoint says how its network is built
        cfg = folder / Path(str(known.get("name", NANO_CFG.name))).name
        cfg.write_text(known["cfg"], encoding="utf-8")
    network, state = load_average(checkpoint, cfg)
    classes = state.get("classes", CLASSES)
    manifest = export_detector(network, folder, facts_of(state, told.facts), classes)
    return Source((folder / manifest.file).read_bytes(), manifest, (checkpoint,), lambda: network)


def _trained_refiner(checkpoint: Path, told: Told, folder: Path) -> Source:
    from kplate.export.refiner import export_refiner
    from kplate.training.refiner import load_average

    network, state = load_average(checkpoint)
    manifest = export_refiner(network, state, folder, told.facts)
    return Source((folder / manifest.file).read_bytes(), manifest, (checkpoint,), lambda: network)


def _refiner(file: Path, manifest: Manifest) -> "nn.Module":
    from kplate.export.detector import fuse
    from kplate.nets.refiner import RefinerNet

    network = fuse(RefinerNet(len(manifest.classes)).eval())
    # What is left out weighs the detector's scores, outside the network.
    names = [name for name in network.state_dict() if name != "trust"]
    _fill(network, file, names, "kplate's own")
    return network


def _detector(file: Path, manifest: Manifest, cfg: Path | None) -> "nn.Module":
    from kplate.export.detector import fuse
    from kplate.nets.darknet import NANO_CFG, Darknet

    known = cfg or NANO_CFG.with_name(f"{manifest.name}.cfg")
    if not known.is_file():
        raise WeightsError(
            f"cannot convert {printable(file)}: how {manifest.name} is built is not known; name its .cfg "
            "with --cfg"
        )
    network = fuse(Darknet(known).eval())
    _fill(network, file, list(network.state_dict()), known.name)
    return network


def _fill(network: "nn.Module", file: Path, names: Sequence[str], known: str) -> None:
    """Fill a network with an exported one's constants, which bear the names of the layers they come from."""
    import onnx
    import torch
    from onnx import numpy_helper

    values = {
        item.name: torch.from_numpy(numpy_helper.to_array(item).copy())
        for item in onnx.load(str(file)).graph.initializer
    }
    try:
        missing, unknown = network.load_state_dict({name: values[name] for name in names}, strict=False)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(
            f"cannot convert {printable(file)}: it was not exported from {known} ({error})"
        ) from error
    assert not unknown
    assert len(missing) == len(network.state_dict()) - len(names)


def _reader(file: Path, locator: Path, manifest: Manifest) -> "ReaderNet":
    from kplate.training.reader_init import from_onnx

    return from_onnx(file, locator, manifest)


def _refuse_rebuilding(file: Path) -> "nn.Module":
    raise WeightsError(
        f"cannot convert {printable(file)}: a reader in one piece can only be built from its training's "
        "checkpoint"
    )


def _part(network: "ReaderNet", task: str) -> "nn.Module":
    from kplate.export.reader import parts_of

    return parts_of(network)[task]


def read_facts(path: Path | None) -> dict[str, Any]:
    """Read what the user says about a network for its manifest.

    Raises:
        KplateError: The file cannot be read or holds something else.
    """
    import json

    if path is None:
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KplateError(f"cannot read {printable(path)}: {reason_of(error)}") from error
    except ValueError as error:
        raise KplateError(f"cannot read {printable(path)}: it is not JSON ({error})") from error
    if not isinstance(facts, dict) or not all(isinstance(value, dict) for value in facts.values()):
        raise KplateError(f"cannot read {printable(path)}: it must hold an object of objects")
    return facts
