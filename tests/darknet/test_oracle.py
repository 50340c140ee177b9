"""OpenCV reads Darknet's files as well, and must find what kplate finds."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="running Darknet networks needs the darknet extra")

from kplate.darknet.graph import build_graph
from kplate.darknet.network import Head, Network, read_network
from kplate.darknet.weights import Header, load_weights, save_weights
from kplate.detector import Head as Decoded
from kplate.detector import decode
from kplate.engines import open_model

from .networks import NETWORKS, random_values, reference, write_cfg

pytestmark = pytest.mark.skipif(
    not hasattr(cv2.dnn, "readNetFromDarknet"), reason="this OpenCV does not read Darknet's files (4.x does)"
)
#: Height and width in px: neither is the size that the files name.
SIZES = ((96, 64), (128, 160))
TOLERANCE = 1e-3
#: OpenCV gives class scores below this as 0.
LEAST = 0.2


def rows_of(raw: NDArray[np.float32], head: Head, size: tuple[int, int]) -> NDArray[np.float32]:
    """What OpenCV gives for an output: for each anchor of each cell x, y, w, h, relative, and scores."""
    anchors = np.asarray(head.anchors, np.float32)
    how = Decoded("", head.stride, anchors, head.scale_x_y, head.new_coords)
    boxes, scores, _ = decode(raw, how, head.classes, (0.0,) * head.classes)
    cells = (len(anchors), size[0] // head.stride, size[1] // head.stride, head.classes)
    corners, scores = boxes.reshape(*cells, 4)[..., 0, :], scores.reshape(cells)
    places = (corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]
    relative = [part / np.array(size[::-1], np.float32) for part in places]
    rows = np.concatenate((*relative, scores), axis=-1)
    return np.asarray(rows.transpose(1, 2, 0, 3).reshape(-1, 4 + head.classes), np.float32)


def compare(cfg: Path, weights: Path, network: Network, size: tuple[int, int]) -> float:
    """Return the largest difference from OpenCV, relative to the size of the number (1 at least)."""
    picture = np.random.default_rng(sum(size)).random((1, 3, *size), np.float32)
    oracle = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    oracle.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    oracle.setInput(picture)
    names = [f"yolo_{index}" for index in network.outputs]
    expected = oracle.forward(names)
    model = build_graph(network, load_weights(weights, network)[1])
    found = open_model(model, "network", threads=1).run(picture)
    worst = 0.0
    for raw, wanted, head in zip(found.values(), expected, network.heads, strict=True):
        rows = rows_of(raw, head, size)
        wanted = wanted.reshape(len(rows), -1)
        assert np.abs(rows[:, :4]).std() > 0.01  # the networks do say something
        relative = np.abs(rows[:, :4] - wanted[:, :4]) / np.maximum(np.abs(wanted[:, :4]), 1)
        told = wanted[:, 5:] > 0
        assert (rows[:, 4:][~told] <= LEAST + TOLERANCE).all()
        scores = np.abs(rows[:, 4:][told] - wanted[:, 5:][told])
        worst = max(worst, float(relative.max()), float(scores.max(initial=0)))
    return worst


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["residual", "pooled", "partial", "new_coords"])
def test_small_networks(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    cfg = write_cfg(tmp_path, NETWORKS[name])
    network = read_network(cfg)
    save_weights(tmp_path / "my.weights", Header(), random_values(network))
    assert compare(cfg, tmp_path / "my.weights", network, size) < TOLERANCE


@pytest.mark.parametrize("name", ["yolov3-tiny", "yolov3", "yolov4-tiny", "yolov4", "yolov4-csp"])
def test_darknets_own_networks(name: str, tmp_path: Path) -> None:
    cfg = reference(name)
    network = read_network(cfg)
    save_weights(tmp_path / "my.weights", Header(), random_values(network))
    for size in SIZES:
        assert compare(cfg, tmp_path / "my.weights", network, size) < TOLERANCE
