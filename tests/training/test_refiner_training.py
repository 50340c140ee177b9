"""What the refiner learns from, that it learns, and how a run goes on."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from kplate import Detector  # noqa: E402
from kplate.cli import main  # noqa: E402
from kplate.errors import DataError  # noqa: E402
from kplate.refiner import SIZE, Refiner  # noqa: E402
from kplate.training.data_swapped import write  # noqa: E402
from kplate.training.refiner import LATEST, Training, load_average  # noqa: E402
from kplate.training.refiner import main as train  # noqa: E402
from kplate.training.refiner_data import PATCH, load_candidates, patch_of, shaken  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run on drawn scenes."""
    root = tmp_path_factory.mktemp("refiner")
    write(None, root / "data" / "openimages_plates", 6, 1)
    path = root / "data" / "openimages_plates" / "labels.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps({**row, "split": "train"}) + "\n" for row in rows), encoding="utf-8")
    train(["--data", str(root / "data"), "--out", str(root / "run"), "--pictures", "12", "--minutes", "0.05",
           "--batch", "16"])  # fmt: skip
    return root


def test_patches_and_windows_keep_count_of_the_box():
    image = np.zeros((200, 300, 3), np.uint8)
    cv2.rectangle(image, (100, 80), (179, 119), (255, 255, 255), -1)  # edges 100, 80, 180, 120
    true = np.array((100, 80, 180, 120), float)
    found = np.array((108, 78, 172, 118), float)
    sides = np.tile(found[2:] - found[:2], 2)
    patch = patch_of(image, found.tolist())
    assert patch.shape == (*PATCH[::-1], 3)
    rng = np.random.default_rng(0)
    for _ in range(20):
        window, shifts = shaken(patch, ((true - found) / sides).astype(np.float32), rng)
        white = np.argwhere(window[:, :, 0] > 127)
        low, high = white.min(0)[::-1], white.max(0)[::-1] + 1
        edges = np.concatenate((low, high)) / np.tile(SIZE, 2)  # of the window, whose middle half is the box
        told = 0.25 + np.array((0, 0, 0.5, 0.5)) + shifts / 2
        visible = np.clip(told, 0, 1)
        assert edges == pytest.approx(visible, abs=1.5 / 64)


def test_candidates_say_what_they_lie_on(run):
    candidates = load_candidates(run / "run")
    assert len(candidates.patches) == len(candidates.rows) > 10
    assert candidates.found.any()
    assert not candidates.found.all()
    assert (candidates.rows[~candidates.found, 2:6] == 0).all()
    assert (np.abs(candidates.rows[candidates.found, 2:6]) < 1.5).all()


def test_it_learns_a_few_boxes_by_heart(run, tmp_path):
    training = Training(load_candidates(run / "run"), tmp_path, rate=1e-3, batch=32, seed=1)
    losses = [training.learn() for _ in range(120)]
    first, last = (np.mean([row["overlap"] for row in part]) for part in (losses[:5], losses[-5:]))
    assert last > first + 0.03


def test_a_run_goes_on_and_is_exported(run, tmp_path, capsys):
    _, before = load_average(run / "run" / LATEST)
    train(["--data", "missing", "--out", str(run / "run"), "--minutes", "0.1", "--batch", "16", "--resume"])
    _, after = load_average(run / "run" / LATEST)
    assert after["step"] > before["step"]
    assert (run / "run" / "log.csv").exists()
    pytest.importorskip("onnxscript", reason="exporting needs the export extra")
    assert main(["export", "refiner", str(run / "run"), "--out", str(tmp_path)]) == 0
    assert "boxes agree" in " ".join(capsys.readouterr().out.split())
    refiner = Refiner(tmp_path)
    assert refiner.labels == ("license_plate", "disabled_sticker")
    boxes, scores = refiner(
        np.zeros((50, 50, 3), np.uint8), "license_plate", np.array([[10, 10, 30, 20]], np.float32),
        np.array([0.5], np.float32),
    )  # fmt: skip
    assert boxes.shape == (1, 4)
    assert 0 <= scores[0] <= 1
    assert main(["export", "refiner", str(run / "run"), "--out", str(tmp_path), "--evaluate", "x"]) != 0
    assert "a refiner alone cannot" in capsys.readouterr().err


def test_a_run_begins_with_another_ones_weights(run, tmp_path):
    training = Training(load_candidates(run / "run"), tmp_path, rate=1e-3, batch=8, seed=1)
    training.begin_with(run / "run" / LATEST)
    known = load_average(run / "run" / LATEST)[0].state_dict()
    assert all(torch.equal(value, known[name]) for name, value in training.network.state_dict().items())
    assert all(torch.equal(value, known[name]) for name, value in training.average.state.items())


def test_bad_input_is_said(run, tmp_path):
    with pytest.raises(DataError, match="--rate must be above 0"):
        train(["--data", str(run / "data"), "--out", str(tmp_path), "--rate", "0"])
    torch.save({"step": 1}, tmp_path / LATEST)
    with pytest.raises(DataError, match="no checkpoint of a refiner"):
        load_average(tmp_path / LATEST)
    (tmp_path / LATEST).write_bytes(b"no checkpoint")
    with pytest.raises(DataError, match="no file of PyTorch's"):
        load_average(tmp_path / LATEST)
    with pytest.raises(DataError, match="cannot load"):
        load_average(tmp_path / "missing.pt")
    with pytest.raises(DataError, match="cannot load the candidates"):
        load_candidates(tmp_path)
    state = torch.load(run / "run" / LATEST, weights_only=True)
    other = {name: value[:1] for name, value in state["average"].items() if value.dim()}
    torch.save(state | {"average": other}, tmp_path / LATEST)
    with pytest.raises(DataError, match="its layers are not those of this refiner"):
        load_average(tmp_path / LATEST)
    (tmp_path / "patches.bin").write_bytes(bytes(PATCH[0] * PATCH[1] * 3))
    np.save(tmp_path / "rows.npy", np.zeros((2, 8), np.float32))
    with pytest.raises(DataError, match="2 rows, 1 patches"):
        load_candidates(tmp_path)
    del state["optimizer"]
    torch.save(state, tmp_path / LATEST)
    training = Training(load_candidates(run / "run"), tmp_path, rate=1e-3, batch=8, seed=1)
    with pytest.raises(DataError, match=r"holds weights alone: begin with them \(--init\)"):
        training.resume()


def test_a_picture_without_boxes_teaches_nothing(tmp_path):
    from kplate.training.data import Pool, Record
    from kplate.training.refiner_data import collect

    cv2.imwrite(str(tmp_path / "blank.png"), np.full((64, 64, 3), 127, np.uint8))
    nothing = np.zeros((0, 5), np.float32)
    record = Record(tmp_path / "blank.png", nothing, nothing, (1.0, 1.0, 1.0), 64, 64)
    with pytest.raises(DataError, match="nothing was found"):
        collect([Pool([record], 1.0)], Detector(min_score=0.9, refine=False), tmp_path, 2, 0)
