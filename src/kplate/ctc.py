"""CTC decoding against the grammar of plates: numpy in, text and probabilities out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate.plates.alphabet import ALPHABET
from kplate.plates.automaton import Automaton

#: Symbols below this probability at a step are not followed.
_FLOOR: Final = 1e-4
_MOST_SYMBOLS: Final = 6
#: What less likely prefixes could still add to a text's probability is less than scores are told to.
_HOPELESS: Final = 1e-5


#: For each step the probability of the blank, and the symbols that are followed with theirs.
Steps = list[tuple[float, list[tuple[int, float]]]]


@dataclass(frozen=True, slots=True)
class Path:
    """A decoded text.

    Attributes:
        text: The symbols.
        probability: Sum of the probabilities of the alignments that were followed.
        characters: Probability of each symbol at the step where it is said most clearly.
    """

    text: str
    probability: float
    characters: tuple[float, ...]


def _spell(indices: Iterable[int], alphabet: str) -> str:
    return "".join(alphabet[index] for index in indices)


@dataclass(slots=True)
class _Beam:
    state: int
    blank: float = 0.0
    symbol: float = 0.0
    peaks: tuple[float, ...] = ()


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Return probabilities along the last axis."""
    scaled = logits / np.float32(temperature)
    scaled = scaled - scaled.max(-1, keepdims=True)
    powers = np.exp(scaled)
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def greedy(probabilities: NDArray[np.float32], alphabet: str = ALPHABET) -> Path:
    """Take the likeliest class of each step, merge repeats, drop blanks.

    Args:
        probabilities: float32 (steps, classes), blank last.
        alphabet: The symbols, in the order of the classes.
    """
    blank = len(alphabet)
    best = probabilities.argmax(-1)
    symbols: list[int] = []
    peaks: list[float] = []
    total, before = 1.0, blank
    for step, symbol in enumerate(best.tolist()):
        value = float(probabilities[step, symbol])
        total *= value
        if symbol not in (blank, before):
            symbols.append(symbol)
            peaks.append(value)
        elif symbol != blank:
            peaks[-1] = max(peaks[-1], value)
        before = symbol
    return Path(_spell(symbols, alphabet), total, tuple(peaks))


def beam_search(
    probabilities: NDArray[np.float32],
    automaton: Automaton | None,
    width: int = 12,
    alphabet: str = ALPHABET,
    least: float = _HOPELESS,
) -> list[Path]:
    """Find the likeliest texts, best first.

    Args:
        probabilities: float32 (steps, classes), blank last.
        automaton: Grammar that texts must follow; ``None`` allows every text.
        width: Number of prefixes kept at each step.
        alphabet: The symbols, in the order of the classes.
        least: Prefixes of less than this share of the likeliest one's probability are given up at each step.

    Returns:
        Whole texts only; empty where no followed prefix is a plate's text.
    """
    beams: dict[tuple[int, ...], _Beam] = {(): _Beam(automaton.start if automaton else 1, blank=1.0)}
    for blank, symbols in _steps(probabilities):
        beams = _advance(beams, blank, symbols, automaton, width, least)
        if not beams:
            return []
    done = [
        Path(_spell(prefix, alphabet), beam.blank + beam.symbol, beam.peaks)
        for prefix, beam in beams.items()
        if automaton is None or automaton.is_complete(beam.state, len(prefix))
    ]
    return sorted(done, key=lambda path: -path.probability)


def _steps(probabilities: NDArray[np.float32]) -> Steps:
    """Sort out what is followed."""
    steps: Steps = [(blank, []) for blank in probabilities[:, -1].tolist()]
    places = np.nonzero(probabilities[:, :-1] > _FLOOR)
    values = probabilities[places].tolist()
    for step, symbol, value in zip(*(axis.tolist() for axis in places), values, strict=True):
        steps[step][1].append((symbol, value))
    for _, symbols in steps:
        if len(symbols) > _MOST_SYMBOLS:
            symbols.sort(key=lambda item: -item[1])
            del symbols[_MOST_SYMBOLS:]
    return steps


def _advance(
    beams: dict[tuple[int, ...], _Beam],
    blank: float,
    symbols: list[tuple[int, float]],
    automaton: Automaton | None,
    width: int,
    share: float,
) -> dict[tuple[int, ...], _Beam]:
    if not symbols:  # most steps: nothing but the blank
        for beam in beams.values():
            beam.blank, beam.symbol = (beam.blank + beam.symbol) * blank, 0.0
        return beams
    likeliest = max([blank, *(probability for _, probability in symbols)])
    least = share * likeliest * max(beam.blank + beam.symbol for beam in beams.values())
    after: dict[tuple[int, ...], _Beam] = {}
    for prefix, beam in beams.items():
        total = beam.blank + beam.symbol
        last = prefix[-1] if prefix else None
        if total * blank > least:
            _get(after, prefix, beam.state, beam.peaks).blank += total * blank
        for symbol, probability in symbols:
            extended_from = total
            if symbol == last:
                same = _get(after, prefix, beam.state, beam.peaks)
                same.symbol += beam.symbol * probability
                if probability > same.peaks[-1]:
                    same.peaks = (*same.peaks[:-1], probability)
                extended_from = beam.blank  # an equal neighbour needs a blank between
            if extended_from * probability <= least:
                continue
            state = automaton.step(beam.state, len(prefix), symbol) if automaton else 1
            if state:
                grown = _get(after, (*prefix, symbol), state, (*beam.peaks, probability))
                grown.symbol += extended_from * probability
    if len(after) <= width:
        return after
    ranked = sorted(after.items(), key=lambda item: -(item[1].blank + item[1].symbol))
    return dict(ranked[:width])


def _get(
    beams: dict[tuple[int, ...], _Beam], prefix: tuple[int, ...], state: int, peaks: tuple[float, ...]
) -> _Beam:
    beam = beams.get(prefix)
    if beam is None:
        beam = beams[prefix] = _Beam(state, peaks=peaks)
    return beam
