"""Darknet networks as ONNX graphs, built without PyTorch, for the engines that read.

Needs the `onnx` package, which comes with the extra `darknet`; nothing else of kplate's reading does.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from kplate.darknet.network import (
    BATCH_NORM_EPS,
    LEAKY_SLOPE,
    AveragePool,
    Convolution,
    Dropout,
    Head,
    MaxPool,
    Network,
    Route,
    Shortcut,
    Step,
    Upsample,
)
from kplate.darknet.weights import LayerWeights

#: Old enough for every ONNX Runtime that kplate works with.
_OPSET: Final = 17
_IR_VERSION: Final = 8
#: The name of the input, as in all of kplate's networks.
_INPUT: Final = "image"


def build_graph(network: Network, weights: Sequence[LayerWeights]) -> bytes:
    """Builds an ONNX network; normalisations are folded into the convolutions in front of them.

    Args:
        network: What a `.cfg` describes.
        weights: Values of each convolution in the network's order.

    Returns:
        The serialised network: input `image`, float32 N x C x H x W, RGB 0..1; outputs `head0`, `head1`, ...,
        the raw numbers of each `[yolo]` in file order.
    """
    builder = _Builder()
    names: dict[int, str] = {-1: _INPUT}
    values = iter(weights)
    for index, step in enumerate(network.steps):
        inputs = [names[source] for source in step.inputs]
        own = next(values) if isinstance(step.layer, Convolution) else None
        names[index] = builder.add(f"layer{index}", step, inputs, own)
    outputs = [f"head{number}" for number in range(len(network.heads))]
    for name, index in zip(outputs, network.outputs, strict=True):
        builder.node("Identity", [names[index]], name)
    number = onnx.TensorProto.FLOAT
    image = helper.make_tensor_value_info(_INPUT, number, ["n", network.channels, "h", "w"])
    heads = [
        helper.make_tensor_value_info(
            name, number, ["n", network.steps[index].channels, f"{name}_h", f"{name}_w"]
        )
        for name, index in zip(outputs, network.outputs, strict=True)
    ]
    graph = helper.make_graph(builder.nodes, network.name, [image], heads, builder.constants)
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="kplate")
    serialised: bytes = model.SerializeToString()
    return serialised


class _Builder:
    """Collects the nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Adds a constant and returns its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, name: str, step: Step, inputs: Sequence[str], weights: LayerWeights | None) -> str:
        """Adds a layer and returns the name of its output."""
        match step.layer:
            case Convolution():
                assert weights is not None
                return self._convolution(name, step.layer, inputs, weights)
            case MaxPool():
                before, after = step.layer.padding
                return self.node(
                    "MaxPool",
                    inputs,
                    name,
                    kernel_shape=[step.layer.size] * 2,
                    strides=[step.layer.stride] * 2,
                    pads=[before, before, after, after],
                )
            case AveragePool():
                return self.node("GlobalAveragePool", inputs, name)
            case Route():
                return self._route(name, step, inputs)
            case Shortcut():
                total = inputs[0]
                for number, other in enumerate(inputs[1:]):
                    total = self.node("Add", [total, other], f"{name}_sum{number}")
                return self._activation(name, step.layer.activation, total)
            case Upsample():
                return self._upsample(name, step.layer, inputs)
            case Dropout() | Head():
                return inputs[0]

    def _convolution(
        self, name: str, layer: Convolution, inputs: Sequence[str], weights: LayerWeights
    ) -> str:
        kernel, bias = folded(weights)
        values = [self.constant(f"{name}_weight", kernel), self.constant(f"{name}_bias", bias)]
        output = self.node(
            "Conv",
            [*inputs, *values],
            f"{name}_conv",
            kernel_shape=[layer.size] * 2,
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
            group=layer.groups,
        )
        return self._activation(name, layer.activation, output)

    def _activation(self, name: str, activation: str, source: str) -> str:
        match activation:
            case "leaky":
                return self.node("LeakyRelu", [source], name, alpha=LEAKY_SLOPE)
            case "mish":  # x tanh(ln(1 + e^x)); the operator of that name is too new for some runtimes
                soft = self.node("Softplus", [source], f"{name}_softplus")
                return self.node("Mul", [source, self.node("Tanh", [soft], f"{name}_tanh")], name)
            case "swish":
                return self.node("Mul", [source, self.node("Sigmoid", [source], f"{name}_sigmoid")], name)
            case "relu":
                return self.node("Relu", [source], name)
            case "logistic":
                return self.node("Sigmoid", [source], name)
            case _:
                return source

    def _route(self, name: str, step: Step, inputs: Sequence[str]) -> str:
        assert isinstance(step.layer, Route)
        groups, group = step.layer.groups, step.layer.group
        parts = list(inputs)
        if groups > 1:
            parts = []
            for number, source in enumerate(inputs):
                pieces = [f"{name}_part{number}_{piece}" for piece in range(groups)]
                self.nodes.append(helper.make_node("Split", [source], pieces, axis=1))
                parts.append(pieces[group])
        return parts[0] if len(parts) == 1 else self.node("Concat", parts, name, axis=1)

    def _upsample(self, name: str, layer: Upsample, inputs: Sequence[str]) -> str:
        scales = self.constant(f"{name}_scales", np.array((1, 1, layer.factor, layer.factor), np.float32))
        return self.node(
            "Resize",
            [*inputs, "", scales],
            name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )


def folded(weights: LayerWeights) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The kernels and biases of a convolution, with its normalisation folded in.

    Returns:
        F x C/groups x size x size, and F, float32.
    """
    if weights.scales is None or weights.means is None or weights.variances is None:
        return weights.weights, weights.biases
    # In double precision, so that folding adds no error of its own. A variance below 0 is NaN in Darknet too,
    # and what is not a number is never reported; what is beyond float32 becomes infinite likewise.
    with np.errstate(invalid="ignore", over="ignore"):
        factor = weights.scales / np.sqrt(weights.variances.astype(np.float64) + BATCH_NORM_EPS)
        kernel = weights.weights * factor[:, None, None, None]
        bias = weights.biases - weights.means * factor
        return kernel.astype(np.float32), bias.astype(np.float32)
