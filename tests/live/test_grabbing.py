"""Single pictures of cameras: opened for each, or kept open, and not waited for in vain."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.errors import KplateError
from kplate.live import grabbing
from kplate.live.grabbing import Grabber
from kplate.live.model import Frame


class Camera:
    """A camera that gives some frames and then says nothing more, as after a broken network."""

    opened = 0
    name = "rtsp://camera/1"

    def __init__(self, address: str) -> None:
        Camera.opened += 1
        self._frames = int(address)
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._frames):
            yield Frame(index, index / 10, datetime.now(UTC), np.zeros((2, 2, 3), np.uint8))
        self._closed.wait(30)

    def close(self) -> None:
        self._closed.set()

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grabbing, "open_source", Camera)
    monkeypatch.setattr(grabbing, "_PATIENCE", 0.2)
    Camera.opened = 0


def test_the_first_picture_of_a_source(tmp_path: Path) -> None:
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), 100 * number, np.uint8))
    with Grabber({"gate": str(tmp_path)}) as grab:
        assert [grab("gate").index for _ in range(2)] == [0, 0]
    with Grabber({"gate": str(tmp_path)}, stay=True) as grab:
        assert [grab("gate").index for _ in range(2)] == [0, 1]


@pytest.mark.usefixtures("cameras")
def test_a_camera_is_opened_for_each_picture_or_once() -> None:
    with Grabber({"gate": "9"}) as grab:
        grab("gate")
        grab("gate")
    assert Camera.opened == 2
    with Grabber({"gate": "9"}, stay=True) as grab:
        assert [grab("gate").index for _ in range(3)] == [0, 1, 2]
    assert Camera.opened == 3


@pytest.mark.usefixtures("cameras")
@pytest.mark.parametrize("stay", [False, True])
def test_a_camera_that_says_nothing_is_not_waited_for(stay: bool) -> None:
    with Grabber({"gate": "0"}, stay=stay) as grab:
        for _ in range(2):
            with pytest.raises(KplateError, match=r"rtsp://camera/1 gave no picture"):
                grab("gate")
    assert Camera.opened == 2


@pytest.mark.usefixtures("cameras")
def test_a_camera_that_fell_silent_is_opened_anew() -> None:
    with Grabber({"gate": "1"}, stay=True) as grab:
        grab("gate")
        with pytest.raises(KplateError):
            grab("gate")
        assert grab("gate").index == 0
    assert Camera.opened == 2


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with (
        Grabber({"gate": str(tmp_path / "none.mp4")}) as grab,
        pytest.raises(KplateError, match=r"none\.mp4"),
    ):
        grab("gate")
