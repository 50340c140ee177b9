"""A detector of one's own: networks by name, other classes, anchors, weights to start from, processes."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from kplate.classes import CLASSES  # noqa: E402
from kplate.darknet.cfg import CfgError  # noqa: E402
from kplate.darknet.network import read_network  # noqa: E402
from kplate.detector import Detector  # noqa: E402
from kplate.errors import DataError, WeightsError  # noqa: E402
from kplate.images import write_image  # noqa: E402
from kplate.nets import yolov4  # noqa: E402
from kplate.nets.darknet import NANO_CFG  # noqa: E402
from kplate.training import data_augment, detector_trainer  # noqa: E402
from kplate.training.data import open_pools  # noqa: E402
from kplate.training.data_augment import Sampler, move, slant  # noqa: E402
from kplate.training.data_own import open_data, parse_extra, parts_of  # noqa: E402
from kplate.training.detector import Settings, Training, load_average, main, parse  # noqa: E402
from kplate.training.detector_anchors import find_anchors  # noqa: E402
from kplate.training.detector_cfg import NAMED, find_cfg, fit_cfg  # noqa: E402
from kplate.training.detector_settings import sizes_for  # noqa: E402
from kplate.training.detector_start import new_network, start_from  # noqa: E402
from kplate.training.detector_validation import validate  # noqa: E402

TINY = """[net]
width=64
height=64
# a stem that is its own backbone
[convolutional]
batch_normalize=1
filters=16
size=3
stride=4
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=32
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=32
size=3
pad=1
activation=leaky
[convolutional]
filters=14
size=1
activation=logistic
[yolo]
mask=0,1
anchors=16,16, 40,24
num=2
classes=2
scale_x_y=2.0
new_coords=1
"""
RED, BLUE = (20, 20, 220), (220, 40, 20)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red balls and blue boards on grey: a folder with a `.data` file, a third of it for validation."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(3)
    for n in range(18):
        image = np.full((96, 96, 3), int(rng.integers(90, 160)), np.uint8)
        lines = []
        for label, colour in enumerate((RED, BLUE)):
            half = np.array((10, 10) if label == 0 else (20, 12))
            x, y = (int(v) for v in rng.integers(half, 96 - half))
            x, y = (x, min(y, 36)) if label == 0 else (x, max(y, 60))
            if label == 0:
                cv2.circle(image, (x, y), 10, colour, -1)
            else:
                cv2.rectangle(image, (x - 20, y - 12), (x + 19, y + 11), colour, -1)
            lines.append(f"{label} {x / 96} {y / 96} {half[0] / 48} {half[1] / 48}\n")
        write_image(folder / f"{n}.png", image)
        (folder / f"{n}.txt").write_text("".join(lines))
    (folder / "train.list").write_text("".join(f"{n}.png\n" for n in range(12)))
    (folder / "valid.list").write_text("".join(f"{n}.png\n" for n in range(12, 18)))
    (folder / "shapes.names").write_text("ball\nboard\n")
    (folder / "shapes.data").write_text(
        "classes=2\ntrain=train.list\nvalid=valid.list\nnames=shapes.names\n",
    )
    (folder / "tiny.cfg").write_text(TINY)
    return folder


@pytest.fixture
def settings(shapes: Path, tmp_path: Path) -> Settings:
    return Settings(
        (shapes / "shapes.data",), tmp_path / "run", minutes=9.0, cfg=shapes / "tiny.cfg", batch=6, rate=0.01
    )


def test_a_small_network_learns_other_classes_and_reads_as_a_darknet_one(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train, export, find: the whole way of a user with classes of their own."""
    pytest.importorskip("onnx", reason="Darknet's files need the darknet extra")
    out = tmp_path / "run"
    main([
        "--data", str(shapes / "shapes.data"), "--cfg", str(shapes / "tiny.cfg"), "--out", str(out),
        "--batch", "12", "--rate", "0.02", "--steps", "160", "--minutes", "20",
    ])  # fmt: skip
    said = capsys.readouterr().out
    assert "on 12 pictures, 6 to validate with; classes: ball, board" in said
    assert f"--detector {out / 'tiny.cfg'} --weights {out / 'tiny.weights'}" in said
    rows = (out / "validation.csv").read_text().splitlines()
    assert rows[0] == "step,minutes,mean,ball,board"
    assert float(rows[-1].split(",")[2]) > 0.9
    detector = Detector.from_darknet(out / "tiny.cfg", out / "tiny.weights", out / "tiny.names", threads=1)
    for n in range(12, 15):
        text = (shapes / f"{n}.txt").read_text().splitlines()
        found = detector(shapes / f"{n}.png")
        for label, line in zip(("ball", "board"), text, strict=True):
            best = max((d for d in found if d.label == label), key=lambda d: d.score)
            x, y, w, h = (float(value) * 96 for value in line.split()[1:])
            truth = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            assert np.abs(np.subtract(best.box, truth)).max() < 8
    network, state = load_average(out / "best.pt")
    assert state["classes"] == ("ball", "board")
    data = open_data(Settings((shapes / "shapes.data",), out))
    assert validate(network, data.validation, data.classes).mean > 0.9


def test_a_run_goes_on_and_refuses_other_classes(settings: Settings, tmp_path: Path) -> None:
    data = open_data(settings)
    first = Training(replace(settings, steps=3), data)
    first.run()
    again = Training(settings, data)
    again.resume()
    assert again.step == 3
    assert again.best == first.best
    (tmp_path / "other.names").write_text("board\nball\n")
    other = replace(settings, names=tmp_path / "other.names")
    with pytest.raises(DataError, match="is a run of other classes: ball, board"):
        Training(other, open_data(other)).resume()


def test_classes_and_sizes_are_fitted_into_a_cfg(shapes: Path, tmp_path: Path) -> None:
    cfg = fit_cfg(shapes / "tiny.cfg", tmp_path, classes=5, size=(96, 64))
    network = read_network(cfg)
    assert network.size == (96, 64)
    assert network.heads[0].classes == 5
    assert "# a stem that is its own backbone" in cfg.read_text()
    same = fit_cfg(cfg, tmp_path / "..", classes=2, size=(64, 64))
    assert same.read_text() == TINY
    same.unlink()


@pytest.mark.parametrize("name", NAMED)
def test_networks_known_by_name_fit_any_number_of_classes(name: str, tmp_path: Path) -> None:
    count = 9 if name == "yolov4" else sum(len(h.anchors) for h in read_network(find_cfg(name)).heads)
    anchors = [(3.0 * n, 2.0 * n) for n in range(count, 0, -1)]
    network = read_network(fit_cfg(find_cfg(name), tmp_path, classes=7, anchors=anchors))
    assert {head.classes for head in network.heads} == {7}
    finest = min(network.heads, key=lambda head: head.stride)
    assert finest.anchors[0] == (3.0, 2.0)
    assert read_network(find_cfg(name)).heads[0].classes == 3


def test_no_such_network() -> None:
    with pytest.raises(CfgError, match="no such file; networks known by name are kplate-nano, yolov4-tiny"):
        find_cfg("yolov9")


@pytest.mark.parametrize("name", yolov4.NETWORKS)
def test_yolov4_is_as_it_is_written(name: str) -> None:
    """The files are those that the module writes; layers and shapes are the published ones."""
    file = NANO_CFG.with_name(f"{name}.cfg")
    assert file.read_text(encoding="utf-8") == yolov4.NETWORKS[name]()
    network = read_network(file)
    values = sum(
        layer.filters * (layer.channels // layer.groups * layer.size**2 + (4 if layer.normalised else 1))
        for _, _, layer in network.convolutions
    )
    # Darknet's own files for 80 classes hold 6,062,814 and 64,429,405 values.
    published, widths = {
        "yolov4-tiny": (6_062_814, (512, 256)),
        "yolov4": (64_429_405, (256, 512, 1024)),
    }[name]
    assert values == published - sum(3 * 77 * (width + 1) for width in widths)


def test_a_rectangular_input_is_trained_at_its_own_shape(settings: Settings) -> None:
    wide = replace(settings, size=(128, 64), steps=2, workers=1)
    training = Training(wide, open_data(wide))
    shape = next(training.batches()).pictures.shape
    assert shape[2] == pytest.approx(2 * shape[1], abs=8)
    training.run()
    assert read_network(wide.out / "tiny.cfg").size == (128, 64)
    for height, width in sizes_for(640, 384, 32):
        assert height % 32 == width % 32 == 0
        assert width > height
    assert {height == width for height, width in sizes_for(416, 416, 32)} == {True, False}


def test_anchors_are_found_printed_and_written(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([
        "--data", str(shapes / "shapes.data"), "--cfg", str(shapes / "tiny.cfg"), "--out", str(tmp_path),
        "--anchors", "--size", "96x96",
    ])  # fmt: skip
    said = capsys.readouterr().out
    assert "anchors=20,20, 40,24" in said
    assert "24 boxes at 96x96 overlap with the nearest by 1.000 (IoU)" in said
    network = read_network(tmp_path / "tiny.cfg")
    assert network.heads[0].anchors == ((20, 20), (40, 24))
    assert not (tmp_path / "last.pt").exists()
    with pytest.raises(DataError, match="fewer than 5 different sizes"):
        find_anchors(np.array([(3.0, 4.0)] * 9), 5)


def test_anchors_of_clouds_are_their_middles() -> None:
    rng = np.random.default_rng(0)
    clouds = np.concatenate([np.exp(rng.normal(np.log(c), 0.05, (50, 2))) for c in ((10, 5), (60, 80))])
    found = find_anchors(clouds, 2)
    np.testing.assert_allclose(found.pairs, [(10, 5), (60, 80)], rtol=0.06)
    assert 0.85 < found.overlap < 1


def test_starting_from_weights_of_other_classes(shapes: Path, tmp_path: Path) -> None:
    network = new_network(shapes / "tiny.cfg")
    other = new_network(fit_cfg(shapes / "tiny.cfg", tmp_path, classes=6))
    other.save_weights(tmp_path / "six.weights")
    taken = start_from(network, tmp_path / "six.weights")
    assert (taken.layers, taken.total) == (3, 4)
    own, source = network.state_dict(), other.state_dict()
    assert all(torch.equal(own[key], source[key]) for key in own if not key.startswith("layers.3"))
    assert own["layers.3.0.weight"].shape[0] == 14


def test_starting_from_the_first_layers_and_from_none(shapes: Path, tmp_path: Path) -> None:
    network, other = (new_network(shapes / "tiny.cfg") for _ in range(2))
    other.save_weights(tmp_path / "all.weights")
    whole = (tmp_path / "all.weights").read_bytes()
    first = 20 + 4 * (16 * (27 + 4) + 32 * (16 * 9 + 4))
    (tmp_path / "tiny.conv.2").write_bytes(whole[:first])
    assert start_from(network, tmp_path / "tiny.conv.2").layers == 2
    assert torch.equal(network.state_dict()["layers.1.0.weight"], other.state_dict()["layers.1.0.weight"])
    for data in (whole[: first + 8], whole + bytes(8), whole[:20]):
        (tmp_path / "bad.weights").write_bytes(data)
        with pytest.raises(WeightsError, match=r"bad\.weights"):
            start_from(network, tmp_path / "bad.weights")


def test_starting_from_a_checkpoint(settings: Settings, shapes: Path, tmp_path: Path) -> None:
    training = Training(replace(settings, steps=1), open_data(settings))
    training.run()
    assert start_from(new_network(shapes / "tiny.cfg"), settings.out / "last.pt").layers == 4
    other = TINY.replace("filters=16", "filters=18").replace("filters=32", "filters=36")
    (tmp_path / "other.cfg").write_text(other)
    with pytest.raises(WeightsError, match=r"no layer of it fits other\.cfg"):
        start_from(new_network(tmp_path / "other.cfg"), settings.out / "last.pt")
    (tmp_path / "no.pt").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is no file of PyTorch's"):
        start_from(new_network(shapes / "tiny.cfg"), tmp_path / "no.pt")


def test_wrong_labels_are_refused_or_left_out(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"file": str(shapes / f"{n}.png"), "plates": [{"box": [1, 1, 30, 20]}]} for n in range(3)]
    rows[1]["plates"] = [{"box": [1, 1, 1, 20]}]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = Settings((tmp_path,), tmp_path / "run")
    with pytest.raises(DataError, match=r"1 label cannot be used \(--skip-bad .*\n.*line 2: .* has no area"):
        open_data(settings)
    assert len(open_data(replace(settings, skip_bad=True)).records) == 2
    assert "1 label cannot be used; their pictures were left out" in capsys.readouterr().out


def test_validation_is_kept_apart(shapes: Path, tmp_path: Path) -> None:
    data = open_data(Settings((shapes / "shapes.data",), tmp_path))
    assert (len(data.records), len(data.validation)) == (12, 6)
    assert parts_of(shapes) == {"train", "valid"}
    with pytest.raises(DataError, match="12 pictures are both learned from and validated with"):
        open_data(Settings((shapes / "shapes.data",), tmp_path, validation=(shapes / "shapes.data",)))
    rows = [{"file": str(shapes / f"{n}.png"), "plates": [{"box": [1, 1, 30, 20]}]} for n in range(4)]
    rows[3]["split"] = "valid"
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = open_data(Settings((tmp_path,), tmp_path))
    assert (len(data.records), len(data.validation)) == (3, 1)


def test_a_cfg_of_ones_own_keeps_the_classes_it_is_made_for(shapes: Path, tmp_path: Path) -> None:
    for file in ("0.png", "0.txt"):
        (tmp_path / file).write_bytes((shapes / file).read_bytes())
    (tmp_path / "two.names").write_text("plate\ncar\n")
    (tmp_path / "two.data").write_text("train = two.list\nnames = two.names\n")
    (tmp_path / "two.list").write_text("0.png\n")
    settings = Settings((tmp_path / "two.data",), tmp_path, cfg=shapes / "tiny.cfg")
    assert open_data(settings).classes == ("plate", "car")
    assert open_data(replace(settings, cfg=NANO_CFG)).classes == CLASSES


def test_names_that_cannot_be(shapes: Path, tmp_path: Path) -> None:
    for text, said in (("", "names no class"), ("a\nb\na\n", "names the class 'a' twice")):
        (tmp_path / "x.names").write_text(text)
        with pytest.raises(DataError, match=said):
            open_data(Settings((shapes / "shapes.data",), tmp_path, names=tmp_path / "x.names"))


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("batch", "0", "above 0, not 0"),
        ("minutes", "nan", "above 0, not nan"),
        ("seed", "-1", "0 or more, not -1"),
        ("seed", str(10**20), "at most"),
        ("workers", "-1", "0 or more, not -1"),
        ("steps", "-1", "0 or more, not -1"),
        ("decay", "nan", "0 or more, not nan"),
        ("save-minutes", "-2", "0 or more, not -2"),
    ],
)
def test_numbers_that_cannot_be(option: str, value: str, reason: str, shapes: Path) -> None:
    with pytest.raises(DataError, match=f"--{option} must be {reason}"):
        parse(["--data", str(shapes), f"--{option}", value])


@pytest.mark.parametrize("share", ["abc", "nan", "0", "-1", "1e400"])
def test_shares_that_cannot_be(share: str) -> None:
    assert parse_extra(["x", "y=2"]) == [(Path("x"), 0.1), (Path("y"), 2.0)]
    with pytest.raises(DataError, match=f"--extra x={share}: the share must be a number above 0"):
        parse_extra([f"x={share}"])


HEAD = "filters=14\nsize=1\nactivation=linear\n[yolo]\nnew_coords=0\n"


def with_head(old: str, new: str) -> str:
    """The network above with a head that may be changed: one whose sizes are exponentials."""
    plain = TINY.replace("filters=14\nsize=1\nactivation=logistic\n[yolo]\n", HEAD)
    return plain.replace("new_coords=1\n", "").replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("filters=14", "batch_normalize=1\nfilters=14", r"line 26: .* stands above a \[yolo\]"),
        ("[yolo]", "[maxpool]\nsize=1\n[yolo]", r"line 29: \[maxpool\] stands above a \[yolo\]"),
        ("[net]", "[net]\nchannels=1", "pictures have 3 channels, but `channels=1`"),
        ("filters=16", "filters=1000000000", "tiny.cfg: there is not enough memory for a network"),
    ],
)  # fmt: skip
def test_networks_that_cannot_be_trained(old: str, new: str, reason: str, settings: Settings) -> None:
    cfg = settings.out.parent / "tiny.cfg"
    cfg.write_text(with_head(old, new))
    with pytest.raises((CfgError, DataError), match=reason):
        Training(replace(settings, cfg=cfg), open_data(settings))


def test_a_dropout_above_the_boxes_and_comments_in_cp949(settings: Settings) -> None:
    cfg = settings.out.parent / "tiny.cfg"
    text = with_head("[yolo]", "[dropout]\n[yolo]").replace("# a stem", "# 줄기")
    cfg.write_bytes(text.encode("cp949"))
    training = Training(replace(settings, cfg=cfg, steps=1), open_data(settings))
    training.run()
    assert "줄기".encode("cp949") in training.network.cfg.read_bytes()
    fitted = fit_cfg(training.network.cfg, settings.out.parent, classes=5)
    assert read_network(fitted).heads[0].classes == 5


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def damaged(shapes: Path, tmp_path: Path) -> Path:
    """The shapes again, two pictures of which are damaged after their headers, one to validate with."""
    folder = tmp_path / "damaged"
    shutil.copytree(shapes, folder)
    for n in (3, 14):
        truncate(folder / f"{n}.png")
    return folder


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_left_out(
    workers: int, settings: Settings, damaged: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = replace(settings, data=(damaged / "shapes.data",), steps=6, workers=workers, validate_minutes=0.0)
    training = Training(mine, open_data(mine))
    training.run()
    assert training.step == 6
    assert training.best is not None
    noted = sorted(line for line in capfd.readouterr().err.splitlines() if "it is left out" in line)
    assert len(noted) == 2  # each once, however often it is met
    assert "14.png: the file is truncated" in noted[0]
    assert "3.png: the file is truncated" in noted[1]


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_to_learn_from_is_an_error(workers: int, settings: Settings, damaged: Path) -> None:
    for n in set(range(12)) - {3}:
        truncate(damaged / f"{n}.png")
    mine = replace(settings, data=(damaged / "shapes.data",), steps=6, workers=workers)
    with pytest.raises(DataError, match=r"cannot be read .nor can the 11 beside it., so") as caught:
        Training(mine, open_data(mine)).run()
    assert "\n" not in str(caught.value)


def test_nothing_to_validate_with_leaves_the_weights(settings: Settings, damaged: Path) -> None:
    for n in set(range(12, 18)) - {14}:
        truncate(damaged / f"{n}.png")
    mine = replace(settings, data=(damaged / "shapes.data",), steps=2)
    training = Training(mine, open_data(mine))
    training.run()
    assert training.best is None
    assert (settings.out / "tiny.weights").is_file()


def test_what_was_learned_is_saved_before_it_is_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(detector_trainer, "validate", fail)
    with pytest.raises(MemoryError):
        Training(replace(settings, steps=2), open_data(settings)).run()
    assert torch.load(settings.out / "last.pt", weights_only=True)["step"] == 2


def test_a_slanted_view_moves_boxes_as_it_moves_the_picture() -> None:
    rng = np.random.default_rng(8)
    for _ in range(5):
        matrix = slant(200, 120, rng)
        image = np.zeros((120, 200), np.uint8)
        image[30:60, 120:160] = 255
        rows, columns = np.nonzero(cv2.warpPerspective(image, matrix, (200, 120)) > 127)
        taught, _ = move(np.array([(1, 120, 30, 160, 60)], np.float32), matrix, 1.0, 120, 200)
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        np.testing.assert_allclose(taught[0, 1:], seen, atol=4)
        assert np.abs(matrix @ (100, 60, 1) - (100, 60, 1)).max() < 1e-9


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_view_and_its_boxes_agree_to_a_tenth_of_a_px(
    flip: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV warps from middle to middle of px, boxes count from edges: half a px in a mirrored picture."""
    for name, value in {"FLIP": flip, "MOSAIC": 0.0, "FOCUS": 0.0, "PERSPECTIVE": 0.0}.items():
        monkeypatch.setattr(data_augment, name, value)
    monkeypatch.setattr(data_augment, "recolour", lambda *_: False)
    monkeypatch.setattr(data_augment, "degrade", lambda *_: None)
    image = np.zeros((300, 300, 3), np.uint8)
    image[140:160, 130:170] = 255
    write_image(tmp_path / "a.png", image)
    row = {"file": "a.png", "width": 300, "height": 300, "plates": [{"box": [130, 140, 170, 160]}]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row) + "\n")
    sampler = Sampler(open_pools(tmp_path), np.random.default_rng(3))
    batch = sampler.batch(40, 192, 192)
    off = []
    for number, _, x1, y1, x2, y2 in batch.objects.tolist():
        left, top = max(0, round(x1) - 5), max(0, round(y1) - 5)
        part = batch.pictures[int(number), top : round(y2) + 5, left : round(x2) + 5, 0].astype(float)
        rows, columns = np.indices(part.shape)
        found = (part * (columns + 0.5)).sum() / part.sum(), (part * (rows + 0.5)).sum() / part.sum()
        off.append((left + found[0] - (x1 + x2) / 2, top + found[1] - (y1 + y2) / 2))
    assert len(off) > 30
    assert np.abs(np.median(off, axis=0)).max() < 0.1


def test_other_classes_get_pictures_and_masks_of_their_own(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "three.names").write_text("ball\nboard\nkite\n")
    settings = Settings((shapes / "shapes.data",), tmp_path, names=tmp_path / "three.names")
    data = open_data(settings)
    batch = Sampler(data.pools, np.random.default_rng(0), data.classes).batch(8, 64, 96)
    assert batch.negatives.tolist() == [[1, 1, 0]] * 8  # nobody looked for kites
    assert set(batch.objects[:, 1]) == {0, 1}


#: A step of two processes, the network held in a cycle. Each says which threads of the group are left.
STEP = """
from pathlib import Path
import torch
from kplate.training.reader_parallel import Ranks

class Held:
    def __init__(self, network):
        self.network, self.held = network, self

def learn(ranks):
    held = Held(ranks.wrap(torch.nn.Linear(3, 2)))
    held.network(torch.full((4, 3), float(ranks.rank))).sum().backward()
    return held.network.module.weight.grad[0].tolist()

def threads():
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return [name for name in names if "gloo" in name]

ranks = Ranks.from_environment()
gradient, agreed, before = learn(ranks), ranks.agree(ranks.rank + 5.0), len(threads()) > 0
ranks.leave()
print(f"rank {ranks.rank} of {ranks.world}:", gradient, agreed, before, threads(), flush=True)
"""


def said_by_two(arguments: list[str], tmp_path: Path) -> list[str]:
    """What each of two processes of a run prints, the first one's first; the run has to succeed."""
    logs = tmp_path / "logs"
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, "-m", *torchrun, "--redirects", "3", "--log-dir", str(logs), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    said = ["".join(path.read_text() for path in sorted(logs.rglob(f"{rank}/std*.log"))) for rank in (0, 1)]
    assert done.returncode == 0, (done.stderr, said)
    return said


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed in /proc")
def test_no_thread_of_the_group_outlives_it(tmp_path: Path) -> None:
    """One that did would now and then abort the process as it ends."""
    (tmp_path / "step.py").write_text(STEP)
    said = said_by_two([str(tmp_path / "step.py")], tmp_path)
    for rank in (0, 1):
        assert f"rank {rank} of 2: [2.0, 2.0, 2.0] [5.0] True []" in said[rank]


def test_two_processes_train_one_network(shapes: Path, tmp_path: Path) -> None:
    """What `torchrun --nproc-per-node 2` does, on processors (gloo)."""
    arguments = ["-m", "kplate", "train", "detector", "--data", str(shapes / "shapes.data")]
    arguments += ["--cfg", str(shapes / "tiny.cfg"), "--out", str(tmp_path / "run"), "--steps", "4"]
    said = said_by_two([*arguments, "--batch", "2"], tmp_path)
    assert "to use it: kplate read" in said[0]
    assert "to use it" not in said[1]
    state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert state["step"] == 4
