"""Bays over a kill -9, and bays in single pictures: the real commands on stub networks and a real broker."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sinks.conftest import Broker, Subscriber, broker, subscriber, wait_until  # noqa: F401

from kplate.events import Event
from kplate.sinks.query import find

from .conftest import CELL, COLOURS, TEXT, Result, command, environment

Run = Callable[..., Result]
BAYS = """
[[camera]]
name = "north"
SOURCE
[[camera.bay]]
name = "A1"
limit = "1 h"
polygon = [[0.2, 0.5], [0.55, 0.5], [0.55, 0.75], [0.2, 0.75]]
"""


def paint(path: Path, *, taken: bool) -> Path:
    """Write a picture of a lit floor, with a car and its plate in the bay or without."""
    image = np.full((416, 416, 3), 120, np.uint8)
    cv2.circle(image, (130, 260), 40, (90, 90, 90), 3)
    if taken:
        for what, column in (("car", 4), ("plate", 5)):
            cell = np.s_[8 * CELL : 9 * CELL, column * CELL : (column + 1) * CELL]
            image[cell] = COLOURS[what]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def film(folder: Path, *parts: tuple[bool, int]) -> None:
    """Fill a folder with frames: whether the bay is taken, and for how many."""
    number = 0
    for taken, count in parts:
        first = paint(folder / f"{number:05d}.png", taken=taken)
        for other in range(number + 1, number + count):
            (folder / f"{other:05d}.png").hardlink_to(first)
        number += count


def stored(file: Path) -> list[Event]:
    return sorted(find(file), key=lambda event: event.time)


def test_a_killed_watch_goes_on(stub_weights: Path, tmp_path: Path, kplate: Run) -> None:
    (tmp_path / "bays.toml").write_text(BAYS.replace("SOURCE", ""), encoding="utf-8")
    film(tmp_path / "first", (False, 15), (True, 1000))
    film(tmp_path / "second", (True, 30), (False, 15))
    options = ("--bays", "bays.toml", "--state", "bays.state", "--fps", "5", "--to", "events.db")
    options = (*options, "--json", "--weights", str(stub_weights), "--name", "north")
    process = subprocess.Popen(
        command("watch", "first", *options, "--clock", "2026-03-01T08:00"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    told = [json.loads(process.stdout.readline())["type"] for _ in range(2)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert told == ["arrived", "parked"]
    done = kplate("watch", "second", *options, "--clock", "2026-03-01T10:00")
    assert done.status == 0, done.err
    events = stored(tmp_path / "events.db")
    assert [str(event.type) for event in events] == ["arrived", "parked", "review", "left"]
    arrived, _, review, left = events
    assert [reason.code for reason in review.reasons] == ["over-time"]
    assert 7100 < review.details["counted_s"] < 7210
    assert left.related == review.related == arrived.id
    assert left.stay is not None
    assert arrived.stay is not None
    assert left.stay.first == arrived.stay.first


def test_a_state_that_cannot_be_used_is_told_once(stub_weights: Path, tmp_path: Path, kplate: Run) -> None:
    (tmp_path / "bays.toml").write_text(BAYS.replace("SOURCE", ""), encoding="utf-8")
    (tmp_path / "bays.state").write_text("hello", encoding="utf-8")
    film(tmp_path / "first", (True, 12))
    options = ("--bays", "bays.toml", "--fps", "5", "--weights", stub_weights)
    done = kplate("watch", "first", *options, "--state", "bays.state")
    assert done.status == 0
    assert done.err.count("bays.state") == 1
    assert "it is no state of bays" in done.err
    assert "parked" in done.out
    assert (tmp_path / "bays.state").stat().st_size > 1000  # and it is written anew
    done = kplate("watch", "first", *options, "--state", "none/bays.state")
    assert done.status == 0
    assert done.err.count("none/bays.state") == 1
    done = kplate("watch", "first", "--state", "bays.state", "--weights", stub_weights)
    assert (done.status, "--state needs --bays" in done.err) == (1, True)


def test_bays_in_single_pictures(
    broker: Broker,  # noqa: F811
    subscriber: Subscriber,  # noqa: F811
    stub_weights: Path,
    tmp_path: Path,
) -> None:
    text = BAYS.replace("SOURCE", 'source = "frames"')
    (tmp_path / "bays.toml").write_text(text, encoding="utf-8")
    picture = tmp_path / "frames" / "0.png"
    clock = [int(time.time()) - 10_000]

    def show(*, taken: bool) -> None:
        """Let the camera show another picture, 180 seconds later."""
        clock[0] += 180
        part = paint(tmp_path / "new.png", taken=taken)
        os.utime(part, (clock[0], clock[0]))
        picture.parent.mkdir(exist_ok=True)
        part.replace(picture)

    def told() -> list[str]:
        bodies = [json.loads(body) for topic, body in subscriber.messages if "/events/" in topic]
        # What was delivered a moment before the process was killed may come again, under its identifier.
        types = {body["id"]: body["type"] for body in bodies}
        return [kind for kind in types.values() if kind != "reading"]

    def listen() -> subprocess.Popen[bytes]:
        url = f"mqtt://127.0.0.1:{broker.port}/kplate"
        targets = ("--to", "events.db", "--to", broker.url, "--to", "pictures/")
        return subprocess.Popen(
            command("listen", "--bays", "bays.toml", "--mqtt", url, "--snapshot-every", "1", *targets,
                    "--weights", stub_weights),
            cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    show(taken=False)
    process = listen()
    try:
        assert wait_until(lambda: (tmp_path / "bays.north.listen.state").exists(), 60)
        show(taken=True)
        assert wait_until(lambda: told() == ["arrived", "parked"])
        process.kill()
        process.communicate()
        process = listen()  # killed, and begun again
        assert wait_until(lambda: _asked(subscriber), 60)
        show(taken=True)
        time.sleep(1.5)
        assert told() == ["arrived", "parked"]
        for _ in range(20):
            clock[0] += 180
        show(taken=True)
        assert wait_until(lambda: told() == ["arrived", "parked", "review"])
        show(taken=False)
        assert wait_until(lambda: told() == ["arrived", "parked", "review", "left"])
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.decode()) == (0, "")
    events = [event for event in stored(tmp_path / "events.db") if event.type != "reading"]
    assert [str(event.type) for event in events] == ["arrived", "parked", "review", "left"]
    assert events[0].plate is not None
    assert events[0].plate.text == TEXT
    assert {event.source for event in events} == {"north"}
    assert events[2].stay is not None
    assert events[2].stay.seconds > 3600
    keys = [shown.key for event in events for shown in event.pictures]
    assert keys
    assert all(key is not None and (tmp_path / "pictures" / key).is_file() for key in keys)


def _asked(subscriber: Subscriber) -> bool:  # noqa: F811
    """Ask for a bay of the file until there is an answer."""
    subscriber.publish("A1-In")
    return wait_until(lambda: any(topic == "A1-Out" for topic, _ in subscriber.messages), 1)


@pytest.mark.parametrize(
    ("text", "more", "word"),
    [
        ("SOURCE", (), "names no source for the camera 'north': give --camera north=…"),
        ("SOURCE [", (), "bays.toml, line"),
        ("SOURCE", ("--camera", "south=b"), "give --camera north=…"),
    ],
)
def test_bays_without_cameras(
    text: str, more: tuple[str, ...], word: str, tmp_path: Path, kplate: Run, stub_weights: Path
) -> None:
    source = text.replace("SOURCE", "")
    (tmp_path / "bays.toml").write_text(BAYS.replace("SOURCE", source), encoding="utf-8")
    arguments = ("--bays", "bays.toml", "--snapshot-every", "180", *more, "--weights", stub_weights)
    done = kplate("listen", *arguments)
    assert done.status == 1
    assert word in done.err
