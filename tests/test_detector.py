import threading

import cv2
import numpy as np
import pytest

from kplate.detector import Detector, Head, decode
from kplate.errors import ImageError, WeightsError
from kplate.images.letterbox import letterbox
from kplate.suppression import Rule, suppress, vote
from kplate.synth.scenes import demo_scene
from kplate.weights import load

CLASSES = 3


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def slow_decode(raw, head, classes, least):
    """The same, one number at a time, as the papers write it."""
    found = []
    _, _, rows, columns = raw.shape
    for a, (anchor_w, anchor_h) in enumerate(head.anchors):
        for row in range(rows):
            for column in range(columns):
                values = raw[0, a * (5 + classes) : (a + 1) * (5 + classes), row, column]
                x = (sigmoid(values[0]) * head.scale_x_y - (head.scale_x_y - 1) / 2 + column) * head.stride
                y = (sigmoid(values[1]) * head.scale_x_y - (head.scale_x_y - 1) / 2 + row) * head.stride
                if head.new_coords:
                    w, h = anchor_w * (2 * sigmoid(values[2])) ** 2, anchor_h * (2 * sigmoid(values[3])) ** 2
                else:
                    w, h = anchor_w * np.exp(values[2]), anchor_h * np.exp(values[3])
                for label in range(classes):
                    score = sigmoid(values[4]) * sigmoid(values[5 + label])
                    if score >= least[label]:
                        found.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2, score, label))
    return found


@pytest.mark.parametrize("new_coords", [True, False])
@pytest.mark.parametrize("least", [(0.3, 0.4, 0.2), (0.0, 0.0, 0.0)])
def test_decode_agrees_with_a_plain_implementation(new_coords, least):
    rng = np.random.default_rng(5)
    anchors = np.array(((10, 6), (40, 20)), np.float32)
    head = Head("head0", 16, anchors, 2.0 if new_coords else 1.05, new_coords)
    raw = rng.normal(0, 1.5, (1, 2 * (5 + CLASSES), 5, 7)).astype(np.float32)
    boxes, scores, labels = decode(raw, head, CLASSES, least)
    found = sorted(
        zip(map(tuple, boxes), scores, labels, strict=True), key=lambda entry: (entry[2], entry[1])
    )
    expected = sorted(slow_decode(raw, head, CLASSES, least), key=lambda entry: (entry[5], entry[4]))
    assert len(found) == len(expected) > 5
    for (box, score, label), wanted in zip(found, expected, strict=True):
        assert label == wanted[5]
        assert score == pytest.approx(wanted[4], abs=1e-5)
        assert box == pytest.approx(wanted[:4], rel=1e-4, abs=1e-3)


def test_decode_survives_absurd_values():
    head = Head("head0", 8, np.array(((10, 6),), np.float32), 1.0, False)
    raw = np.full((1, 5 + CLASSES, 2, 2), 1e4, np.float32)
    boxes, scores, _ = decode(raw, head, CLASSES, (0.5,) * CLASSES)
    assert np.isfinite(boxes).all()
    assert (scores == 1).all()


def slow_suppress(boxes, scores, overlap):
    kept = []
    for n in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        for k in kept:
            w = min(boxes[n][2], boxes[k][2]) - max(boxes[n][0], boxes[k][0])
            h = min(boxes[n][3], boxes[k][3]) - max(boxes[n][1], boxes[k][1])
            common = max(w, 0) * max(h, 0)
            areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[n], boxes[k]))
            if common > overlap * (areas - common):
                break
        else:
            kept.append(n)
    return kept


def test_suppression_agrees_with_a_plain_implementation():
    rng = np.random.default_rng(6)
    low = rng.uniform(0, 80, (120, 2))
    boxes = np.concatenate((low, low + rng.uniform(5, 40, (120, 2))), axis=1).astype(np.float32)
    scores = rng.random(120).astype(np.float32)
    for overlap in (0.2, 0.45, 0.7):
        assert suppress(boxes, scores, Rule(overlap)).tolist() == slow_suppress(
            boxes.tolist(), scores, overlap
        )


def test_a_box_inside_a_better_one_goes_only_where_asked():
    boxes = np.array(((0, 0, 100, 40), (10, 10, 30, 30)), np.float32)
    scores = np.array((0.9, 0.8), np.float32)
    assert suppress(boxes, scores, Rule(0.3)).tolist() == [0, 1]
    assert suppress(boxes, scores, Rule(0.3, 0.6)).tolist() == [0]
    assert suppress(boxes, scores, Rule(0.3, 0.6, least=0.25)).tolist() == [0, 1]


def test_suppression_of_nothing():
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), Rule(0.5)).tolist() == []


def test_boxes_around_a_kept_one_say_where_it_lies():
    kept = np.array([(0, 0, 100, 50), (300, 0, 400, 50)], np.float32)
    beside = np.array([(10, 0, 110, 50), (10, 0, 110, 50), (90, 0, 190, 50)], np.float32)
    boxes, scores = np.concatenate((kept, beside)), np.array([0.8, 0.9, 0.6, 0.3, 0.8], np.float32)
    voted = vote(kept, scores[:2], boxes, scores)
    share = 0.6 * (90 / 110)  # the third scores less than half, and the fourth lies elsewhere
    assert voted[0] == pytest.approx((10 * share / (0.8 + share), 0, 100 + 10 * share / (0.8 + share), 50))
    assert voted[1].tolist() == [300, 0, 400, 50]
    assert vote(kept[:0], scores[:0], boxes, scores).shape == (0, 4)
    assert np.isfinite(vote(kept, np.zeros(2, np.float32), boxes, np.zeros(5, np.float32))).all()


@pytest.mark.parametrize(
    "shape", [(1080, 1920), (333, 210), (416, 416), (97, 1500), (31, 33), (1, 1), (3, 700)]
)
def test_letterbox_maps_back_exactly(shape):
    height, width = shape
    image = np.zeros((height, width, 3), np.uint8)
    boxed = letterbox(image, 416)
    assert boxed.batch.shape[2] % 32 == 0
    assert boxed.batch.shape[3] % 32 == 0
    assert max(boxed.batch.shape[2:]) == 416
    assert boxed.batch.dtype == np.float32
    boxes = np.array(
        ((0, 0, width, height), (width * 0.3, height * 0.2, width * 0.7, height * 0.9)), np.float32
    )
    inner = boxes * np.array((boxed.scale_x, boxed.scale_y) * 2, np.float32)
    np.testing.assert_allclose(boxed.restore(inner), boxes, rtol=1e-5)
    assert abs(boxed.scale_x * width - 416 * min(1, width / height)) < 4


@pytest.mark.parametrize("shape", [(1080, 1920), (720, 480), (97, 1500), (1, 1)])
@pytest.mark.parametrize("size", [(640, 384), (416, 416), (256, 608)])
def test_letterbox_fits_into_a_given_width_and_height(shape, size):
    height, width = shape
    boxed = letterbox(np.full((*shape, 3), 255, np.uint8), size)
    assert boxed.batch.shape == (1, 3, size[1], size[0])
    scale = min(size[0] / width, size[1] / height)
    white = (boxed.batch[0, 0] > 0.99).sum()
    assert white == max(1, round(width * scale)) * max(1, round(height * scale))
    whole = np.array(((0, 0, width * boxed.scale_x, height * boxed.scale_y),), np.float32)
    np.testing.assert_allclose(boxed.restore(whole)[0], (0, 0, width, height), rtol=1e-5)


def test_a_wide_picture_is_hardly_padded():
    boxed = letterbox(np.zeros((1080, 1920, 3), np.uint8), 640)
    assert boxed.batch.shape == (1, 3, 384, 640)  # 360 rows of picture


@pytest.mark.parametrize("factor", [1, 3, 7])
def test_letterbox_keeps_places_and_colours(factor):
    image = np.zeros((300 * factor + 1, 600 * factor + 1, 3), np.uint8)
    corners = (150 * factor, 100 * factor, 300 * factor, 200 * factor)
    cv2.rectangle(image, corners[:2], (corners[2] - 1, corners[3] - 1), (255, 0, 0), -1)  # blue, in BGR
    boxed = letterbox(image, 416)
    rows, columns = np.nonzero(boxed.batch[0, 2, :200] > 0.5)  # the third plane is blue; below lies padding
    box = np.array(((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1),), np.float32)
    np.testing.assert_allclose(boxed.restore(box)[0], corners, atol=1.5 * factor)
    assert boxed.batch[0, 0, :200].max() < 0.5


@pytest.fixture(scope="module")
def detector():
    return Detector(threads=1)


def test_finds_a_drawn_car_park(detector):
    from kplate.synth.scenes import demo_scene

    scene = demo_scene(np.random.default_rng(3))
    found = detector(scene.image)
    for plate in scene.plates:
        x, y = plate.corners.mean(axis=0)
        near = [d for d in found if d.label == "license_plate"]
        assert any(d.box[0] < x < d.box[2] and d.box[1] < y < d.box[3] for d in near)
    assert sum(d.label == "car" for d in found) >= 2
    assert list(found) == sorted(found, key=lambda d: -d.score)
    height, width = scene.image.shape[:2]
    for d in found:
        assert 0 <= d.box[0] < d.box[2] <= width
        assert 0 <= d.box[1] < d.box[3] <= height
        assert detector.threshold(d.label) <= d.score <= 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (700, 3, 3), (32, 32, 3)])
def test_any_size_of_picture(detector, shape):
    for d in detector(np.full(shape, 127, np.uint8)):
        assert 0 <= d.box[0] < d.box[2] <= shape[1]


def test_a_broken_picture_is_one_clear_error(detector, tmp_path):
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        detector(tmp_path / "no.jpg")


def test_one_detector_serves_several_threads(detector):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (200 + 40 * n, 300, 3), dtype=np.uint8) for n in range(4)]
    expected = [detector(picture) for picture in pictures]
    found: list[object] = [None] * len(pictures)

    def work(n: int) -> None:
        for _ in range(3):
            found[n] = detector(pictures[n])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_no_box_depends_on_the_threshold():
    scene = demo_scene(np.random.default_rng(3)).image
    few, many = Detector(threads=1, min_score=0.7)(scene), Detector(threads=1, min_score=0.05)(scene)
    assert few
    for found in few:
        same = [other for other in many if (other.label, other.score) == (found.label, found.score)]
        assert any(other.box == pytest.approx(found.box, abs=1e-3) for other in same)


def test_min_score_counts_for_all_classes():
    assert Detector(threads=1, min_score=0.9).threshold("car") == 0.9
    with pytest.raises(ValueError, match="min_score"):
        Detector(min_score=1.5)


@pytest.mark.parametrize("size", [0, 100, -32])
def test_sizes_that_cannot_be(size):
    with pytest.raises(ValueError, match="multiple of 32"):
        Detector(size=size)


def broken(tmp_path, **changes):
    """The shipped network with another manifest."""
    import dataclasses
    import shutil

    from kplate.weights import write_manifest

    path, manifest = load(None, "detector")
    shutil.copy(path, tmp_path / path.name)
    extra = {**manifest.extra, **changes.pop("extra", {})}
    write_manifest(tmp_path / "detector.json", dataclasses.replace(manifest, extra=extra, **changes))
    return tmp_path


def test_wrong_number_of_classes_is_said_plainly(tmp_path):
    detector = Detector(broken(tmp_path, classes=("car", "license_plate")))
    with pytest.raises(WeightsError, match="3 anchors and 2 classes need an output 'head0' of 21 channels"):
        detector(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    "heads",
    [
        None,
        [],
        [{"output": "head0"}],
        [{"output": "head0", "stride": 0, "anchors": [[1, 2]]}],
        [{"output": 1}],
    ],
)
def test_a_manifest_without_heads_is_said_plainly(tmp_path, heads):
    with pytest.raises(WeightsError, match="heads"):
        Detector(broken(tmp_path, extra={"heads": heads}))


@pytest.mark.parametrize("size", [0, 100, (640, 100), (0, 640)])
def test_a_size_that_is_no_multiple_is_refused(size):
    with pytest.raises(ValueError, match="size must be a multiple of 32"):
        Detector(threads=1, size=size)


def test_sizes_of_any_shape_find_the_same():
    image = demo_scene(np.random.default_rng(5), (1280, 720)).image
    square = Detector(threads=1, size=(640, 640))(image)
    wide = Detector(threads=1, size=(640, 384))(image)
    plain = Detector(threads=1, size=640)(image)
    assert len(plain) >= 6  # three cars and their plates
    assert [(found.label, found.box) for found in wide] == [(found.label, found.box) for found in plain]
    assert sorted(found.label for found in square) == sorted(found.label for found in plain)
    # A sign on the wall may be taken for a plate at 640 px, but not at the default size.
    assert [found.label for found in Detector(threads=1)(image)].count("license_plate") == 3
