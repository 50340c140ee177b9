"""Running OpenVINO's and ONNX networks with OpenVINO: on the processor, or on Intel's GPUs and NPUs."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray

from kplate.engines.pool import Pool
from kplate.engines.quiet import quiet
from kplate.errors import EngineError, WeightsError
from kplate.files import StrPath, printable

Array = NDArray[np.float32]

#: Our providers: OpenVINO's device, and the precision that it is told to compute in. Left alone, it takes
#: bfloat16 wherever the processor has it, and the answers differ from those of the other engines.
_PROVIDERS: Final = {
    "cpu": ("CPU", "f32"),
    "bfloat16": ("CPU", "bf16"),
    "gpu": ("GPU", None),
    "npu": ("NPU", None),
}
#: Requests that run at the same time, at most.
_MOST_AT_ONCE: Final = 4


class OpenVinoEngine:
    """A network of OpenVINO's own format, or an ONNX network.

    Attributes:
        path: The network's file.
        sizes: Width and height of the input, where they are fixed.
        version: Of OpenVINO, and the provider.
    """

    def __init__(self, path: StrPath, *, threads: int = 1, provider: str = "cpu") -> None:
        """Load a network.

        Args:
            path: The ``.xml`` file, with its ``.bin`` beside it, or an ``.onnx`` file.
            threads: Threads within one run on the processor.
            provider: ``cpu`` (float32), ``bfloat16`` (on the processor), ``gpu`` or ``npu``.

        Raises:
            EngineError: This machine has no such device, or its processor no bfloat16.
            WeightsError: The file is missing or no network, or has not one input.
        """
        self.path = Path(path)
        self._name = printable(path)
        self.version = f"OpenVINO {openvino.__version__.partition('-')[0]}, {provider}"
        if not self.path.is_file():
            raise WeightsError(f"cannot load {self._name}: no such file")
        core = openvino.Core()
        device, precision = _PROVIDERS[provider]
        _refuse_absent(core, provider, device, self._name)
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if device == "CPU":
            options |= {
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": precision,
                "NUM_STREAMS": 1,
                # Detector and reader would be bound to the same cores, whatever else runs there.
                "ENABLE_CPU_PINNING": False,
            }
        try:
            with quiet():  # it tries every format it knows, aloud
                model = core.read_model(str(self.path))
            self._compiled = core.compile_model(model, device, options)
        except RuntimeError as error:
            raise WeightsError(f"cannot load {self._name}: {_line(error)}") from error
        if len(self._compiled.inputs) != 1:
            raise WeightsError(f"cannot load {self._name}: it must have one input")
        self.sizes = _sizes(self._compiled.inputs[0].partial_shape)
        self._outputs = [output.get_any_name() for output in self._compiled.outputs]
        self._requests: Pool[Any] = Pool(self._compiled.create_infer_request, _MOST_AT_ONCE)

    def run(self, batch: Array) -> dict[str, Array]:
        """Run the network; see :meth:`kplate.engines.Engine.run`."""
        shape = "x".join(map(str, batch.shape))
        # OpenVINO itself takes other sizes than the network's, where the number of pictures is free.
        if self.sizes and (batch.shape[-1], batch.shape[-2]) not in self.sizes:
            width, height = self.sizes[0]
            raise WeightsError(f"cannot run {self._name} on {shape} values: it takes {width}x{height}")
        with self._requests.lent() as request:
            try:
                found = request.infer({0: np.ascontiguousarray(batch, np.float32)})
            except RuntimeError as error:
                raise WeightsError(f"cannot run {self._name} on {shape} values: {_line(error)}") from error
            # The request's own memory is written over by its next run.
            return {name: np.array(found[index], np.float32) for index, name in enumerate(self._outputs)}


def _refuse_absent(core: Any, provider: str, device: str, name: str) -> None:
    """Refuse what this machine does not have.

    Raises:
        EngineError: It has not.
    """
    devices = core.available_devices
    if not any(found.partition(".")[0] == device for found in devices):
        raise EngineError(
            f"cannot load {name}: OpenVINO finds no {provider} on this machine (but {', '.join(devices)})"
        )
    if provider == "bfloat16" and "BF16" not in core.get_property(device, "OPTIMIZATION_CAPABILITIES"):
        raise EngineError(
            f"cannot load {name}: this machine's processor has no bfloat16; the engine `openvino` alone "
            "computes in float32"
        )


def _sizes(shape: Any) -> tuple[tuple[int, int], ...]:
    sides = list(shape)[2:] if shape.rank.is_static else []
    if len(sides) != 2 or any(side.is_dynamic for side in sides):
        return ()
    return ((sides[1].get_length(), sides[0].get_length()),)


def _line(error: Exception) -> str:
    """Return the part of OpenVINO's message that says what is wrong: its last line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[-1].split()) if lines else type(error).__name__
