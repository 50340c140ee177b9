"""Names of output files: matched to their picture, never the same for two pictures, safe everywhere."""

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

#: Characters that some file system refuses or a shell would trip over.
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\s\x00-\x1f\x7f]|[\ud800-\udfff]')
#: Names that Windows keeps for devices.
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
#: Longest name in UTF-8 bytes; file systems take 255, and what a crop shows is put behind it.
_LONGEST: Final = 150
_HASH_DIGITS: Final = 8


def safe(name: str) -> str:
    """Turn any text into part of a file name that every file system takes; never empty."""
    name = _UNSAFE.sub("-", unicodedata.normalize("NFC", name))
    name = "".join(char for char in name if char.isprintable()).strip(".- ")
    if len(name.encode()) > _LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]
        name = f"{name.encode()[: _LONGEST - _HASH_DIGITS - 1].decode(errors='ignore')}-{digest}"
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name


def output_names(paths: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """Give each picture a name that its output files begin with.

    That is the picture's name without its suffix where no other picture has it (in any case); else with the
    suffix, as ``a.jpg``; else with as many of its folders as it takes, as ``gate1__a.jpg``; and where even
    those agree once unsafe characters are gone, with a few digits of a hash of the path.

    Returns:
        Path, as text, to name.
    """
    texts = list(dict.fromkeys(os.fspath(path) for path in paths))
    absolute = {text: Path(os.path.abspath(text)) for text in texts}  # noqa: PTH100 - links stay what they are
    deepest = max((len(path.parts) for path in absolute.values()), default=0)
    names: dict[str, str] = {}
    waiting = texts
    for namer in (_stem, *(_with_folders(depth) for depth in range(1, deepest)), _with_hash):
        waiting = _settle(waiting, names, lambda text, namer=namer: namer(absolute[text]))  # type: ignore[misc]
        if not waiting:
            break
    return names


def _settle(texts: list[str], names: dict[str, str], namer: Callable[[str], str]) -> list[str]:
    """Give names to those whose name nobody else wants or has; return the rest."""
    taken = {name.casefold() for name in names.values()}
    wanted: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        wanted[namer(text).casefold()].append(text)
    rest = []
    for key, wanting in wanted.items():
        if len(wanting) == 1 and key not in taken:
            names[wanting[0]] = namer(wanting[0])
        else:
            rest.extend(wanting)
    return rest


def _stem(path: Path) -> str:
    return safe(path.stem)


def _with_folders(depth: int) -> Callable[[Path], str]:
    return lambda path: safe("__".join(path.parts[1:][-depth:]))


def _with_hash(path: Path) -> str:
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:_HASH_DIGITS]
    return safe(f"{path.name[:40]}-{digest}")
