import itertools

import numpy as np
import pytest

from kplate.ctc import beam_search, greedy, softmax
from kplate.plates.alphabet import BLANK, encode
from kplate.plates.automaton import plate_automaton

STEPS = 18


def rows(text: str, *, sure: float = 0.97) -> np.ndarray:
    """Probabilities of a network that says each symbol at every other step."""
    rest = (1 - sure) / 80
    probabilities = np.full((STEPS, 81), rest, np.float32)
    said = [BLANK] * STEPS
    for index, symbol in enumerate(encode(text)):
        said[2 * index] = symbol
    probabilities[np.arange(STEPS), said] = sure
    return probabilities


@pytest.mark.parametrize("digit", "0123456789")
def test_repeated_digits_are_never_merged(digit: str) -> None:
    text = f"12가{digit * 4}"
    assert greedy(rows(text)).text == text
    assert beam_search(rows(text), plate_automaton())[0].text == text
    region = f"서울{digit}{digit}바{digit * 4}" if digit != "0" else "서울10바0000"
    assert beam_search(rows(region), plate_automaton())[0].text == region


def test_the_grammar_overrules_a_likelier_text_that_is_no_plate() -> None:
    probabilities = rows("12가3456")
    probabilities[4, encode("8")] = 0.9  # a digit where the letter stands
    probabilities[4, encode("가")] = 0.08
    assert greedy(probabilities).text == "1283456"
    paths = beam_search(probabilities, plate_automaton())
    assert paths[0].text == "12가3456"
    assert paths[0].probability < 0.1
    assert paths[0].characters[2] == pytest.approx(0.08)


def test_nothing_seen_reads_as_nothing() -> None:
    empty = rows("")
    assert greedy(empty).text == ""
    paths = beam_search(empty, plate_automaton())
    assert not paths or paths[0].probability < 1e-6


def _brute_force(probabilities: np.ndarray) -> dict[str, float]:
    """Sum over all alignments of three classes: '0', '1' and the blank."""
    classes = [0, 1, BLANK]
    totals: dict[str, float] = {}
    for alignment in itertools.product(classes, repeat=len(probabilities)):
        merged = [c for c, _ in itertools.groupby(alignment)]
        text = "".join(str(c) for c in merged if c != BLANK)
        value = float(np.prod([probabilities[step, c] for step, c in enumerate(alignment)]))
        totals[text] = totals.get(text, 0.0) + value
    return totals


def test_beam_search_sums_alignments_as_brute_force_does() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        probabilities = np.zeros((6, 81), np.float32)
        probabilities[:, [0, 1, BLANK]] = rng.dirichlet((1, 1, 1), 6)
        expected = _brute_force(probabilities)
        whole = beam_search(probabilities, None, width=10_000, least=0)
        found = {path.text: path.probability for path in whole}
        assert found.keys() == expected.keys()
        for text, probability in expected.items():
            assert found[text] == pytest.approx(probability, rel=1e-4, abs=1e-7)
        # Giving up what is hopeless changes no score that anyone sees.
        for path in beam_search(probabilities, None, width=10_000):
            assert path.probability == pytest.approx(expected[path.text], abs=1e-4)


def test_softmax_sums_to_one_and_temperature_flattens() -> None:
    logits = np.array([[0.0, 5.0, -1000.0]], np.float32)
    assert softmax(logits).sum() == pytest.approx(1)
    assert softmax(logits, 4.0).max() < softmax(logits).max()
