"""Running TFLite networks with LiteRT: on the processor by XNNPACK, or on a GPU."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from kplate.engines.pool import Pool
from kplate.engines.quiet import quiet
from kplate.errors import WeightsError
from kplate.files import StrPath, printable, reason_of

Array = NDArray[np.float32]

#: Interpreters that run at the same time, at most: each has buffers of its own.
_MOST_AT_ONCE: Final = 4
#: Every TFLite file has this after its first four bytes.
_MAGIC: Final = b"TFL3"
_COLOURS: Final = 3
#: XNNPACK's int8 kernels for x86 leave the upper halves of the vector registers in use. Until other code
#: clears them, as NumPy's sums do, what is written for the lower halves takes four times as long: OpenCV's
#: loops, for one.
_TIDYING: Final = np.zeros(64, np.float32)
#: How the file writes a side that may be of any length.
_FREE: Final = -1


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a file says about an input or output.

    Attributes:
        name: In the signature.
        shape: With the number of pictures in front; -1 where the file leaves it free.
        dtype: float32, or the integers of a quantised network.
        scale: Of one step of those integers; 0 where there are none.
        zero: The integer that means 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    scale: float
    zero: int

    @classmethod
    def of(cls, name: str, details: Mapping[str, Any]) -> "Tensor":
        """Take over what LiteRT says about a tensor."""
        scale, zero = details["quantization"]
        shape = details.get("shape_signature", details["shape"])
        return cls(name, tuple(map(int, shape)), details["dtype"], float(scale), int(zero))

    def pack(self, values: Array) -> NDArray[Any]:
        """Return values as the network takes them."""
        if self.dtype == np.float32:
            return np.ascontiguousarray(values, np.float32)
        limits = np.iinfo(self.dtype)
        steps = np.clip(np.rint(values / self.scale) + self.zero, limits.min, limits.max)
        return np.asarray(steps, self.dtype)

    def unpack(self, values: NDArray[Any]) -> Array:
        """Return what the network gives as float32."""
        if self.scale and self.dtype != np.float32:
            return (values.astype(np.float32) - np.float32(self.zero)) * np.float32(self.scale)
        return values.astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """One entry into a network: an input, and its outputs.

    Attributes:
        image: The input.
        outputs: In the file's order.
        channels_last: Pictures, and outputs that are maps, have their channels last.
        run: Runs pictures, as packed, and returns the outputs by name.
    """

    image: Tensor
    outputs: tuple[Tensor, ...]
    channels_last: bool
    run: Callable[[NDArray[Any]], dict[str, NDArray[Any]]]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input; -1 where they are free."""
        height, width = self.image.shape[1:3] if self.channels_last else self.image.shape[2:4]
        return width, height

    def takes(self, batch: Array) -> bool:
        """Tell whether pictures of this size can be run."""
        wanted = (batch.shape[-1], batch.shape[-2])
        return batch.shape[1] == _COLOURS and all(
            own in (_FREE, side) for own, side in zip(self.size, wanted, strict=True)
        )

    def __call__(self, batch: Array) -> dict[str, Array]:
        """Run pictures, N x C x H x W; the outputs come with their channels first."""
        step = len(batch) if self.image.shape[0] == _FREE else self.image.shape[0]
        parts = [self._run(batch[start : start + step]) for start in range(0, len(batch), step)]
        if len(parts) == 1:
            return parts[0]
        return {tensor.name: np.concatenate([part[tensor.name] for part in parts]) for tensor in self.outputs}

    def _run(self, batch: Array) -> dict[str, Array]:
        values = _channels_last(batch) if self.channels_last else batch
        found = self.run(self.image.pack(values))
        np.add(_TIDYING, _TIDYING)
        return {tensor.name: self._first(tensor.unpack(found[tensor.name])) for tensor in self.outputs}

    def _first(self, values: Array) -> Array:
        return values.transpose(0, 3, 1, 2) if self.channels_last and values.ndim == 4 else values


class LiteRtEngine:
    """A TFLite network.

    A file takes any size of picture, or one, or several as one signature each. Its interpreters are not safe
    to share between threads, so that each thread that runs at the same time gets one of its own, up to a few.

    Attributes:
        path: The network's file.
        sizes: Width and height of each signature's input; empty where they are free.
        version: Of LiteRT, and the provider.
    """

    def __init__(self, path: StrPath, *, threads: int = 1, provider: str = "cpu") -> None:
        """Load a network.

        Args:
            path: The ``.tflite`` file.
            threads: Threads within one run. Threads of the caller come on top.
            provider: ``cpu`` or ``gpu``.

        Raises:
            EngineError: There is no GPU that LiteRT can run the whole network on.
            WeightsError: The file is missing or no TFLite network, or has not one input.
        """
        self.path = Path(path)
        self._name = printable(path)
        self._threads = threads
        self._provider = provider
        self.version = f"LiteRT {_version()}, {provider}"
        self._content = _read(self.path)
        # What runs on a GPU runs there one after the other anyway.
        self._pool = Pool(self._loaded, _MOST_AT_ONCE if provider == "cpu" else 1)
        with self._pool.lent() as signatures:
            sizes = tuple(signature.size for signature in signatures)
        self.sizes = () if any(_FREE in size for size in sizes) else sizes

    def run(self, batch: Array) -> dict[str, Array]:
        """Run the network; see :meth:`kplate.engines.Engine.run`."""
        with self._pool.lent() as signatures:
            fitting = next((signature for signature in signatures if signature.takes(batch)), None)
            if fitting is None:
                taken = ", ".join(f"{width}x{height}" for width, height in self.sizes) or "colour pictures"
                raise WeightsError(f"cannot run {self._name} on {_shape(batch)} values: it takes {taken}")
            try:
                return fitting(batch)
            except (RuntimeError, ValueError) as error:
                raise WeightsError(
                    f"cannot run {self._name} on {_shape(batch)} values: {_line(error)}"
                ) from error

    def _loaded(self) -> tuple[Signature, ...]:
        """Load the network once more.

        Raises:
            EngineError: The GPU cannot be used.
            WeightsError: The file cannot be.
        """
        if self._provider == "gpu":
            from kplate.engines.litert_gpu import load_on_gpu

            return load_on_gpu(self.path, self._name)
        try:
            with quiet():
                interpreter = Interpreter(model_content=self._content, num_threads=self._threads)
                interpreter.allocate_tensors()  # now, for it is not quiet about it
                names = interpreter.get_signature_list()
                runners = [interpreter.get_signature_runner(name) for name in names]
                signatures = tuple(_signature(runner, self._name) for runner in runners)
        except (RuntimeError, ValueError) as error:
            raise WeightsError(f"cannot load {self._name}: {_line(error)}") from error
        if not signatures:
            raise WeightsError(f"cannot load {self._name}: it names no inputs and outputs (no signature)")
        return signatures


def signature_of(
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    run: Callable[[str, NDArray[Any]], dict[str, NDArray[Any]]],
    name: str,
) -> Signature:
    """Describe one signature of a file.

    Args:
        inputs: LiteRT's details by name.
        outputs: Likewise.
        run: Runs it, given the input's name and value.
        name: The file's, for messages.

    Raises:
        WeightsError: It has not one input of pictures.
    """
    if len(inputs) != 1:
        raise WeightsError(f"cannot load {name}: it must have one input, not ({', '.join(inputs)})")
    ((key, details),) = inputs.items()
    image = Tensor.of(key, details)
    if len(image.shape) != 4 or _COLOURS not in (image.shape[1], image.shape[3]):
        found = "x".join(map(str, image.shape))
        raise WeightsError(f"cannot load {name}: its input must be colour pictures, not {found}")
    return Signature(
        image,
        tuple(Tensor.of(key, details) for key, details in outputs.items()),
        image.shape[3] == _COLOURS,
        lambda values: run(key, values),
    )


def _channels_last(batch: Array) -> Array:
    """Lay N x C x H x W out as N x H x W x C; NumPy would take ten times as long."""
    count, channels, height, width = batch.shape
    values = np.empty((count, height, width, channels), np.float32)
    for picture, target in zip(batch, values, strict=True):
        cv2.merge(list(picture), target)
    return values


def _signature(runner: Any, name: str) -> Signature:
    return signature_of(
        runner.get_input_details(),
        runner.get_output_details(),
        lambda key, values: runner(**{key: values}),
        name,
    )


def _read(path: Path) -> bytes:
    name = printable(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(f"cannot load {name}: no such file") from None
    except OSError as error:
        raise WeightsError(f"cannot load {name}: {reason_of(error)}") from error
    if content[4:8] != _MAGIC:  # LiteRT itself ends the process on some files that are none
        raise WeightsError(f"cannot load {name}: it is no TFLite network")
    return content


def _version() -> str:
    try:
        return version("ai-edge-litert")
    except PackageNotFoundError:
        return "of unknown version"


def _shape(batch: Array) -> str:
    return "x".join(map(str, batch.shape))


def _line(error: Exception) -> str:
    """Return a message of LiteRT's on one line."""
    return " ".join(str(error).split()) or type(error).__name__
