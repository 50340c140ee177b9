"""Runs recognition over a source's frames, on several cores where the order allows it."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from kplate.images import Image
from kplate.live.model import Frame, Source, SourceError
from kplate.results import Recognition

Recognise = Callable[[Image], Recognition]
#: Frames that wait for a worker, beyond those that are worked on: enough that none has to wait for decoding.
_AHEAD: Final = 2


def recognised(
    source: Source, recognise: Recognise, *, workers: int = 1
) -> Generator[tuple[Frame, Recognition]]:
    """Yield each frame with what was found in it, in order.

    Frames of a file are recognised by several threads at once, each on one core, while this thread decodes:
    OpenCV and the networks run without Python's lock. Of a live source each frame is recognised before the
    next one is asked for, so that what comes out is as new as can be; it decodes in its own thread anyway.

    Args:
        source: Where the frames come from.
        recognise: A recogniser; it is called from several threads.
        workers: Threads.

    Raises:
        SourceError: The source cannot be read, after everything before that was yielded.
    """
    if source.live:
        for frame in source:
            yield frame, recognise(frame.image)
        return
    pending: deque[tuple[Frame, Future[Recognition]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="recognise") as pool:
        try:
            for frame in source:
                pending.append((frame, pool.submit(recognise, frame.image)))
                if len(pending) > workers + _AHEAD:
                    yield _first(pending)
            yield from _rest(pending)
        except SourceError:
            yield from _rest(pending)
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _first(pending: deque[tuple[Frame, Future[Recognition]]]) -> tuple[Frame, Recognition]:
    frame, future = pending.popleft()
    return frame, future.result()


def _rest(pending: deque[tuple[Frame, Future[Recognition]]]) -> Iterator[tuple[Frame, Recognition]]:
    while pending:
        yield _first(pending)
