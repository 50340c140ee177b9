"""What the plates of a reader may say: its symbols, and whether Korea's grammar holds."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from kplate.plates.alphabet import ALPHABET
from kplate.plates.automaton import Automaton, plate_automaton
from kplate.plates.grammar import is_valid

#: Names of the grammars there are, as they stand in a manifest's ``extra``.
KOREA: Final = "korea"
NO_GRAMMAR: Final = "none"
GRAMMARS: Final = (KOREA, NO_GRAMMAR)

#: What may stand between the symbols of a plate without being one.
_SEPARATOR: Final = re.compile(r"[\s\-‐-―·.]")


@dataclass(frozen=True)
class Script:
    """The symbols of a reader, in the order of its outputs, and the grammar that its texts follow.

    Attributes:
        alphabet: Different symbols of one code point each; the CTC blank follows them.
        grammar: One of :data:`GRAMMARS`.
    """

    alphabet: str = ALPHABET
    grammar: str = KOREA

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: The alphabet is empty or repeats a symbol, the grammar is unknown, or it needs
                symbols that the alphabet has not.
        """
        repeated = sorted({symbol for symbol in self.alphabet if self.alphabet.count(symbol) > 1})
        if not self.alphabet or repeated:
            raise ValueError(f"an alphabet needs different symbols; repeated: {''.join(repeated) or 'none'}")
        if self.grammar not in GRAMMARS:
            raise ValueError(f"the grammar must be one of {', '.join(GRAMMARS)}, not {self.grammar!r}")
        if self.grammar == KOREA and self.alphabet != ALPHABET:
            raise ValueError("Korea's grammar needs kplate's own alphabet")

    @property
    def blank(self) -> int:
        """Class index of the CTC blank."""
        return len(self.alphabet)

    @property
    def automaton(self) -> Automaton | None:
        """The grammar for a decoder; ``None`` where every text is allowed."""
        return plate_automaton() if self.grammar == KOREA else None

    @cached_property
    def _index(self) -> dict[str, int]:
        return {symbol: index for index, symbol in enumerate(self.alphabet)}

    def clean(self, text: str) -> str:
        """Return the canonical form: NFC, without the spaces, hyphens and dots that are no symbols here."""
        canonical = unicodedata.normalize("NFC", text)
        return "".join(s for s in canonical if s in self._index or not _SEPARATOR.match(s))

    def problem(self, text: str) -> str | None:
        """Say why a canonical text is none that a reader of this script could read; ``None`` where it is."""
        if not text:
            return "the text is empty"
        foreign = sorted(set(text) - set(self.alphabet))
        if foreign:
            return f"{text!r} has symbols outside the alphabet: {' '.join(foreign)}"
        if self.grammar == KOREA and not is_valid(text):
            return f"{text!r} is not the text of a Korean plate"
        return None

    def encode(self, text: str) -> list[int]:
        """Turn a canonical text into class indices.

        Raises:
            KeyError: A symbol is not of the alphabet.
        """
        return [self._index[symbol] for symbol in text]


#: Korean plates.
KOREAN: Final = Script()
