"""Rendering from the command line, and the demo."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.evaluation import load_samples
from kplate.images import read_image

from .conftest import Result, command, environment, paint

Run = Callable[..., Result]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("what", "count"), [("plates", 20), ("scenes", 9)])
def test_pictures_follow_from_the_seed_alone(what: str, count: int, kplate: Run, tmp_path: Path) -> None:
    for out, seed, workers in (("a", 7, 1), ("b", 7, 3), ("c", 8, 2)):
        done = kplate("synth", what, "--count", count, "--out", out, "--seed", seed, "--workers", workers)
        assert (done.status, done.err) == (0, "")
    first, second, third = (files(tmp_path / name) for name in "abc")
    assert first == second
    assert first != third
    assert len(first) == count + 1
    samples = load_samples(tmp_path / "a")
    assert len(samples) == count


def test_labels_of_plates(kplate: Run, tmp_path: Path) -> None:
    kplate("synth", "plates", "--count", 5, "--out", "out")
    for row in map(json.loads, (tmp_path / "out" / "labels.jsonl").read_text(encoding="utf-8").splitlines()):
        height, width = read_image(tmp_path / "out" / row["file"]).shape[:2]
        assert (row["width"], row["height"]) == (width, height)
        corners = np.array(row["corners"])
        assert corners.shape == (4, 2)
        assert cv2.contourArea(corners.astype(np.float32)) > 0.1 * width * height


def test_scenes_from_photographs(kplate: Run, tmp_path: Path) -> None:
    paint(tmp_path / "photos" / "a.png", [])
    corners = [[100, 100], [220, 100], [220, 130], [100, 130]]
    row = {"file": "a.png", "plates": [{"box": [100, 100, 220, 130], "corners": corners}]}
    (tmp_path / "photos" / "labels.jsonl").write_text(json.dumps(row) + "\n")
    done = kplate("synth", "scenes", "--photos", "photos", "--count", 4, "--out", "out")
    assert (done.status, done.err) == (0, "")
    labels = [
        json.loads(line)
        for line in (tmp_path / "out" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sum(len(label["texts"]) for label in labels) >= 2
    assert read_image(tmp_path / "out" / labels[0]["file"]).shape == (416, 416, 3)


def test_conditions_take_turns(kplate: Run, tmp_path: Path) -> None:
    done = kplate("synth", "scenes", "--condition", "front,rear", "--count", 3, "--out", "out", "--seed", 4)
    assert (done.status, done.err) == (0, "")
    samples = load_samples(tmp_path / "out")
    assert [sample.condition for sample in samples] == ["front", "rear", "front"]
    rows = [json.loads(line) for line in (tmp_path / "out" / "labels.jsonl").read_text().splitlines()]
    for row in rows:
        assert {*row["texts"], *row["also"]} == {plate["text"] for plate in row["plates"] if plate["text"]}


def test_photographs_of_a_split_under_a_condition(kplate: Run, tmp_path: Path) -> None:
    corners = [[100, 100], [220, 100], [220, 130], [100, 130]]
    cut = [[360, 100], [480, 100], [480, 130], [360, 130]]
    plates = [{"box": [x, 100, x + 120, 130], "corners": quad} for x, quad in ((100, corners), (360, cut))]
    rows = []
    for name, split in (("a.png", "train"), ("b.png", "valid")):
        paint(tmp_path / "photos" / name, [("car", 1, 1)] if split == "valid" else [])
        rows.append(json.dumps({"file": name, "split": split, "plates": plates}))
    (tmp_path / "photos" / "labels.jsonl").write_text("\n".join(rows))
    arguments = ("--photos", "photos", "--split", "valid", "--condition", "infra_red", "--count", 2)
    done = kplate("synth", "scenes", *arguments, "--out", "out")
    assert (done.status, done.err) == (0, "")
    assert {sample.condition for sample in load_samples(tmp_path / "out")} == {"infra_red"}
    for row in map(json.loads, (tmp_path / "out" / "labels.jsonl").read_text(encoding="utf-8").splitlines()):
        assert len(row["plates"]) == len(row["ignored"]) == 1  # the other plate leaves the picture
        for found in (*row["plates"], *row["ignored"]):
            assert 0 <= found["box"][0] < found["box"][2] <= row["width"]
    none = kplate("synth", "scenes", "--photos", "photos", "--split", "test", "--out", "none")
    assert none.status == 1
    assert "names no photograph" in none.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("synth", "plates", "--out", "full"), "labels.jsonl exists already"),
        (("synth", "plates", "--out", "file/out"), "file/out"),
        (("synth", "scenes", "--out", "new", "--photos", "nowhere"), "nowhere"),
        (("synth", "plates", "--out", "new", "--photos", "full"), "--photos is for scenes"),
        (("synth", "plates", "--out", "new", "--condition", "night"), "--condition is for scenes"),
        (
            ("synth", "scenes", "--out", "new", "--condition", "fog"),
            "no condition 'fog'; there are: infra_red",
        ),
        (("synth", "scenes", "--out", "new", "--photos", "p", "--condition", "above"), "photographs have no"),
        (("synth", "scenes", "--out", "new", "--split", "valid"), "--split needs --photos"),
        (("demo", "--out", "file"), "file"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: tuple[str, ...], reason: str, kplate: Run, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "labels.jsonl").touch()
    (tmp_path / "file").touch()
    done = kplate(*arguments)
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert reason in done.err
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_leaves_whole_labels(how: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        command("synth", "plates", "--count", 100_000, "--out", out, "--workers", 2),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (
            (out / "labels.jsonl").exists() and (out / "labels.jsonl").stat().st_size > 2000
        ):
            time.sleep(0.05)
        process.send_signal(how) if how == signal.SIGKILL else os.killpg(process.pid, how)
        _, err = process.communicate(timeout=60)  # ends only once the workers have gone as well
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in err.decode()
    rows = [json.loads(line) for line in (out / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows
    assert all((out / row["file"]).is_file() for row in rows)


def test_demo_shows_what_it_drew(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    done = kplate("demo", "--out", "pictures", "--weights", stub_weights)
    assert (done.status, done.err) == (0, "")
    assert "What is truly in it" in done.out
    assert done.out.count("not read") >= 3  # the stub networks see nothing in it
    for name in ("demo.png", "demo_annotated.png"):
        assert read_image(tmp_path / "pictures" / name).shape == (720, 1280, 3)
