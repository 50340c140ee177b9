"""What is refused before anything is decoded: too large, no picture, not to be opened."""

import os
import struct
import time
import warnings
from pathlib import Path

import pytest

from kplate.errors import ImageError
from kplate.images import read_image

from .pictures import png_header, refusal, saved


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (100_000, 100_000), (2**31 - 1, 3)])
def test_huge_pictures_are_refused_from_their_header(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(width, height))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = time.perf_counter()
        message = refusal(path)
    assert time.perf_counter() - start < 0.5
    assert f"{width}x{height}" in message
    assert "megapixels" in message


def test_a_huge_jpeg_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = bytearray(saved(tmp_path / "a.jpg").read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 10_000, 10_000)
    path = tmp_path / "huge.jpg"
    path.write_bytes(data)
    assert "100 megapixels, more than the 64" in refusal(path)


def test_the_limit_is_an_argument(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")
    assert read_image(path, max_pixels=96 * 64).shape == (64, 96, 3)
    with pytest.raises(ImageError, match="megapixels"):
        read_image(path, max_pixels=96 * 64 - 1)


def test_a_picture_without_pixels(tmp_path: Path) -> None:
    path = tmp_path / "none.png"
    path.write_bytes(png_header(0, 10))
    assert any(word in refusal(path) for word in ("no pixels", "damaged"))
    path = tmp_path / "none.gif"
    path.write_bytes(b"GIF89a\0\0\0\0\0\0\0;")
    refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", "the file is empty"),
        ("zeros.jpg", bytes(1000), "not a picture"),
        ("notes.txt", "차 번호".encode(), "not a picture"),
        ("page.html", b"<html></html>", "not a picture"),
        ("film.mp4", b"\0\0\0\x20ftypisom" + bytes(100), "not a picture"),
        ("phone.heic", b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        ("start.jpg", b"\xff\xd8\xff", "damaged, or truncated"),
        ("start.png", b"\x89PNG\r\n\x1a\n", "damaged"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(path)
    assert name in message
    assert reason in message


def test_missing_files_folders_and_odd_names(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.jpg")
    assert "it is a folder" in refusal(tmp_path)
    assert "name is empty" in refusal("")
    assert "null" in refusal("a\0b.jpg")
    assert "not an ordinary file" in refusal("/dev/null")
    assert "too long" in refusal("x" * 5000)
    assert r"two\nlines.jpg" in refusal(tmp_path / "two\nlines.jpg")


def test_a_name_that_is_no_utf8_can_be_printed(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    message = refusal(name)
    message.encode()
    assert r"caf\udce9.jpg" in message
    try:
        Path(name).write_bytes(saved(tmp_path / "a.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert read_image(name).shape == (64, 96, 3)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read all")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")
    path.chmod(0)
    assert "permission denied" in refusal(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not an ordinary file" in refusal(tmp_path / "pipe.jpg")
