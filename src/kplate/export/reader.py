"""Exports a trained reader to ONNX with its manifests, checked against PyTorch.

kplate's own reader is cut in two where it straightens the plate; see :mod:`kplate.reader_network`.

Example:
    python -m kplate.export.reader runs/reader/checkpoint.pt --out src/kplate/weights
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from kplate.errors import KplateError
from kplate.export.onnx import export_onnx
from kplate.nets.lprnet import LprNet
from kplate.nets.lprnet_published import LprNetPublished
from kplate.nets.readers import DEFAULT, ReaderNet
from kplate.plates.kinds import Kind
from kplate.reader_network import CROP, STRAIGHTENED
from kplate.training.reader_checkpoint import load_checkpoint, network_of, script_of
from kplate.weights import Manifest, fingerprint, write_manifest

#: Calibration, measured on rendered plates by ``python -m kplate.training.calibrate``.
DEFAULT_THRESHOLD = 0.5


Net = TypeVar("Net", bound=ReaderNet)


class Part(nn.Module, Generic[Net]):
    """What becomes one file of a reader.

    Args:
        network: Its network.
        size: Width and height of the part's input, in px.
        names: Of its outputs.
    """

    def __init__(self, network: Net, size: tuple[int, int], *names: str) -> None:
        super().__init__()
        self.network = network
        self.size, self.names = size, names


class LocatorForExport(Part[LprNet]):
    """The part that finds the plate's corners in a crop."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map crops, float32 (N, 3, H, W) RGB in 0..1, to corners (N, 8)."""
        return (self.network.localisation(image),)


class ReaderForExport(Part[LprNet]):
    """The part that reads a plate which is straightened and normalised; not all networks tell its kind."""

    def forward(self, plate: Tensor) -> tuple[Tensor, ...]:
        """Map plates, float32 (N, 3, H, W), to logits (N, 18, 81) and kinds (N, kinds)."""
        logits, kind, _ = self.network.read(plate)
        return (logits, kind)[: len(self.names)]


class WholeReaderForExport(Part[LprNetPublished]):
    """A reader that is exported in one piece."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map crops, float32 (N, 3, H, W) RGB in 0..1, to logits (N, 18, 81) and corners (N, 8)."""
        output = self.network(image)
        return output.logits, output.corners


def parts_of(network: ReaderNet) -> dict[str, Part[Any]]:
    """Return what a reader is exported as, by the task of each part."""
    if isinstance(network, LprNetPublished):
        return {"reader": WholeReaderForExport(network, network.config.input_size, "logits", "corners")}
    told = ("logits", "kind") if network.config.kinds else ("logits",)
    return {
        "locator": LocatorForExport(network, network.localisation.SIZE, "corners"),
        "reader": ReaderForExport(network, network.config.plate_size, *told),
    }


def load_network(checkpoint: Path) -> tuple[ReaderNet, dict[str, Any]]:
    """Rebuild the averaged network of a training run.

    Raises:
        KplateError: The checkpoint is missing or of another network.
    """
    try:
        state = load_checkpoint(checkpoint)
        return network_of(state), state
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise KplateError(f"cannot load {checkpoint}: {error}") from error


def export_reader(
    checkpoint: Path,
    out: Path,
    *,
    name: str | None,
    threshold: float | None,
    temperature: float | None,
    facts: dict[str, Any],
) -> Manifest:
    """Write ``reader.onnx``, its ``locator.onnx`` and their manifests into a folder.

    Args:
        checkpoint: A checkpoint of :mod:`kplate.training.reader`.
        out: Folder.
        name: Name of the network in the manifest; ``None`` for that of its architecture.
        threshold: Score from which on a reading is trusted; ``None`` for what validation found.
        temperature: What logits are divided by before the softmax; ``None`` likewise.
        facts: ``training`` and ``accuracy`` entries of the manifest.

    Raises:
        KplateError: The exported network's numbers differ from PyTorch's.
    """
    network, state = load_network(checkpoint)
    script, calibration = script_of(state), state.get("calibration") or {}
    parts = parts_of(network)
    training = {"steps": state["step"], "minutes": round(state["seconds"] / 60, 1)} | facts.get(
        "training", {}
    )
    named = name or state.get("architecture", DEFAULT)
    files = {task: _write(part, out / f"{task}.onnx") for task, part in parts.items()}
    manifest = Manifest(
        name=named,
        task="reader",
        file=files["reader"].name,
        sha256=fingerprint(files["reader"]),
        input=parts["reader"].size,
        alphabet=script.alphabet,
        kinds=tuple(state.get("kinds", [kind.value for kind in Kind])),
        threshold=calibration.get("threshold", DEFAULT_THRESHOLD) if threshold is None else threshold,
        temperature=calibration.get("temperature", 1.0) if temperature is None else temperature,
        extra={"grammar": script.grammar},
        training=training,
        accuracy=facts.get("accuracy", {}),
    )
    if "locator" in parts:
        own = {STRAIGHTENED: True, CROP: network.config.input_size}
        manifest = replace(manifest, extra=manifest.extra | own)
        locator = Manifest(
            name=named,
            task="locator",
            file=files["locator"].name,
            sha256=fingerprint(files["locator"]),
            input=parts["locator"].size,
            training=training,
        )
        write_manifest(out / "locator.json", locator)
    write_manifest(out / "reader.json", manifest)
    return manifest


def _write(part: Part[Any], path: Path) -> Path:
    width, height = part.size
    batches: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=256)}
    export_onnx(part, path, [(n, 3, height, width) for n in (2, 1, 5)], part.names, batches)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Export from the command line."""
    parser = argparse.ArgumentParser(prog="kplate export reader", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for reader.onnx and reader.json")
    parser.add_argument("--name", help="name of the network in the manifest (default: of its architecture)")
    parser.add_argument(
        "--threshold", type=float, help="lowest score that is trusted (default: by validation)"
    )
    parser.add_argument("--temperature", type=float, help="divides the logits (default: by validation)")
    parser.add_argument("--facts", type=Path, help="JSON with the manifest's training and accuracy entries")
    options = parser.parse_args(arguments)
    facts = json.loads(options.facts.read_text(encoding="utf-8")) if options.facts else {}
    options.out.mkdir(parents=True, exist_ok=True)
    manifest = export_reader(
        options.checkpoint, options.out,
        name=options.name, threshold=options.threshold, temperature=options.temperature, facts=facts,
    )  # fmt: skip
    print(f"wrote {options.out / manifest.file} and its manifest")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
