"""What recognition returns: frozen values that turn into dictionaries, JSON and annotated pictures.

Coordinates are pixels of the picture as displayed, x to the right and y down from its top left corner.
Scores lie between 0 and 1.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kplate.images import Image

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
Point = tuple[float, float]
"""x, y."""
Quad = tuple[Point, Point, Point, Point]
"""Top left, top right, bottom right, bottom left, as seen on the plate itself."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A car, van, truck or bus.

    Attributes:
        box: Where it is.
        score: How sure it is that this is one.
        label: What a custom network calls it, such as ``bus``; None for kplate's own class, ``car``.
    """

    box: Box
    score: float
    label: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the label only where there is one."""
        values = {"box": _rounded(self.box, 1), "score": _score(self.score)}
        return values if self.label is None else {**values, "label": self.label}


@dataclass(frozen=True, slots=True)
class Plate:
    """A number plate.

    Attributes:
        text: What it says, without blanks; None where the reading is not trusted.
        candidate: What was seen, trusted or not; None where nothing was.
        display: The text as people write it, such as ``52주 3108``; None like the text.
        score: How sure the text is.
        characters: How sure each character of the candidate is.
        kind: What the plate looks like, a value of :class:`kplate.plates.kinds.Kind`.
        use: What the candidate says about the vehicle, a value of :class:`kplate.plates.kinds.Use`.
        electric: Whether it is of an electric vehicle's kind; None where colour says nothing.
        box: Where the plate is.
        corners: Its four corners.
        detection_score: How sure it is that this is a plate; None where the picture was given as one.
        vehicle: Index of its vehicle among those of the picture, or None.
    """

    text: str | None
    candidate: str | None
    display: str | None
    score: float
    characters: tuple[float, ...]
    kind: str | None
    use: str | None
    electric: bool | None
    box: Box
    corners: Quad
    detection_score: float | None
    vehicle: int | None = None

    @property
    def trusted(self) -> bool:
        """Whether the reading is trusted, so that there is a text."""
        return self.text is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "text": self.text,
            "candidate": self.candidate,
            "display": self.display,
            "score": _score(self.score),
            "characters": _rounded(self.characters, 4),
            "kind": None if self.kind is None else str(self.kind),
            "use": None if self.use is None else str(self.use),
            "electric": None if self.electric is None else bool(self.electric),
            "box": _rounded(self.box, 1),
            "corners": [_rounded(corner, 1) for corner in self.corners],
            "detection_score": None if self.detection_score is None else _score(self.detection_score),
            "vehicle": self.vehicle,
        }


@dataclass(frozen=True, slots=True)
class Permit:
    """A parking permit for disabled people behind a windscreen.

    Attributes:
        box: Where it is.
        score: How sure it is that this is one.
        vehicle: Index of its vehicle among those of the picture, or None.
    """

    box: Box
    score: float
    vehicle: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"box": _rounded(self.box, 1), "score": _score(self.score), "vehicle": self.vehicle}


@dataclass(frozen=True, slots=True)
class Other:
    """Something of a class that only a custom network has.

    Attributes:
        label: What the network calls it, such as ``person``.
        box: Where it is.
        score: How sure it is that this is one.
    """

    label: str
    box: Box
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"label": self.label, "box": _rounded(self.box, 1), "score": _score(self.score)}


@dataclass(frozen=True, slots=True)
class Recognition:
    """Everything found in one picture.

    Attributes:
        width: Of the picture as displayed, in pixels.
        height: Likewise.
        elapsed_ms: Time for detecting and reading, without reading the file, in milliseconds.
        vehicles: The vehicles.
        plates: The plates.
        permits: The disabled permits.
        file: The picture's file as the caller named it; None for a picture from memory.
        others: What else a custom network found; None for a network without further classes.
    """

    width: int
    height: int
    elapsed_ms: float
    vehicles: tuple[Vehicle, ...] = ()
    plates: tuple[Plate, ...] = ()
    permits: tuple[Permit, ...] = ()
    file: str | None = None
    others: tuple[Other, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: coordinates to a tenth of a pixel, scores to four digits.

        The key ``others`` is there only where the network has further classes.
        """
        others = {} if self.others is None else {"others": [item.to_dict() for item in self.others]}
        return {
            "file": self.file,
            "width": int(self.width),
            "height": int(self.height),
            "elapsed_ms": round(float(self.elapsed_ms), 1),
            "vehicles": [vehicle.to_dict() for vehicle in self.vehicles],
            "plates": [plate.to_dict() for plate in self.plates],
            "permits": [permit.to_dict() for permit in self.permits],
            **others,
        }

    def to_json(self) -> str:
        """Return the dictionary as one line of JSON, Hangul as it is."""
        return json_line(self.to_dict())

    def draw(self, image: "Image") -> "Image":
        """Draw the result over its picture.

        Args:
            image: The picture that was recognised, uint8, H x W x 3, BGR; it is left as it is.

        Returns:
            A new picture of the same size.

        Raises:
            ImageError: The array is no picture, or has another size than the recognised one.
        """
        from kplate.drawing import draw  # drawing builds on this module

        return draw(self, image)


def json_line(value: object) -> str:
    """Return a value as one line of JSON that can be written as UTF-8.

    Hangul stays readable; bytes of file names that are no UTF-8 (lone surrogates in Python) are escaped,
    so that ``json.loads`` gives the very name back.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _rounded(values: Iterable[float], digits: int) -> list[float]:
    return [round(float(value), digits) + 0.0 for value in values]  # + 0.0 turns -0.0 into 0.0


def _score(value: float) -> float:
    return round(float(value), 4)
