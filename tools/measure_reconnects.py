"""Kills and restarts an RTSP server under ``kplate watch``; tells how long recovery took and what memory did.

Needs GStreamer's RTSP server, see tests/rtsp_server.py. Every fourth time the server is not killed but stops,
so that the connection stays open and nothing comes: a camera that hangs.

    python tools/measure_reconnects.py FOLDER_OF_JPEG_FRAMES --times 20
    python tools/measure_reconnects.py FOLDER_OF_JPEG_FRAMES --times 0 --minutes 60   # the memory alone
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SERVER = Path(__file__).parents[1] / "tests" / "rtsp_server.py"


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames", help="folder of 00000.jpg, 00001.jpg, …")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=0, help="then watch the memory for so long")
    parser.add_argument("--port", type=int, default=8560)
    args = parser.parse_args()
    server = start_server(args.frames, args.port)
    with tempfile.TemporaryDirectory() as folder:
        status = Path(folder, "status.json")
        command = [sys.executable, "-m", "kplate", "watch", f"rtsp://127.0.0.1:{args.port}/stream"]
        # Cars come by again with every round of the frames: each time they have left.
        command += ["--status", str(status), "--gap", "1", "--to", str(Path(folder, "store.db"))]
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            recovered(status, 0)
            time.sleep(10)
            chance = random.Random(1)
            for number in range(args.times):
                hang = number % 4 == 3
                os.kill(server.pid, signal.SIGSTOP if hang else signal.SIGKILL)
                noticed = time.monotonic()
                wait_until(status, lambda values: not values["connected"])
                noticed = time.monotonic() - noticed
                time.sleep(chance.uniform(0, 12))
                server.kill()
                server.wait()
                before = read(status)["frames"]
                server = start_server(args.frames, args.port)
                began = time.monotonic()
                recovered(status, before)
                took = time.monotonic() - began
                print(
                    f"{number + 1:2d} {'hang' if hang else 'kill'}: noticed after {noticed:.1f} s, "
                    f"frames again after {took:.1f} s, {memory(watcher.pid):.0f} MB",
                    flush=True,
                )
                time.sleep(5)
            watch_memory(watcher.pid, args.minutes)
            values = read(status)
            print(f"{values['frames']} frames, {values['read']} read; {values['sightings']} cars told")
        finally:
            server.kill()
            watcher.terminate()
            watcher.wait()


def start_server(frames: str, port: int) -> subprocess.Popen[str]:
    """Start the server and wait until it listens."""
    command = ["/usr/bin/python3", str(SERVER), frames, str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    server.stdout.readline()
    return server


def read(status: Path) -> dict[str, object]:
    """Read the status file; before there is one, nothing is connected."""
    text = status.read_text(encoding="utf-8") if status.exists() else ""
    return json.loads(text) if text else {"connected": False, "frames": 0}


def wait_until(status: Path, good: object) -> None:
    """Wait at most a minute until the status is as wanted."""
    end = time.monotonic() + 60
    while not good(read(status)):  # type: ignore[operator]
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain: {read(status)}")
        time.sleep(0.2)


def recovered(status: Path, before: object) -> None:
    """Wait until new frames have come."""
    wait_until(status, lambda values: values["connected"] and values["frames"] > before)


def watch_memory(process: int, minutes: float) -> None:
    """Tell how much memory the process takes, twice a minute, from the second minute on."""
    end = time.monotonic() + 60 * minutes
    taken: list[float] = []
    time.sleep(min(60, 60 * minutes))
    while time.monotonic() < end:
        taken.append(memory(process))
        time.sleep(30)
    if taken:
        quarter = max(1, len(taken) // 4)
        medians = [statistics.median(part) for part in (taken, taken[:quarter], taken[-quarter:])]
        all_of_it, first, last = (f"{median:.0f} MB" for median in medians)
        print(f"{minutes:g} minutes: {min(taken):.0f} to {max(taken):.0f} MB, median {all_of_it}", end="")
        print(f"; in the first quarter {first}, in the last {last}")


def memory(process: int) -> float:
    """Return the resident memory of a process in MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
