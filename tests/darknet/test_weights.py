"""Darknet's `.weights` files: every byte comes back, and a file of another network is described."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kplate.darknet.network import Network, read_network
from kplate.darknet.weights import Header, load_first_weights, load_weights, save_weights
from kplate.errors import OutputError, WeightsError

from .networks import NETWORKS, POOLED, write_cfg

#: Convolutions of the network below: (filters, channels, size), the last one without normalisation.
SHAPES = ((8, 3, 3), (12, 8, 3), (16, 12, 3), (7, 16, 1))


def count(network: Network) -> int:
    """Count the values as Darknet's parser walks: biases, three more vectors if normalised, kernels."""
    total = 0
    for _, _, layer in network.convolutions:
        vectors = 4 if layer.normalised else 1
        total += layer.filters * (vectors + layer.channels // layer.groups * layer.size**2)
    return total


def a_file(folder: Path, network: Network, head: bytes, more: int = 0) -> Path:
    values = np.random.default_rng(1).random(count(network) + more, np.float32)
    path = folder / "my.weights"
    path.write_bytes(head + values.astype("<f4").tobytes())
    return path


@pytest.mark.parametrize(
    ("head", "seen"),
    [
        (struct.pack("<3iI", 0, 1, 0, 4_000_000_000), 4_000_000_000),
        (struct.pack("<3iQ", 0, 2, 5, 32_013_312), 32_013_312),
        (struct.pack("<3iQ", 0, 2, 0, 2**40), 2**40),
        (struct.pack("<3iQ", 1, 0, 0, 7), 7),
        (struct.pack("<3iI", 1000, 2, 0, 7), 7),  # Darknet takes such versions for transposed ones, and old
    ],
)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_byte_comes_back(name: str, head: bytes, seen: int, tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, NETWORKS[name]))
    path = a_file(tmp_path, network, head)
    header, values = load_weights(path, network)
    assert header.seen == seen
    save_weights(tmp_path / "again.weights", header, values)
    assert (tmp_path / "again.weights").read_bytes() == path.read_bytes()


def test_the_order_of_the_values(tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, POOLED))
    path = tmp_path / "my.weights"
    path.write_bytes(Header().to_bytes() + np.arange(count(network), dtype="<f4").tobytes())
    first = load_weights(path, network)[1][0]
    assert first.scales is not None
    assert first.means is not None
    assert first.variances is not None
    assert [first.biases[0], first.scales[0], first.means[0], first.variances[0]] == [0, 8, 16, 24]
    assert first.weights.shape == (8, 3, 3, 3)
    assert first.weights[0, 0, 0, 1] == 33


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (-1, "too short by 1 value for my.cfg: it ends in layer 7, the .convolutional. of my.cfg, line 46, "
             "which needs 119 values and has 118"),
        (-120, "by 120 values for my.cfg: it ends in layer 4, the .convolutional. of my.cfg, line 30"),
        (3, "too long by 3 values for my.cfg, whose last values are those of layer 7, the .convolu"),
    ],
)  # fmt: skip
def test_files_of_other_networks(more: int, message: str, tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, POOLED))
    assert count(network) == sum(f * (c * s * s + (1 if s == 1 else 4)) for f, c, s in SHAPES)
    path = a_file(tmp_path, network, Header().to_bytes(), more)
    with pytest.raises(WeightsError, match=message):
        load_weights(path, network)


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, POOLED))
    with pytest.raises(WeightsError, match=r"none.weights: no such file"):
        load_weights(tmp_path / "none.weights", network)
    for path in (tmp_path, os.devnull):
        with pytest.raises(WeightsError, match="not an ordinary file"):
            load_weights(path, network)
    path = a_file(tmp_path, network, Header().to_bytes() + b"\0")
    with pytest.raises(WeightsError, match="ends within a value"):
        load_weights(path, network)
    path.write_bytes(b"\0" * 15)
    with pytest.raises(WeightsError, match="its 15 bytes do not hold the header"):
        load_weights(path, network)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("load", [load_weights, load_first_weights])
def test_values_that_are_no_numbers(
    load: Callable[[Path, Network], object], value: float, tmp_path: Path
) -> None:
    network = read_network(write_cfg(tmp_path, POOLED))
    path = a_file(tmp_path, network, Header().to_bytes())
    path.write_bytes(path.read_bytes()[:-4] + struct.pack("<f", value))
    with pytest.raises(WeightsError, match=r"my.weights: layer 7, the .*line 46, holds values that are no n"):
        load(path, network)


def test_weights_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*no.weights"):
        save_weights(tmp_path / "nowhere" / "no.weights", Header(), [])
