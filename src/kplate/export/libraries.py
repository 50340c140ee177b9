"""Dealing with the libraries that exports use: saying which command installs them, and keeping them quiet."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec

from kplate.engines.quiet import quiet
from kplate.errors import KplateError


def require(*modules: str, purpose: str, extra: str) -> None:
    """Make sure that modules are installed, without importing them.

    Args:
        modules: Their names.
        purpose: What they are needed for, to begin a sentence with.
        extra: The extra of kplate that brings them.

    Raises:
        KplateError: One is not; the message says which command installs it.
    """
    for module in modules:
        if find_spec(module) is None:
            raise KplateError(
                f"{purpose} needs {module}, which is not installed: pip install 'kplate[{extra}]'"
            )


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Drop what a converter prints, logs and warns of while the body runs; what it raises counts."""
    former = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            quiet(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(former)
