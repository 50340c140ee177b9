"""Running ONNX networks with ONNX Runtime on the CPU."""

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

# ONNX Runtime 1.29 and newer report their use to their maker unless this is set before they are loaded.
# Reading plates must work without a network and tell nobody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from kplate.errors import WeightsError
from kplate.files import StrPath, printable

#: ONNX Runtime's own log goes to standard error; only fatal messages may, the rest comes as exceptions.
_LOG_FATAL: Final = 4


class OnnxEngine:
    """An ONNX network with one input.

    Attributes:
        path: The network's file, or the one it was made from.
    """

    def __init__(self, path: StrPath, *, threads: int = 1, model: bytes | None = None) -> None:
        """Load a network.

        Args:
            path: The ``.onnx`` file.
            threads: Threads within one run. Threads of the caller come on top.
            model: The network's bytes where they are in memory; ``path`` then only names it in messages.

        Raises:
            WeightsError: The file is missing or no ONNX network, or has not one input.
        """
        self.path = Path(path)
        self._name = printable(path)
        if model is None and not self.path.is_file():
            raise WeightsError(f"cannot load {self._name}: no such file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = _LOG_FATAL
        # By default idle threads spin, waiting for work. Detector and reader take turns, each with threads of
        # its own, so that one's would take the cores from the other's, and from whatever else runs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(self.path) if model is None else model,
                sess_options=options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # its exceptions share no base class but Exception
            raise WeightsError(f"cannot load {self._name}: {_first_line(error)}") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            found = ", ".join(f"{node.name} {node.type}" for node in inputs)
            raise WeightsError(f"cannot load {self._name}: it must have one float32 input, not ({found})")
        self._input: str = inputs[0].name
        self._outputs: list[str] = [node.name for node in self._session.get_outputs()]

    def run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the network; see :meth:`kplate.engines.Engine.run`."""
        try:
            results = self._session.run(self._outputs, {self._input: np.ascontiguousarray(batch, np.float32)})
        except Exception as error:  # as above
            shape = "x".join(map(str, batch.shape))
            raise WeightsError(f"cannot run {self._name} on {shape} values: {_first_line(error)}") from error
        return dict(zip(self._outputs, results, strict=True))


def _first_line(error: Exception) -> str:
    """Return the first line of an ONNX Runtime message, which is the one that says what is wrong."""
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split()) if lines else type(error).__name__
