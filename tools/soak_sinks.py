#!/usr/bin/env python3
"""Kill a process that writes events, again and again, while its broker is away; count what is lost.

A writer process writes events at a steady rate to an SQLite store and to a Mosquitto on this machine. It is
killed (SIGKILL) at random moments and started anew at once; the broker is stopped for a part of the time. In
the end the broker is there, everything that waits is delivered, and three lists are compared: the events that
the writer was told are written, those of the store, and those that a subscriber received.

    python tools/soak_sinks.py --minutes-away 5 --kills 50

Prints one line of JSON; the exit status is 0 where nothing was lost, doubled or out of order. What the broker
got twice (an acknowledgement that a killed process could not note) is told apart: receivers know it by its
identifier.
Needs mosquitto (apt-get install mosquitto) and paho-mqtt.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import IO


def main() -> int:
    """Run the soak, or the writer that it kills."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes-away", type=float, default=5.0, help="how long the broker is away")
    parser.add_argument("--kills", type=int, default=50, help="how often the writer is killed")
    parser.add_argument("--rate", type=float, default=10.0, help="events a second")
    parser.add_argument(
        "--around", type=float, default=30.0, help="seconds before and after the broker is away"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", nargs=2, metavar=("STORE", "BROKER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write:
        write(*args.write, rate=args.rate)
        return 0
    with tempfile.TemporaryDirectory(prefix="kplate-soak-") as folder:
        figures = Soak(Path(folder), args).run()
    print(json.dumps(figures))
    return (
        0
        if not any(figures[name] for name in ("lost_store", "lost_mqtt", "doubled_store", "out_of_order"))
        else 1
    )


def write(store: str, broker: str, rate: float) -> None:
    """Write events for ever; say the identifier of each as soon as it is written."""
    from kplate.events import Event, EventPlate, EventType
    from kplate.sinks import open_sinks

    sinks = open_sinks([store, broker], log=lambda message: print(message, file=sys.stderr, flush=True))
    due = time.monotonic()
    while True:
        event = Event(datetime.now(UTC), "gate", EventType.SIGHTING, plate=EventPlate("52주3108", score=0.97))
        sinks.write(event)
        os.write(1, f"{event.id}\n".encode())
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))


class Soak:
    """One run."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self.args = args
        self.random = random.Random(args.seed)
        self.store = folder / "events.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence true"]
        lines += [f"persistence_location {folder}/", "max_queued_messages 0"]
        lines += ["user root"] if os.geteuid() == 0 else []
        self.config.write_text("\n".join(lines) + "\n")
        self.broker: subprocess.Popen[bytes] | None = None
        self.written: list[str] = []
        self.received: list[str] = []
        self.subscribed = threading.Event()

    def run(self) -> dict[str, float]:
        """Run it and return what was counted."""
        self._start_broker()
        subscriber = self._subscribe()
        away = self.args.minutes_away * 60
        total = away + 2 * self.args.around
        kills = sorted(self.random.uniform(0, total) for _ in range(self.args.kills))
        began = time.monotonic()
        writer = self._start_writer()
        plan = [(moment, "kill") for moment in kills]
        plan += [(self.args.around, "stop"), (self.args.around + away, "start")]
        for moment, what in sorted(plan):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            if what == "kill":
                self._kill(writer)
                writer = self._start_writer()
            elif what == "stop":
                self._stop_broker()
            else:
                self._start_broker()
        time.sleep(max(0.0, began + total - time.monotonic()))
        self._kill(writer)
        self._drain()
        subscriber.disconnect()  # type: ignore[attr-defined]
        subscriber.loop_stop()  # type: ignore[attr-defined]
        self._stop_broker()
        return self._figures(total)

    def _start_writer(self) -> "Writer":
        return Writer(self.store, f"mqtt://127.0.0.1:{self.port}/soak", self.args.rate, self.written)

    def _kill(self, writer: "Writer") -> None:
        os.kill(writer.process.pid, signal.SIGKILL)
        writer.process.wait()
        writer.thread.join()

    def _drain(self) -> None:
        """Deliver what waits, as the next run would, and wait until the subscriber has it."""
        from kplate.sinks import open_sinks

        target = f"mqtt://127.0.0.1:{self.port}/soak"
        end = time.monotonic() + 120
        with open_sinks([str(self.store), target]) as sinks:
            while sinks.waiting[target] and time.monotonic() < end:
                time.sleep(0.1)
        stored = len(self._stored())
        while len(set(self.received)) < stored and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(0.5)

    def _stored(self) -> list[str]:
        with sqlite3.connect(self.store) as database:
            return [row[0] for row in database.execute("SELECT id FROM events ORDER BY seq")]

    def _figures(self, seconds: float) -> dict[str, float]:
        stored = self._stored()
        counts = Counter(self.received)
        first_seen = list(dict.fromkeys(self.received))
        return {
            "seconds": round(seconds),
            "kills": self.args.kills,
            "written": len(self.written),
            "stored": len(stored),
            "received": len(first_seen),
            "lost_store": len(set(self.written) - set(stored)),
            "doubled_store": len(stored) - len(set(stored)),
            "lost_mqtt": len(set(stored) - set(first_seen)),
            "repeated_on_the_wire": sum(counts.values()) - len(counts),
            "farthest_repeat": self._farthest_repeat(),
            "out_of_order": int([item for item in stored if item in counts] != first_seen),
        }

    def _farthest_repeat(self) -> int:
        """Return how many messages at most a subscriber must remember to know each repeat."""
        last: dict[str, int] = {}
        farthest = 0
        for place, event in enumerate(self.received):
            farthest = max(farthest, place - last.get(event, place))
            last[event] = place
        return farthest

    def _start_broker(self) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            sys.exit("mosquitto is not installed: apt-get install mosquitto")
        quiet = subprocess.DEVNULL
        self.broker = subprocess.Popen([program, "-c", str(self.config)], stdout=quiet, stderr=quiet)

    def _stop_broker(self) -> None:
        if self.broker is not None:
            self.broker.terminate()
            self.broker.wait()
            self.broker = None

    def _subscribe(self) -> object:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak", clean_session=False)
        client.on_connect = lambda *_: client.subscribe("soak/events/#", qos=1)
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_message = lambda _, __, message: self.received.append(json.loads(message.payload)["id"])
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", self.port)
        client.loop_start()
        if not self.subscribed.wait(15):
            sys.exit("the broker does not answer")
        return client


class Writer:
    """A writer process, and a thread that collects what it says."""

    def __init__(self, store: Path, broker: str, rate: float, written: list[str]) -> None:
        command = [sys.executable, __file__, "--rate", str(rate), "--write", str(store), broker]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout is not None
        self.thread = threading.Thread(target=self._collect, args=(self.process.stdout, written))
        self.thread.start()

    @staticmethod
    def _collect(lines: IO[bytes], written: list[str]) -> None:
        written.extend(line.decode().strip() for line in lines if line.endswith(b"\n"))


if __name__ == "__main__":
    sys.exit(main())
