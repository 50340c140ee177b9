"""Finding the pictures that the arguments of a command name."""

import glob
import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from kplate.errors import ImageError
from kplate.files import StrPath, printable, reason_of
from kplate.images.basics import SUFFIXES


def find_images(paths: Iterable[StrPath]) -> Iterator[Path | ImageError]:
    """Find the pictures that some arguments of a command name.

    * A file is taken whatever its suffix. A name that exists is never a pattern, brackets or not; a name
      that does not exist is also tried composed and decomposed (macOS stores Hangul decomposed).
    * A folder is searched through all its folders for names with a suffix of :data:`SUFFIXES`, in any
      case, in sorted order; hidden names and links to folders are left alone.
    * A pattern (``*``, ``?``, ``[...]``, and ``**`` for any depth) stands for its matches, sorted: folders
      among them are searched, and files with other suffixes are passed over, unless all have such.

    Args:
        paths: Files, folders and patterns.

    Yields:
        Each picture once, in the order of the arguments; for an argument without any, an ImageError.
    """
    seen: set[str] = set()
    for argument in paths:
        empty = True
        for found in _find(os.fspath(argument)):
            empty = False
            if isinstance(found, ImageError):
                yield found
            elif (key := os.path.abspath(found)) not in seen:  # noqa: PTH100 - links stay what they are
                seen.add(key)
                yield found
        if empty:
            name = printable(argument)
            reason = "the folder holds no pictures" if _is_folder(argument) else "nothing matches"
            yield ImageError(f"cannot read {name}: {reason}", os.fspath(argument))


def _is_folder(path: StrPath) -> bool:
    """Ask without an exception where a folder on the way may not be entered, unlike ``Path.is_dir``."""
    return os.path.isdir(path)  # noqa: PTH112


def _find(argument: str) -> Iterator[Path | ImageError]:
    spellings = dict.fromkeys([argument, *(unicodedata.normalize(form, argument) for form in ("NFC", "NFD"))])
    for spelling in spellings:
        if spelling and "\0" not in spelling and os.path.lexists(spelling):
            path = Path(spelling)
            yield from _search(path) if _is_folder(path) else [path]
            return
    if "\0" in argument or not glob.has_magic(argument):
        reason = _why_absent(argument)
        yield ImageError(f"cannot read {printable(argument) or repr(argument)}: {reason}", argument)
        return
    found: set[str] = set()
    for spelling in spellings:  # Path.glob takes no absolute patterns
        found.update(glob.iglob(spelling, recursive=True))  # noqa: PTH207
    folders = {path for path in map(Path, found) if _is_folder(path)}
    files = {Path(path) for path in found} - folders
    pictures = {path for path in files if path.suffix.lower() in SUFFIXES}
    for path in sorted(folders | (pictures or files)):
        yield from _search(path) if path in folders else [path]


def _why_absent(argument: str) -> str:
    """Say why there is no file or folder of this name, as far as can be seen."""
    if not argument:
        return "the name is empty"
    try:
        Path(argument).lstat()
    except (FileNotFoundError, ValueError):  # ValueError: a null byte
        return "no such file or folder"
    except OSError as error:  # such as a folder on the way that may not be entered, or a name too long
        return reason_of(error)
    return "no such file or folder"


def _search(folder: Path) -> Iterator[Path | ImageError]:
    problems: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122
                yield Path(root, name)
        yield from _denied(problems)
    yield from _denied(problems)


def _denied(problems: list[OSError]) -> Iterator[ImageError]:
    """Report, once, folders that could not be listed."""
    while problems:
        problem = problems.pop()
        path = os.fspath(problem.filename)
        yield ImageError(f"cannot read {printable(path)}: {reason_of(problem)}", path)
