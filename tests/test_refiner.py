"""The second look at boxes: its geometry, what it does to boxes, and what it refuses."""

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kplate import weights
from kplate.boxes import iou
from kplate.detector import Detector
from kplate.errors import WeightsError
from kplate.refiner import Refiner, cut_window, moved_boxes, refiner_beside, windows_around
from kplate.synth.scenes import procedural_scene

SHIPPED = Path(weights.__file__).parent
PLATE = "license_plate"


@pytest.fixture(scope="module")
def scene():
    """A drawn car park with plates wide enough to be seen."""
    for seed in range(100):
        found = procedural_scene(np.random.default_rng(seed), (1280, 720), near=True)
        boxes = [plate.box for plate in found.plates if plate.box[2] - plate.box[0] > 40]
        if len(boxes) >= 2:
            return found.image, np.asarray(boxes, np.float32)
    raise AssertionError("no scene shows two plates")


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped detector and refiner."""
    for task in ("detector", "refiner"):
        for suffix in (".onnx", ".json"):
            shutil.copy(SHIPPED / f"{task}{suffix}", tmp_path)
    return tmp_path


def test_windows_hold_the_box_in_their_middle():
    boxes = np.array(((10, 20, 30, 26), (0.4, 0.4, 0.9, 0.8)), np.float32)
    windows = windows_around(boxes, 2.0)
    assert windows[0].tolist() == [0, 17, 40, 29]
    assert (windows[1, 2:] - windows[1, :2] >= 2).all()


def test_edges_move_in_sides_of_the_box_and_never_far():
    boxes = np.array(((10, 5, 30, 15), (0.3, 0.4, 5.9, 3.8)), np.float32)
    still = moved_boxes(boxes, np.zeros((2, 4), np.float32))
    assert still.tolist() == boxes.tolist()  # windows lie on whole px, boxes need not
    moved = moved_boxes(boxes[:1], np.array(((-0.5, 0.1, 0.25, 9),), np.float32))
    assert moved[0].tolist() == [0, 6, 35, 21]
    crossed = moved_boxes(boxes[:1], np.array(((0.6, 0.6, -0.6, -0.6),), np.float32))
    assert (crossed[0, 2:] - crossed[0, :2]).tolist() == [1, 1]


def test_what_lies_beyond_the_picture_is_grey():
    image = np.full((10, 20, 3), 200, np.uint8)
    part = cut_window(image, np.array((-10, -5, 10, 5)), (20, 10))
    assert part[:5].tolist() == np.full((5, 20, 3), 114).tolist()
    assert (part[5:, 10:] == 200).all()
    assert (cut_window(image, np.array((50, 50, 60, 60)), (8, 8)) == 114).all()


def test_huge_windows_take_little_memory():
    image = np.full((2000, 6000, 3), 10, np.uint8)
    image[500:1500, 1500:4500] = 200
    window = windows_around(np.array(((1500, 500, 4500, 1500),), np.float32), 2.0)[0]
    part = cut_window(image, window, (64, 64))
    assert part[32, 32].tolist() == [200] * 3
    assert part[4, 4].tolist() == [10] * 3
    tracemalloc.start()
    cut_window(image, np.array((-90_000, -90_000, 96_000, 92_000)), (64, 64))
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()


def test_boxes_stay_inside_the_picture():
    refiner = Refiner(threads=1)
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    edges = np.array(((0, 0, 3, 2), (28, 18, 30, 20), (29.5, 0, 30, 20), (0, 0, 30, 20)), np.float32)
    boxes, scores = refiner(image, PLATE, edges, np.full(4, 0.5, np.float32))
    assert (boxes >= 0).all()
    assert (boxes[:, 2:] <= (30, 20)).all()
    assert (boxes[:, 2:] - boxes[:, :2] >= 1 - 1e-4).all()
    assert np.isfinite(scores).all()


def test_boxes_beside_their_plate_are_put_on_it(scene):
    image, boxes = scene
    refiner = Refiner(threads=1)
    rng = np.random.default_rng(1)
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    before, after = [], []
    for _ in range(10):
        beside = (boxes + sides * rng.normal(0, 0.12, boxes.shape)).astype(np.float32)
        moved, _ = refiner(image, PLATE, beside, np.full(len(boxes), 0.7, np.float32))
        before += [iou(a, b) for a, b in zip(boxes.tolist(), beside.tolist(), strict=True)]
        after += [iou(a, b) for a, b in zip(boxes.tolist(), moved.tolist(), strict=True)]
    assert np.mean(after) > np.mean(before) + 0.05
    assert np.mean(after) > 0.75


def test_a_place_without_a_plate_is_less_sure(scene):
    image, boxes = scene
    refiner = Refiner(threads=1)
    given = np.full(len(boxes), 0.8, np.float32)
    _, plates = refiner(image, PLATE, boxes, given)
    _, nothing = refiner(np.full_like(image, 128), PLATE, boxes, given)
    assert nothing.max() < 0.5 < plates.max()
    assert (plates <= np.sqrt(given) + 1e-6).all()


def test_many_boxes_and_none(scene):
    image, boxes = scene
    refiner = Refiner(threads=1)
    scores = np.full(150, 0.5, np.float32)
    moved, sure = refiner(image, PLATE, np.repeat(boxes[:1], 150, 0), scores)
    assert moved.shape == (150, 4)
    assert np.ptp(sure) < 1e-5
    empty = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    assert all(len(values) == 0 for values in refiner(image, PLATE, *empty))


def test_a_detector_refines_where_it_can(scene, folder):
    image, _ = scene
    assert [network.manifest.task for network in Detector(folder, threads=1).networks] == [
        "detector", "refiner",
    ]  # fmt: skip
    plain = Detector(folder, threads=1, refine=False)
    (folder / "refiner.onnx").unlink()
    alone = Detector(folder, threads=1)
    assert plain.refiner is None
    assert alone.refiner is None
    assert plain(image) == alone(image)


def test_plates_of_one_vehicle_are_weighed_against_each_other(scene, monkeypatch):
    image, _ = scene
    asked = []

    def none_left(plates, scores, vehicles):
        asked.append((len(plates), len(vehicles)))
        return scores * 0

    monkeypatch.setattr("kplate.detector.one_plate_each", none_left)
    assert all(item.label != PLATE for item in Detector(threads=1)(image))
    assert asked[0] >= (2, 1)
    assert any(item.label == PLATE for item in Detector(threads=1, refine=False)(image))
    assert len(asked) == 1


def test_no_box_depends_on_the_threshold(scene):
    image, _ = scene
    few, many = (Detector(threads=1, min_score=least)(image) for least in (0.6, 0.2))
    assert len(few) >= 2
    sure = [item for item in many if item.score >= 0.6]
    assert [item.label for item in few] == [item.label for item in sure]
    for one, other in zip(few, sure, strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-3)
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_thresholds_are_the_refiners(folder):
    path = folder / "refiner.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["extra"]["thresholds"][PLATE] = 0.123
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert Detector(folder).threshold(PLATE) == 0.123
    assert Detector(folder, refine=False).threshold(PLATE) != 0.123
    assert Detector(folder, min_score=0.4).threshold(PLATE) == 0.4


@pytest.mark.parametrize("key", ["window", "trust", "thresholds"])
def test_a_manifest_that_says_too_little_is_refused(folder, key):
    path = folder / "refiner.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["extra"][key]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"refiner\.onnx.*does not say what its values mean"):
        Detector(folder)


def test_a_manifest_of_other_classes_is_refused(folder, scene):
    path = folder / "refiner.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["classes"] = [PLATE]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    image, boxes = scene
    with pytest.raises(WeightsError, match="1 classes need 5 values, but it gives 10"):
        Refiner(folder)(image, PLATE, boxes, np.ones(len(boxes), np.float32))


def test_the_refiner_of_a_network_has_its_kind(tmp_path):
    for name in ("detector.onnx", "detector.int8.tflite", "refiner.int8.tflite", "mine.onnx"):
        (tmp_path / name).touch()
    assert refiner_beside(tmp_path / "detector.int8.tflite") == tmp_path / "refiner.int8.tflite"
    assert refiner_beside(tmp_path / "detector.onnx") is None
    assert refiner_beside(tmp_path / "mine.onnx") is None
