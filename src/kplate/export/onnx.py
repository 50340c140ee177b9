"""PyTorch networks to ONNX files, checked against the network they come from."""

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from kplate.engines.onnx import OnnxEngine
from kplate.errors import WeightsError

TOLERANCE = 1e-4  # largest difference from PyTorch, relative to the largest output (at least 1)


def export_onnx(
    network: nn.Module,
    path: Path,
    shapes: Sequence[tuple[int, int, int, int]],
    outputs: Sequence[str],
    dynamic: dict[int, Any],
) -> float:
    """Exports a network with one input called `image`, and compares it with PyTorch on random pictures.

    Args:
        network: In evaluation mode; its outputs are one tensor or a tuple of them.
        path: The `.onnx` file.
        shapes: Input shapes N x C x H x W; the first is used to export, all to compare.
        outputs: Names of the outputs.
        dynamic: Axis -> `torch.export.Dim` of the axes that may change.

    Returns:
        The largest relative difference seen.

    Raises:
        WeightsError: The exported network gives other numbers than its source; no file is left behind.
    """
    network = network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            network,
            (torch.rand(shapes[0]),),
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=(dynamic,),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    del model.metadata_props[:]
    for part in (model.graph.node, model.graph.value_info, model.graph.input, model.graph.output):
        for item in part:
            del item.metadata_props[:]  # the exporter's notes on its own source files
            item.doc_string = ""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        onnx.save(model, str(draft))
        worst = max(compare(network, draft, shape) for shape in shapes)
        if not worst <= TOLERANCE:
            raise WeightsError(
                f"{path}: differs from the PyTorch network by {worst:.2g}, more than {TOLERANCE:g}"
            )
        draft.replace(path)
    return worst


def compare(network: nn.Module, path: Path, shape: tuple[int, int, int, int]) -> float:
    """The largest difference between a network and its ONNX file on a random picture, relative."""
    image = torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))
    with torch.inference_mode():
        expected = network(image)
    wanted = [expected] if isinstance(expected, torch.Tensor) else list(expected)
    found = OnnxEngine(path).run(image.numpy())
    worst = 0.0
    for value, other in zip(wanted, found.values(), strict=True):
        reference = value.numpy()
        worst = max(worst, float(np.abs(reference - other).max() / max(1.0, np.abs(reference).max())))
    return worst
