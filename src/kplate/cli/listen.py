"""``kplate listen``: read one picture of a camera whenever a message asks, or every so often."""

import argparse
import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

from kplate.cli.common import add_run_arguments, complain, score, write_json_line
from kplate.cli.event_sinks import add_sink_arguments, duration, open_sinks_of, privacy_of
from kplate.cli.networks import open_recognizer
from kplate.errors import KplateError

if TYPE_CHECKING:
    from kplate.bays import Bays
    from kplate.events import Event

#: What may not be part of a topic's level.
_NO_TOPIC: Final = "+#/\0"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--camera", action="append", default=[], type=_named, metavar="NAME=ADDRESS",
        help="a camera, such as B1-A1=rtsp://host/stream; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--bays", metavar="FILE",
        help="tell what happens in the parking bays of this file, as far as single pictures show it; its "
        "cameras need no --camera where it says their source, and messages may ask for its bays",
    )  # fmt: skip
    parser.add_argument(
        "--bay", action="append", default=[], type=_named, metavar="NAME=CAMERA",
        help="a bay that one of the cameras sees; messages may ask for it as well",
    )  # fmt: skip
    parser.add_argument(
        "--mqtt", metavar="URL",
        help="listen to this broker, such as mqtt://broker/kplate: a message on NAME-In, kplate/read/NAME, "
        'or JSON {"camera": "NAME"} on kplate/read is answered on NAME-Out or kplate/answer/NAME',
    )  # fmt: skip
    parser.add_argument(
        "--snapshot-every",
        type=_seconds,
        metavar="S",
        help="read each camera every so many seconds, such as 180",
    )
    parser.add_argument(
        "--stay-connected", action="store_true",
        help="keep the cameras open: pictures come at once, and decoding goes on all the time",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print events as JSON Lines")
    parser.add_argument(
        "--min-score", type=score, metavar="S", help="trust a reading from this score on (0 to 1)"
    )
    add_sink_arguments(parser)
    add_run_arguments(parser)


def _named(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (separator and name and value) or any(character in name for character in _NO_TOPIC):
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=VALUE; the name holds none of + # /")
    return name, value


def _seconds(text: str) -> float:
    """Read an argument such as ``180``, ``180s`` or ``3m``."""
    span = duration(f"{text}s" if text.strip().replace(".", "", 1).isdecimal() else text).total_seconds()
    if span < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time of at least one second")
    return span


def run(args: argparse.Namespace) -> int:
    """Run the command until it is interrupted, and return the exit status."""
    if not args.camera and args.bays is None:
        raise KplateError("no camera to take pictures of: give --camera, or a file of bays with --bays")
    if args.mqtt is None and args.snapshot_every is None:
        raise KplateError("nothing to do: give --mqtt, --snapshot-every or both")
    bays = None if args.bays is None else _load(args.bays)
    cameras = dict(args.camera) if bays is None else _cameras(bays, dict(args.camera))
    places = ({} if bays is None else _places(bays)) | {name: name for name in cameras} | dict(args.bay)
    for bay, camera in args.bay:
        if camera not in cameras:
            raise KplateError(
                f"bay {bay} names the camera {camera!r}, but there is none: give --camera {camera}=…"
            )

    from kplate.cli.events import line_of
    from kplate.live.commands import Commands
    from kplate.live.grabbing import Grabber
    from kplate.sinks.mqtt_client import client_name

    def told(event: "Event") -> None:
        if args.json:
            write_json_line(event.to_json())
        else:
            print(line_of(event), flush=True)

    recognizer = open_recognizer(args)
    privacy = privacy_of(args)
    snapshots = None
    if bays is not None:
        from kplate.cli.bay_snapshots import BaySnapshots

        snapshots = BaySnapshots(bays, args.bays, recognizer, privacy, complain)
    with (
        open_sinks_of(args, complain) as sinks,
        Grabber(cameras, stay=args.stay_connected) as grab,
        Commands(
            places,
            grab,
            recognizer,
            sinks,
            broker=args.mqtt,
            every=args.snapshot_every,
            privacy=privacy,
            log=complain,
            told=told,
            observe=snapshots or _nothing,
            client=client_name("listen " + " ".join(places)),
        ),
    ):
        _until_stopped()
    return 0


def _nothing(*_: object) -> None:
    """Tell nothing more than what was read."""


def _load(file: str) -> "Bays":
    from kplate.bays import load_bays

    return load_bays(file)


def _cameras(bays: "Bays", given: dict[str, str]) -> dict[str, str]:
    """Return the cameras and their addresses: those that were given, and those that the file of bays knows.

    Raises:
        KplateError: Nobody says where the pictures of one of them come from.
    """
    found = dict(given)
    for camera in bays.cameras:
        if camera.name in found:
            continue
        if camera.source is None:
            raise KplateError(
                f"{bays.file} names no source for the camera {camera.name!r}: give --camera {camera.name}=…"
            )
        found[camera.name] = camera.source
    return found


def _places(bays: "Bays") -> dict[str, str]:
    """Return the camera of each bay that may be part of a topic."""
    return {
        bay.name: camera.name
        for camera in bays.cameras
        for bay in camera.bays
        if not any(character in bay.name for character in _NO_TOPIC)
    }


def _until_stopped() -> None:
    """Wait for SIGTERM, after which everything is closed in order; Ctrl-C does the same by its exception."""
    stop = threading.Event()
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.wait(0.5):
        pass
