"""Running TFLite networks with LiteRT on a GPU."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from numpy.typing import NDArray

from kplate.engines.litert import Signature, signature_of
from kplate.engines.quiet import quiet
from kplate.errors import EngineError


def load_on_gpu(path: Path, name: str) -> tuple[Signature, ...]:
    """Compile a network for the GPU, all of it: LiteRT would else run a part on the processor, unsaid.

    Args:
        path: The ``.tflite`` file.
        name: What it is called in messages.

    Raises:
        EngineError: There is no GPU that LiteRT can use, or it cannot run the whole network.
        WeightsError: The network has not one input of pictures.
    """
    model = None
    with quiet(), contextlib.suppress(RuntimeError, ValueError):  # its message says nothing more
        model = CompiledModel.from_file(str(path), HardwareAccelerator.GPU)
    if model is None:
        raise EngineError(
            f"cannot load {name}: LiteRT finds no GPU here that it can run the network on; "
            "the engine `litert` runs on the processor"
        )
    if not model.is_fully_accelerated():
        raise EngineError(
            f"cannot load {name}: LiteRT can run only a part of it on the GPU; "
            "the engine `litert` runs on the processor"
        )
    return tuple(_signature(model, key, name) for key in model.get_signature_list())


def _signature(model: Any, key: str, name: str) -> Signature:
    index = model.get_signature_index(key)
    outputs = {output: _details(d) for output, d in model.get_output_tensor_details(key).items()}
    inputs = {image: _details(d) for image, d in model.get_input_tensor_details(key).items()}
    into, out = model.create_input_buffers(index), model.create_output_buffers(index)

    def run(_: str, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        into[0].write(values)
        model.run_by_index(index, into, out)
        return {
            output: buffer.read(int(np.prod(details["shape"])), details["dtype"]).reshape(details["shape"])
            for (output, details), buffer in zip(outputs.items(), out, strict=True)
        }

    return signature_of(inputs, outputs, run, name)


def _details(details: dict[str, Any]) -> dict[str, Any]:
    return {"quantization": (0.0, 0), **details, "dtype": np.dtype(details["dtype"]).type}
