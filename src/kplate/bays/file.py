"""Reading ``bays.toml``: every mistake is told with its line."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from kplate.bays import geometry
from kplate.bays.lines import Lines
from kplate.bays.lines import Path as KeyPath
from kplate.bays.model import Bay, BayCamera, BayKind, Bays, BaysError, Mistake, Timing
from kplate.files import StrPath, printable, reason_of
from kplate.plates.grammar import is_valid, normalise
from kplate.results import Point

_FILE_KEYS: Final = ("columns", "camera", "watch_list", "timing")
_CAMERA_KEYS: Final = ("name", "source", "picture", "columns", "bay")
_BAY_KEYS: Final = ("name", "kind", "polygon", "limit", "plates")
_TIMING_KEYS: Final = ("arrived", "left", "review")
#: Name of the camera of a file that names none.
_ONLY_CAMERA: Final = "camera"
#: A bay covers at least this share of its picture: less is a slip of the pen, and no car would fit in.
_LEAST_AREA: Final = 0.001
#: Of two bays, the smaller one has at most this share of its ground in the other.
_MOST_COMMON: Final = 0.5
_SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_LIMIT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h)")


def load_bays(path: StrPath) -> Bays:
    """Read a file of bays.

    Raises:
        BaysError: The file cannot be read or used; every mistake comes with its line.
    """
    name = printable(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BaysError(name, [Mistake("the file is not UTF-8 text")]) from None
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise BaysError(name, [Mistake(f"cannot be read: {reason}")]) from error
    return parse_bays(text, name, Path(path).parent)


def parse_bays(text: str, name: str = "bays", folder: Path | None = None) -> Bays:
    """Read the text of a file of bays.

    Args:
        text: TOML.
        name: What the file is called in messages.
        folder: Where lists of plates that it names lie; None: it may name none.

    Raises:
        BaysError: The text cannot be used; every mistake comes with its line.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BaysError(name, [_syntax(str(error), text)]) from None
    form = _Form(Lines(text), folder)
    bays = form.bays(values, name)
    if form.mistakes or bays is None:
        raise BaysError(name, form.mistakes)
    return bays


def _syntax(message: str, text: str) -> Mistake:
    """Take the line out of what Python's parser says."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if found is None:
        return Mistake(f"this is not TOML: {message}")
    line = int(found[1]) if found[1] else max(1, len(text.splitlines()))
    return Mistake(f"this is not TOML: {message[: found.start()]}", line)


class _Form:
    """Goes through the values of a file and notes what is wrong."""

    def __init__(self, lines: Lines, folder: Path | None) -> None:
        self.mistakes: list[Mistake] = []
        self._lines = lines
        self._folder = folder
        self._bays: dict[str, int | None] = {}
        self._cameras: dict[str, int | None] = {}

    def wrong(self, path: KeyPath, text: str) -> None:
        self.mistakes.append(Mistake(text, self._lines.of(path)))

    def bays(self, values: dict[str, Any], name: str) -> Bays | None:
        self._known(values, (), _FILE_KEYS)
        tables = self._tables(values, (), "camera")
        cameras = [self._camera(table, ("camera", n), len(tables)) for n, table in tables]
        if "columns" in values:
            if tables:
                self.wrong(("columns",), "columns belongs into one of the cameras here")
            else:
                cameras.append(BayCamera(_ONLY_CAMERA, tuple(self._columns(values, ()))))
        elif not tables and "camera" not in values:
            self.mistakes.append(Mistake("no camera: begin one with [[camera]]"))
        watch_list = self._plates(values, (), "watch_list")
        timing = self._timing(values)
        return Bays(tuple(cameras), watch_list, timing, name) if cameras else None

    def _known(self, values: Mapping[str, Any], path: KeyPath, keys: Iterable[str]) -> None:
        """Note keys that nobody asked for, which are slips of the pen."""
        for key in values:
            if key not in keys:
                near = difflib.get_close_matches(key, list(keys), 1)
                hint = f"did you mean {near[0]!r}?" if near else f"the keys here are {', '.join(keys)}"
                self.wrong((*path, key), f"{key!r} is not known here; {hint}")

    def _tables(self, values: dict[str, Any], path: KeyPath, key: str) -> list[tuple[int, dict[str, Any]]]:
        found = values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            header = ".".join(str(part) for part in (*path, key) if isinstance(part, str))
            self.wrong((*path, key), f"{key} is not a list of tables: begin each with [[{header}]]")
            return []
        return list(enumerate(found))

    def _name(
        self, values: dict[str, Any], path: KeyPath, what: str, taken: dict[str, int | None]
    ) -> str | None:
        name = values.get("name")
        if name is None:
            self.wrong(path, f"this {what} has no name")
            return None
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            self.wrong((*path, "name"), f"{name!r} is no name of a {what}")
            return None
        return self._new(name.strip(), (*path, "name"), what, taken)

    def _new(self, name: str, path: KeyPath, what: str, taken: dict[str, int | None]) -> str:
        if name in taken:
            line = taken[name]
            self.wrong(path, f"there is a {what} {name!r} already" + (f", in line {line}" if line else ""))
        else:
            taken[name] = self._lines.of(path)
        return name

    def _camera(self, values: dict[str, Any], path: KeyPath, count: int) -> BayCamera:
        self._known(values, path, _CAMERA_KEYS)
        if count == 1 and "name" not in values:
            name: str | None = _ONLY_CAMERA
        else:
            name = self._name(values, path, "camera", self._cameras)
        source = values.get("source")
        if source is not None and not (isinstance(source, str) and source):
            self.wrong((*path, "source"), "source is not a text such as 'rtsp://10.0.0.5/stream'")
            source = None
        picture = self._picture(values, path)
        if "columns" in values and "bay" in values:
            self.wrong((*path, "columns"), "a camera has either columns or bays of its own, not both")
        bays = list(self._columns(values, path)) if "columns" in values else []
        tables = self._tables(values, path, "bay")
        for n, table in tables:
            bay = self._bay(table, (*path, "bay", n), picture)
            if bay is not None:
                self._apart(bay, bays, (*path, "bay", n, "polygon"))
                bays.append(bay)
        if not bays and not tables and "columns" not in values:
            self.wrong(path, "this camera has no bay: add [[camera.bay]] or columns")
        return BayCamera(name or "", tuple(bays), source)

    def _picture(self, values: dict[str, Any], path: KeyPath) -> tuple[float, float] | None:
        """Return the size that polygons in pixels refer to."""
        picture = values.get("picture")
        if picture is None:
            return None
        if not (isinstance(picture, list) and len(picture) == 2 and all(_is_number(v) for v in picture)):
            self.wrong((*path, "picture"), "picture is not a width and a height such as [1280, 720]")
        elif min(picture) < 2:
            self.wrong((*path, "picture"), f"a picture of {picture[0]:g}x{picture[1]:g} shows no bay")
        else:
            return float(picture[0]), float(picture[1])
        return None

    def _columns(self, values: dict[str, Any], path: KeyPath) -> Iterable[Bay]:
        """Return bays that split the picture into columns of equal width."""
        columns = values["columns"]
        path = (*path, "columns")
        kinds: Mapping[str, Any]
        if isinstance(columns, dict):
            kinds = columns
            names = list(columns)
        else:
            kinds = {}
            names = columns if isinstance(columns, list) else []
        good = [name for name in names if isinstance(name, str) and name.strip() and name.isprintable()]
        if not good or len(good) < len(names):
            self.wrong(path, 'columns is not a list of names such as ["A1", "A2", "A3"]')
            return
        for n, name in enumerate(good):
            kind = self._kind(kinds.get(name, BayKind.ORDINARY), (*path, name))
            left, right = n / len(good), (n + 1) / len(good)
            polygon = ((left, 0.0), (right, 0.0), (right, 1.0), (left, 1.0))
            yield Bay(self._new(name.strip(), (*path, name), "bay", self._bays), polygon, kind)

    def _bay(self, values: dict[str, Any], path: KeyPath, picture: tuple[float, float] | None) -> Bay | None:
        self._known(values, path, _BAY_KEYS)
        name = self._name(values, path, "bay", self._bays)
        kind = self._kind(values.get("kind", BayKind.ORDINARY), (*path, "kind"))
        limit = self._limit(values.get("limit"), (*path, "limit"))
        plates = self._plates(values, path, "plates")
        if plates and kind is not BayKind.RESERVED:
            self.wrong((*path, "plates"), 'plates are for bays of kind = "reserved"')
        if kind is BayKind.RESERVED and not values.get("plates"):
            self.wrong(path, 'a reserved bay needs plates: a list of texts such as ["52주3108"], or a file')
        polygon = self._polygon(values, path, picture)
        if name is None or polygon is None:
            return None
        return Bay(name, polygon, kind, limit, plates)

    def _kind(self, value: Any, path: KeyPath) -> BayKind:
        if value not in tuple(BayKind):
            near = difflib.get_close_matches(str(value), list(BayKind), 1)
            hint = f"; did you mean {str(near[0])!r}?" if near else ""
            self.wrong(path, f"{value!r} is no kind of bay ({', '.join(BayKind)}){hint}")
            return BayKind.ORDINARY
        return BayKind(value)

    def _limit(self, value: Any, path: KeyPath) -> float | None:
        if value is None:
            return None
        found = _LIMIT.fullmatch(value.strip()) if isinstance(value, str) else None
        seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
        if seconds <= 0:
            self.wrong(path, f"{value!r} is no limit such as '30 min' or '14 h'")
            return None
        return seconds

    def _polygon(
        self, values: dict[str, Any], path: KeyPath, picture: tuple[float, float] | None
    ) -> tuple[Point, ...] | None:
        if "polygon" not in values:
            self.wrong(path, "this bay has no polygon")
            return None
        polygon = values["polygon"]
        path = (*path, "polygon")
        if not isinstance(polygon, list) or not all(_is_point(item) for item in polygon):
            self.wrong(path, "polygon is not a list of corners such as [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]")
            return None
        if len(polygon) < 3:
            self.wrong(path, f"a polygon needs three corners at least; this one has {len(polygon)}")
            return None
        points = self._shares([(float(x), float(y)) for x, y in polygon], path, picture)
        if points is None:
            return None
        if geometry.crosses_itself(points):
            self.wrong(path, "the sides of this polygon cross: give its corners in the order around it")
        elif geometry.area(points) < _LEAST_AREA:
            self.wrong(path, "this polygon is too small for a bay: it covers hardly any of the picture")
        else:
            return points
        return None

    def _shares(
        self, points: list[Point], path: KeyPath, picture: tuple[float, float] | None
    ) -> tuple[Point, ...] | None:
        """Return corners as shares of the picture; those that are no shares are pixels."""
        pixels = any(value > 1 for point in points for value in point)
        if pixels and picture is None:
            self.wrong(
                path,
                "a corner lies outside the picture: shares are from 0 to 1; "
                "for pixels, give the camera its picture = [width, height]",
            )
            return None
        width, height = picture if pixels and picture else (1.0, 1.0)
        for x, y in points:
            if not (0 <= x <= width and 0 <= y <= height):
                size = f" of {width:g}x{height:g}" if pixels else ""
                self.wrong(path, f"the corner [{x:g}, {y:g}] lies outside the picture{size}")
                return None
        return tuple((x / width, y / height) for x, y in points)

    def _apart(self, bay: Bay, others: Iterable[Bay], path: KeyPath) -> None:
        for other in others:
            if geometry.common(bay.polygon, other.polygon) > _MOST_COMMON:
                self.wrong(path, f"the bays {other.name!r} and {bay.name!r} cover the same place")

    def _plates(self, values: dict[str, Any], path: KeyPath, key: str) -> frozenset[str]:
        """Return the plates of a list, or of a file with one plate a line."""
        value = values.get(key)
        if value is None:
            return frozenset()
        path = (*path, key)
        if isinstance(value, str):
            value = self._listed(value, path)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(path, f"{key} is neither a list of texts nor the name of a file")
            return frozenset()
        for text in value:
            if not is_valid(text):
                self.wrong(path, f"{text!r} is not the text of a Korean number plate")
        return frozenset(normalise(text) for text in value)

    def _listed(self, file: str, path: KeyPath) -> list[str]:
        """Read a file with one plate a line; what follows a ``#`` is a remark."""
        try:
            text = ((self._folder or Path()) / file).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else "it is not UTF-8 text"
            self.wrong(path, f"the list of plates {printable(file)} cannot be read: {reason}")
            return []
        plates = (line.partition("#")[0].strip() for line in text.splitlines())
        return [plate for plate in plates if plate]

    def _timing(self, values: dict[str, Any]) -> Timing:
        table = values.get("timing", {})
        if not isinstance(table, dict):
            self.wrong(("timing",), "timing is no table: begin it with [timing]")
            return Timing()
        self._known(table, ("timing",), _TIMING_KEYS)
        good = {}
        for key in _TIMING_KEYS:
            if key in table:
                if _is_number(table[key]) and 0 <= table[key] <= 86_400:
                    good[key] = float(table[key])
                else:
                    self.wrong(("timing", key), f"{table[key]!r} is no number of seconds from 0 to 86400")
        return Timing(**good)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_number(item) for item in value)
