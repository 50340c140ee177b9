"""A user's Darknet network in the detector and the recogniser."""

import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import kplate
from kplate.darknet.cfg import CfgError
from kplate.engines import open_model
from kplate.errors import WeightsError

pytest.importorskip("onnx", reason="running Darknet networks needs the darknet extra")

from .networks import CELL, NETWORKS, net, painted, write_cfg, write_network, write_painted


def test_what_is_found_and_where(tmp_path: Path) -> None:
    detector = kplate.Detector.from_darknet(*write_painted(tmp_path), threads=1)
    assert detector.labels == ("car", "license_plate", "disabled_sticker", "bus", "person")
    assert (detector.size, detector.threshold("bus")) == (416, 0.25)
    found = detector(painted(("license-plate", 4, 8), ("person", 10, 2)))
    assert {item.label for item in found} == {"license_plate", "person"}
    (plate,) = (item for item in found if item.label == "license_plate")
    x, y = 4.5 * CELL, 8.5 * CELL
    assert plate.box == pytest.approx((x - 32, y - 16, x + 32, y + 16), abs=0.1)
    assert plate.score == pytest.approx(1, abs=1e-3)


def test_larger_pictures_are_scaled(tmp_path: Path) -> None:
    detector = kplate.Detector.from_darknet(*write_painted(tmp_path), threads=1, size=832, min_score=0.9)
    assert detector.size == 832
    large = np.repeat(np.repeat(painted(("bus", 4, 8)), 4, axis=0), 4, axis=1)
    bus = detector(large)[0]
    assert bus.label == "bus"
    left, top, right, bottom = bus.box  # 64 x 32 px of the network, in a picture twice as large
    assert (right - left, bottom - top) == pytest.approx((128, 64), abs=0.1)
    assert 4 * CELL * 4 < (left + right) / 2 < 5 * CELL * 4
    assert 8 * CELL * 4 < (top + bottom) / 2 < 9 * CELL * 4


def test_every_class_has_its_place_in_the_result(tmp_path: Path) -> None:
    detector = kplate.Detector.from_darknet(*write_painted(tmp_path), threads=1)
    recognizer = kplate.Recognizer(detector=detector, threads=1)
    result = recognizer(painted(("car", 1, 1), ("bus", 5, 1), ("disabled_sticker", 9, 1), ("person", 1, 9)))
    assert sorted(item.label or "" for item in result.vehicles) == ["", "bus"]
    assert len(result.permits) == 1
    assert result.plates == ()
    assert result.others is not None
    assert [item.label for item in result.others] == ["person"]
    values = result.to_dict()
    assert values["others"][0].keys() == {"label", "box", "score"}
    assert sorted(len(item) for item in values["vehicles"]) == [2, 3]
    assert recognizer(np.zeros((3, 3, 3), np.uint8)).others == ()


def test_networks_of_kplates_own_classes_give_kplates_own_result(tmp_path: Path) -> None:
    files = write_network(tmp_path, NETWORKS["partial"], ["car", "plate"])
    recognizer = kplate.Recognizer(detector=kplate.Detector.from_darknet(*files, threads=1), threads=1)
    assert recognizer(painted(("car", 1, 1))).others is None


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_runs_on_any_picture(name: str, tmp_path: Path) -> None:
    cfg, weights, _ = write_network(tmp_path, NETWORKS[name])
    detector = kplate.Detector.from_darknet(cfg, weights, ("bus", "tree"), threads=1)
    rng = np.random.default_rng(0)
    for height, width in ((97, 211), (300, 20), (1, 1)):
        for item in detector(rng.integers(0, 256, (height, width, 3), np.uint8)):
            assert item.label in {"bus", "tree"}
            assert 0 <= item.box[0] < item.box[2] <= width
            assert 0 <= item.box[1] < item.box[3] <= height
            assert 0.25 <= item.score <= 1


def test_pictures_have_three_channels(tmp_path: Path) -> None:
    files = write_network(tmp_path, NETWORKS["pooled"].replace("channels=3", "channels=1"), ["car", "bus"])
    with pytest.raises(CfgError, match=r"my.cfg: pictures have 3 channels, but `channels=1`"):
        kplate.Detector.from_darknet(*files)


def test_each_file_is_checked(tmp_path: Path) -> None:
    cfg, weights, names = write_painted(tmp_path)
    names.write_text("car\n", encoding="utf-8")
    with pytest.raises(CfgError, match=r"my.names has 1 name, but my.cfg, line 1"):
        kplate.Detector.from_darknet(cfg, weights, names)
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(WeightsError, match="too short by 1 value"):
        kplate.Detector.from_darknet(cfg, weights, tuple("abcde"))
    with pytest.raises(CfgError, match=r"has no \[yolo\] section"):
        kplate.Detector.from_darknet(write_cfg(tmp_path, net()), weights, names)


def test_sizes_and_scores_are_checked(tmp_path: Path) -> None:
    files = write_painted(tmp_path)
    for size, said in (
        (100, "a multiple of 32, not 100"),
        (16384, "at most 8192 px, not 16384"),
        ((64, 16384), "at most 8192 px, not 16384"),
        (64.0, "width and height, not 64.0"),
        ((64, 64, 64), r"width and height, not .64, 64, 64."),
        ((64,), "width and height"),
    ):
        with pytest.raises(ValueError, match=f"size must be .*{said}"):
            kplate.Detector.from_darknet(*files, size=size)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="min_score"):
        kplate.Detector.from_darknet(*files, min_score=2)


@pytest.mark.filterwarnings("error")
def test_values_beyond_float32_are_no_warning(tmp_path: Path) -> None:
    cfg, weights, _ = write_network(tmp_path, NETWORKS["partial"])
    data = weights.read_bytes()
    weights.write_bytes(data[:20] + np.full((len(data) - 20) // 4, 1e30, "<f4").tobytes())
    detector = kplate.Detector.from_darknet(cfg, weights, ("bus", "tree"), threads=1)
    assert isinstance(detector(np.zeros((64, 64, 3), np.uint8)), tuple)


def test_bytes_that_are_no_network_are_named() -> None:
    with pytest.raises(WeightsError, match=r"cannot load my.weights: "):
        open_model(b"no network", "my.weights", threads=1)


def test_a_missing_library_is_named_with_its_command(tmp_path: Path) -> None:
    cfg, weights, names = write_painted(tmp_path)
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import kplate\n"
        f"try: kplate.Detector.from_darknet({str(cfg)!r}, {str(weights)!r}, {str(names)!r})\n"
        "except kplate.WeightsError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = "needs onnx, which is not installed: pip install 'kplate[darknet]'"
    assert done.stdout.strip().endswith(f"my.weights: running Darknet networks {said}")


def test_nothing_of_pytorch_is_loaded(tmp_path: Path) -> None:
    cfg, weights, names = write_painted(tmp_path)
    code = (
        "import sys, kplate\n"
        f"kplate.Detector.from_darknet({str(cfg)!r}, {str(weights)!r}, {str(names)!r})\n"
        "print(sorted({'torch', 'kplate.nets', 'kplate.training', 'kplate.export'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_shipped_network_finds_the_same_as_darknet_files(tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    from kplate.darknet.network import read_network
    from kplate.darknet.weights import Header, LayerWeights, save_weights
    from kplate.synth.scenes import demo_scene
    from kplate.weights import load

    # The shipped graph has its normalisations folded away, so the .cfg does without them.
    shipped = resources.files("kplate.nets") / "cfg" / "kplate-nano.cfg"
    cfg = write_cfg(tmp_path, shipped.read_text(encoding="utf-8").replace("batch_normalize=1", ""))
    path, manifest = load(None, "detector")
    constants = {item.name: numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer}
    values = [
        LayerWeights(constants[f"layers.{index}.0.bias"], constants[f"layers.{index}.0.weight"])
        for index, _, _ in read_network(cfg).convolutions
    ]
    save_weights(tmp_path / "my.weights", Header(), values)
    own = kplate.Detector.from_darknet(
        cfg, tmp_path / "my.weights", manifest.classes, threads=1, min_score=0.3, size=kplate.Detector().size
    )
    image = demo_scene(np.random.default_rng(3)).image
    found, expected = (
        sorted(detector(image), key=lambda item: (item.label, item.box))
        for detector in (own, kplate.Detector(threads=1, min_score=0.3, refine=False))
    )
    assert [item.label for item in found] == [item.label for item in expected] != []
    for item, wanted in zip(found, expected, strict=True):
        assert item.box == pytest.approx(wanted.box, abs=0.1)
        assert item.score == pytest.approx(wanted.score, abs=1e-3)
