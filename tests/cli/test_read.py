"""`kplate read` on pictures that are fine."""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.images import read_image

from .conftest import TEXT, Result, command, environment, paint

Run = Callable[..., Result]


def test_json_has_the_documented_shape(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png", [("plate", 4, 8), ("car", 4, 8 - 1), ("permit", 9, 2)])
    done = kplate("read", "a.png", "--json", "--weights", stub_weights)
    assert (done.status, done.err) == (0, "")
    (result,) = done.lines
    assert list(result) == ["file", "width", "height", "elapsed_ms", "vehicles", "plates", "permits"]
    assert (result["file"], result["width"], result["height"]) == ("a.png", 416, 416)
    (plate,) = result["plates"]
    assert (plate["text"], plate["candidate"], plate["display"]) == (TEXT, TEXT, "12가 3456")
    assert (plate["kind"], plate["use"], plate["electric"]) == ("white_long", "private", False)
    assert plate["box"] == [112.0, 256.0, 176.0, 288.0]
    assert len(plate["corners"]) == 4
    assert len(plate["characters"]) == len(TEXT)
    assert 0.9 < plate["score"] <= 1
    assert 0.9 < plate["detection_score"] <= 1
    assert len(result["vehicles"]) == len(result["permits"]) == 1


def test_hangul_is_utf8_in_json_whatever_the_locale(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "차.png")
    done = kplate(
        "read",
        "차.png",
        "--json",
        "--weights",
        stub_weights,
        env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    )
    assert done.status == 0
    assert '"file": "차.png"' in done.out
    assert f'"text": "{TEXT}"' in done.out


def test_folders_and_patterns(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    for name in ("in/b.png", "in/sub/a.png", "in/notes.txt", "one.png", "two.png"):
        paint(tmp_path / name) if name.endswith("png") else (tmp_path / name).write_text("no picture")
    done = kplate("read", "in", "*.png", "--json", "--weights", stub_weights)
    assert done.status == 0
    files = [Path(line["file"]).as_posix() for line in done.lines]
    assert files == ["in/b.png", "in/sub/a.png", "one.png", "two.png"]


def test_pipe_gets_tab_separated_lines_and_no_progress(
    kplate: Run, stub_weights: Path, tmp_path: Path
) -> None:
    paint(tmp_path / "a.png", [("plate", 4, 8), ("car", 4, 3)])
    paint(tmp_path / "empty.png", [])
    done = kplate("read", "a.png", "empty.png", "--weights", stub_weights)
    assert (done.status, done.err) == (0, "")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert lines[0][:5] == ["a.png", "plate", "0", TEXT, TEXT]
    assert lines[1][:3] == ["a.png", "vehicle", "0"]
    assert lines[2] == ["empty.png", "nothing"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_terminal_gets_a_table_and_a_progress_bar(stub_weights: Path, tmp_path: Path) -> None:
    import pty

    paint(tmp_path / "a.png")
    collected = bytearray()

    def keep(descriptor: int) -> bytes:
        data = os.read(descriptor, 4096)
        collected.extend(data)
        return b" " if data else data

    before = Path.cwd()
    os.chdir(tmp_path)
    os.environ.update(TERM="xterm-256color", COLUMNS="120")
    try:
        status = pty.spawn(command("read", "a.png", "--weights", stub_weights), keep)
    finally:
        os.chdir(before)
    shown = collected.decode()
    assert os.waitstatus_to_exitcode(status) == 0
    assert "12가 3456" in shown
    assert "electric" in shown
    assert "1/1" in shown


def test_only_keeps_what_is_asked_for(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png", [("plate", 4, 8), ("car", 4, 7), ("permit", 9, 2)])
    everything, plates, two = (
        kplate("read", "a.png", "--json", "--weights", stub_weights, *only).lines[0]
        for only in ((), ("--only", "plates"), ("--only", "vehicles,permits"))
    )
    assert all(everything[part] for part in ("plates", "vehicles", "permits"))
    assert plates["plates"]
    assert plates["plates"][0]["vehicle"] is None
    assert plates["vehicles"] == plates["permits"] == []
    assert two["plates"] == []
    assert two["vehicles"] == everything["vehicles"]


def test_cropped_skips_detection(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "crop.png", [])
    (result,) = kplate("read", "crop.png", "--cropped", "--json", "--weights", stub_weights).lines
    (plate,) = result["plates"]
    assert plate["text"] == TEXT
    assert plate["detection_score"] is None
    assert plate["box"] == [0.0, 0.0, 416.0, 416.0]


def test_min_score_makes_a_reading_untrusted(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    (result,) = kplate("read", "a.png", "--json", "--min-score", "1", "--weights", stub_weights).lines
    (plate,) = result["plates"]
    assert plate["text"] is None
    assert plate["candidate"] == TEXT


def test_thresh_leaves_boxes_out_that_are_less_sure(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png", [("plate", 4, 8), ("car", 4, 3)])
    counts = []
    for least in ("0", "0.5", "1"):
        (result,) = kplate("read", "a.png", "--json", "--thresh", least, "--weights", stub_weights).lines
        counts.append((len(result["plates"]), len(result["vehicles"])))
    assert counts[1:] == [(1, 1), (0, 0)]
    assert counts[0] >= counts[1]


def test_crops_can_be_matched_and_read_again(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png", [("plate", 4, 8), ("car", 4, 3), ("permit", 9, 2)])
    done = kplate("read", "a.png", "--crops", "out/crops", "--weights", stub_weights)
    assert done.status == 0
    crops = tmp_path / "out" / "crops"
    names = sorted(unicodedata.normalize("NFC", path.name) for path in crops.iterdir())
    assert names == ["a_permit0.png", f"a_plate0_{TEXT}.png", "a_vehicle0.png"]
    assert read_image(crops / "a_vehicle0.png").shape == (32, 64, 3)
    again = kplate("read", crops / f"a_plate0_{TEXT}.png", "--cropped", "--json", "--weights", stub_weights)
    assert again.lines[0]["plates"][0]["text"] == TEXT


def test_outputs_of_equal_names_never_collide(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    for name in ("gate1/a.png", "gate2/a.png", "gate2/a.jpg", "gate2/A.bmp", "b.png"):
        paint(tmp_path / name)
    done = kplate(
        "read", "gate1", "gate2", "b.png", "--annotate", "out", "--crops", "out", "--weights", stub_weights
    )
    assert done.status == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 10
    assert {"b_annotated.png", "a.jpg_annotated.jpg", "gate1__a.png_annotated.png"} <= set(names)


def test_annotated_picture_shows_the_result(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    source = paint(tmp_path / "a.png")
    assert kplate("read", "a.png", "--annotate", "out", "--weights", stub_weights).status == 0
    before, after = read_image(source), read_image(tmp_path / "out" / "a_annotated.png")
    assert before.shape == after.shape
    assert (before != after).any()


def test_names_of_files_may_be_anything(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    names = ["[1] (copy)*.png", "a\tb\nc.png", "-dash.png", "'\"$x`.png", "한글 이름.png", "a" * 200 + ".png"]
    for name in names:
        paint(tmp_path / "in" / name)
    done = kplate("read", "in", "--json", "--crops", "out", "--annotate", "out", "--weights", stub_weights)
    assert done.status == 0, done.err
    assert {Path(line["file"]).name for line in done.lines} == set(names)
    written = [path.name for path in (tmp_path / "out").iterdir()]
    assert len(written) == 2 * len(names)
    assert not any(set(name) & set('<>:"/\\|?*\t\n ') for name in written)
    piped = kplate("read", "in", "--weights", stub_weights)
    assert len(piped.out.splitlines()) == len(names)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes such names")
def test_a_name_that_is_no_text_survives(stub_weights: Path, tmp_path: Path, kplate: Run) -> None:
    source = paint(tmp_path / "a.png")
    name = os.fsdecode(b"caf\xe9.png")
    shutil.copy(source, tmp_path / name)
    done = kplate("read", name, "--json", "--weights", stub_weights)
    assert done.status == 0
    assert json.loads(done.out)["file"] == name
    assert kplate("read", name, "--weights", stub_weights).out.startswith("caf\\udce9.png\tplate")


def test_one_result_is_printed_before_the_next_picture_is_read(stub_weights: Path, tmp_path: Path) -> None:
    import subprocess

    paint(tmp_path / "a.png")
    big = np.zeros((6000, 6000, 3), np.uint8)
    (tmp_path / "b.png").write_bytes(cv2.imencode(".png", big)[1].tobytes())
    with subprocess.Popen(
        command("read", "a.png", "b.png", "--json", "--weights", stub_weights),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        still_running = process.poll() is None
        rest = process.stdout.read()
    assert json.loads(first)["file"] == "a.png"
    assert still_running
    assert json.loads(rest)["file"] == "b.png"
