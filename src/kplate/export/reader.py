"""Exports a trained reader to ONNX with its manifest, checked against PyTorch.

Example:
    python -m kplate.export.reader runs/reader/checkpoint.pt --out src/kplate/weights
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kplate.errors import KplateError
from kplate.export.onnx import export_onnx
from kplate.nets.readers import DEFAULT, ReaderNet
from kplate.plates.kinds import Kind
from kplate.training.reader_checkpoint import load_checkpoint, network_of, script_of
from kplate.weights import Manifest, fingerprint, write_manifest

#: Calibration, measured on rendered plates by ``python -m kplate.training.calibrate``.
DEFAULT_THRESHOLD = 0.5


class ReaderForExport(nn.Module):
    """The reader with the outputs that ship, as a tuple.

    Attributes:
        names: Of the outputs; networks that tell no kinds have no ``kind``.
    """

    def __init__(self, network: ReaderNet) -> None:
        super().__init__()
        self.network = network
        tells_kinds = network.config.kinds > 0
        self.names = ("logits", "kind", "corners") if tells_kinds else ("logits", "corners")

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map float32 (N, 3, H, W) RGB in 0..1 to logits (N, 18, 81), kind (N, kinds), corners (N, 8)."""
        output = self.network(image)
        return tuple(getattr(output, name) for name in self.names)


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
    """Write ``reader.onnx`` and ``reader.json`` into a folder.

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
    config = network.config
    width, height = config.input_size
    path = out / "reader.onnx"
    exported = ReaderForExport(network)
    export_onnx(
        exported,
        path,
        [(2, 3, height, width), (1, 3, height, width), (5, 3, height, width)],
        exported.names,
        {0: torch.export.Dim("batch", min=1, max=256)},
    )
    training = {"steps": state["step"], "minutes": round(state["seconds"] / 60, 1)} | facts.get(
        "training", {}
    )
    manifest = Manifest(
        name=name or state.get("architecture", DEFAULT),
        task="reader",
        file=path.name,
        sha256=fingerprint(path),
        input=config.input_size,
        alphabet=script.alphabet,
        kinds=tuple(state.get("kinds", [kind.value for kind in Kind])),
        threshold=calibration.get("threshold", DEFAULT_THRESHOLD) if threshold is None else threshold,
        temperature=calibration.get("temperature", 1.0) if temperature is None else temperature,
        extra={"grammar": script.grammar},
        training=training,
        accuracy=facts.get("accuracy", {}),
    )
    write_manifest(out / "reader.json", manifest)
    return manifest


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
