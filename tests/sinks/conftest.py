"""Real counterparts for the sinks: an MQTT broker, a web receiver, an S3-compatible server."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kplate.events import Event, EventPlate, EventType, new_id

START = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


def event(number: int = 0, text: str = "52주3108", **more: Any) -> Event:
    """Return an event that is the same for the same number."""
    time = START + timedelta(milliseconds=100 * number)
    values: dict[str, Any] = {"id": new_id(time, str(number)), "plate": EventPlate(text), **more}
    return Event(time, "gate", EventType.SIGHTING, **values)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """A Mosquitto on a free port of this machine."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        # Persistence keeps a subscriber's messages while the broker is stopped.
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        if os.geteuid() == 0:
            lines.append("user root")  # or it becomes a user that may not read the test's files
        lines += settings
        if not any(line.startswith("allow_anonymous") for line in settings):
            lines.append("allow_anonymous true")
        self.config.write_text("\n".join(lines) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}/test"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [mosquitto(), "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert wait_until(lambda: listens(self.port)), "Mosquitto does not start"

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


def mosquitto() -> str:
    found = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker."""
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'kplate[mqtt]'")
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Broker(folder)
    made.start()
    yield made
    made.stop()


class Subscriber:
    """Remembers every message of a broker, in order."""

    def __init__(self, port: int, topic: str = "#") -> None:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: list[tuple[str, bytes]] = []
        self.ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        self._client.on_connect = lambda *_: self._client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_message = lambda _, __, message: self.messages.append(
            (message.topic, message.payload)
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(10)

    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for topic, body in self.messages if "/events/" in topic]

    def publish(self, topic: str, body: bytes = b"", **more: Any) -> None:
        self._client.publish(topic, body, qos=1, **more)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def subscriber(broker: Broker) -> Iterator[Subscriber]:
    """Somebody who listens to everything at the broker."""
    made = Subscriber(broker.port)
    yield made
    made.close()


class Receiver:
    """A web server that remembers what was posted to it, and answers as it is told."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        #: Status and headers of the next answers; 200 when none are left.
        self.answers: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                status, more = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket named ``pictures`` of an S3-compatible server, as a client with its ``endpoint``."""
    for module, extra in (("obstore", "objects"), ("moto.server", "dev"), ("boto3", "dev")):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'kplate[{extra}]'")
    import boto3

    port = free_port()
    log = (tmp_path / "moto.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
    )
    for name, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "topsecret"}.items():
        monkeypatch.setenv(name, value)
    try:
        assert wait_until(lambda: listens(port), 60), "the S3 server does not start"
        endpoint = f"http://127.0.0.1:{port}"
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="pictures")
        client.endpoint = endpoint
        yield client
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        log.close()


class Log(list[str]):
    """What was logged."""

    def __call__(self, message: str) -> None:
        self.append(message)

    def has(self, word: str) -> bool:
        return any(word in message for message in self)


@pytest.fixture
def log() -> Log:
    """An empty log."""
    return Log()
