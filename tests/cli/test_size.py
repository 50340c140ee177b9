"""`--size`: what the detector scales pictures to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Result, paint

Run = Callable[..., Result]


@pytest.mark.parametrize("size", ["416", "832", "416x416", "832x416", "832X864"])
def test_boxes_come_back_in_px_of_the_picture(
    kplate: Run, stub_weights: Path, tmp_path: Path, size: str
) -> None:
    paint(tmp_path / "a.png", [("plate", 4, 8)])
    done = kplate("read", "a.png", "--json", "--weights", stub_weights, "--size", size)
    assert (done.status, done.err) == (0, "")
    boxes = [plate["box"] for plate in done.lines[0]["plates"]]
    assert boxes
    for left, top, right, bottom in boxes:  # all within what the stub finds at 416
        assert 112 <= left < right <= 176
        assert 256 <= top < bottom <= 288


@pytest.mark.parametrize("size", ["0", "x", "640x", "640x384x1", "-32", "1.5", "²"])
def test_a_size_that_is_none_is_a_wrong_argument(kplate: Run, size: str) -> None:
    done = kplate("read", "a.png", f"--size={size}")
    assert done.status == 2
    assert "is neither a number such as 640 nor WIDTHxHEIGHT" in done.err


@pytest.mark.parametrize("command", ["read a.png", "bench", "export detector --out out"])
@pytest.mark.parametrize("size", ["16384", "9" * 5000])
def test_a_size_beyond_all_pictures_is_a_wrong_argument(kplate: Run, command: str, size: str) -> None:
    done = kplate(*command.split(), "--size", size)
    assert done.status == 2
    assert "px are more than the 8192 of a side" in done.err
    assert len(done.err) < 5000


@pytest.mark.parametrize(("size", "named"), [("400", "400"), ("640x400", "400")])
def test_a_size_that_the_network_cannot_take_is_one_line(kplate: Run, size: str, named: str) -> None:
    done = kplate("read", "a.png", "--size", size)
    assert done.status == 1
    assert done.err == f"kplate: --size: size must be a multiple of 32, not {named}\n"


def test_a_size_that_cannot_be_timed_is_one_line(kplate: Run) -> None:
    done = kplate("bench", "--size", "400")
    assert (done.status, done.err) == (1, "kplate: --size: size must be a multiple of 32, not 400\n")
