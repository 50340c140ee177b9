"""What a Korean plate can say: parsing, checking and displaying its text.

The canonical text is NFC, has no spaces or hyphens, and runs top line first: ``서울12바3456``.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kplate.errors import GrammarError
from kplate.plates.alphabet import COMMERCIAL, DIPLOMATIC, MILITARY, PRIVATE, REGIONS, RENTAL
from kplate.plates.kinds import GROUNDS, Kind, Rgb, Use, ground_of

_REGION: Final = "(?P<region>" + "|".join(REGIONS) + ")"
_SERIAL: Final = "(?P<serial>[0-9]{4})"
_CAR_LETTER: Final = f"(?P<letter>[{PRIVATE}{RENTAL}])"

#: Name of a pattern -> its expression. A text belongs to the first pattern that matches it.
PATTERNS: Final[dict[str, re.Pattern[str]]] = {
    "private7": re.compile(rf"(?P<number>0[1-9]|[1-9][0-9]){_CAR_LETTER}{_SERIAL}"),
    "private8": re.compile(rf"(?P<number>[1-9][0-9]{{2}}){_CAR_LETTER}{_SERIAL}"),
    "commercial": re.compile(rf"{_REGION}(?P<number>0[1-9]|[1-9][0-9])(?P<letter>[{COMMERCIAL}]){_SERIAL}"),
    "region_old": re.compile(
        rf"{_REGION}(?P<number>[1-9]|[1-9][0-9])(?P<letter>[{PRIVATE}바사아자허]){_SERIAL}"
    ),
    "construction": re.compile(rf"(?P<number>0[0-9]{{2}}){_CAR_LETTER}{_SERIAL}"),
    "construction_old": re.compile(
        rf"(?:영{_REGION}|{_REGION.replace('region', 'region2')}영)"
        rf"(?P<number>[0-9]{{2}})(?P<letter>[{PRIVATE}바사아자]){_SERIAL}"
    ),
    "diplomatic": re.compile(
        "(?P<region>" + "|".join(DIPLOMATIC) + ")(?P<number>[0-9]{3})(?P<letter>)(?P<serial>[0-9]{3})"
    ),
    "military": re.compile(rf"(?P<number>[0-9]{{2}})(?P<letter>[{MILITARY}]){_SERIAL}"),
    "temporary": re.compile(rf"(?P<number>)(?P<letter>임){_SERIAL}"),
    # The district that stands behind the region has syllables of its own by the hundred; it is left out.
    "motorcycle": re.compile(rf"{_REGION}(?P<number>)(?P<letter>[{PRIVATE}]){_SERIAL}"),
}

_EMERGENCY_NUMBERS: Final = frozenset({"998", "999"})
_FIXED_USE: Final = {
    "construction": Use.CONSTRUCTION,
    "construction_old": Use.CONSTRUCTION,
    "diplomatic": Use.DIPLOMATIC,
    "military": Use.MILITARY,
    "temporary": Use.TEMPORARY,
    "motorcycle": Use.MOTORCYCLE,
}


@dataclass(frozen=True, slots=True)
class Registration:
    """A plate's text, taken apart.

    Attributes:
        text: Canonical text.
        pattern: Name of the matching entry of :data:`PATTERNS`.
        region: Region name, or the word of a diplomatic plate; empty where there is none.
        number: Leading (class) number; empty on temporary plates and those of motorcycles.
        letter: The use letter; empty on diplomatic plates.
        serial: The last digits.
        use: What the text says about the vehicle's use.
    """

    text: str
    pattern: str
    region: str
    number: str
    letter: str
    serial: str
    use: Use


def normalise(text: str) -> str:
    """Return the canonical form: NFC, without spaces, hyphens and dots."""
    return re.sub(r"[\s\-‐-―·.]", "", unicodedata.normalize("NFC", text))


@lru_cache(maxsize=64)  # each reading asks several times
def parse(text: str) -> Registration | None:
    """Take a plate text apart; ``None`` where no Korean plate reads so. Spaces and hyphens are ignored."""
    canonical = normalise(text)
    for name, pattern in PATTERNS.items():
        match = pattern.fullmatch(canonical)
        if match:
            groups = match.groupdict()
            region = groups.get("region") or groups.get("region2") or ""
            letter, number = groups["letter"], groups["number"]
            use = _FIXED_USE.get(name) or _use_of_car(letter, number)
            return Registration(canonical, name, region, number, letter, groups["serial"], use)
    return None


def _use_of_car(letter: str, number: str) -> Use:
    if number in _EMERGENCY_NUMBERS:
        return Use.EMERGENCY
    if letter == "배":
        return Use.DELIVERY
    if letter in COMMERCIAL:
        return Use.COMMERCIAL
    return Use.RENTAL if letter in RENTAL else Use.PRIVATE


def is_valid(text: str) -> bool:
    """Tell whether some Korean plate can read so."""
    return parse(text) is not None


def validate(text: str) -> Registration:
    """Take a plate text apart or say that it is none.

    Raises:
        GrammarError: No Korean plate reads so.
    """
    registration = parse(text)
    if registration is None:
        raise GrammarError(f"{text!r} is not the text of a Korean number plate")
    return registration


def use_of(text: str) -> Use | None:
    """Return what a text says about the vehicle's use; ``None`` where it is no plate's text."""
    registration = parse(text)
    return registration.use if registration else None


def display(text: str) -> str:
    """Return the form for people: ``12가 3456``, ``서울 12바 3456``, ``외교 001-001``.

    A text that is no plate's is returned as it is.
    """
    registration = parse(text)
    if registration is None:
        return text
    if registration.pattern == "diplomatic":
        return f"{registration.region} {registration.number}-{registration.serial}"
    head = registration.text[: -len(registration.serial)]
    if registration.region:
        split = len(head) - len(registration.number) - 1
        head = f"{head[:split]} {head[split:]}"
    return f"{head} {registration.serial}"


#: Patterns that a plate of each kind can carry; kinds that are not listed can carry any.
KIND_PATTERNS: Final[dict[Kind, frozenset[str]]] = {
    Kind.GREEN_REGION: frozenset({"region_old", "commercial"}),
    Kind.GREEN: frozenset({"private7"}),
    Kind.WHITE_LONG: frozenset({"private7", "military"}),
    Kind.WHITE_SHORT: frozenset({"private7", "military"}),
    Kind.WHITE_LARGE: frozenset({"private7"}),
    Kind.WHITE_8_PAINTED: frozenset({"private8", "construction"}),
    Kind.WHITE_8_FILM: frozenset({"private8"}),
    Kind.WHITE_8_SHORT: frozenset({"private8"}),
    Kind.ELECTRIC: frozenset({"private7", "private8"}),
    Kind.CORPORATE: frozenset({"private7", "private8"}),
    Kind.COMMERCIAL_SHORT: frozenset({"commercial", "region_old"}),
    Kind.COMMERCIAL_LONG: frozenset({"commercial"}),
    Kind.COMMERCIAL_LARGE: frozenset({"commercial", "region_old"}),
    Kind.DIPLOMATIC_SHORT: frozenset({"diplomatic"}),
    Kind.DIPLOMATIC_LONG: frozenset({"diplomatic"}),
    Kind.TEMPORARY_SHORT: frozenset({"temporary"}),
    Kind.TEMPORARY_LONG: frozenset({"temporary"}),
    Kind.MILITARY: frozenset({"military"}),
    Kind.CONSTRUCTION: frozenset({"construction"}),
    Kind.CONSTRUCTION_OLD: frozenset({"construction_old", "commercial", "region_old"}),
    Kind.MOTORCYCLE_OLD: frozenset({"motorcycle"}),
}


def kinds_of(text: str, ground: Rgb | None = None) -> tuple[Kind, ...]:
    """Return the kinds that can carry a text, of a ground colour where one is given.

    Args:
        text: A plate's text.
        ground: sRGB colour of the plate's ground, 0..255; it may be as faded or dark as photographs show it.

    Returns:
        Kinds in the order of :class:`Kind`; none where no Korean plate reads so.
    """
    registration = parse(text)
    if registration is None:
        return ()
    look = None if ground is None else ground_of(ground)
    return tuple(
        kind
        for kind in Kind
        if registration.pattern in KIND_PATTERNS.get(kind, PATTERNS) and look in (None, *GROUNDS[kind])
    )
