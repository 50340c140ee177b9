"""What a user can get wrong: one clear line each, a status that is not zero, and the rest still done."""

import json
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from kplate.cli import main

from .conftest import TEXT, Result, command, environment, paint

Run = Callable[..., Result]


def _png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def _jpeg(folder: Path) -> bytes:
    return paint(folder / "source.jpg").read_bytes()


#: Name of a bad picture -> its content, made from a good JPEG file.
BAD: dict[str, Callable[[bytes], bytes]] = {
    "corrupt.jpg": lambda good: good[:300] + bytes(200) + good[500:600] + b"\xff\xd9",
    "overwritten.jpg": lambda good: good[:700] + bytes((9, 255, 2, 9)) * 40 + good[860:],
    "corrupt.png": lambda _: _png_header(8, 8),
    "truncated.jpg": lambda good: good[: len(good) // 2],
    "empty.jpg": lambda _: b"",
    "zero.png": lambda _: _png_header(0, 0),
    "huge.png": lambda _: _png_header(12_000, 9_000),
    "notes.jpg": lambda _: "사진이 아닙니다".encode(),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_one_line_and_the_others_are_read(
    name: str, kplate: Run, stub_weights: Path, tmp_path: Path
) -> None:
    paint(tmp_path / "in" / "a.png")
    paint(tmp_path / "in" / "z.png")
    (tmp_path / "in" / name).write_bytes(BAD[name](_jpeg(tmp_path)))
    done = kplate("read", "in", "--json", "--weights", stub_weights)
    assert (done.status, done.err) == (1, "")
    by_name = {Path(line["file"]).name: line for line in done.lines}
    assert set(by_name[name]) == {"file", "error"}
    assert name in by_name[name]["error"]
    assert "\n" not in by_name[name]["error"]
    assert by_name["a.png"]["plates"][0]["text"] == by_name["z.png"]["plates"][0]["text"] == TEXT

    plain = kplate("read", "in", "--weights", stub_weights)
    assert plain.status == 1
    assert len(plain.err.splitlines()) == 1
    assert plain.err.startswith("kplate: ")
    assert name in plain.err
    assert plain.out.count(TEXT) == 4  # text and candidate, twice


def _picture(mode: str) -> Pillow.Image:
    colour = np.zeros((416, 416, 3), np.uint8)
    colour[256:288, 128:160] = (255, 0, 0)
    return Pillow.fromarray(colour).convert(mode)


def _odd_pictures(folder: Path) -> dict[str, Path]:
    deep = np.zeros((416, 416), np.uint16)
    deep[256:288, 128:160] = 65535
    paths = {
        name: folder / name
        for name in ("16bit.png", "grey.jpg", "alpha.png", "cmyk.jpg", "moving.gif", "turned.jpg")
    }
    Pillow.fromarray(deep).save(paths["16bit.png"])
    _picture("L").save(paths["grey.jpg"])
    _picture("RGBA").save(paths["alpha.png"])
    _picture("CMYK").save(paths["cmyk.jpg"], quality=95)
    frames = [_picture("RGB"), Pillow.new("RGB", (416, 416))]
    frames[0].save(paths["moving.gif"], save_all=True, append_images=frames[1:])
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    wide = Pillow.new("RGB", (416, 208))
    wide.save(paths["turned.jpg"], exif=exif)
    return paths


def test_odd_but_good_pictures_are_read(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paths = _odd_pictures(tmp_path)
    done = kplate("read", *paths.values(), "--json", "--weights", stub_weights)
    assert (done.status, done.err) == (0, "")
    results = {Path(line["file"]).name: line for line in done.lines}
    assert (results["turned.jpg"]["width"], results["turned.jpg"]["height"]) == (208, 416)
    for name in ("alpha.png", "cmyk.jpg", "moving.gif"):
        assert [plate["text"] for plate in results[name]["plates"]] == [TEXT], name


@pytest.mark.parametrize(
    ("argument", "reason"),
    [("nowhere.jpg", "no such file"), ("empty", "no pictures"), ("*.webp", "nothing matches"), ("", "empty")],
)
def test_what_is_not_there(
    argument: str, reason: str, kplate: Run, stub_weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    paint(tmp_path / "a.png")
    done = kplate("read", argument, "a.png", "--json", "--weights", stub_weights)
    assert (done.status, done.err) == (1, "")
    assert done.lines[0]["file"] == argument
    assert reason in done.lines[0]["error"]
    assert done.lines[1]["plates"][0]["text"] == TEXT


@pytest.mark.parametrize("option", ["--annotate", "--crops"])
def test_unwritable_output_is_said_before_anything_is_read(
    option: str, kplate: Run, stub_weights: Path, tmp_path: Path
) -> None:
    paint(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    done = kplate("read", "a.png", option, "file/out", "--json", "--weights", stub_weights)
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert "file/out" in done.err


@pytest.mark.parametrize("option", ["--annotate", "--crops"])
def test_an_output_folder_needs_a_name(option: str, kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    done = kplate("read", "a.png", option, "", "--json", "--weights", stub_weights)
    assert (done.status, done.out) == (1, "")
    assert done.err == "kplate: cannot write to a folder without a name\n"


def test_output_that_fails_later_keeps_the_readings(kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    paint(tmp_path / "b.png")
    (tmp_path / "out" / "a_annotated.png").mkdir(parents=True)
    done = kplate("read", "a.png", "b.png", "--annotate", "out", "--json", "--weights", stub_weights)
    assert done.status == 1
    assert [line["plates"][0]["text"] for line in done.lines] == [TEXT, TEXT]
    assert len(done.err.splitlines()) == 1
    assert "a_annotated.png" in done.err
    assert (tmp_path / "out" / "b_annotated.png").is_file()


@pytest.mark.parametrize("task", ["detector", "reader"])
def test_damaged_weights_are_refused(task: str, kplate: Run, stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    weights = tmp_path / "weights"
    shutil.copytree(stub_weights, weights)
    with (weights / f"{task}.onnx").open("ab") as file:
        file.write(b"\0")
    done = kplate("read", "a.png", "--weights", weights)
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert "checksum" in done.err
    assert f"{task}.onnx" in done.err


def test_missing_weights_are_named(kplate: Run, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    done = kplate("read", "a.png", "--weights", "nowhere")
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert "nowhere" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("read",),
        ("read", "a.png", "--threads", "0"),
        ("read", "a.png", "--threads", "two"),
        ("read", "a.png", "--min-score", "1.5"),
        ("read", "a.png", "--min-score", "nan"),
        ("read", "a.png", "--only", "wheels"),
        ("wash", "a.png"),
        ("demo", "--size", "big"),
        ("demo", "--size", "90000x90000"),
        ("synth", "plates", "--count", "0", "--out", "out"),
    ],
)
def test_wrong_arguments_are_explained(arguments: tuple[str, ...], kplate: Run) -> None:
    done = kplate(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "usage: kplate" in done.err
    assert "error: " in done.err


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise MemoryError

    monkeypatch.setattr("kplate.cli.doctor.run", fail)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err == "kplate: there is not enough memory for this\n"


def _start(folder: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command(*arguments), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _many(folder: Path) -> Path:
    source = paint(folder / "in" / "0.png")
    for index in range(1, 600):
        shutil.copy(source, folder / "in" / f"{index}.png")
    return folder / "in"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_ends_quietly_and_leaves_whole_lines(stub_weights: Path, tmp_path: Path) -> None:
    with _start(tmp_path, "read", _many(tmp_path), "--json", "--weights", stub_weights) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode() == "kplate: cancelled\n"
    assert all("plates" in json.loads(line) for line in (first + out).splitlines())


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes")
def test_a_reader_that_goes_away_is_no_error_message(stub_weights: Path, tmp_path: Path) -> None:
    with _start(tmp_path, "read", _many(tmp_path), "--json", "--weights", stub_weights) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=60)
    assert (process.returncode, err) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_output_is_one_line(stub_weights: Path, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("read", "a.png", "--json", "--weights", stub_weights),
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "kplate: no space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("closed", "status", "lines", "complaint"),
    [(">&-", 1, 0, b"kplate: cannot write to standard output: it is closed\n"), ("2>&-", 0, 1, b"")],
)
def test_closed_streams(
    closed: str, status: int, lines: int, complaint: bytes, stub_weights: Path, tmp_path: Path
) -> None:
    paint(tmp_path / "a.png")
    words = command("read", "a.png", "--json", "--weights", stub_weights)
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (status, lines, complaint)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_results_that_were_printed_survive_a_kill(stub_weights: Path, tmp_path: Path) -> None:
    arguments = ("--json", "--annotate", "out", "--weights", stub_weights)
    with _start(tmp_path, "read", _many(tmp_path), *arguments) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.kill()
        rest = process.stdout.read()
    printed = (first + rest).splitlines()
    assert process.returncode == -signal.SIGKILL
    assert all("plates" in json.loads(line) for line in printed)
    # A picture is written before its line is printed.
    whole = {Path(json.loads(line)["file"]).stem for line in printed}
    assert all((tmp_path / "out" / f"{stem}_annotated.png").is_file() for stem in whole)
