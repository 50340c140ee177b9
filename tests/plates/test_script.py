import pytest

from kplate.plates.alphabet import ALPHABET
from kplate.plates.script import KOREAN, NO_GRAMMAR, Script


def test_korean_texts_follow_the_grammar() -> None:
    assert KOREAN.problem(KOREAN.clean("서울 12바-3456")) is None
    assert KOREAN.problem("12가345") == "'12가345' is not the text of a Korean plate"
    assert KOREAN.problem("AB12") == "'AB12' has symbols outside the alphabet: A B"
    assert KOREAN.problem("") == "the text is empty"
    assert KOREAN.automaton is not None
    assert KOREAN.blank == len(ALPHABET)


def test_another_country_keeps_its_own_separators() -> None:
    plain = Script("AB12", NO_GRAMMAR)
    assert plain.clean(" AB-12 ") == "AB12"
    assert Script("AB12-", NO_GRAMMAR).clean("AB-1 2") == "AB-12"
    assert plain.problem("12AB") is None
    assert plain.encode("B2") == [1, 3]
    assert plain.automaton is None


@pytest.mark.parametrize(
    ("alphabet", "grammar", "message"),
    [
        ("", NO_GRAMMAR, "different symbols"),
        ("ABA", NO_GRAMMAR, "repeated: A"),
        ("AB", "korea", "kplate's own alphabet"),
        ("AB", "mars", "one of korea, none"),
    ],
)
def test_scripts_that_cannot_be(alphabet: str, grammar: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Script(alphabet, grammar)
