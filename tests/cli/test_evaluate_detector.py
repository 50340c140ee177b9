"""`kplate evaluate detector` on pictures whose finds are known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from darknet.networks import write_painted  # tests/ itself is on the path

from kplate.cli import main
from kplate.files import printable

from .conftest import Result, paint

pytest.importorskip("faster_coco_eval", reason="average precision needs the extra: evaluate")
Run = Callable[..., Result]
#: What the stub finds for a plate painted in row 4 and column 8.
BOX = [112.0, 256.0, 176.0, 288.0]


def label(name: str, **more: Any) -> str:
    return json.dumps({"file": name, "width": 416, "height": 416, **more})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three pictures: a plate found; a plate missed and a box on nothing; no label of plates."""
    folder = tmp_path / "data"
    paint(folder / "a.png", [("plate", 4, 8)])
    paint(folder / "b.png", [("plate", 9, 3)])
    paint(folder / "c.png", [("car", 2, 2)])
    rows = (
        label("a.png", plates=[{"box": BOX}], condition="day", split="valid"),
        label("b.png", plates=[{"box": [10, 10, 60, 30]}], condition="night", split="test"),
        label("c.png", plates=[], negatives=[1, 0, 1], split="train"),
    )
    (folder / "labels.jsonl").write_text("\n".join(rows))
    return folder


@pytest.fixture
def kplate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process: nothing here is about processes."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        status = main([str(argument) for argument in arguments])
        return Result(status, *capfd.readouterr())

    return run


def test_figures_as_json(kplate: Run, data: Path, stub_weights: Path) -> None:
    arguments = ("--weights", stub_weights, "--json", "--report", "r.html", "--curve", "c.svg")
    done = kplate("evaluate", "detector", data, *arguments)
    assert (done.status, done.err) == (0, "")
    (figures,) = done.lines
    assert (figures["pictures"], figures["size"]) == (3, 416)
    assert list(figures["classes"]) == ["license_plate"]
    plates = figures["classes"]["license_plate"]
    assert plates["recall"]["count"] == plates["precision"]["count"] == 1
    assert plates["objects"] == plates["precision"]["total"] == 2
    assert plates["boxes"]["background"] == 1
    assert plates["pictures_without_needless_box"] == {
        **plates["pictures_without_needless_box"],
        "count": 1,
        "total": 2,
    }
    assert [group["condition"] for group in plates["conditions"]] == ["day", "night"]
    assert [miss["file"] for miss in figures["not_found"]] == ["b.png"]
    assert [box["file"] for box in figures["needless"]] == ["b.png"]
    folder = data.parent
    assert "not found (1)" in (folder / "r.html").read_text(encoding="utf-8")
    assert (folder / "c.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize("order", ["detector --json data", "--json detector data", "detector data --json"])
def test_options_may_stand_anywhere(order: str, kplate: Run, data: Path, stub_weights: Path) -> None:
    more = data.parent / "more"
    paint(more / "d.png", [])
    (more / "labels.jsonl").write_text(label("d.png"))
    done = kplate("evaluate", *order.split(), "--weights", stub_weights, "more", "--only", " plates, permits")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0]["pictures"] == 4
    assert list(done.lines[0]["classes"]) == ["license_plate", "disabled_sticker"]


@pytest.mark.parametrize("name", ["[/red]x", "[b]", "\x1b[31mred"])
def test_names_of_classes_are_shown_as_they_are(name: str, kplate: Run, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="running Darknet networks needs the darknet extra")
    cfg, weights, names = write_painted(tmp_path)
    names.write_text(f"car\n{name}\ndisabled_sticker\nbus\nperson\n")
    row = {"file": "a.png", "objects": [{"class": name, "box": BOX}], "condition": "[/b]night"}
    (data / "labels.jsonl").write_text(json.dumps(row))
    network = ("--detector", cfg, "--weights", weights, "--names", names)
    done = kplate("evaluate", "detector", data, *network, "--curve", "c.svg")
    assert (done.status, done.err) == (0, "")
    assert done.out.count(printable(name)) >= 3
    assert "[/b]night" in done.out
    drawn = ElementTree.parse(tmp_path / "c.svg").getroot().itertext()
    assert any(printable(name) in text for text in drawn)
    done = kplate("evaluate", "detector", data, *network, "--only", "x")
    assert "\x1b" not in done.err
    assert printable(name) in done.err


def test_figures_for_people(kplate: Run, data: Path, stub_weights: Path) -> None:
    done = kplate("evaluate", "detector", data, "--weights", stub_weights)
    assert (done.status, done.err) == (0, "")
    assert "3 pictures at 416 px" in done.out
    assert "license_plate" in done.out
    assert "1 / 2 = 50.0%" in done.out
    assert "night" in done.out


def test_looking_closer_changes_nothing_where_no_plate_is_hidden(
    kplate: Run, data: Path, stub_weights: Path
) -> None:
    plain, closer = (
        kplate("evaluate", "detector", data, "--weights", stub_weights, "--json", *more)
        for more in ((), ("--closer",))
    )
    assert plain.status == closer.status == 0
    assert plain.lines[0]["classes"] == closer.lines[0]["classes"]


@pytest.mark.parametrize(("split", "pictures"), [("valid", 1), ("valid, test", 2), ("valid,train", 2)])
def test_splits(split: str, pictures: int, kplate: Run, data: Path, stub_weights: Path) -> None:
    done = kplate("evaluate", "detector", data, "--split", split, "--weights", stub_weights, "--json")
    assert done.lines[0]["pictures"] == pictures


def test_what_is_nowhere_labelled_is_nowhere(kplate: Run, data: Path, stub_weights: Path) -> None:
    paint(data / "c.png", [("permit", 2, 2)])
    again = data.parent / "more"
    paint(again / "d.png", [])
    (again / "labels.jsonl").write_text(label("d.png"))
    done = kplate(
        "evaluate", "detector", data, again, "--only", "permits", "--weights", stub_weights, "--json"
    )
    assert done.status == 0
    (figures,) = done.lines
    assert figures["pictures"] == 4
    permits = figures["classes"]["disabled_sticker"]
    assert permits["ap50"] is None
    assert (permits["boxes"]["background"], permits["pictures_without_needless_box"]["count"]) == (1, 3)


def test_labels_from_elsewhere_and_a_darknet_folder(kplate: Run, data: Path, stub_weights: Path) -> None:
    (data / "labels.jsonl").rename(data.parent / "mine.jsonl")
    done = kplate("evaluate", "detector", data, "--labels", "mine.jsonl", "--weights", stub_weights, "--json")
    assert done.lines[0]["classes"]["license_plate"]["recall"]["count"] == 1
    (data / "c.png").unlink()
    (data / "classes.txt").write_text("car\nlicense_plate\n")
    (data / "a.txt").write_text("1 0.25 0.25 0.1 0.05\n")
    (data / "b.txt").write_text("1 0.5 0.5 3 0.1\n")
    done = kplate("evaluate", "detector", data, "--weights", stub_weights, "--json")
    assert done.status == 1  # one label is bad and listed; the other is measured
    assert "b.txt, line 1" in done.err
    assert done.lines[0]["pictures"] == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (label("a.png", plates=[{"box": [9, 9, 9, 30]}]), "has no area"),
        (label("a.png", plates=[{"box": [9, 9, float("nan"), 30]}]), 'without a "box" of four numbers'),
        (label("a.png", plates=[{"box": [9, 9]}]), 'without a "box" of four numbers'),
        (label("a.png", plates=[{"box": [900, 900, 950, 930]}]), "outside the picture"),
        (label("a.png", plates=[None]), 'without a "box" of four numbers'),
        (label("a.png", negatives=[1]), '"negatives" has 1 values, not 3'),
        ("[" * 100_000, "not JSON"),
        ("{", "not JSON"),
    ],
)
def test_wrong_labels_from_elsewhere(
    row: str, reason: str, kplate: Run, data: Path, stub_weights: Path
) -> None:
    (data.parent / "mine.jsonl").write_text("\n".join((row, label("b.png", plates=[{"box": BOX}]))))
    arguments = ("--weights", stub_weights, "--json", "--report", "r.html")
    done = kplate("evaluate", "detector", data, "--labels", "mine.jsonl", *arguments)
    assert done.status == 1
    assert done.err.startswith("kplate: mine.jsonl, line 1: ")
    assert reason in done.err
    assert done.lines[0]["pictures"] == 1
    done = kplate("evaluate", "detector", data, "--ignore", "mine.jsonl", *arguments)
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert reason in done.err


def test_what_labels_leave_out_can_be_ignored(kplate: Run, data: Path, stub_weights: Path) -> None:
    command = ("evaluate", "detector", data, "--weights", stub_weights, "--json")
    (needless,) = kplate(*command).lines[0]["needless"]
    ignored = [{"class": "license_plate", "box": needless["box"]}]
    row = {"file": needless["file"], "width": 200, "height": 200, "ignored": ignored}
    (data.parent / "besides.jsonl").write_text(json.dumps(row) + "\n")
    figures = kplate(*command, "--ignore", "besides.jsonl").lines[0]
    assert figures["needless"] == []
    assert figures["classes"]["license_plate"]["recall"]["total"] == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("evaluate", "detector", "nowhere"), "nowhere"),
        (("evaluate", "detector", "data", "--split", "none"), "no labelled pictures"),
        (("evaluate", "detector", "data", "--split", "valid,tset"), "of the split 'tset'"),
        (("evaluate", "detector", "data", "--curve", "c.png"), "c.png must end with .svg"),
        (("evaluate", "detector", "data", "--labels", "unknown"), "korean_scenes_eval"),
        (("evaluate", "detector", "data", "--only", "dogs"), "does not find 'dogs'"),
        (("evaluate", "detector", "data", "--cropped"), "--cropped is about readings"),
        (("evaluate", "detector", "data", "--min-score", "0.5"), "--min-score is about readings"),
        (("evaluate", "detector", "data", "--against", "shipped"), "--against is about readings"),
        (("evaluate", "data", "--only", "plates"), "--only is about boxes"),
        (("evaluate", "reader", "data", "data"), "one folder at a time"),
        (("evaluate", "reader", "data", "--curve", "x.svg"), "--curve is about boxes"),
    ],
)
@pytest.mark.usefixtures("data")
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], reason: str, kplate: Run) -> None:
    done = kplate(*arguments)
    assert done.status == 1
    assert reason in done.err
    assert len(done.err.splitlines()) == 1
