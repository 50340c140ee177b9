"""The command as a whole: help, version, and commands other than read."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import kplate as package
from kplate.cli import COMMANDS

from .conftest import TEXT, Result, paint

Run = Callable[..., Result]


def test_version(kplate: Run) -> None:
    done = kplate("--version")
    assert (done.status, done.out) == (0, f"kplate {package.__version__}\n")


def test_alone_it_prints_help(kplate: Run) -> None:
    alone, asked = kplate(), kplate("--help")
    assert (alone.status, alone.out) == (0, asked.out)
    assert all(name in alone.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, kplate: Run) -> None:
    done = kplate(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"usage: kplate {name}" in done.out


def test_the_installed_command_is_this_one() -> None:
    program = Path(sys.executable).with_name("kplate")
    if not program.exists():
        pytest.skip("kplate is not installed in this environment")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"kplate {package.__version__}\n"


# ---- evaluate


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    rows = [
        {"file": "right.png", "texts": [TEXT], "electric": False},
        {"file": "wrong.png", "texts": ["12나3456"], "electric": True},
        {"file": "none.png", "texts": ["98허7012"]},
    ]
    paint(folder / "right.png")
    paint(folder / "wrong.png")
    paint(folder / "none.png", [])
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "labels.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_evaluate_prints_one_object(kplate: Run, stub_weights: Path, labelled: Path) -> None:
    done = kplate("evaluate", labelled, "--json", "--weights", stub_weights)
    assert (done.status, done.err) == (0, "")
    (figures,) = done.lines
    assert figures["exact"]["trusted"]["count"] == figures["exact"]["candidate"]["count"] == 1
    assert figures["trusted_wrong"]["count"] == 1
    assert figures["electric"]["count"] == 1
    assert figures["cer"] == round((0 + 1 + 7) / 21, 4)
    assert [row["file"] for row in figures["wrong"]] == ["wrong.png", "none.png"]


def test_evaluate_for_people_and_its_report(kplate: Run, stub_weights: Path, labelled: Path) -> None:
    done = kplate("evaluate", labelled, "--report", "report.html", "--weights", stub_weights)
    assert (done.status, done.err) == (0, "")
    assert "1 / 3 = 33.3%" in done.out
    assert "나→가 ×1" in done.out
    assert "12<mark>나</mark>3456" in (labelled.parent / "report.html").read_text(encoding="utf-8")


def test_evaluate_with_further_known_plates(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "data" / "98허7012_1.png")
    (tmp_path / "also.jsonl").write_text(json.dumps({"file": "98허7012_1.png", "texts": [TEXT]}))
    arguments = ("evaluate", "data", "--json", "--weights", stub_weights)
    assert kplate(*arguments).lines[0]["other_readings"]["other"] == 1
    further = kplate(*arguments, "--also", "also.jsonl").lines[0]["other_readings"]
    assert (further["other"], further["known"]) == (0, 1)


@pytest.mark.parametrize(
    "arguments", [("nowhere",), (".", "--report", "nowhere/report.html"), (".", "--also", "nowhere.jsonl")]
)
def test_evaluate_says_what_is_wrong(
    arguments: tuple[str, ...], kplate: Run, stub_weights: Path, tmp_path: Path
) -> None:
    paint(tmp_path / "12가3456.png")
    done = kplate("evaluate", *arguments, "--weights", stub_weights)
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert "nowhere" in done.err


# ---- train and export


@pytest.mark.parametrize("what", ["reader", "detector"])
def test_a_missing_training_library_is_named(what: str) -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        f"from kplate.cli import main; sys.exit(main(['train', '{what}']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "torch, which is not installed: pip install 'kplate[train]'" in done.stderr


@pytest.mark.parametrize("what", ["reader", "detector"])
def test_training_has_help(what: str, kplate: Run) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch (extra: train)")
    done = kplate("train", what, "--help")
    assert done.status == 0
    assert f"usage: kplate train {what}" in done.out
