"""Dataclasses to plain values and back, and their JSON Schema: all three walk over the types alike."""

import dataclasses
import inspect
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from kplate.errors import DataError

#: Digits kept of boxes, scores and other numbers.
_BOX_DIGITS: Final = 1
_DIGITS: Final = 4


def time_text(time: datetime) -> str:
    """Return a time in UTC to the millisecond, such as ``2026-03-01T08:30:00.250Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_plain(value: Any) -> Any:
    """Turn a value of the model into what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, (bool, int, str, NoneType)):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        if len(value) == 4 and all(isinstance(item, float) for item in value):
            return [_number(item, _BOX_DIGITS) for item in value]
        return [to_plain(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar
        return to_plain(value.item())
    return _number(value, _DIGITS)


def _number(value: float, digits: int) -> float:
    if not math.isfinite(value):
        raise DataError(f"an event cannot hold the number {value}")
    return round(float(value), digits) + 0.0  # + 0.0 turns -0.0 into 0.0


def from_plain(kind: Any, value: Any, where: str) -> Any:
    """Turn what came from JSON into a value of the model; unknown fields are passed over.

    Args:
        kind: The type of the value.
        value: What came from JSON.
        where: The value's name, for messages.

    Raises:
        DataError: The value is not of that type; the message names the field.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (present,) = (part for part in parts if part is not NoneType)
        return None if value is None else from_plain(present, value, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, value, where)
    if origin is tuple:
        if not isinstance(value, list) or (parts[-1] is not Ellipsis and len(value) != len(parts)):
            raise DataError(f"{where} is not a list{_of(parts)}: {value!r}")
        kinds = parts if parts[-1] is not Ellipsis else (parts[0],) * len(value)
        return tuple(
            from_plain(kind, item, f"{where}[{index}]")
            for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise DataError(f"{where} is not an object: {value!r}")
        return value
    return _scalar(kind, value, where)


def _of(parts: tuple[Any, ...]) -> str:
    return "" if parts[-1] is Ellipsis else f" of {len(parts)}"


def _record(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise DataError(f"{where} is not an object: {value!r}")
    types = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        name = f"{where}.{field.name}" if where else field.name
        if field.name in value:
            values[field.name] = from_plain(types[field.name], value[field.name], name)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise DataError(f"{name} is missing")
    return kind(**values)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind is datetime and isinstance(value, str):
        return _time(value, where)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(value)
        except ValueError:
            raise DataError(f"{where} is none of {', '.join(kind)}: {value!r}") from None
    if type(value) is not kind:
        raise DataError(f"{where} is not {_NAMES.get(kind, kind)}: {value!r}")
    return value


def _time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"{where} is not a time such as 2026-03-01T08:30:00Z: {text!r}") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_NAMES: Final[dict[Any, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    datetime: "a time",
}
_TYPES: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
}


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a type; descriptions come from the docstrings."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (present,) = (part for part in parts if part is not NoneType)
        return _or_null(schema_of(present))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _object_schema(kind)
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return {"type": "array", "items": schema_of(parts[0])}
        return {"type": "array", "items": schema_of(parts[0]), "minItems": len(parts), "maxItems": len(parts)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object"}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"type": "string", "enum": [str(item) for item in kind]}
    return dict(_TYPES[kind])


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _object_schema(kind: type) -> dict[str, Any]:
    types = get_type_hints(kind)
    told = _descriptions(kind)
    properties = {}
    required = []
    for field in dataclasses.fields(kind):
        about = {"description": told[field.name]} if field.name in told else {}
        properties[field.name] = {**schema_of(types[field.name]), **about}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    summary = (inspect.getdoc(kind) or "").partition("\n")[0]
    return {"type": "object", "description": summary, "properties": properties, "required": required}


def _descriptions(kind: type) -> dict[str, str]:
    """Read what the docstring says under ``Attributes:``."""
    _, _, section = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text.replace("``", "")) for name, text in found}
