"""Random plate texts: kinds by how often cameras meet them, every symbol seen often enough to be learned."""

from typing import Final

import numpy as np

from kplate.plates.alphabet import COMMERCIAL, DIPLOMATIC, MILITARY, PRIVATE, REGIONS, RENTAL
from kplate.plates.grammar import kinds_of, validate
from kplate.plates.kinds import UNREAD_KINDS, Kind

#: Share of each kind. Rare kinds and those of two lines are drawn more often than roads show them: two-line
#: plates hold more symbols on fewer pixels and are learned last.
KIND_WEIGHTS: Final[dict[Kind, float]] = {
    Kind.WHITE_LONG: 16,
    Kind.WHITE_SHORT: 9,
    Kind.WHITE_LARGE: 2,
    Kind.WHITE_8_PAINTED: 7,
    Kind.WHITE_8_FILM: 8,
    Kind.WHITE_8_SHORT: 1,
    Kind.ELECTRIC: 6,
    Kind.CORPORATE: 2,
    Kind.COMMERCIAL_SHORT: 9,
    Kind.COMMERCIAL_LONG: 8,
    Kind.COMMERCIAL_LARGE: 3,
    Kind.GREEN_REGION: 14,
    Kind.GREEN: 12,
    Kind.DIPLOMATIC_SHORT: 1.5,
    Kind.DIPLOMATIC_LONG: 1.5,
    Kind.TEMPORARY_SHORT: 1,
    Kind.TEMPORARY_LONG: 0.8,
    Kind.TEMPORARY_10_SHORT: 0.1,
    Kind.TEMPORARY_10_LONG: 0.1,
    Kind.MILITARY: 2.5,
    Kind.CONSTRUCTION: 1.2,
    Kind.CONSTRUCTION_OLD: 5,
    Kind.MOTORCYCLE_OLD: 1.5,
}

_KINDS: Final = tuple(KIND_WEIGHTS)
_SHARES: Final = np.array(list(KIND_WEIGHTS.values())) / sum(KIND_WEIGHTS.values())


def sample_kind(rng: np.random.Generator, text: str | None = None) -> Kind:
    """Draw a kind by :data:`KIND_WEIGHTS`, among those that can carry ``text`` where one is given.

    Raises:
        GrammarError: ``text`` is not the text of a Korean plate.
    """
    if text is None:
        return _KINDS[int(rng.choice(len(_KINDS), p=_SHARES))]
    validate(text)
    possible = frozenset(kinds_of(text)) - UNREAD_KINDS
    fits = np.array([kind in possible for kind in _KINDS])
    return _KINDS[int(rng.choice(len(_KINDS), p=_SHARES * fits / (_SHARES * fits).sum()))]


def sample_text(rng: np.random.Generator, kind: Kind) -> str:
    """Draw a canonical text that a plate of this kind can carry."""
    serial = _serial(rng)
    match kind:
        case Kind.WHITE_8_PAINTED | Kind.WHITE_8_FILM | Kind.WHITE_8_SHORT | Kind.CORPORATE:
            return f"{rng.integers(100, 1000)}{_car_letter(rng)}{serial}"
        case Kind.ELECTRIC if rng.random() < 0.35:
            return f"{rng.integers(100, 1000)}{_car_letter(rng)}{serial}"
        case Kind.COMMERCIAL_SHORT | Kind.COMMERCIAL_LONG | Kind.COMMERCIAL_LARGE:
            return f"{_one(rng, REGIONS)}{_number(rng)}{_one(rng, COMMERCIAL)}{serial}"
        case Kind.GREEN_REGION:
            number = str(rng.integers(1, 10)) if rng.random() < 0.2 else _old_number(rng)
            letters = "바사아자허" if rng.random() < 0.15 else PRIVATE
            return f"{_one(rng, REGIONS)}{number}{_one(rng, letters)}{serial}"
        case Kind.DIPLOMATIC_SHORT | Kind.DIPLOMATIC_LONG:
            return f"{_one(rng, DIPLOMATIC)}{rng.integers(0, 1000):03d}{rng.integers(0, 1000):03d}"
        case Kind.TEMPORARY_SHORT | Kind.TEMPORARY_LONG:
            return f"임{serial}"
        case Kind.TEMPORARY_10_SHORT:
            return f"{rng.integers(0, 1_000_000):06d}"
        case Kind.TEMPORARY_10_LONG:
            return f"{rng.integers(0, 100_000):05d}"
        case Kind.MILITARY:
            return f"{_number(rng)}{_one(rng, MILITARY)}{serial}"
        case Kind.CONSTRUCTION:
            return f"0{rng.integers(0, 100):02d}{_car_letter(rng)}{serial}"
        case Kind.CONSTRUCTION_OLD:
            mark = "영" if rng.random() < 0.4 else ""
            return f"{mark}{_one(rng, REGIONS)}{_old_number(rng)}{_one(rng, PRIVATE)}{serial}"
        case Kind.MOTORCYCLE_OLD:
            return f"{_one(rng, REGIONS)}{_one(rng, PRIVATE)}{serial}"
        case _:
            return f"{_number(rng)}{_car_letter(rng)}{serial}"


def _one(rng: np.random.Generator, options: tuple[str, ...] | list[str] | str) -> str:
    return options[int(rng.integers(len(options)))]


def _number(rng: np.random.Generator) -> str:
    return f"{rng.integers(1, 100):02d}"


def _old_number(rng: np.random.Generator) -> str:
    """Region plates counted their classes from 11 to 99."""
    return str(rng.integers(11, 100))


def _car_letter(rng: np.random.Generator) -> str:
    return _one(rng, RENTAL) if rng.random() < 0.1 else _one(rng, PRIVATE)


def _serial(rng: np.random.Generator) -> str:
    if rng.random() < 0.06:  # runs of one digit are what a CTC reader merges: show many
        digits = rng.choice(rng.integers(0, 10, 2), 4)
        return "".join(map(str, digits))
    return f"{rng.integers(100, 10000):04d}"
