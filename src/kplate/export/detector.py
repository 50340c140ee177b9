"""Exports a trained detector to ONNX with its manifest, checked against PyTorch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from kplate.classes import CAR, CLASSES, DISABLED_STICKER, LICENSE_PLATE
from kplate.export.onnx import export_onnx
from kplate.nets.darknet import Darknet
from kplate.weights import Manifest, fingerprint, write_manifest

_Net = TypeVar("_Net", bound=nn.Module)
#: Input shapes the exported network is compared on: square, wide, upright, and a batch.
SHAPES = ((2, 3, 416, 416), (1, 3, 256, 416), (1, 3, 640, 384), (3, 3, 96, 128))
#: Lowest scores that are reported: a little below those of the best F1 on the validation split of
#: `openimages_plates`; permits are held to more, for badges look like them.
THRESHOLDS = {CAR: 0.5, LICENSE_PLATE: 0.55, DISABLED_STICKER: 0.6}
#: The same for other classes, of which nothing is known: Darknet's own.
OTHER_THRESHOLD = 0.25


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


def fuse(network: _Net) -> _Net:
    """Folds every batch normalisation into the convolution in front of it, in place."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Sequential) and len(layer) > 1 and isinstance(layer[1], nn.BatchNorm2d):
            convolution, normalisation = layer[0], layer[1]
            assert isinstance(convolution, nn.Conv2d)
            layer[0] = nn.utils.fuse_conv_bn_eval(convolution, normalisation)
            layer[1] = nn.Identity()
    return network


def facts_of(state: Mapping[str, Any], told: Mapping[str, Any]) -> Facts:
    """What a manifest says of a training.

    Args:
        state: The checkpoint's.
        told: What the user says: `training`, `accuracy` and `thresholds`, each of which may be missing.
    """
    training = {"steps": state["step"], "minutes": round(state["minutes"], 1), **told.get("training", {})}
    classes = state.get("classes", CLASSES)
    thresholds = {name: THRESHOLDS.get(name, OTHER_THRESHOLD) for name in classes}
    return Facts(training, told.get("accuracy", {}), {**thresholds, **told.get("thresholds", {})})


def export_detector(
    network: Darknet, folder: Path, facts: Facts, classes: Sequence[str] = CLASSES
) -> Manifest:
    """Writes `detector.onnx` and `detector.json`.

    Args:
        network: Trained, in evaluation mode; it is changed (its normalisations are folded away).
        folder: Where both files go.
        facts: For the manifest.
        classes: Names of what it finds.

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
        classes=tuple(classes),
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
