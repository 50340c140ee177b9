import numpy as np
import pytest

from kplate.errors import GrammarError
from kplate.plates.alphabet import ALPHABET, BLANK, INDEX, REGIONS, decode, encode
from kplate.plates.automaton import plate_automaton
from kplate.plates.grammar import display, is_valid, kinds_of, normalise, parse, use_of, validate
from kplate.plates.kinds import GROUNDS, UNREAD_KINDS, Kind, Use, ground_of
from kplate.plates.layouts import LAYOUTS
from kplate.synth.texts import sample_text


def test_alphabet_has_80_different_symbols_and_the_blank_comes_after_them() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == BLANK == 80
    assert decode(encode("서울12바3456")) == "서울12바3456"


@pytest.mark.parametrize(
    ("text", "pattern", "region", "number", "letter", "serial", "use"),
    [
        ("12가3456", "private7", "", "12", "가", "3456", Use.PRIVATE),
        ("123가4568", "private8", "", "123", "가", "4568", Use.PRIVATE),
        ("34하5678", "private7", "", "34", "하", "5678", Use.RENTAL),
        ("998가1234", "private8", "", "998", "가", "1234", Use.EMERGENCY),
        ("서울12바3456", "commercial", "서울", "12", "바", "3456", Use.COMMERCIAL),
        ("경기93배1234", "commercial", "경기", "93", "배", "1234", Use.DELIVERY),
        ("서울1가1234", "region_old", "서울", "1", "가", "1234", Use.PRIVATE),
        ("서울30가1111", "region_old", "서울", "30", "가", "1111", Use.PRIVATE),
        ("012가4568", "construction", "", "012", "가", "4568", Use.CONSTRUCTION),
        ("영경기14노8695", "construction_old", "경기", "14", "노", "8695", Use.CONSTRUCTION),
        ("서울영02가1234", "construction_old", "서울", "02", "가", "1234", Use.CONSTRUCTION),
        ("외교321678", "diplomatic", "외교", "321", "", "678", Use.DIPLOMATIC),
        ("16육2331", "military", "", "16", "육", "2331", Use.MILITARY),
        ("임0123", "temporary", "", "", "임", "0123", Use.TEMPORARY),
        ("서울가1234", "motorcycle", "서울", "", "가", "1234", Use.MOTORCYCLE),
    ],
)
def test_parse_takes_texts_apart(
    text: str, pattern: str, region: str, number: str, letter: str, serial: str, use: Use
) -> None:
    found = parse(text)
    assert found is not None
    assert (found.pattern, found.region, found.number, found.letter, found.serial, found.use) == (
        pattern, region, number, letter, serial, use,
    )  # fmt: skip
    assert use_of(text) is use


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234",
        "12가345",
        "00가1234",
        "12바1234",
        "12가34567",
        "서울바1234",
        "평양12바3456",
        "012345",
        "12갸3456",
    ],
)
def test_what_no_plate_says_is_refused(text: str) -> None:
    assert parse(text) is None
    assert not is_valid(text)
    with pytest.raises(GrammarError, match="not the text of a Korean number plate"):
        validate(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("12가3456", "12가 3456"),
        ("서울12바3456", "서울 12바 3456"),
        ("외교001001", "외교 001-001"),
        ("영경기14노8695", "영경기 14노 8695"),
        ("no plate", "no plate"),
    ],
)
def test_display_is_what_people_write(text: str, shown: str) -> None:
    assert display(text) == shown
    if parse(text):
        assert normalise(shown) == text


def test_decomposed_and_spaced_texts_are_normalised() -> None:
    decomposed = "12\u1100\u1161 3456"
    assert normalise(decomposed) == "12가3456"
    assert normalise("외교 001-001") == "외교001001"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in UNREAD_KINDS])
def test_every_drawn_text_fits_its_kind(kind: Kind) -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        text = sample_text(rng, kind)
        assert kind in kinds_of(text), text


@pytest.mark.parametrize(
    ("text", "ground", "kinds"),
    [
        ("서울12바3456", (254, 182, 0), {"commercial_short", "commercial_long", "commercial_large"}),
        ("123가4567", (183, 229, 245), {"electric"}),
        ("123가4567", (84, 192, 240), {"electric"}),  # as a car-park camera sees it
        ("123가4567", (173, 189, 76), {"corporate"}),
        ("12가3456", (0, 120, 35), {"green"}),
        (
            "서울1가1234",
            (0, 90, 60),
            {"green_region", "construction_old"},
        ),  # construction machines may be green
        ("외교001002", (20, 40, 110), {"diplomatic_short", "diplomatic_long"}),
        ("012가4568", (235, 110, 20), {"construction"}),
        ("123가4567", (254, 182, 0), set()),
        ("12345", None, set()),
    ],
)
def test_text_and_colour_tell_the_kind(
    text: str, ground: tuple[int, int, int] | None, kinds: set[str]
) -> None:
    assert {kind for kind in kinds_of(text, ground) if kind not in UNREAD_KINDS} == kinds


@pytest.mark.parametrize("kind", list(Kind))
def test_grounds_are_those_of_the_layouts(kind: Kind) -> None:
    assert ground_of(LAYOUTS[kind].colours.ground) in GROUNDS[kind]


def _walk(text: str) -> bool:
    automaton = plate_automaton()
    state = automaton.start
    for position, symbol in enumerate(text):
        state = automaton.step(state, position, INDEX[symbol])
    return automaton.is_complete(state, len(text))


def test_the_automaton_accepts_exactly_what_parse_accepts() -> None:
    rng = np.random.default_rng(2)
    kinds = [kind for kind in Kind if kind not in UNREAD_KINDS]
    accepted = 0
    for _ in range(4000):
        text = sample_text(rng, kinds[int(rng.integers(len(kinds)))])
        for _ in range(int(rng.integers(0, 3))):  # damage it
            place = int(rng.integers(len(text)))
            symbol = ALPHABET[int(rng.integers(80))] if rng.random() < 0.9 else ""
            text = text[:place] + symbol + text[place + 1 :]
        accepted += _walk(text)
        assert _walk(text) == is_valid(text), text
    assert 500 < accepted < 3900


def test_all_regions_are_spelled_with_the_alphabet() -> None:
    assert len(REGIONS) == 17
    assert all(symbol in ALPHABET for region in REGIONS for symbol in region)
