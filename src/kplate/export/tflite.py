"""PyTorch networks to TFLite files with built-in operators only: `litert-torch` and `ai-edge-quantizer`."""

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# The converter's own notes are for those who develop it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kplate.export.libraries import silence

with silence():  # they tell of parts that are not there, none of which is needed
    import litert_torch
    import torch
    from ai_edge_quantizer import algorithm_manager, calibrator, qtyping, quantizer, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils
    from torch import nn

from kplate.errors import WeightsError
from kplate.export.reader import ReaderForExport
from kplate.export.reader_lite import ReaderForLite
from kplate.export.tflite_graph import Graph

Array = NDArray[np.float32]

_OPS: Final = qtyping.TFLOperationName
_LEFT_ALONE: Final = algorithm_manager.AlgorithmName.NO_QUANTIZE
_SIGNATURE: Final = "serving_default"
#: The converter's names of the input: as an argument, and as a tensor.
_ARGUMENT: Final = "args_0"
_INPUT: Final = "serving_default_args_0"
#: Its names of the outputs, and so of the detector's last convolutions, begin with this.
_HEADS: Final = "serving_default_output"
_INPUT_NAME: Final = "image"
_BITS: Final = 8
#: What of a reader is computed in int8: its convolutions, but for that of the attention. Operators bear the
#: names of the modules that they come from.
_READER_BODY: Final = "_stem/|_middle/|_late/|_mix/"
_READER_BLOCKS: Final = "SmallBasicBlock"


class _ChannelsLast(nn.Module):
    """A network of pictures and maps with its axes in TFLite's order."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = self.network(image.permute(0, 3, 1, 2))
        outputs = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
        return tuple(x.permute(0, 2, 3, 1) if x.dim() == 4 else x for x in outputs)


def convert(network: nn.Module, size: tuple[int, int]) -> bytes:
    """Convert a network to TFLite's operators, in float32.

    Args:
        network: In evaluation mode, NCHW, a tuple of outputs.
        size: Width and height of the input, in px.

    Returns:
        A TFLite file for :func:`finish`.

    Raises:
        WeightsError: The network cannot be written with built-in operators.
    """
    form: nn.Module = _ChannelsLast(network)
    if isinstance(network, ReaderForExport):
        form = ReaderForLite(network.network)
    width, height = size
    with silence():
        try:
            converted = litert_torch.convert(form.eval(), (torch.rand(1, height, width, 3),))
            content = bytes(converted.model_content())
        except Exception as error:  # its exceptions share no base class but Exception
            raise WeightsError(f"cannot convert the network to TFLite: {_line(error)}") from error
    if custom := Graph(content).custom_operators():
        raise WeightsError(
            f"cannot convert the network to TFLite with built-in operators: {', '.join(custom)}"
        )
    return content


def finish(
    content: bytes, outputs: Sequence[str], precision: str, batches: Sequence[Array], task: str
) -> bytes:
    """Give a converted network its precision, names and free sizes.

    Args:
        content: What :func:`convert` returned.
        outputs: Names of the outputs.
        precision: ``float32``, ``float16`` or ``int8``.
        batches: For ``int8``: float32 1 x 3 x H x W inputs that show what values occur.
        task: One of :data:`kplate.weights.TASKS`; decides what is computed in int8.

    Returns:
        The file's content: float32 in and out, channels last. The number and the size of its pictures may
        change where nothing in the network depends on them.

    Raises:
        WeightsError: The network does not run, or has operators that cannot be quantised.
    """
    if precision != "float32":
        with silence():
            try:
                content = _quantised(content, precision, batches, task)
            except (RuntimeError, ValueError) as error:
                raise WeightsError(f"cannot convert the network to {precision}: {_line(error)}") from error
    graph = Graph(content)
    if precision == "int8":
        graph.fold_conversions()
    graph.name(_INPUT_NAME, tuple(outputs))
    graph.free_sizes()
    return graph.to_bytes()


def _quantised(content: bytes, precision: str, batches: Sequence[Array], task: str) -> bytes:
    maker = quantizer.Quantizer(content)
    ranges: dict[str, Any] = {}
    if precision == "float16":
        half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        stored = qtyping.OpQuantizationConfig(
            weight_tensor_config=half,
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        )
        for op in (_OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D, _OPS.FULLY_CONNECTED):
            maker.update_quantization_recipe(".*", op, stored, algorithm_manager.AlgorithmName.FLOAT_CASTING)
    else:
        _choose_int8(maker, task)
        ranges = _ranges(content, maker, batches) if maker.need_calibration else {}
        if _INPUT in ranges and task != "reader":  # pixels are exact then: one step of int8 is one of 255
            ranges[_INPUT] = {"min": np.zeros((1, 1, 1, 1)), "max": np.ones((1, 1, 1, 1))}
    result = maker.quantize(ranges or None, enable_progress_bar=False, enable_progress_report=False)
    assert result.quantized_model is not None
    return bytes(result.quantized_model)


def _choose_int8(maker: Any, task: str) -> None:
    """Say which operators are computed in int8."""
    if task == "reader":
        maker.add_static_config(_READER_BODY, _OPS.CONV_2D, _BITS, _BITS)
        maker.add_static_config(_READER_BODY, _OPS.PAD, _BITS, _BITS)
        maker.add_static_config(_READER_BLOCKS, _OPS.ADD, _BITS, _BITS)
        # Large matrices, few products: only the weights are int8 in the file; inputs are scaled as they come.
        maker.add_dynamic_config(".*", _OPS.FULLY_CONNECTED, _BITS)
        return
    maker.add_static_config(".*", _OPS.ALL_SUPPORTED, _BITS, _BITS)
    # One step of int8 in a detector's head is a twentieth of a box's size.
    for op in (_OPS.CONV_2D, _OPS.FULLY_CONNECTED):
        maker.update_quantization_recipe(_HEADS, op, algorithm_key=_LEFT_ALONE)
    for op in (_OPS.INPUT, _OPS.OUTPUT):
        maker.update_quantization_recipe(".*", op, algorithm_key=_LEFT_ALONE)


def _ranges(content: bytes, maker: Any, batches: Sequence[Array]) -> dict[str, Any]:
    """Find the least and the largest of each value inside the network.

    `Quantizer.calibrate` takes moving averages of them instead, beyond which the largest values are cut off:
    that moved corners by up to a twentieth of the crop.
    """
    recipe = recipe_manager.RecipeManager()
    recipe.load_quantization_recipe(maker.get_quantization_recipe())
    seen = calibrator.Calibrator(content, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    inputs = [{_ARGUMENT: np.ascontiguousarray(batch.transpose(0, 2, 3, 1))} for batch in batches]
    seen.calibrate({_SIGNATURE: inputs}, recipe)
    return dict(seen.get_model_qsvs())


def _line(error: Exception) -> str:
    """Return the first line of the converter's message."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[0].split()) if lines else type(error).__name__
