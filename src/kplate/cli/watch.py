"""``kplate watch``: a video, a folder of frames or a camera in, events out."""

import argparse
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kplate.cli.common import FAILED, Screen, add_scene_arguments, positive, write_json_line
from kplate.cli.event_sinks import add_sink_arguments, moment, open_sinks_of, privacy_of
from kplate.cli.networks import open_recognizer
from kplate.errors import KplateError, OutputError

if TYPE_CHECKING:
    from kplate.bays import BayMonitor
    from kplate.cli.bay_state import BayMemory
    from kplate.events import Event
    from kplate.images import Image
    from kplate.live.model import FrameResult, Sighting, Source, SourceState
    from kplate.sinks import Privacy, Sinks

#: More threads than this bring nothing: one thread decodes for them.
_MOST_WORKERS: Final = 8
_CAMERA_RATE: Final = 25.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="a video, a folder of frames, an address such as rtsp://host/stream, or the number of a camera "
        "of this machine; with --bays, the file may name it",
    )
    parser.add_argument("--json", action="store_true", help="print events as JSON Lines")
    parser.add_argument("--name", metavar="NAME", help="what events call the source (default: its address)")
    parser.add_argument("--bays", metavar="FILE", help="tell what happens in the parking bays of this file")
    parser.add_argument("--camera", metavar="NAME", help="camera of that file, where it has several")
    parser.add_argument(
        "--state", metavar="FILE",
        help="with --bays: remember here what stands in the bays, to go on from it after a new start "
        "(default: for cameras, beside the file of bays; for videos, nowhere)",
    )  # fmt: skip
    parser.add_argument(
        "--sightings", action="store_true", help="with --bays: tell of all cars, also of those that only pass"
    )
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="read every Nth frame only")
    parser.add_argument("--out", metavar="VIDEO", help="write an annotated video: .mp4, .mov, .mkv or .avi")
    parser.add_argument("--show", action="store_true", help="show the annotated video in a window")
    parser.add_argument("--status", metavar="FILE", help="keep a JSON file that says how the source does")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--start", type=_seconds, default=0.0, metavar="T", help="begin at 90, 1:30 or 0:01:30"
    )
    files.add_argument("--end", type=_seconds, metavar="T", help="stop before this time")
    files.add_argument("--fps", type=_rate, metavar="R", help="frames a second of a folder (default: 25)")
    files.add_argument(
        "--clock", type=moment, metavar="TIME",
        help="when the first frame was taken (default: from the file's modification time)",
    )  # fmt: skip
    live = parser.add_argument_group("cameras")
    live.add_argument(
        "--wait", action="store_true", help="keep trying where the camera cannot be reached at first"
    )
    parser.add_argument(
        "--gap", type=_seconds, default=20.0, metavar="S",
        help="a car that was not seen for so many seconds has left (default: 20)",
    )  # fmt: skip
    add_sink_arguments(parser)
    add_scene_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Watch until the source ends, or until Ctrl-C."""
    import cv2

    from kplate.live.sources import open_source

    cv2.setNumThreads(1)  # frames are spread over the cores, not the pixels of one
    screen = Screen(json=args.json)
    with ExitStack() as stack:
        monitor, address = _bays(args)
        source = stack.enter_context(
            open_source(
                address,
                start=args.start,
                end=args.end,
                every=args.every,
                rate=args.fps or _CAMERA_RATE,
                clock=args.clock,
                wait=args.wait,
            )
        )
        if monitor is not None:
            monitor.source = args.name or monitor.source
        watch = Watch(args, screen, source, monitor, stack)
        return watch.run()


class Watch:
    """One run of the command."""

    def __init__(
        self,
        args: argparse.Namespace,
        screen: Screen,
        source: "Source",
        monitor: "BayMonitor | None",
        stack: ExitStack,
    ) -> None:
        """Open everything that frames and events go to.

        Raises:
            KplateError: Something cannot be opened or written.
        """
        from kplate.live.annotate import Annotator
        from kplate.live.status import StatusKeeper
        from kplate.live.video_writer import VideoWriter
        from kplate.live.watcher import Watcher
        from kplate.live.window import Window

        self._screen, self._source, self._monitor = screen, source, monitor
        self._json, self._name = args.json, args.name or source.name
        self._sightings = monitor is None or args.sightings
        self._lock, self._status = threading.Lock(), 0
        self._counts = {"read": 0, "sightings": 0, "events": 0, "cars": 0}
        self._workers = 1
        if not source.live:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            self._workers = min(args.threads or cores, _MOST_WORKERS)
            args.threads = 1
        if args.out and args.hash_plates:
            raise KplateError("--out shows plates, which --hash-plates is to hide: leave one of them out")
        self._log = _logger(screen, stack)
        self._keeper = StatusKeeper(
            source,
            file=None if args.status is None else Path(args.status),
            counts=lambda: dict(self._counts),
            on_change=self._changed,
            log=self._log,
        )
        self._window = Window(f"kplate {source.name}") if args.show else None
        rate = _CAMERA_RATE if source.live else getattr(source, "rate", _CAMERA_RATE) / args.every
        self._video = stack.enter_context(VideoWriter(args.out, rate)) if args.out else None
        self._annotate = Annotator()
        self._recognise = open_recognizer(args)
        if monitor is not None:
            # Parked vehicles are looked at closer: their permits are lost in the whole picture.
            monitor.look = self._recognise
        self._watcher = Watcher(gap=args.gap)
        self._privacy = privacy_of(args)
        self._memory = _memory(args, source, monitor, self._privacy, self._log)
        self._sinks: Sinks | None = None
        if args.to:
            self._sinks = stack.enter_context(open_sinks_of(args, self._log))

    def run(self) -> int:
        """Watch to the end; Ctrl-C and SIGTERM end a camera's run in good order."""
        from kplate.live.pipeline import recognised

        frames = recognised(self._source, self._recognise, workers=self._workers)
        with _term_as_interrupt(), self._keeper, self._progress() as advance:
            if self._memory is not None:
                for event in self._memory.resume():
                    self._tell(event, {}, 0.0)
            try:
                for frame, recognition in frames:
                    if not self._take(self._watcher.update(frame, recognition)):
                        break
                    advance("")
            except KeyboardInterrupt:
                if not self._source.live:
                    raise
            finally:
                frames.close()
                self._source.close()
                if self._memory is not None:
                    self._memory.close()
                settled, _ = self._watcher.finish()
                for sighting in settled:
                    self._tell_sighting(sighting)
        if self._sinks is not None:
            self._sinks.close()
            if self._sinks.lost:
                self._status = FAILED
        return self._status

    def _progress(self) -> contextlib.AbstractContextManager[Callable[[str], None]]:
        if self._source.total is None:
            return contextlib.nullcontext(lambda _: None)
        return self._screen.progress(self._source.total, "frames")

    def _take(self, result: "FrameResult") -> bool:
        """Tell and draw what a frame has brought; return whether to go on."""
        self._counts["read"] += 1
        self._counts["cars"] = sum(vehicle.seen for vehicle in result.vehicles)
        for sighting in result.settled:
            self._tell_sighting(sighting)
        if self._monitor is not None:
            events = self._monitor.update(result)
            if self._memory is not None:
                self._memory.before(events)
            for event in events:
                self._tell(event, self._monitor.pictures(event), result.frame.time)
            if self._memory is not None:
                self._memory.after(events)
        if self._video is None and self._window is None:
            return True
        image = self._annotate(result, self._ground(result))
        if self._video is not None:
            try:
                if self._source.live:
                    self._video.write_at(image, result.frame.time)
                else:
                    self._video.write(image)
            except OutputError as error:  # a full disk does not make the events wrong
                self._screen.complain(f"{error}; watching goes on without the video")
                self._video.abandon()
                self._video, self._status = None, FAILED
        return self._window is None or self._window.show(image)

    def _ground(self, result: "FrameResult") -> "Image | None":
        """Draw the bays, if there are any."""
        if self._monitor is None:
            return None
        from kplate.bays.drawing import draw_bays

        return draw_bays(result.frame.image, self._monitor.states())

    def _tell_sighting(self, sighting: "Sighting") -> None:
        from kplate.live.telling import sighting_event, sighting_pictures

        self._counts["sightings"] += 1
        if not self._sightings:
            return
        event = sighting_event(sighting, self._name, repeatable=not self._source.live)
        self._tell(event, sighting_pictures(sighting), sighting.best.time)

    def _changed(self, state: "SourceState") -> None:
        """Tell that a camera was connected or lost; comes from another thread."""
        from kplate.live.telling import state_event

        with contextlib.suppress(OSError):  # nobody may listen any more; the main thread will find out
            self._tell(state_event(state, self._name), {}, None)

    def _tell(self, event: "Event", pictures: "Mapping[str, Image]", time: float | None) -> None:
        from kplate.live.telling import line_of

        with self._lock:
            self._counts["events"] += 1
            if self._sinks is not None:  # first: what is told must not be lost
                self._sinks.write(event, pictures)
            told = self._privacy.event(event)
            if self._json:
                write_json_line(told.to_json())
            elif time is not None:  # what befalls a camera is in the log already
                when = f"{event.time.astimezone():%H:%M:%S}" if self._source.live else _clock(time)
                self._show(line_of(told, when))

    def _show(self, line: str) -> None:
        if self._screen.shows_table:
            from rich.text import Text

            self._screen.out.print(Text(line), soft_wrap=True)
        else:
            print(line, flush=True)


def _bays(args: argparse.Namespace) -> "tuple[BayMonitor | None, str]":
    """Open the file of bays, if one is named, and say which source is meant.

    Raises:
        KplateError: The file cannot be used, or nobody names a source.
    """
    monitor, source = None, args.source
    if args.bays is not None:
        from kplate.bays import BayMonitor, load_bays

        monitor = BayMonitor(load_bays(args.bays), args.camera)
        source = source or monitor.camera.source
    if not source:
        raise KplateError(
            "name what to watch: a video, a folder of frames, rtsp://host/stream or a camera's number"
        )
    return monitor, source


def _memory(
    args: argparse.Namespace,
    source: "Source",
    monitor: "BayMonitor | None",
    privacy: "Privacy",
    log: Callable[[str], None],
) -> "BayMemory | None":
    """Return what remembers the bays from one run to the next; None where nothing is to."""
    from kplate.cli.bay_state import BayMemory, state_file

    if monitor is None:
        if args.state is not None:
            raise KplateError("--state needs --bays: it remembers what stands in them")
        return None
    file = args.state or (state_file(args.bays, monitor.camera.name, "watch") if source.live else None)
    return None if file is None else BayMemory(file, monitor, privacy, log)


class _ToScreen(logging.Handler):
    """Shows what the log of the live room says, with the time."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.INFO)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.complain(f"{datetime.now():%Y-%m-%d %H:%M:%S} {record.getMessage()}")


def _logger(screen: Screen, stack: ExitStack) -> Callable[[str], None]:
    """Send the log of watching to standard error for as long as the command runs."""
    logger = logging.getLogger("kplate.live")
    handler = _ToScreen(screen)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    stack.callback(logger.removeHandler, handler)
    return logger.warning


@contextlib.contextmanager
def _term_as_interrupt() -> Iterator[None]:
    """End on SIGTERM, as a service manager sends it, in the same good order as on Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _clock(seconds: float) -> str:
    """Return a time within a video, such as 0:01:30.25."""
    whole = timedelta(seconds=int(seconds))
    return f"{whole}.{int(seconds * 100) % 100:02d}"


def _seconds(text: str) -> float:
    """Read a time within a video: ``90``, ``1:30``, ``0:01:30.5``."""
    value = 0.0
    try:
        for part in text.split(":"):
            value = value * 60 + float(part)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90, 1:30 or 0:01:30")
    return value


def _rate(text: str) -> float:
    value = _seconds(text) if ":" not in text else 0.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames a second")
    return value
