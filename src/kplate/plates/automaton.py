"""Which texts may still become a plate's: the grammar as a prefix automaton for decoders.

A template is a sequence of symbol sets, one for each position; a grammar pattern is a handful of templates.
The state after a prefix is the set of templates that the prefix fits, kept as the bits of an integer, so that
a step costs one look-up and one AND.
"""

from functools import cache
from typing import Final

from kplate.plates.alphabet import (
    COMMERCIAL,
    DIGITS,
    DIPLOMATIC,
    INDEX,
    MILITARY,
    PRIVATE,
    REGIONS,
    RENTAL,
    TEMPORARY,
)

Template = tuple[str, ...]

_NOT_ZERO: Final = DIGITS[1:]
_CAR: Final = PRIVATE + RENTAL
_N4: Final[Template] = (DIGITS,) * 4
#: 01-99
_TWO: Final[tuple[Template, ...]] = (("0", _NOT_ZERO), (_NOT_ZERO, DIGITS))


def _templates() -> tuple[Template, ...]:
    regions = [tuple(region) for region in REGIONS]
    result: list[Template] = []
    result += [(*number, _CAR, *_N4) for number in _TWO]
    result += [(_NOT_ZERO, DIGITS, DIGITS, _CAR, *_N4), ("0", DIGITS, DIGITS, _CAR, *_N4)]
    result += [(*region, *number, COMMERCIAL, *_N4) for region in regions for number in _TWO]
    old = PRIVATE + "바사아자허"
    result += [(*region, *number, old, *_N4) for region in regions for number in ((_NOT_ZERO,), _TWO[1])]
    machine = (DIGITS, DIGITS, PRIVATE + "바사아자", *_N4)
    result += [("영", *region, *machine) for region in regions]
    result += [(*region, "영", *machine) for region in regions]
    result += [(*tuple(word), *(DIGITS,) * 6) for word in DIPLOMATIC]
    result += [(DIGITS, DIGITS, MILITARY, *_N4), (TEMPORARY, *_N4)]
    result += [(*region, PRIVATE, *_N4) for region in regions]
    return tuple(result)


class Automaton:
    """Walks over the alphabet's indices along the templates of the grammar."""

    def __init__(self, templates: tuple[Template, ...]) -> None:
        longest = max(map(len, templates))
        self._allowed = [[0] * len(INDEX) for _ in range(longest)]
        self._ends = [0] * (longest + 1)
        for number, template in enumerate(templates):
            bit = 1 << number
            self._ends[len(template)] |= bit
            for position, symbols in enumerate(template):
                for symbol in symbols:
                    self._allowed[position][INDEX[symbol]] |= bit
        #: State of the empty prefix.
        self.start: Final = (1 << len(templates)) - 1

    def step(self, state: int, position: int, symbol: int) -> int:
        """Return the state after one more symbol at ``position``; 0 where no plate goes on so."""
        return state & self._allowed[position][symbol] if position < len(self._allowed) else 0

    def is_complete(self, state: int, length: int) -> bool:
        """Tell whether a prefix of ``length`` symbols in this state is a whole plate."""
        return bool(state & self._ends[length])


@cache
def plate_automaton() -> Automaton:
    """Return the automaton of everything that :func:`kplate.plates.grammar.parse` accepts."""
    return Automaton(_templates())
