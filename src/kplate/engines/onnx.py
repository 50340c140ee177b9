"""Running ONNX networks with ONNX Runtime."""

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

# ONNX Runtime 1.29 and newer report their use to their maker unless this is set before they are loaded.
# Reading plates must work without a network and tell nobody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from kplate.engines.runtimes import RUNTIMES, install_hint
from kplate.errors import EngineError, WeightsError
from kplate.files import StrPath, printable

#: ONNX Runtime's own log goes to standard error; only fatal messages may, the rest comes as exceptions.
_LOG_FATAL: Final = 4

#: Our names of what ONNX Runtime computes on, and its own.
PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}


class OnnxEngine:
    """An ONNX network with one input.

    Attributes:
        path: The network's file, or the one it was made from.
        sizes: Width and height of the input, where they are fixed.
        version: Of ONNX Runtime, and the provider.
    """

    def __init__(
        self, path: StrPath, *, threads: int = 1, provider: str = "cpu", model: bytes | None = None
    ) -> None:
        """Load a network.

        Args:
            path: The ``.onnx`` file.
            threads: Threads within one run on the processor. Threads of the caller come on top.
            provider: What to compute on; a key of :data:`PROVIDERS`.
            model: The network's bytes where they are in memory; ``path`` then only names it in messages.

        Raises:
            EngineError: ONNX Runtime, as installed, does not have the provider, or cannot use it.
            WeightsError: The file is missing or no ONNX network, or has not one input.
        """
        self.path = Path(path)
        self._name = printable(path)
        self.version = f"ONNX Runtime {onnxruntime.__version__}, {provider}"
        if model is None and not self.path.is_file():
            raise WeightsError(f"cannot load {self._name}: no such file")
        _refuse_absent(provider, self._name)
        try:
            self._session = onnxruntime.InferenceSession(
                str(self.path) if model is None else model,
                sess_options=_options(threads),
                # What a provider has no kernel for runs on the processor.
                providers=list(dict.fromkeys((PROVIDERS[provider], PROVIDERS["cpu"]))),
            )
        except Exception as error:  # its exceptions share no base class but Exception
            raise WeightsError(f"cannot load {self._name}: {_first_line(error)}") from error
        # A provider that cannot start (no driver, no device) is left out with no more than a warning.
        if self._session.get_providers()[0] != PROVIDERS[provider]:
            raise EngineError(
                f"cannot load {self._name}: ONNX Runtime cannot use {provider} on this machine: are the "
                "device's driver and libraries there? The engine `onnx` runs on the processor"
            )
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            found = ", ".join(f"{node.name} {node.type}" for node in inputs)
            raise WeightsError(f"cannot load {self._name}: it must have one float32 input, not ({found})")
        self._input: str = inputs[0].name
        sides = inputs[0].shape[2:]
        fixed = len(sides) == 2 and all(isinstance(side, int) for side in sides)
        self.sizes: tuple[tuple[int, int], ...] = ((sides[1], sides[0]),) if fixed else ()
        self._outputs: list[str] = [node.name for node in self._session.get_outputs()]

    def run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the network; see :meth:`kplate.engines.Engine.run`."""
        try:
            results = self._session.run(self._outputs, {self._input: np.ascontiguousarray(batch, np.float32)})
        except Exception as error:  # as above
            shape = "x".join(map(str, batch.shape))
            raise WeightsError(f"cannot run {self._name} on {shape} values: {_first_line(error)}") from error
        return dict(zip(self._outputs, results, strict=True))


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _LOG_FATAL
    # By default idle threads spin, waiting for work. Detector and reader take turns, each with threads of
    # its own, so that one's would take the cores from the other's, and from whatever else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _refuse_absent(provider: str, name: str) -> None:
    """Refuse a provider that this build of ONNX Runtime was made without.

    Raises:
        EngineError: It was.
    """
    available = onnxruntime.get_available_providers()
    if PROVIDERS[provider] in available:
        return
    if provider == "coreml":
        advice = "it is a part of ONNX Runtime on macOS only"
    else:
        advice = f"pip uninstall onnxruntime, then {install_hint(RUNTIMES['onnx'], provider)}"
    ours = ", ".join(key for key, value in PROVIDERS.items() if value in available)
    raise EngineError(
        f"cannot load {name}: ONNX Runtime, as installed, has no {provider} (but {ours}); {advice}"
    )


def _first_line(error: Exception) -> str:
    """Return the first line of an ONNX Runtime message, which is the one that says what is wrong."""
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split()) if lines else type(error).__name__
