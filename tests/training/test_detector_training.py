import csv
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from kplate.classes import CLASSES  # noqa: E402
from kplate.errors import DataError, WeightsError  # noqa: E402
from kplate.export.detector import Facts, export_detector  # noqa: E402
from kplate.nets.darknet import Head  # noqa: E402
from kplate.nets.losses import DetectionLoss, Targets, complete_iou, match  # noqa: E402
from kplate.synth.scenes import procedural_scene  # noqa: E402
from kplate.training.data import load_folder, open_pools  # noqa: E402
from kplate.training.data_augment import move  # noqa: E402
from kplate.training.data_corrected import CORRECTED_PLATES, correct, corrections  # noqa: E402
from kplate.training.data_own import open_data  # noqa: E402
from kplate.training.data_swapped import Maker, draw, write  # noqa: E402
from kplate.training.detector import Settings, Training, load_average, rate_at  # noqa: E402

TINY = """[net]
width=64
height=64
[convolutional]
batch_normalize=1
filters=8
size=3
stride=4
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=16
size=1
activation=logistic
[yolo]
mask=0,1
anchors=16,8, 60,40
classes=3
scale_x_y=2.0
new_coords=1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data root with one folder of drawn scenes, under a name that the training knows."""
    root = tmp_path_factory.mktemp("data")
    write(None, root / "openimages_plates", 6, 1)
    path = root / "openimages_plates" / "labels.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps({**row, "split": "train"}) + "\n" for row in rows), encoding="utf-8")
    return root


@pytest.fixture
def settings(data, tmp_path):
    cfg = tmp_path / "tiny.cfg"
    cfg.write_text(TINY)
    return Settings((data,), tmp_path / "run", minutes=0.5, cfg=cfg, batch=4, rate=0.01, steps=12)


def new_training(settings):
    return Training(settings, open_data(settings))


def test_a_short_training_learns_resumes_and_exports(settings, tmp_path):
    training = new_training(settings)
    first = training.learn(_fixed_batch(settings))
    training.run()
    assert training.step == 12
    rows = list(csv.DictReader((settings.out / "log.csv").open(encoding="utf-8")))
    assert float(rows[-1]["loss"]) < first["loss"] * 1.5

    again = new_training(settings)
    again.resume()
    assert again.step == 12
    assert again.minutes == training.minutes
    for a, b in zip(training.network.state_dict().values(), again.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)

    network, state = load_average(settings.out / "last.pt")
    assert state["step"] == 12
    manifest = export_detector(network, tmp_path / "weights", Facts({}, {}, dict.fromkeys(CLASSES, 0.3)))
    from kplate.detector import Detector

    Detector(tmp_path / "weights", threads=1)(np.zeros((50, 90, 3), np.uint8))
    assert manifest.extra["difference_from_pytorch"] < 1e-4


def _fixed_batch(settings):
    from kplate.training.data_augment import Sampler

    return Sampler(open_pools(settings.data[0]), np.random.default_rng(0)).batch(4, 96, 128)


def test_the_loss_of_one_batch_falls(settings):
    training = new_training(replace(settings, steps=0))
    training.minutes = 0.05 * settings.minutes  # past the warm-up
    batch = _fixed_batch(settings)
    losses = [training.learn(batch)["loss"] for _ in range(25)]
    assert losses[-1] < 0.8 * losses[0]


def test_frozen_layers_stay_as_they_are(settings):
    training = new_training(replace(settings, freeze=1))
    before = {key: value.clone() for key, value in training.network.state_dict().items()}
    training.learn(_fixed_batch(settings))
    changed = {
        key for key, value in training.network.state_dict().items() if not torch.equal(value, before[key])
    }
    assert {key.split(".")[1] for key in changed} == {"1", "2"}
    assert any("running_mean" in key for key in changed)


@pytest.mark.parametrize("count", [-1, 3, 99])
def test_a_layer_must_be_left_to_learn(settings, count):
    with pytest.raises(DataError, match=rf"--freeze {count}: .*tiny\.cfg has 4"):
        new_training(replace(settings, freeze=count))


def test_a_loss_that_is_no_number_stops_with_a_message(settings):
    training = new_training(settings)
    with torch.no_grad():
        next(training.network.parameters()).fill_(float("nan"))
    with pytest.raises(DataError, match="training stopped at step 0: the loss is nan"):
        training.learn(_fixed_batch(settings))


def test_resuming_without_a_run(settings):
    with pytest.raises(DataError, match="no run to resume"):
        new_training(settings).resume()


def test_the_rate_rises_then_falls():
    assert rate_at(0) < 0.05
    assert rate_at(0.03) == pytest.approx(1)
    assert rate_at(0.5) < 0.7
    assert rate_at(1) == pytest.approx(0.01)


HEAD = Head(8, ((16.0, 8.0), (60.0, 40.0)), 3, 2.0, True)


def test_objects_go_to_their_cell_and_two_neighbours():
    objects = torch.tensor([[0.0, 1, 34, 29, 50, 37]])  # 16 x 8 about (42, 33): cell column 5, row 4
    found = match(objects, HEAD, 8, 10)
    cells = set(zip(found.anchor.tolist(), found.column.tolist(), found.row.tolist(), strict=True))
    assert cells == {(0, 5, 4), (0, 4, 4), (0, 5, 3), (1, 5, 4), (1, 4, 4), (1, 5, 3)} or {
        cell for cell in cells if cell[0] == 0
    } == {(0, 5, 4), (0, 4, 4), (0, 5, 3)}
    assert set(found.label.tolist()) == {1}


def test_objects_of_other_shapes_are_nobodys():
    assert len(match(torch.tensor([[0.0, 0, 0, 0, 2, 60]]), HEAD, 8, 10).label) == 0


def test_complete_iou_of_equal_and_of_distant_boxes():
    a = torch.tensor([[10.0, 10, 8, 4], [10, 10, 8, 4]])
    b = torch.tensor([[10.0, 10, 8, 4], [90, 90, 8, 4]])
    iou, complete = complete_iou(a, b)
    assert iou.tolist() == pytest.approx([1, 0], abs=1e-5)
    assert complete[0].item() == pytest.approx(1, abs=1e-5)
    assert complete[1].item() < -0.5


def test_classes_that_are_not_labelled_cost_nothing():
    loss = DetectionLoss([HEAD], (1.0, 1.0, 1.0))
    output = torch.zeros(1, 16, 4, 4, requires_grad=True)
    none = torch.zeros(0, 6)
    total, _ = loss([output], Targets(none, none, torch.tensor([[0.0, 0.0, 0.0]])))
    assert total.item() == 0
    total, _ = loss([output], Targets(none, none, torch.tensor([[0.0, 1.0, 0.0]])))
    assert total.item() > 0
    everywhere = torch.tensor([[0.0, 1, 0, 0, 32, 32]])
    total, _ = loss([output], Targets(none, everywhere, torch.tensor([[0.0, 1.0, 0.0]])))
    assert total.item() == 0


def test_boxes_move_with_the_picture():
    matrix = np.array(((2.0, 0, 10), (0, 2.0, -20)))
    rows = np.array(((1, 10, 20, 30, 30), (1, 10, 0, 30, 12), (0, 500, 0, 600, 50)), np.float32)
    taught, ignored = move(rows, matrix, 1.0, 200, 200)
    np.testing.assert_allclose(taught, [(1, 30, 20, 70, 40)])
    np.testing.assert_allclose(ignored, [(1, 30, 0, 70, 4)])  # too little of it is left


def test_a_bad_label_names_its_line(tmp_path):
    (tmp_path / "labels.jsonl").write_text('{"file": "a.jpg", "width": 4, "height": 4}\n{"file": 3\n')
    with pytest.raises(DataError, match="line 2"):
        load_folder(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        load_folder(tmp_path / "none")


def test_labels_of_every_form(tmp_path):
    lines = (
        {"file": "a.jpg", "width": 9, "height": 9, "plates": [{"box": [1, 2, 3, 4]}]}
        | {"vehicles": [{"box": [0, 0, 9, 9], "score": 0.9}, {"box": [0, 0, 5, 5], "score": 0.3}]},
        {"file": "b.jpg", "width": 9, "height": 9, "negatives": [1, 0, 0.5]}
        | {"objects": [{"class": "Bus", "box": [0, 0, 1, 1]}, {"class": "Motorcycle", "box": [0, 0, 2, 2]}]}
        | {"permits": [{"box": [5, 5, 6, 6]}]},
    )
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)))
    first, second = load_folder(tmp_path)
    assert first.objects[:, 0].tolist() == [1, 0]
    assert first.ignored[:, 0].tolist() == [0]
    assert second.objects[:, 0].tolist() == [2, 0]
    assert second.ignored.shape == (1, 5)
    assert second.negatives == (1, 0, 0.5)


def test_labels_of_photographs_are_put_right():
    loose, right, unlabelled, added = [10.0, 10, 40, 20], [60.0, 10, 90, 20], [5.0, 40, 20, 46], [1, 1, 5, 3]
    row = {"file": "a.jpg", "plates": [{"box": loose}, {"box": right}], "ignored": []}
    things = [{"class": "license_plate", "box": box} for box in (loose, unlabelled)]
    ours = {"a.jpg": {"ignored": things, "plates": [{"box": added}]}}
    done = correct(row, ours)
    assert [plate["box"] for plate in done["plates"]] == [right, added]
    assert [thing["box"] for thing in done["ignored"]] == [loose, unlabelled]
    assert correct({**row, "file": "b.jpg"}, ours)["plates"] == row["plates"]


def test_corrections_reach_training_and_swapping(tmp_path):
    every = corrections(CORRECTED_PLATES).items()
    name, ours = next((file, row) for file, row in every if row.get("plates") and row["ignored"])
    things, plates = ours["ignored"], ours["plates"]
    folder = tmp_path / "openimages_plates"
    (folder / "images").mkdir(parents=True)
    cv2.imwrite(str(folder / name), np.full((720, 720, 3), 90, np.uint8))
    corners = [[300, 300], [400, 300], [400, 330], [300, 330]]
    row = {
        "file": name, "split": "train", "width": 720, "height": 720, "vehicles": [],
        "plates": [{"box": [300, 300, 400, 330], "corners": corners}],
    }  # fmt: skip
    (folder / "labels.jsonl").write_text(json.dumps(row) + "\n")
    (record,) = open_pools(tmp_path)[0].records
    assert record.ignored[:, 1:].tolist() == [pytest.approx(thing["box"]) for thing in things]
    assert record.objects[1:, 1:].tolist() == [pytest.approx(plate["box"]) for plate in plates]
    for seed in range(12):  # some are cut and enlarged
        _, label = Maker(tmp_path).make(np.random.default_rng(seed), "x.jpg")
        assert all(thing["class"] == "license_plate" for thing in label["ignored"])
        if (label["width"], label["height"]) == (720, 720):
            assert [thing["box"] for thing in label["ignored"]] == [pytest.approx(t["box"]) for t in things]


def test_drawn_pictures_have_labels_of_their_own():
    image, label = draw(np.random.default_rng(4), "x.jpg")
    assert image.shape == (label["height"], label["width"], 3)
    assert label["vehicles"]
    same, _ = draw(np.random.default_rng(4), "x.jpg")
    assert np.array_equal(image, same)
    assert cv2.mean(image)[0] > 5


def test_scenes_differ_by_seed():
    one, two = (procedural_scene(np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(one.image, two.image)


def test_findings_complete_the_labels_that_a_folder_lacks(tmp_path):
    from kplate.detector import Detection
    from kplate.training.data import Record
    from kplate.training.data_completed import complete

    car = np.array([[0, 0, 0, 200, 100]], np.float32)
    found = (
        Detection("car", (0.0, 0.0, 198.0, 100.0), 0.9),  # labelled already
        Detection("car", (300.0, 0.0, 400.0, 90.0), 0.8),
        Detection("license_plate", (80.0, 70.0, 120.0, 80.0), 0.9),
        Detection("license_plate", (20.0, 5.0, 180.0, 30.0), 0.9),  # a bus's sign
        Detection("license_plate", (150.0, 80.0, 170.0, 90.0), 0.4),
    )
    partly = complete(Record(tmp_path / "a.jpg", car, car[:0], (0.3, 0.0, 1.0), 400, 200), found)
    assert [entry["class"] for entry in partly["objects"]] == ["car", "car", "license_plate"]
    assert len(partly["ignored"]) == 2
    assert partly["negatives"] == [1.0, 1.0, 1.0]
    fully = complete(Record(tmp_path / "a.jpg", car, car[:0], (1.0, 1.0, 1.0), 400, 200), found)
    assert len(fully["objects"]) == 1
    assert len(fully["ignored"]) == 4


def test_a_folder_of_ones_own_is_training_data(data):
    from kplate.training.data import open_pools

    assert len(open_pools(data / "openimages_plates")[0].records) == 6
    assert len(open_pools(data, [(data / "openimages_plates", 0.5)])) == 2
    with pytest.raises(DataError, match=r"holds neither labels\.jsonl nor any"):
        open_pools(data, without=["openimages_plates"])


def test_a_run_starts_from_darknet_weights(data, tmp_path):
    cfg = tmp_path / "tiny.cfg"
    cfg.write_text(TINY, encoding="utf-8")
    first = new_training(Settings(data=(data,), out=tmp_path / "first", cfg=cfg, seed=1)).network
    first.save_weights(tmp_path / "first.weights")
    other = Settings(data=(data,), out=tmp_path / "second", cfg=cfg, seed=2, init=tmp_path / "first.weights")
    second = new_training(other).network
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    with pytest.raises(WeightsError, match=r"gone\.weights"):
        new_training(replace(other, init=tmp_path / "gone.weights"))
