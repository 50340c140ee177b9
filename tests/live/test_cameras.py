"""Cameras, with an RTSP server of GStreamer that is killed, hung and restarted."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kplate.live.cameras import Camera, Delay
from kplate.live.model import Connection, SourceError
from kplate.live.status import StatusKeeper

PYTHON = Path("/usr/bin/python3")
SCRIPT = Path(__file__).parents[1] / "rtsp_server.py"
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-ugly python3-gi"
)
PROBE = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "names = ('multifilesrc', 'jpegdec', 'x264enc', 'rtph264pay'); "
    "assert all(map(Gst.ElementFactory.find, names))"
)


def test_the_delay_is_that_of_frames_which_waited() -> None:
    delay = Delay()
    told = [delay(10 + n / 25, n / 25, 0.038) for n in range(50)]
    assert max(told) == pytest.approx(0, abs=1e-6)
    # The machine stood still for four seconds; then frames come as quickly as they can be decoded.
    told = [delay(16 + n / 500, (n + 50) / 25, 0.002 if n else 4.0) for n in range(120)]
    assert max(told) == pytest.approx(3.8, abs=0.1)
    assert told[-1] < 0.1
    assert told[10:] == sorted(told[10:], reverse=True)


@pytest.mark.parametrize("pace", [0.0, 0.5, 0.8, 0.9995, 1.01, 3.0])
def test_the_delay_is_none_where_a_clock_says_nothing_or_runs_wrong(pace: float) -> None:
    delay = Delay()
    assert max(delay(n / 10, pace * n / 10, 0.095) for n in range(20_000)) < 0.2


def test_a_clock_that_jumps_is_believed() -> None:
    delay = Delay()
    assert max(delay(n / 10, n / 10 - (60 if n > 50 else 0), 0.095) for n in range(150)) < 0.1


def test_frames_are_held_back_for_a_few_seconds_at_most() -> None:
    delay = Delay()
    told = [delay(n / 10, n / 20, 0.001) for n in range(200)]
    assert max(told) < 3
    assert 0 in told[60:]


class Server:
    """The server; its port stays the same over restarts."""

    def __init__(self, frames: Path, *credentials: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [str(PYTHON), str(SCRIPT), str(frames), str(self.port), *credentials]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def hang(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def frames(passing_cars: Path) -> Path:
    if not PYTHON.exists() or subprocess.run([str(PYTHON), "-c", PROBE], capture_output=True).returncode:
        pytest.skip(f"there is no RTSP server to test with: apt-get install {PACKAGES}")
    return passing_cars / "frames"


@pytest.fixture
def server(frames: Path) -> Iterator[Server]:
    running = Server(frames)
    yield running
    running.kill()


def wait(camera: Camera, *wanted: Connection, seconds: float) -> float:
    """Wait for a state and return how long it took."""
    began = time.monotonic()
    while camera.state.connection not in wanted:
        assert time.monotonic() - began < seconds, camera.state
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_camera_is_found_again_after_it_was_killed_and_after_it_hung(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kplate.live")
    times: list[float] = []
    with Camera(f"rtsp://127.0.0.1:{server.port}/stream") as camera:

        def consume() -> None:
            times.extend(frame.time for frame in camera)

        reader = threading.Thread(target=consume, daemon=True)
        reader.start()
        wait(camera, Connection.CONNECTED, seconds=15)
        time.sleep(1.5)
        assert camera.state.rate > 5
        assert camera.state.lag < 1
        for stop in (server.kill, server.hang):
            stop()
            wait(camera, Connection.STALLED, Connection.WAITING, Connection.CONNECTING, seconds=10)
            server.kill()
            before = camera.state.frames
            server.start()
            began = time.monotonic()
            while camera.state.frames <= before:
                assert time.monotonic() - began < 15
                time.sleep(0.05)
            wait(camera, Connection.CONNECTED, seconds=20)  # a server that starts may drop it once more
        assert camera.state.reconnects >= 2
    reader.join(10)
    assert not reader.is_alive()
    assert times == sorted(times)
    assert "is connected again" in caplog.text
    assert "trying again in" in caplog.text


def test_only_the_newest_frame_is_kept(server: Server) -> None:
    with Camera(f"rtsp://127.0.0.1:{server.port}/stream") as camera:
        frames = iter(camera)
        first = next(frames)
        time.sleep(1.5)
        second = next(frames)
        assert second.index - first.index > 10
        assert camera.state.dropped >= second.index - first.index - 1


def test_what_has_become_old_is_known(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds without decoding leave three seconds of frames in the network's buffers."""
    keep, busy, delays = Camera._keep, threading.Event(), [0.0]

    def slow(camera: Camera, image: Any, now: float, late: float) -> None:
        if busy.is_set():
            busy.clear()
            time.sleep(3)
        delays.append(late)
        keep(camera, image, now, late)

    monkeypatch.setattr(Camera, "_keep", slow)
    with Camera(f"rtsp://127.0.0.1:{server.port}/stream") as camera:
        frames = iter(camera)
        for _ in range(20):
            next(frames)
        before = camera.state.frames
        busy.set()
        end = time.monotonic() + 4.5
        while time.monotonic() < end:
            next(frames)
        came = camera.state.frames - before
    if came < 75:
        pytest.skip("this machine is too busy to decode faster than the frames come")
    assert max(delays) > 1
    assert delays[-1] < 1


def test_every_nth_frame_of_a_camera(server: Server) -> None:
    with Camera(f"rtsp://127.0.0.1:{server.port}/stream", every=4) as camera:
        frames = iter(camera)
        assert [next(frames).index % 4 for _ in range(5)] == [0] * 5


@pytest.mark.parametrize("way", ["basic", "digest"])
def test_credentials_open_the_camera_and_are_told_nowhere(
    way: str,
    frames: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO, "kplate.live")
    server = Server(frames, "admin", "geheim!", way)
    status = tmp_path / "status.json"
    try:
        address = f"rtsp://admin:geheim!@127.0.0.1:{server.port}/stream"
        with Camera(address) as camera, StatusKeeper(camera, file=status) as keeper:
            assert json.loads(status.read_text())["state"] == "connecting"  # it is there from the beginning
            next(iter(camera))
            assert keeper.values()["source"] == f"rtsp://127.0.0.1:{server.port}/stream"
        wrong = address.replace("geheim!", "verraten")
        with (
            pytest.raises(SourceError, match="another user name or password") as caught,
            Camera(wrong) as camera,
        ):
            next(iter(camera))
        gone = address.replace("/stream", "/nothing")
        with pytest.raises(SourceError, match="it has no such stream") as other, Camera(gone) as camera:
            next(iter(camera))
    finally:
        server.kill()
    out = capfd.readouterr()
    told = [str(caught.value), str(other.value), caplog.text, status.read_text(), out.out, out.err]
    assert not any(secret in text for text in told for secret in ("geheim", "verraten", "admin"))


def test_a_camera_that_is_not_there_can_be_waited_for(frames: Path) -> None:
    server = Server(frames)
    server.kill()
    with Camera(f"rtsp://127.0.0.1:{server.port}/stream", wait=True) as camera:
        found = threading.Event()
        threading.Thread(target=lambda: next(iter(camera)) and found.set(), daemon=True).start()
        wait(camera, Connection.WAITING, seconds=5)
        assert "connection refused" in (camera.state.problem or "")
        server.start()
        assert found.wait(15)
    server.kill()


def test_the_command_tells_cars_and_the_state_and_ends_in_good_order(frames: Path, tmp_path: Path) -> None:
    server = Server(frames, "admin", "geheim!")
    address = f"rtsp://admin:geheim!@127.0.0.1:{server.port}/stream"
    status = tmp_path / "status.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "kplate", "watch", address, "--json", "--status", status],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = []
        while not {"sighting", "state"} <= {line["type"] for line in told}:
            told.append(json.loads(process.stdout.readline()))
        server.kill()
        while told[-1]["type"] != "state" or told[-1]["state"]["state"] == "connected":
            told.append(json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        rest, log = process.communicate(timeout=20)
        server.kill()
    assert process.returncode == 0
    assert told[0]["state"]["state"] == "connected"
    assert told[-1]["state"]["state"] in ("stalled", "lost")
    assert "is connected" in log
    values = json.loads(status.read_text(encoding="utf-8"))
    assert (values["state"], values["sightings"] >= 1) == ("ended", True)
    everything = json.dumps(told) + rest + log + status.read_text(encoding="utf-8")
    assert "geheim" not in everything
    assert "admin" not in everything
