"""Videos and folders as sources."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.errors import OutputError
from kplate.live.files import FrameFolder, VideoFile
from kplate.live.model import Frame, SourceError
from kplate.live.sources import open_source
from kplate.live.video_writer import VideoWriter

RATE = 10.0


def number_of(image: np.ndarray) -> int:
    """Read the number of a frame back from its brightness."""
    return round(float(image.mean()) / 8)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 frames, each a little brighter than the one before."""
    path = tmp_path_factory.mktemp("video") / "영상 1.mp4"
    with VideoWriter(path, RATE) as writer:
        for index in range(30):
            writer.write(np.full((64, 96, 3), index * 8, np.uint8))
    return path


def frames(path: Path, **wanted: object) -> list[Frame]:
    with open_source(str(path), **wanted) as source:  # type: ignore[arg-type]
        return list(source)


def test_every_frame_comes_once_with_its_time(video: Path) -> None:
    found = frames(video)
    assert [frame.index for frame in found] == list(range(30))
    assert [number_of(frame.image) for frame in found] == list(range(30))
    assert found[15].time == pytest.approx(1.5, abs=0.002)
    assert (found[20].wall - found[0].wall).total_seconds() == pytest.approx(2.0, abs=0.002)


def test_every_nth_from_start_to_end(video: Path) -> None:
    found = frames(video, start=1.0, end=2.0, every=3)
    assert [frame.index for frame in found] == [10, 13, 16, 19]
    assert [number_of(frame.image) for frame in found] == [10, 13, 16, 19]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"start": 2.0, "end": 1.0}, "nothing lies between the start (2 s) and the end (1 s)"),
        ({"start": 9.0}, "ends before second 9"),
    ],
)
def test_a_part_that_is_not_there_is_told(
    video: Path, tmp_path: Path, wanted: dict[str, float], reason: str
) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((16, 16, 3), np.uint8))
    for path in (video, tmp_path):
        with pytest.raises(SourceError, match=re.escape(reason)):
            frames(path, **wanted)


def test_the_number_of_frames_to_come_is_known(video: Path) -> None:
    assert VideoFile(video).total == 30
    assert VideoFile(video, start=1.0, end=2.0, every=3).total == 4


def test_the_clock_is_the_one_that_is_named(video: Path) -> None:
    clock = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    assert frames(video, clock=clock)[10].wall == datetime(2026, 3, 1, 8, 0, 1, tzinfo=UTC)


def test_two_runs_are_the_same(video: Path) -> None:
    first, second = frames(video), frames(video)
    assert [(frame.index, frame.time, frame.wall) for frame in first] == [
        (frame.index, frame.time, frame.wall) for frame in second
    ]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True))


def test_a_folder_is_a_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index:03d}.png"), np.full((16, 16, 3), index * 4, np.uint8))
    (tmp_path / "002.png").write_bytes(b"no picture")
    found = frames(tmp_path, rate=2.0, every=1)
    assert [(frame.index, frame.time) for frame in found] == [
        (0, 0.0),
        (1, 0.5),
        (3, 1.5),
        (4, 2.0),
        (5, 2.5),
    ]
    assert "002.png" in caplog.text
    assert FrameFolder(tmp_path, start=0.04).total == 5


def test_a_folder_of_which_nothing_can_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match="none of its pictures"):
        frames(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"this is no video at all\n" * 50, "it is no video"),
        (b"\x1aE\xdf\xa3" + bytes(500), "it is a Matroska or WebM file, but it is damaged"),
        (b"\0\0\0\x10ftypisom" + bytes(4) + b"\xff" * 99, r"its index \(moov\) is missing"),
        (b"\0\0\0\x10ftypisom" + bytes(4) + b"\0\0\0\x08moov", "it holds no pictures"),
    ],
)
def test_what_is_no_video_is_told(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "x.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=f"x.mp4: {reason}"):
        open_source(str(path))


def test_a_picture_is_no_video(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "car.JPG"), np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(SourceError, match=r"car\.JPG: it is a picture and no video; `kplate read` reads it"):
        open_source(str(tmp_path / "car.JPG"))


def test_a_video_without_its_end_is_told(video: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.mp4"
    half.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"half\.mp4: .*cut off before its end"):
        frames(half)


def test_an_unknown_codec_is_told(video: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.mp4"
    strange.write_bytes(video.read_bytes().replace(b"mp4v", b"zzzz").replace(b"esds", b"xxxx"))
    with pytest.raises(SourceError, match=r"strange\.mp4: its codec \(zzzz\) is unknown here"):
        frames(strange)


def test_a_video_that_was_cut_off_gives_what_it_has_and_is_told(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.avi", tmp_path / "cut.avi"
    with VideoWriter(whole, RATE) as writer:
        for index in range(30):
            writer.write(np.full((64, 96, 3), index * 8, np.uint8))
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found: list[int] = []
    with open_source(str(cut)) as source, pytest.raises(SourceError, match="ends early"):
        found.extend(frame.index for frame in source)
    assert found == list(range(len(found)))
    assert 2 < len(found) < 20


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://user:secret@host/x", "cannot open ftp://host/x"),
        ("97", "no such camera"),
        (
            "rtsp://user:secret@127.0.0.1:1/stream",
            "cannot reach rtsp://127.0.0.1:1/stream: connection refused",
        ),
        ("rtsp://user:my/secret@127.0.0.1:1/stream", "cannot reach rtsp://127.0.0.1:1/stream"),
        ("rtsp:/user:secret@host/stream", "cannot read rtsp:/host/stream: no such file"),
    ],
)
def test_addresses_that_lead_nowhere_are_told_without_credentials(text: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught, open_source(text) as source:
        next(iter(source))
    assert "secret" not in str(caught.value)


def test_cameras_have_no_start() -> None:
    with pytest.raises(SourceError, match="no start"):
        open_source("rtsp://host/stream", start=3.0)


def test_a_video_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, RATE)
    writer.write(np.zeros((48, 64, 3), np.uint8))
    assert not path.exists()
    writer.write(np.zeros((49, 65, 3), np.uint8))
    writer.close()
    assert [frame.image.shape for frame in frames(path)] == [(48, 64, 3)] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_a_camera_s_frames_are_written_as_long_as_they_lasted(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", RATE) as writer:
        for time in (100.0, 100.5, 100.55, 101.0, 160.0, 160.2):
            writer.write_at(np.zeros((48, 64, 3), np.uint8), time)
    assert len(frames(tmp_path / "out.mp4")) == 1 + 10 + 1 + 2  # the minute without a camera is left out


def test_a_video_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "out.mp4", RATE) as writer:
            writer.write(np.zeros((48, 64, 3), np.uint8))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_at_once(tmp_path: Path) -> None:
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs rights that this user has not")
    try:
        writer = VideoWriter(tmp_path / "x.mp4", RATE)
        with pytest.raises(OutputError, match=r"x\.mp4: the disk is full"):
            writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.abandon()
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=False)


def test_where_no_video_can_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"x\.gif: its name must end in \.mp4"):
        VideoWriter(tmp_path / "x.gif", RATE)
    with pytest.raises(OutputError, match="no such file or directory"):
        VideoWriter(tmp_path / "no" / "x.mp4", RATE)
