"""Exports the detector with its manifest.

`python -m kplate.export.detector CHECKPOINT [--out DIR]` writes `detector.onnx` and `detector.json`.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kplate.export.onnx import export_onnx
from kplate.nets.darknet import NANO_CFG, Darknet
from kplate.training.data import CLASSES
from kplate.training.detector import load_average
from kplate.weights import Manifest, fingerprint, write_manifest

SHIPPED = Path(__file__).parents[1] / "weights"
#: Input shapes the exported network is compared on: square, wide, upright, and a batch.
SHAPES = ((2, 3, 416, 416), (1, 3, 256, 416), (1, 3, 640, 384), (3, 3, 96, 128))
#: Lowest scores that are reported: a little below those of the best F1 on the validation split of
#: `openimages_plates`; permits are held to more, for badges look like them.
THRESHOLDS = {"car": 0.5, "license_plate": 0.55, "disabled_sticker": 0.6}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the manifest says about a network, beside its shape.

    Attributes:
        training: How it was trained, and on what.
        accuracy: What was measured.
        thresholds: Lowest reported score of each class.
    """

    training: dict[str, Any]
    accuracy: dict[str, Any]
    thresholds: dict[str, float]


def fuse(network: Darknet) -> Darknet:
    """Folds every batch normalisation into the convolution in front of it, in place."""
    for layer in network.layers:
        if isinstance(layer, nn.Sequential) and len(layer) > 1 and isinstance(layer[1], nn.BatchNorm2d):
            convolution, normalisation = layer[0], layer[1]
            assert isinstance(convolution, nn.Conv2d)
            layer[0] = nn.utils.fuse_conv_bn_eval(convolution, normalisation)
            layer[1] = nn.Identity()
    return network


def export_detector(network: Darknet, folder: Path, facts: Facts) -> Manifest:
    """Writes `detector.onnx` and `detector.json`.

    Args:
        network: Trained, in evaluation mode; it is changed (its normalisations are folded away).
        folder: Where both files go.
        facts: For the manifest.

    Raises:
        WeightsError: The exported network differs from its source.
    """
    path = folder / "detector.onnx"
    names = [f"head{n}" for n in range(len(network.heads))]
    stride = max(head.stride for head in network.heads)
    dynamic = {
        0: torch.export.Dim("batch", min=1, max=64),
        2: stride * torch.export.Dim("rows", min=2, max=256),
        3: stride * torch.export.Dim("columns", min=2, max=256),
    }
    difference = export_onnx(fuse(network.eval()), path, SHAPES, names, dynamic)
    heads = [
        {
            "output": name,
            "stride": head.stride,
            "anchors": [list(pair) for pair in head.anchors],
            "scale_x_y": head.scale_x_y,
            "new_coords": head.new_coords,
        }
        for name, head in zip(names, network.heads, strict=True)
    ]
    manifest = Manifest(
        name=network.cfg.stem,
        task="detector",
        file=path.name,
        sha256=fingerprint(path),
        input=network.size,
        classes=CLASSES,
        threshold=min(facts.thresholds.values()),
        extra={
            "heads": heads,
            "thresholds": facts.thresholds,
            "difference_from_pytorch": float(f"{difference:.2g}"),
        },
        training=facts.training,
        accuracy=facts.accuracy,
    )
    write_manifest(path.with_suffix(".json"), manifest)
    return manifest


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the export."""
    parser = argparse.ArgumentParser(description="Export a trained detector to ONNX.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--cfg", type=Path, default=NANO_CFG)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--facts", type=Path, help="JSON with `training` and `accuracy` for the manifest")
    options = parser.parse_args(arguments)
    network, state = load_average(options.checkpoint, options.cfg)
    told = json.loads(options.facts.read_text(encoding="utf-8")) if options.facts else {}
    training = {"steps": state["step"], "minutes": round(state["minutes"], 1), **told.get("training", {})}
    facts = Facts(training, told.get("accuracy", {}), told.get("thresholds", THRESHOLDS))
    manifest = export_detector(network, options.out, facts)
    print(f"{options.out / manifest.file}: {(options.out / manifest.file).stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
