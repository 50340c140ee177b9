"""Exports a trained refiner to ONNX with its manifest, checked against PyTorch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from kplate.classes import DISABLED_STICKER, LICENSE_PLATE
from kplate.export.detector import fuse
from kplate.export.onnx import export_onnx
from kplate.nets.refiner import RefinerNet
from kplate.refiner import SIZE, WINDOW
from kplate.weights import Manifest, fingerprint, write_manifest

_SHAPES: Final = tuple((count, 3, SIZE[1], SIZE[0]) for count in (2, 1, 7))
#: Lowest scores that are reported: near the best F1 on the validation split of `openimages_plates`, and where
#: one or two of a hundred photographs without a permit show one.
THRESHOLDS: Final = {LICENSE_PLATE: 0.7, DISABLED_STICKER: 0.75}


def export_refiner(
    network: RefinerNet, state: Mapping[str, Any], folder: Path, told: Mapping[str, Any]
) -> Manifest:
    """Writes `refiner.onnx` and `refiner.json`.

    Args:
        network: Trained, in evaluation mode; it is changed (its normalisations are folded away).
        state: The checkpoint that it is from.
        folder: Where both files go.
        told: What the user says: `training`, `accuracy` and `thresholds`, each of which may be missing.

    Raises:
        WeightsError: The exported network differs from its source.
    """
    path = folder / "refiner.onnx"
    classes = tuple(state["classes"])
    dynamic = {0: torch.export.Dim("batch", min=1, max=64)}
    difference = export_onnx(fuse(network.eval()), path, _SHAPES, ("edges",), dynamic)
    trust = network.trust.tolist()
    thresholds = {label: THRESHOLDS.get(label, 0.5) for label in classes} | told.get("thresholds", {})
    manifest = Manifest(
        name="kplate-refiner",
        task="refiner",
        file=path.name,
        sha256=fingerprint(path),
        input=SIZE,
        classes=classes,
        threshold=min(thresholds.values()),
        extra={
            "window": WINDOW,
            "trust": {label: round(value, 4) for label, value in zip(classes, trust, strict=True)},
            "thresholds": thresholds,
            "difference_from_pytorch": float(f"{difference:.2g}"),
        },
        training={
            "steps": state["step"],
            "minutes": round(state["minutes"], 1),
            **told.get("training", {}),
        },
        accuracy=told.get("accuracy", {}),
    )
    write_manifest(path.with_suffix(".json"), manifest)
    return manifest
