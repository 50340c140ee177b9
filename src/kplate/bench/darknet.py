"""Darknet networks with random values: for timing, what the values are does not matter."""

from pathlib import Path
from typing import Final

import numpy as np

from kplate.darknet.network import Convolution, Network, read_network
from kplate.darknet.weights import LayerWeights
from kplate.engines import Engine, open_model
from kplate.errors import EngineError
from kplate.files import StrPath

#: The `.cfg` files that kplate brings: its own detector's, and YOLOv4's.
CFG_FOLDER: Final = Path(__file__).parents[1] / "nets" / "cfg"


def find_cfg(name: StrPath) -> Path:
    """Return a user's `.cfg`, or the one of that name that kplate brings."""
    own = CFG_FOLDER / Path(name).name
    return own if not Path(name).exists() and own.is_file() else Path(name)


def operations(network: Network, size: tuple[int, int] | None = None) -> int:
    """Count the multiplications and additions of a network's convolutions, for one picture.

    Args:
        network: The network.
        size: Width and height of the input, in px; None for the network's own.
    """
    width, height = size or network.size
    total = 0
    for _, step, layer in network.convolutions:
        places = -(-width // step.stride) * -(-height // step.stride) if step.stride else 1
        total += 2 * layer.filters * (layer.channels // layer.groups) * layer.size**2 * places
    return total


def value_count(network: Network) -> int:
    """Count the values of a network that is folded, as it is run: weights and biases."""
    return sum(
        layer.filters * (layer.channels // layer.groups * layer.size**2 + 1)
        for _, _, layer in network.convolutions
    )


def open_random(network: Network, *, threads: int, engine: str | None = None) -> Engine:
    """Open a network with random values.

    Raises:
        EngineError: ONNX Runtime, or the extra `darknet`, is not installed.
    """
    try:
        from kplate.darknet.graph import build_graph
    except ModuleNotFoundError as error:
        raise EngineError(
            f"cannot run {network.source}: Darknet networks need onnx, which is not installed: "
            "pip install 'kplate[darknet]'"
        ) from error
    rng = np.random.default_rng(0)
    values = [_random(layer, rng) for _, _, layer in network.convolutions]
    return open_model(build_graph(network, values), network.source, threads=threads, engine=engine)


def own_network(name: str) -> Network | None:
    """Return the network that kplate's own detector of this name was described by; None for others."""
    path = CFG_FOLDER / f"{name}.cfg"
    return read_network(path) if path.is_file() else None


def _random(layer: Convolution, rng: np.random.Generator) -> LayerWeights:
    inputs = layer.channels // layer.groups * layer.size**2
    shape = (layer.filters, layer.channels // layer.groups, layer.size, layer.size)
    weights = (rng.standard_normal(shape, np.float32) * np.sqrt(2 / inputs)).astype(np.float32)
    biases = np.zeros(layer.filters, np.float32)
    if not layer.normalised:
        return LayerWeights(biases, weights)
    ones = np.ones(layer.filters, np.float32)
    return LayerWeights(biases, weights, ones, np.zeros(layer.filters, np.float32), ones)
