"""Running SavedModel folders with TensorFlow."""

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kplate.engines.quiet import quiet
from kplate.errors import EngineError, WeightsError
from kplate.files import StrPath, printable

# TensorFlow tells of its build and of absent GPUs on standard error; only errors may.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with quiet():
    import tensorflow

Array = NDArray[np.float32]

_SIGNATURE: Final = "serving_default"
_COLOURS: Final = 3


class SavedModelEngine:
    """A SavedModel with one input.

    Attributes:
        path: The network's folder.
        sizes: Width and height of the input, where they are fixed.
        version: Of TensorFlow, and the provider.
    """

    def __init__(self, path: StrPath, *, threads: int = 1, provider: str = "cpu") -> None:
        """Load a network.

        Args:
            path: The folder with ``saved_model.pb``.
            threads: Threads within one run. TensorFlow has one number for the whole process: the first
                network's counts.
            provider: ``cpu`` or ``gpu``.

        Raises:
            EngineError: TensorFlow finds no GPU.
            WeightsError: The folder is missing or no SavedModel, or has not one input.
        """
        self.path = Path(path)
        self._name = printable(path)
        self.version = f"TensorFlow {_version()}, {provider}"
        if not (self.path / "saved_model.pb").is_file():
            raise WeightsError(f"cannot load {self._name}: it is no folder with a saved_model.pb")
        _set_threads(threads)
        with quiet():
            gpus = tensorflow.config.list_physical_devices("GPU")
        if provider == "gpu" and not gpus:
            raise EngineError(
                f"cannot load {self._name}: TensorFlow finds no GPU here; the engine `saved_model` runs on "
                "the processor"
            )
        self._device = f"/{provider}:0"
        try:
            with quiet(), tensorflow.device(self._device):
                self._model = tensorflow.saved_model.load(str(self.path))
            self._function = self._model.signatures[_SIGNATURE]
        except Exception as error:  # its exceptions share no base class but Exception
            raise WeightsError(f"cannot load {self._name}: {_line(error)}") from error
        inputs = self._function.structured_input_signature[1]
        if len(inputs) != 1:
            raise WeightsError(f"cannot load {self._name}: it must have one input, not ({', '.join(inputs)})")
        ((self._input, tensor),) = inputs.items()
        shape = tensor.shape.as_list()
        self._channels_last = shape[-1] == _COLOURS and shape[1] != _COLOURS
        self._count: int | None = shape[0]
        height, width = shape[1:3] if self._channels_last else shape[2:4]
        self.sizes: tuple[tuple[int, int], ...] = ((width, height),) if width and height else ()

    def run(self, batch: Array) -> dict[str, Array]:
        """Run the network; see :meth:`kplate.engines.Engine.run`."""
        # A network that was converted for one picture takes one at a time.
        step = self._count or len(batch)
        parts = [self._run(batch[start : start + step]) for start in range(0, len(batch), step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run(self, batch: Array) -> dict[str, Array]:
        values = batch.transpose(0, 2, 3, 1) if self._channels_last else batch
        try:
            with tensorflow.device(self._device):
                image = tensorflow.constant(np.ascontiguousarray(values, np.float32))
                found = self._function(**{self._input: image})
        except Exception as error:  # as above
            shape = "x".join(map(str, batch.shape))
            raise WeightsError(f"cannot run {self._name} on {shape} values: {_line(error)}") from error
        return {name: self._first(tensor.numpy()) for name, tensor in found.items()}

    def _first(self, values: NDArray[Any]) -> Array:
        if self._channels_last and values.ndim == 4:
            values = values.transpose(0, 3, 1, 2)
        return values.astype(np.float32, copy=False)


def _set_threads(threads: int) -> None:
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # it runs already: see the class
        return


def _version() -> str:
    try:
        return version("tensorflow")
    except PackageNotFoundError:
        return str(tensorflow.__version__)


def _line(error: Exception) -> str:
    """Return the first line of TensorFlow's message."""
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split()) if lines else type(error).__name__
