"""Darknet's `.weights` files: a header, then the values of every convolution, float32, little-endian.

A file says nothing about the network it belongs to, so it is read along a `.cfg` and must end with it.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate.darknet.network import Convolution, Network, Step
from kplate.errors import WeightsError
from kplate.files import LONGEST_PATH, StrPath, excerpt, reason_of, write_atomic

Array = NDArray[np.float32]

_VALUE: Final = np.dtype("<f4")
_VERSION: Final = struct.Struct("<3i")
#: Since version 0.2 the number of pictures seen has 64 bits (Darknet, src/parser.c, load_weights_upto).
_WIDE_SEEN: Final = struct.Struct("<Q")
_NARROW_SEEN: Final = struct.Struct("<I")
_ODD_VERSION: Final = 1000


@dataclass(frozen=True, slots=True)
class Header:
    """What a `.weights` file begins with.

    Attributes:
        major: Version of the format.
        minor: Likewise.
        revision: Likewise.
        seen: Pictures the network was trained on.
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def seen_format(self) -> struct.Struct:
        """How `seen` is stored: with 32 or 64 bits, depending on the version."""
        wide = self.major * 10 + self.minor >= 2 and max(self.major, self.minor) < _ODD_VERSION
        return _WIDE_SEEN if wide else _NARROW_SEEN

    def to_bytes(self) -> bytes:
        """The header as it stands in a file."""
        return _VERSION.pack(self.major, self.minor, self.revision) + self.seen_format.pack(self.seen)


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The values of one convolution, float32.

    Attributes:
        biases: F; of the normalisation where there is one.
        weights: F x C/groups x size x size.
        scales: F; None without normalisation, like the next two.
        means: F.
        variances: F.
    """

    biases: Array
    weights: Array
    scales: Array | None = None
    means: Array | None = None
    variances: Array | None = None

    def arrays(self) -> Iterator[Array]:
        """All arrays in the order of the file."""
        for array in (self.biases, self.scales, self.means, self.variances, self.weights):
            if array is not None:
                yield array


def load_weights(path: StrPath, network: Network) -> tuple[Header, list[LayerWeights]]:
    """Reads a `.weights` file.

    Args:
        path: The file.
        network: What its `.cfg` describes.

    Returns:
        The header, and the values of each convolution in the network's order.

    Raises:
        WeightsError: The file cannot be read, is too short or too long for the network, or holds what is no
            number; the message says by how many values and where.
    """
    name, header, values = _open(path)
    result, left, place = _along(values, network)
    wanted = sum(_count(layer) for _, _, layer in network.convolutions)
    if len(result) < len(list(network.convolutions)):
        raise WeightsError(
            f"cannot load {name}: too short by {_values(wanted - len(values))} for {network.source}: "
            f"it ends in {place} and has {left}"
        )
    if left:
        raise WeightsError(
            f"cannot load {name}: too long by {_values(left)} for {network.source}, whose last "
            f"values are those of {place}"
        )
    _check_finite(name, network, result)
    return header, result


def load_first_weights(path: StrPath, network: Network) -> list[LayerWeights]:
    """Reads a `.weights` file that holds the first layers of a network, or all of them.

    Files such as `yolov4-tiny.conv.29` are made to start training from: they end with one of the layers.

    Returns:
        The values of the first convolutions.

    Raises:
        WeightsError: The file cannot be read, is longer than the network, ends within a layer, or holds what
            is no number.
    """
    name, _, values = _open(path)
    result, left, place = _along(values, network)
    if left or not result:
        how = "ends in" if len(result) < len(list(network.convolutions)) else "goes on after"
        raise WeightsError(
            f"cannot start from {name}: it is of another network than {network.source}: it {how} {place}"
        )
    _check_finite(name, network, result)
    return result


def weights_count(path: StrPath) -> int:
    """How many values a `.weights` file holds.

    Raises:
        WeightsError: It cannot be read.
    """
    return len(_open(path)[2])


def _open(path: StrPath) -> tuple[str, Header, Array]:
    """Name for messages, header and values of a file."""
    name, data = excerpt(path, LONGEST_PATH), _read(path)
    header = _header(data, name)
    start = len(header.to_bytes())
    if (len(data) - start) % _VALUE.itemsize:
        raise WeightsError(
            f"cannot load {name}: it ends within a value; its length is no multiple of 4 bytes"
        )
    return name, header, np.frombuffer(data, _VALUE, offset=start)


def _along(values: Array, network: Network) -> tuple[list[LayerWeights], int, str]:
    """The convolutions that values fill, how many values are left, and the layer where that was found out."""
    at, place = 0, ""
    result: list[LayerWeights] = []
    for index, step, layer in network.convolutions:
        place = _place(index, step)
        if at + _count(layer) > len(values):
            return result, len(values) - at, f"{place}, which needs {_values(_count(layer))}"
        result.append(_split(values[at : at + _count(layer)], layer))
        at += _count(layer)
    return result, len(values) - at, place


def _check_finite(name: str, network: Network, values: Sequence[LayerWeights]) -> None:
    """Refuses what a training leaves that went astray: such a network finds nothing, and says nothing."""
    for (index, step, _), own in zip(network.convolutions, values, strict=False):
        if not all(np.isfinite(array).all() for array in own.arrays()):
            raise WeightsError(f"cannot load {name}: {_place(index, step)}, holds values that are no numbers")


def save_weights(path: StrPath, header: Header, values: Sequence[LayerWeights]) -> None:
    """Writes a `.weights` file, all or nothing.

    Args:
        path: The file.
        header: Its first bytes.
        values: Of each convolution in the network's order.

    Raises:
        OutputError: The file cannot be written.
    """
    parts = [np.ascontiguousarray(array, _VALUE).tobytes() for layer in values for array in layer.arrays()]
    write_atomic(path, b"".join((header.to_bytes(), *parts)))


def _read(path: StrPath) -> bytes:
    file, name = Path(path), excerpt(path, LONGEST_PATH)
    try:
        if not file.exists():
            raise WeightsError(f"cannot load {name}: no such file")
        if not file.is_file():  # devices and pipes may never end
            raise WeightsError(f"cannot load {name}: it is not an ordinary file")
        return file.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot load {name}: {reason_of(error)}") from error


def _header(data: bytes, name: str) -> Header:
    try:
        version = Header(*_VERSION.unpack_from(data))
        (seen,) = version.seen_format.unpack_from(data, _VERSION.size)
    except struct.error:
        raise WeightsError(
            f"cannot load {name}: its {len(data)} bytes do not hold the header of a Darknet .weights file"
        ) from None
    return Header(version.major, version.minor, version.revision, seen)


def _values(count: int) -> str:
    return f"{count} value" if count == 1 else f"{count} values"


def _place(index: int, step: Step) -> str:
    return f"layer {index}, the [{step.section.kind}] of {step.section.place()}"


def _kernel(layer: Convolution) -> tuple[int, int, int, int]:
    return layer.filters, layer.channels // layer.groups, layer.size, layer.size


def _count(layer: Convolution) -> int:
    filters, *rest = _kernel(layer)
    return filters * (math.prod(rest) + (4 if layer.normalised else 1))


def _split(values: Array, layer: Convolution) -> LayerWeights:
    """Cuts the values of one convolution apart: biases, normalisation, kernels."""
    filters = layer.filters
    rows = 4 if layer.normalised else 1
    vectors = [np.asarray(row, np.float32) for row in values[: rows * filters].reshape(rows, filters)]
    kernel = np.asarray(values[rows * filters :].reshape(_kernel(layer)), np.float32)
    return LayerWeights(vectors[0], kernel, *vectors[1:])
