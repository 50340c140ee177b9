"""ONNX networks with smaller numbers: weights in float16, or convolutions in int8."""

import os
import tempfile
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from kplate.errors import WeightsError
from kplate.export.libraries import silence

Array = NDArray[np.float32]

#: Constants of fewer values stay as they are: they are factors and limits, not weights.
_LEAST_VALUES: Final = 256
#: Beyond this, float16 knows only infinity.
_LARGEST_HALF: Final = float(np.finfo(np.float16).max)
#: What is computed in int8 where it does not give an output: one step of int8 in a detector's heads is a
#: twentieth of a box's size. Between a detector's convolutions nothing goes back to float32.
_DETECTOR: Final = frozenset({"Concat", "Conv", "LeakyRelu", "MaxPool", "Relu", "Resize", "Split"})
_READER: Final = frozenset({"Conv", "Gemm"})


def with_float16_weights(model: bytes) -> bytes:
    """Store the weights in float16; runtimes turn them back into float32 when they load the network.

    Args:
        model: A float32 ONNX network.

    Raises:
        WeightsError: A weight is too large for float16.
    """
    network = onnx.load_from_string(model)
    graph = network.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _LEAST_VALUES:
            continue
        if not float(np.abs(values).max()) <= _LARGEST_HALF:
            raise WeightsError(f"cannot write float16: the values of {tensor.name} are too large for it")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.float16"))
        casts.append(helper.make_node("Cast", [f"{name}.float16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(network)
    return bytes(network.SerializeToString())


def with_int8(model: bytes, batches: Sequence[Array], task: str) -> bytes:
    """Let the convolutions, and what lies between them, compute in int8; the rest stays in float32.

    Args:
        model: A float32 ONNX network with one input.
        batches: float32 1 x 3 x H x W inputs that show what values occur.
        task: One of :data:`kplate.weights.TASKS`; decides what is computed in int8.
    """
    network = onnx.load_from_string(model)
    for number, node in enumerate(network.graph.node):
        node.name = node.name or f"node_{number}"  # nodes to quantise are told by their names
    with tempfile.TemporaryDirectory() as folder, silence():
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(network.SerializeToString())
        quantize_static(
            source,
            target,
            _Pictures(network.graph.input[0].name, batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=_nodes(network, _DETECTOR if task in ("detector", "refiner") else _READER),
            extra_options={"QuantizeBias": True},
        )
        return target.read_bytes()


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Hands pictures to the quantiser, one at a time."""

    def __init__(self, name: str, batches: Sequence[Array]) -> None:
        self._rows: Iterator[dict[str, Array]] = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, Array] | None:
        """Return the next one, or None."""
        return next(self._rows, None)


def _nodes(network: Any, operators: Set[str]) -> list[str]:
    """Name the nodes to compute in int8: those of some operators that do not give an output."""
    graph = network.graph
    heads = {value.name for value in graph.output}
    return [node.name for node in graph.node if node.op_type in operators and node.output[0] not in heads]
