"""On which line of a TOML file a value stands, which Python's parser does not tell."""

import tomllib
from typing import Any, Final

Path = tuple[str | int, ...]
"""Keys and numbers that lead to a value, such as ``("camera", 0, "bay", 2, "kind")``."""

#: Lines that one value may run over; nothing in a file that parses comes near.
_LONGEST: Final = 10_000


class Lines:
    """Finds the lines of values.

    The text is taken apart into its statements: a statement is over as soon as it parses by itself, since a
    value that goes on in the next line never does.
    """

    def __init__(self, text: str) -> None:
        """Look at a text.

        Args:
            text: TOML that parses as a whole.
        """
        self._found: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        table: Path = ()
        lines = text.splitlines()
        start = 0
        while start < len(lines):
            end, values = _statement(lines, start)
            if lines[start].lstrip().startswith("["):
                table = self._enter(values, start + 1)
            else:
                self._note(table, values, start + 1)
            start = end

    def of(self, path: Path) -> int | None:
        """Return the line (from 1) of a value, or else of the nearest one that holds it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._found:
                return self._found[path[:length]]
        return None

    def _enter(self, values: Any, line: int) -> Path:
        """Follow the header of a table, ``[a.b]`` or ``[[a.b]]``, and return where it leads to."""
        path: Path = ()
        while isinstance(values, dict) and values:
            (key, values), *_ = values.items()
            path = (*path, key)
            if isinstance(values, list):  # a further table of an array
                self._counts[path] = self._counts.get(path, -1) + 1
                values = values[0]
            if path in self._counts:
                path = (*path, self._counts[path])
        self._found.setdefault(path, line)
        return path

    def _note(self, table: Path, values: Any, line: int) -> None:
        if not isinstance(values, dict):
            return
        for key, value in values.items():
            self._found.setdefault((*table, key), line)
            self._note((*table, key), value, line)


def _statement(lines: list[str], start: int) -> tuple[int, Any]:
    """Return the line after a statement, and what it says."""
    for end in range(start + 1, min(len(lines), start + _LONGEST) + 1):
        try:
            return end, tomllib.loads("\n".join(lines[start:end]) + "\n")
        except tomllib.TOMLDecodeError:
            continue
    return len(lines), {}
