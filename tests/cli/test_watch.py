"""The command from a real video to events, with the shipped networks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from kplate.events import Event, EventType

from .conftest import Result, command, environment

Run = Callable[..., Result]
SHARED = Path(os.environ.get("KPLATE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "video"


@pytest.fixture(scope="module")
def truth(passing_cars: Path) -> set[str]:
    head = json.loads((passing_cars / "clip.jsonl").read_text(encoding="utf-8").partition("\n")[0])
    return {car["text"] for car in head["cars"]}


def test_a_video_becomes_the_same_events_every_time(
    kplate: Run, passing_cars: Path, truth: set[str], tmp_path: Path
) -> None:
    video, out, store = passing_cars / "clip.mp4", tmp_path / "out.mp4", tmp_path / "events.db"
    first = kplate(
        "watch", video, "--json", "--out", out, "--to", store, "--status", tmp_path / "status.json"
    )
    assert (first.status, first.err) == (0, "")
    events = [Event.from_dict(line) for line in first.lines]
    texts = [event.plate.text for event in events if event.plate]
    assert {event.type for event in events} == {EventType.SIGHTING}
    assert len(texts) == len(set(texts)) >= 2
    assert set(texts) <= truth
    for event in events:
        assert event.plate is not None
        assert (event.plate.readings or 0) >= 2
        assert None not in (event.frame, event.vehicle, event.stay)
        assert {picture.name for picture in event.pictures} == {"frame", "vehicle", "plate"}
    capture = cv2.VideoCapture(str(out))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 140
    status = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert (status["read"], status["sightings"]) == (140, len(events))
    again = kplate("watch", video, "--json", "--threads", 1)
    assert again.lines == first.lines
    kplate("watch", video, "--to", store)  # the same events: the store holds each once
    listed = kplate("events", "--json", "--store", store)
    assert sorted(line["id"] for line in listed.lines) == sorted(event.id for event in events)


def test_lines_for_people_and_parts_of_a_video(kplate: Run, passing_cars: Path) -> None:
    part = kplate("watch", passing_cars / "clip.mp4", "--start", 1, "--end", "0:04.5", "--every", 2)
    lines = part.out.splitlines()
    assert 1 <= len(lines) <= 2
    assert all(re.match(r"0:00:0[1-4]\.\d\d  sighting  .* readings, car \d+$", line) for line in lines)


def test_plates_are_told_hashed_where_that_is_asked_for(kplate: Run, passing_cars: Path) -> None:
    done = kplate(
        "watch", passing_cars / "frames", "--fps", 20, "--end", 4.5, "--hash-plates",
        env={"KPLATE_PLATE_KEY": "not a secret, only a test"},
    )  # fmt: skip
    assert done.status == 0
    assert re.search(r"sighting  #[0-9a-f]{11}  ", done.out)
    assert not re.search("[가-힣]", done.out)


def test_with_bays_only_they_are_told_unless_all_is_asked_for(
    kplate: Run, passing_cars: Path, tmp_path: Path
) -> None:
    corners = "[[0.0, 0.0], [0.1, 0.0], [0.1, 0.1], [0.0, 0.1]]"  # in the sky
    (tmp_path / "bays.toml").write_text(
        f'[[camera]]\nname = "gate"\n[[camera.bay]]\nname = "A1"\npolygon = {corners}\n', encoding="utf-8"
    )
    part = ("watch", passing_cars / "clip.mp4", "--end", 4.5, "--every", 2, "--bays", "bays.toml")
    assert kplate(*part).out == ""
    assert "sighting" in kplate(*part, "--sightings").out


def test_a_folder_of_frames_is_read_like_a_video(kplate: Run, passing_cars: Path, truth: set[str]) -> None:
    done = kplate("watch", passing_cars / "frames", "--fps", 20, "--json")
    texts = {line["plate"]["text"] for line in done.lines}
    assert len(texts) >= 2
    assert texts <= truth


@pytest.mark.skipif(not SHARED.exists(), reason=f"no clips at {SHARED} (KPLATE_SHARED names the folder)")
@pytest.mark.parametrize("name", ["approaching_car_720p.mp4", "street.mp4"])
def test_foreign_plates_are_never_trusted(kplate: Run, name: str) -> None:
    done = kplate("watch", SHARED / name, "--json", "--every", 3)
    assert (done.status, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nothing.mp4"], "cannot read nothing.mp4: no such file or directory"),
        ([], "name what to watch"),
        (["rtsp://user:secret@127.0.0.1:1/x"], "cannot reach rtsp://127.0.0.1:1/x: connection refused"),
        (["--bays", "nothing.toml"], "nothing.toml"),
        (["{video}", "--out", "x.gif"], "its name must end in .mp4"),
        (["{video}", "--status", "no/such/status.json"], "cannot write"),
        (["{video}", "--show"], "--show needs"),
        (["{video}", "--out", "x.mp4", "--hash-plates"], "--out shows plates"),
        (["{video}", "--start", "600"], "ends before second 600"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    kplate: Run, passing_cars: Path, arguments: list[str], reason: str
) -> None:
    filled = [argument.replace("{video}", str(passing_cars / "clip.mp4")) for argument in arguments]
    done = kplate("watch", *filled, env={"DISPLAY": ""})
    assert done.status == 1
    assert done.out == ""
    assert reason in done.err
    assert "secret" not in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("watch", "a.mp4", "rtsp://user:secret@host/x"),
        ("watch", "rtsp://user:secret@host:port/x"),
        ("watch", "{video}", "--to", "mqtt:/user:secret@host/x"),
        ("watch", "{video}", "--to", "s3://user:secret@[::1/x"),
        ("watch", "{video}", "--to", "https://user:secret@[::1/x"),
        ("listen", "--camera", "rtsp://user:secret@host/x"),
    ],
)
def test_mistakes_in_addresses_are_told_without_credentials(
    kplate: Run, passing_cars: Path, arguments: tuple[str, ...]
) -> None:
    done = kplate(*(argument.replace("{video}", str(passing_cars / "clip.mp4")) for argument in arguments))
    assert done.status in (1, 2)
    assert "host" in done.err or "not an address" in done.err
    assert "secret" not in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_events_that_could_not_be_written_are_a_failure(kplate: Run, passing_cars: Path) -> None:
    done = kplate("watch", passing_cars / "clip.mp4", "--end", 4.5, "--every", 2, "--to", "/dev/full")
    assert done.status == 1
    assert "sighting" in done.out
    assert "events could not be written" in done.err


@pytest.mark.parametrize("argument", [["--start", "soon"], ["--every", "0"], ["--fps", "-1"]])
def test_arguments_are_checked(kplate: Run, argument: list[str]) -> None:
    assert kplate("watch", "x.mp4", *argument).status == 2


def test_an_interrupted_file_says_so_and_keeps_what_was_told(passing_cars: Path, tmp_path: Path) -> None:
    store = tmp_path / "events.jsonl"
    process = subprocess.Popen(
        command(
            "watch",
            passing_cars / "frames",
            "--fps",
            20,
            "--json",
            "--to",
            store,
            "--out",
            tmp_path / "o.mp4",
        ),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    rest, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    lines = [line for line in (first + rest).splitlines() if line]
    assert [json.loads(line)["id"] for line in store.read_text(encoding="utf-8").splitlines()] == [
        json.loads(line)["id"] for line in lines
    ]


def test_memory_stays_flat(passing_cars: Path, tmp_path: Path) -> None:
    """The clip six times over; longer runs are in docs/watch.md."""
    frames = sorted((passing_cars / "frames").iterdir())
    for number in range(6):
        for index, file in enumerate(frames[::2]):
            (tmp_path / f"{number:02d}{index:03d}.jpg").symlink_to(file)
    script = (
        "import sys, resource\n"
        "from kplate.cli import main\n"
        "main(['watch', sys.argv[1], '--fps', '10', '--status', sys.argv[2]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(tmp_path / "s.json")],
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    sizes = []
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        found = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")]
        sizes += found
        time.sleep(0.25)
    assert process.returncode == 0
    settled = sizes[len(sizes) // 3 :]
    assert max(settled) - min(settled) < 40
