"""`kplate listen`: the real command, a real broker, a folder of frames for a camera."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sinks.conftest import Broker, Subscriber, broker, subscriber, wait_until  # noqa: F401

from kplate.sinks.query import find

from .conftest import TEXT, Result, command, environment, paint

Run = Callable[..., Result]


def test_a_message_is_answered_and_stored(
    broker: Broker,  # noqa: F811
    subscriber: Subscriber,  # noqa: F811
    stub_weights: Path,
    tmp_path: Path,
) -> None:
    paint(tmp_path / "frames" / "0.png", [("plate", 4, 8)])
    url = f"mqtt://127.0.0.1:{broker.port}/kplate"
    cameras = ("--camera", "B1=frames", "--bay", "B1-A1=B1", "--mqtt", url)
    targets = ("--to", "events.db", "--to", "pictures/", "--to", broker.url)
    process = subprocess.Popen(
        command("listen", *cameras, *targets, "--json", "--weights", stub_weights),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        topic = "kplate/status/"
        assert wait_until(
            lambda: any(name.startswith(topic) and body == b"online" for name, body in subscriber.messages),
            60,
        )
        assert wait_until(lambda: _asked(subscriber), 30)
        assert wait_until(lambda: len(subscriber.ids()) >= 1)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err.decode()) == (0, "")
    printed = [json.loads(line) for line in out.decode().splitlines()]
    stored = [event.to_dict() for event in find(tmp_path / "events.db")]
    assert [event["id"] for event in printed] == [event["id"] for event in stored]
    first = stored[0]
    assert first["plate"]["text"] == TEXT
    assert (first["source"], first["bay"]["id"]) == ("B1", "B1-A1")
    keys = [picture["key"] for picture in first["pictures"]]
    assert [key.rpartition("-")[2] for key in keys] == ["frame.jpg", "plate.jpg"]
    assert all((tmp_path / "pictures" / key).is_file() for key in keys)


def _asked(subscriber: Subscriber) -> bool:  # noqa: F811
    """Ask until there is an answer: the command subscribes a moment after it is online."""
    subscriber.publish("B1-A1-In")
    return wait_until(lambda: any(topic == "B1-A1-Out" for topic, _ in subscriber.messages), 1)


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--camera", "a=b"), 1, "nothing to do"),
        (("--camera", "a"), 2, "NAME=VALUE"),
        (("--camera", "a=b", "--snapshot-every", "0"), 2, "at least one second"),
        (("--camera", "a=b", "--bay", "x=c", "--snapshot-every", "180"), 1, "names the camera 'c'"),
        (("--camera", "a=b", "--mqtt", "http://x"), 1, "not an address of a broker"),
        ((), 1, "--camera"),
        (("--bays", "none.toml", "--mqtt", "mqtt://x"), 1, "none.toml"),
    ],
)
def test_bad_input(
    arguments: tuple[str, ...], status: int, word: str, kplate: Run, stub_weights: Path
) -> None:
    done = kplate("listen", *arguments, "--weights", stub_weights)
    assert done.status == status
    assert word in done.err
