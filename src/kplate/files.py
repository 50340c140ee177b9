"""Small helpers for files that several rooms need: names that can be printed, and writing all or nothing."""

import os
import secrets
from pathlib import Path
from typing import Final

from kplate.errors import OutputError

StrPath = str | os.PathLike[str]

#: Letters of a file's value that a message repeats at most.
_EXCERPT: Final = 80
#: And letters of a path: its last part is what tells files apart, so it stays.
LONGEST_PATH: Final = 512


def printable(path: StrPath) -> str:
    r"""Turn a path into text that fits on one line of any UTF-8 output.

    File names may hold line breaks, control characters and bytes that are no UTF-8 (lone surrogates in
    Python); these come out as escapes such as ``\n`` and ``\udce9``.
    """
    text = os.fspath(path)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def is_file(path: StrPath) -> bool:
    """Whether there is a file of this name; there is none where the system would not take the name."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long, or with a null byte
        return False


def excerpt(text: StrPath, most: int = _EXCERPT) -> str:
    """Turn what a file says, or a path, into text for a message: printable, its middle left out if long.

    Args:
        text: What is repeated.
        most: Letters of it that are.
    """
    shown = printable(text)
    if len(shown) <= most:
        return shown
    return f"{shown[: most // 2]}…{shown[-(most // 2) :]}"


def reason_of(error: OSError) -> str:
    """Say in a few words why the operating system refused, such as ``permission denied``."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def write_atomic(path: StrPath, data: bytes) -> None:
    """Write a file so that readers see the old content or the whole new one, never a part.

    The data go to a new file in the same folder that then takes the name. What is no ordinary file (a
    device such as ``/dev/null``, a pipe) is written to directly, since it must not be replaced.

    Raises:
        OutputError: The folder does not exist, is not writable, is full, or the path is a folder.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise OutputError(f"cannot write {printable(path)}: a folder has this name")
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        part = target.with_name(f".kplate-{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            part.write_bytes(data)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a null byte, or a path without a name
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise OutputError(f"cannot write {printable(path)}: {reason}") from error
