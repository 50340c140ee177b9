"""Keeping runtimes quiet that write to the process's standard error and offer no way to stop that."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Final

_STDERR: Final = 2
#: Redirecting a file descriptor concerns the whole process, so one at a time.
_LOCK: Final = threading.Lock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what is written to the standard error's file descriptor to nowhere while the body runs.

    For loading networks only: what other threads write meanwhile is lost as well.
    """
    with _LOCK, contextlib.ExitStack() as stack:
        try:
            saved = os.dup(_STDERR)
        except OSError:  # standard error is closed: nobody is disturbed
            yield
            return
        stack.callback(os.close, saved)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        os.dup2(nowhere, _STDERR)
        stack.callback(os.dup2, saved, _STDERR)
        yield
