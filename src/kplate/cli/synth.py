"""``kplate synth``: render labelled plates or whole scenes."""

import argparse
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from kplate.cli import synth_pictures
from kplate.cli.common import Screen, positive, prepare_folder, seed
from kplate.errors import KplateError, OutputError
from kplate.evaluation.data import LABELS_FILE
from kplate.files import printable
from kplate.images import Image, write_image
from kplate.results import json_line
from kplate.synth.conditions import CONDITIONS, ON_PHOTOGRAPHS

#: Folder of the pictures, beside the labels.
_PICTURES: Final = "images"
#: Pictures unless the arguments say otherwise.
_COUNT: Final = 100
#: Pictures that a worker renders at a time: enough to make handing out work cheap.
_CHUNK: Final = 8
#: Chunks handed out for each worker before the oldest one's labels are waited for.
_AHEAD: Final = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "what",
        choices=("plates", "scenes", "clip"),
        help="plate crops, whole pictures of cars, or a video of passing cars",
    )
    parser.add_argument(
        "--count", type=positive, metavar="N", help="pictures (default: 100); in a clip, cars (default: 30)"
    )
    parser.add_argument(
        "--seconds", type=positive, default=60, metavar="S", help="clip: its length (default: 60)"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the pictures and labels.jsonl"
    )
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="S", help="same seed, same pictures (default: 0)"
    )
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="scenes: lay the plates over those of labelled photographs instead of drawing car parks",
    )
    parser.add_argument("--split", metavar="S", help="of the photographs only those of this split")
    parser.add_argument(
        "--condition",
        metavar="NAME",
        help="scenes: test pictures of a condition, such as night; several with commas take turns; "
        "'all' for all of them",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        metavar="N",
        help="processes to render with (default: one a core); the pictures do not depend on it",
    )


def _clip(args: argparse.Namespace, screen: Screen) -> int:
    """Render a video of passing cars.

    Raises:
        KplateError: The arguments ask for too many cars.
        OutputError: The video cannot be written.
    """
    from kplate.synth.clips import Clip, write_clip

    out = prepare_folder(args.out)
    clip = Clip(np.random.default_rng(args.seed), cars=args.count or 30, seconds=args.seconds)
    with screen.progress(clip.frames, "frames") as advance:
        write_clip(clip, out, advance)
    print(f"clip.mp4 and clip.jsonl in {printable(out)}: {len(clip.cars)} cars in {args.seconds} seconds")
    return 0


@dataclass(frozen=True, slots=True)
class Job:
    """What is rendered, and where to. Picture *i* depends on the seed and on *i* alone."""

    what: str
    out: Path
    seed: int
    photos: Path | None
    split: str | None = None
    conditions: tuple[str, ...] = ()

    def render(self, indices: range) -> list[str]:
        """Write some pictures and return the lines of their labels.

        Raises:
            ImageError: A photograph cannot be read.
            OutputError: A picture cannot be written.
        """
        lines = []
        for index in indices:
            image, label = self._draw(index, np.random.default_rng((self.seed, index)))
            name = f"{_PICTURES}/{index:06d}.jpg"
            write_image(self.out / name, image)
            height, width = image.shape[:2]
            lines.append(json_line({"file": name, "width": width, "height": height, **label}))
        return lines

    def _draw(self, index: int, rng: np.random.Generator) -> tuple[Image, synth_pictures.Label]:
        condition = self.conditions[index % len(self.conditions)] if self.conditions else None
        if self.photos:
            return synth_pictures.swapper(self.photos, self.split)(rng, condition)
        if condition is not None:
            return synth_pictures.conditional(condition, rng)
        return synth_pictures.plate(rng) if self.what == "plates" else synth_pictures.scene(rng)


def run(args: argparse.Namespace) -> int:
    """Render. A picture's label is written after the picture, so that a killed run leaves valid labels.

    Raises:
        KplateError: The arguments contradict one another, the photographs cannot be used, or a worker ended.
        OutputError: The folder cannot be written to, or has labels already.
    """
    screen = Screen()
    if args.what == "clip":
        return _clip(args, screen)
    count = args.count or _COUNT
    if args.photos and args.what == "plates":
        raise KplateError("--photos is for scenes: plates need no photographs")
    if args.split and not args.photos:
        raise KplateError("--split needs --photos: it chooses among photographs")
    conditions = _conditions(args)
    photos = Path(args.photos) if args.photos else None
    if photos:
        synth_pictures.swapper(
            photos, args.split
        )  # says what is wrong with the labels before anything is written
    out = prepare_folder(args.out)
    prepare_folder(out / _PICTURES)
    labels = out / LABELS_FILE
    if labels.exists():
        raise OutputError(f"{printable(labels)} exists already: choose another folder or remove it")
    with labels.open("x", encoding="utf-8") as file, screen.progress(count, "pictures") as advance:
        for line in _lines(
            Job(args.what, out, args.seed, photos, args.split, conditions), count, args.workers
        ):
            file.write(f"{line}\n")
            file.flush()
            advance("")
    print(f"{count} pictures and {LABELS_FILE} in {printable(out)}")
    return 0


def _conditions(args: argparse.Namespace) -> tuple[str, ...]:
    if not args.condition:
        return ()
    if args.what == "plates":
        raise KplateError("--condition is for scenes")
    known = tuple(ON_PHOTOGRAPHS if args.photos else CONDITIONS)
    names = known if args.condition == "all" else tuple(args.condition.split(","))
    for name in names:
        if name not in known:
            where = "photographs" if args.photos else "drawn scenes"
            raise KplateError(
                f"--condition: {where} have no condition {name!r}; there are: {', '.join(known)}"
            )
    return names


def _lines(job: Job, count: int, workers: int) -> Iterator[str]:
    """Yield the lines of the labels in order while the workers render ahead."""
    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    pending: deque[Future[list[str]]] = deque()
    workers = min(workers, len(chunks))
    with ProcessPoolExecutor(workers, initializer=_start_worker) as pool:
        try:
            for chunk in chunks:
                pending.append(pool.submit(job.render, chunk))
                if len(pending) > workers * _AHEAD:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BrokenProcessPool as error:
            raise KplateError(
                "a rendering process was ended from outside, perhaps for want of memory"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    """Prepare a worker: one thread, Ctrl-C left to the parent, and an end when the parent was killed."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()


def _end_with(wait_for_parent: Callable[[], None]) -> None:
    wait_for_parent()
    os._exit(1)
