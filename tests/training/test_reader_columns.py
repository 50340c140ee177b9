from itertools import groupby

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from kplate.nets.lprnet_published import FIRST, STRIDE  # noqa: E402
from kplate.plates.alphabet import BLANK, decode  # noqa: E402
from kplate.plates.kinds import Kind  # noqa: E402
from kplate.synth.crops import sample_crop, sample_negative  # noqa: E402
from kplate.training.reader_columns import ANY, column_weights, columns_of, place_in_columns  # noqa: E402
from kplate.training.reader_data import encode_crop, stack  # noqa: E402


def said(steps: list[int]) -> str:
    """Read steps as CTC does, those that may say anything as blanks."""
    merged = [key for key, _ in groupby(step if step != ANY else BLANK for step in steps)]
    return decode([step for step in merged if step != BLANK])


def test_symbols_are_placed_at_the_columns_that_see_them() -> None:
    centres = [0.15, 0.28, 0.42, 0.55, 0.68, 0.8]
    places = place_in_columns(centres, [False] * 6)
    assert places == [round((centre - FIRST) / STRIDE) for centre in centres]


@pytest.mark.parametrize("centres", [[0.08, 0.12, 0.9], [0.8, 0.85, 0.92], [0.5, 0.54, 0.58]])
def test_crowded_symbols_keep_their_order_and_their_blanks(centres: list[float]) -> None:
    places = place_in_columns(centres, [False, True, True])
    assert places[1] - places[0] >= 2
    assert places[2] - places[1] >= 2
    assert places[0] >= 0
    assert places[2] < 18


def test_text_that_goes_back_to_the_left_has_no_columns() -> None:
    assert place_in_columns([0.2, 0.5, 0.8, 0.1, 0.4, 0.6, 0.9], [False] * 7) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.WHITE_LONG, "12가1123"),
        (Kind.WHITE_8_FILM, "333다3333"),
        (Kind.COMMERCIAL_LONG, "서울11바1111"),
        *((Kind.WHITE_LONG, f"{digit}{digit}가{digit * 4}") for digit in "123456789"),
    ],
)
def test_steps_say_the_text(kind: Kind, text: str) -> None:
    crop = sample_crop(np.random.default_rng(3), kind=kind, text=text)
    steps = columns_of(stack([encode_crop(crop, (94, 24))]))[0].tolist()
    assert said(steps) == text


def test_two_lines_say_anything_and_nothing_says_blank() -> None:
    rng = np.random.default_rng(3)
    green = sample_crop(rng, kind=Kind.GREEN_REGION, text="서울11가2222")
    rows = columns_of(stack([encode_crop(crop, (94, 24)) for crop in (green, sample_negative(rng))]))
    assert rows[0].tolist() == [ANY] * 18
    assert rows[1].tolist() == [BLANK] * 18


def test_ctc_teaches_alone_in_the_end() -> None:
    assert column_weights(0.0).steps == 1
    assert column_weights(0.6).steps == 0
    assert column_weights(1.0).ctc == pytest.approx(1)
