"""PyTorch and ONNX build one network from one parse; `.weights` files go in and out of PyTorch unchanged."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need the train extra")
pytest.importorskip("onnx", reason="running Darknet networks needs the darknet extra")

from kplate.darknet.graph import build_graph  # noqa: E402
from kplate.darknet.network import read_network  # noqa: E402
from kplate.darknet.weights import Header, load_weights, save_weights  # noqa: E402
from kplate.engines import open_model  # noqa: E402
from kplate.errors import WeightsError  # noqa: E402
from kplate.nets.darknet import NANO_CFG, Darknet  # noqa: E402

from .networks import NETWORKS, random_values, reference, write_cfg  # noqa: E402


def compare(cfg: Path, folder: Path, sizes: tuple[tuple[int, int], ...]) -> float:
    """Return the largest difference between PyTorch and ONNX, both fed from one `.weights` file."""
    description = read_network(cfg)
    save_weights(folder / "a.weights", Header(), random_values(description))
    network = Darknet(cfg).eval()
    network.load_weights(folder / "a.weights")
    engine = open_model(build_graph(description, load_weights(folder / "a.weights", description)[1]), "a")
    worst = 0.0
    for height, width in sizes:
        picture = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height))
        with torch.inference_mode():
            expected = network(picture)
        found = engine.run(picture.numpy())
        assert list(found) == [f"head{n}" for n in range(len(network.heads))]
        for value, other in zip(expected, found.values(), strict=True):
            assert value.shape == other.shape
            worst = max(worst, float(np.abs(value.numpy() - other).max()))
    return worst


@pytest.mark.parametrize("name", NETWORKS)
def test_pytorch_and_onnx_agree(name: str, tmp_path: Path) -> None:
    assert compare(write_cfg(tmp_path, NETWORKS[name]), tmp_path, ((64, 96), (128, 32))) < 1e-4


def test_kplates_own_network(tmp_path: Path) -> None:
    assert compare(NANO_CFG, tmp_path, ((96, 160),)) < 1e-3


@pytest.mark.parametrize("name", ["yolov3-tiny", "yolov4-tiny", "yolov4-tiny-3l"])
def test_darknets_own_networks(name: str, tmp_path: Path) -> None:
    assert compare(reference(name), tmp_path, ((64, 96),)) < 1e-3


@pytest.mark.parametrize("name", ["yolov3", "yolov4", "yolov4-custom", "yolov4-csp", "yolov4x-mish"])
def test_every_one_of_darknets_files_is_built(name: str) -> None:
    with torch.device("meta"):  # shapes without values: these have up to a hundred million
        network = Darknet(reference(name)).eval()
        outputs = network(torch.zeros(1, 3, 64, 96))
    for output, head in zip(outputs, network.heads, strict=True):
        assert output.shape == (1, len(head.anchors) * 85, 64 // head.stride, 96 // head.stride)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_byte_comes_back(name: str, tmp_path: Path) -> None:
    cfg = write_cfg(tmp_path, NETWORKS[name])
    path = tmp_path / "a.weights"
    save_weights(path, Header(0, 1, 0, 77), random_values(read_network(cfg)))
    network = Darknet(cfg)
    header = network.load_weights(path)
    assert header.seen == 77
    network.save_weights(tmp_path / "b.weights", header)
    assert (tmp_path / "b.weights").read_bytes() == path.read_bytes()
    network.save_weights(tmp_path / "c.weights")
    assert load_weights(tmp_path / "c.weights", network.description)[0] == Header()


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "a.weights"
    save_weights(path, Header(), random_values(read_network(write_cfg(tmp_path, NETWORKS["pooled"]))))
    with pytest.raises(WeightsError, match="too short by"):
        Darknet(NANO_CFG).load_weights(path)
