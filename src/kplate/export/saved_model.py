"""ONNX networks to TensorFlow SavedModel folders.

The general converters pin old libraries, lay the axes out anew, and fail on the reader's attention while they
do. So the few operators that kplate's networks consist of are said in TensorFlow here, axis by axis as in
ONNX (:mod:`kplate.export.tensorflow_ops`). PyTorch is not needed.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import onnx
import tensorflow as tf
from onnx import numpy_helper

from kplate.engines.quiet import quiet
from kplate.errors import WeightsError
from kplate.export.tensorflow_ops import OPERATORS

_SIGNATURE: Final = "serving_default"
#: Constants of more values are kept beside the graph, in the folder's `variables`.
_LARGE: Final = 64


class _Network(tf.Module):  # type: ignore[misc]
    """An ONNX graph as a TensorFlow function."""

    def __init__(self, graph: Any) -> None:
        super().__init__()
        self._nodes = list(graph.node)
        self._outputs = [value.name for value in graph.output]
        self._input = graph.input[0].name
        self._constants: dict[str, Any] = {}
        self._weights: dict[str, Any] = {}
        for number, item in enumerate(graph.initializer):
            values = numpy_helper.to_array(item)
            if values.size > _LARGE:
                self._weights[item.name] = tf.Variable(values, trainable=False, name=f"weight_{number}")
            else:  # sizes and axes must be known while the graph is built
                self._constants[item.name] = values

    def run(self, image: Any) -> dict[str, Any]:
        """Map N x 3 x H x W to the outputs by name."""
        values: dict[str, Any] = {**self._constants, self._input: image}
        values |= {name: tf.convert_to_tensor(weight) for name, weight in self._weights.items()}
        for node in self._nodes:
            inputs = [values[name] if name else None for name in node.input]
            results = OPERATORS[node.op_type](_attributes(node), *inputs)
            results = results if isinstance(results, (list, tuple)) else [results]
            values.update(zip(node.output, results, strict=False))
        return {name: tf.identity(values[name], name=name) for name in self._outputs}


def to_saved_model(model: bytes, folder: Path) -> None:
    """Convert a network; it takes what the ONNX network takes, with the same axes.

    Args:
        model: An ONNX network with one input.
        folder: The SavedModel.

    Raises:
        WeightsError: The network has an operator that is not known here.
    """
    graph = onnx.load_from_string(model).graph
    unknown = sorted({node.op_type for node in graph.node} - set(OPERATORS))
    if unknown:
        raise WeightsError(f"cannot convert the network to a SavedModel: {', '.join(unknown)} is not known")
    shape = [side.dim_value or None for side in graph.input[0].type.tensor_type.shape.dim]
    image = tf.TensorSpec(shape, tf.float32, name=graph.input[0].name)
    with quiet():
        network = _Network(graph)
        function = tf.function(network.run, input_signature=[image])
        tf.saved_model.save(network, str(folder), {_SIGNATURE: function.get_concrete_function()})


def _attributes(node: Any) -> Mapping[str, Any]:
    values = {}
    for item in node.attribute:
        value = onnx.helper.get_attribute_value(item)
        values[item.name] = value.decode() if isinstance(value, bytes) else value
    return values
