"""The command with a reader of one's own: its folder, its measurement, and one against another."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kplate.weights import load, write_manifest

from .conftest import TEXT, Result, paint

Run = Callable[..., Result]


@pytest.fixture
def reader(stub_weights: Path, tmp_path: Path) -> Path:
    """A folder that holds a reader and no detector."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("reader.onnx", "reader.json"):
        shutil.copy(stub_weights / name, folder)
    return folder


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    paint(tmp_path / "crops" / f"{TEXT}_1.png")
    paint(tmp_path / "crops" / "98허7012_1.png")
    return tmp_path / "crops"


@pytest.mark.parametrize("option", ["--weights", "--reader"])
def test_a_folder_with_a_reader_alone_reads(option: str, kplate: Run, reader: Path, crops: Path) -> None:
    done = kplate("read", crops, "--cropped", "--json", option, reader)
    assert (done.status, done.err) == (0, "")
    assert [line["plates"][0]["text"] for line in done.lines] == [TEXT, TEXT]


def test_a_folder_without_any_network_is_named(kplate: Run, tmp_path: Path, crops: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = kplate("read", crops, "--cropped", "--weights", tmp_path / "empty")
    assert done.status == 1
    assert "empty" in done.err


def test_evaluate_reader_measures_crops(kplate: Run, reader: Path, crops: Path) -> None:
    done = kplate("evaluate", "reader", crops, "--json", "--weights", reader)
    assert (done.status, done.err) == (0, "")
    (figures,) = done.lines
    assert figures["exact"]["candidate"]["count"] == 1
    assert figures["trust"][0]["wrong"] | {"low": 0, "high": 0} == {
        "count": 1, "total": 2, "share": 0.5, "low": 0, "high": 0,
    }  # fmt: skip
    assert "against" not in figures


def test_evaluate_against_another_reader(kplate: Run, reader: Path, crops: Path) -> None:
    other = reader.with_name("other")
    shutil.copytree(reader, other)
    arguments = ("evaluate", "reader", crops, "--weights", reader, "--against", other)
    (figures,) = kplate(*arguments, "--json").lines
    assert (figures["against"]["both_right"], figures["against"]["both_wrong"]) == (1, 1)
    assert figures["against"]["differing"] == []
    done = kplate(*arguments, "--report", "report.html")
    assert (done.status, done.err) == (0, "")
    assert "Read exactly by both" in done.out
    assert "trusted from" in done.out
    report = (crops.parent / "report.html").read_text(encoding="utf-8")
    assert "Against the other network" in report
    assert "Trusted and rejected" in report


def test_labels_follow_the_reader(kplate: Run, reader: Path, tmp_path: Path) -> None:
    path, manifest = load(reader, "reader")
    values = {
        **json.loads((reader / "reader.json").read_text(encoding="utf-8")),
        "extra": {"grammar": "none"},
    }
    (reader / "reader.json").write_text(json.dumps(values), encoding="utf-8")
    paint(tmp_path / "odd" / "12345_1.png")
    done = kplate("evaluate", "reader", "odd", "--json", "--weights", reader)
    assert done.lines[0]["exact"]["candidate"]["total"] == 1
    assert done.lines[0]["wrong"][0]["label"] == "12345"
    write_manifest(path.with_suffix(".json"), manifest)
    assert "no labelled pictures" in kplate("evaluate", "reader", "odd", "--weights", reader).err
