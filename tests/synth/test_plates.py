import cv2
import numpy as np
import pytest

from kplate.errors import GrammarError
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS, Role
from kplate.synth.crops import degrade, sample_crop, sample_negative
from kplate.synth.plates import place, sample_plate
from kplate.synth.texts import KIND_WEIGHTS, sample_text


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_drawn_at_its_size_with_one_box_a_symbol(kind: Kind) -> None:
    plate = sample_plate(np.random.default_rng(5), px_per_mm=0.8, kind=kind)
    layout = LAYOUTS[kind]
    assert plate.image.shape == (round(layout.height * 0.8), round(layout.width * 0.8), 3)
    assert plate.image.dtype == np.uint8
    assert plate.mask.shape == plate.image.shape[:2]
    assert plate.char_boxes.shape == (len(plate.text), 4)
    assert plate.char_boxes.min() >= 0
    assert plate.char_boxes.max() <= 1
    assert plate.electric == (kind is Kind.ELECTRIC)


@pytest.mark.parametrize("kind", list(Kind))
def test_cells_lie_on_the_plate_and_hold_ink(kind: Kind) -> None:
    layout = LAYOUTS[kind]
    for cell in layout.cells:
        x, y, w, h = cell.box
        assert 0 <= x < x + w <= layout.width
        assert 0 <= y < y + h <= layout.height
    plate = sample_plate(np.random.default_rng(6), kind=kind, wear=0)
    grey = cv2.cvtColor(plate.image, cv2.COLOR_BGR2GRAY)
    for x1, y1, x2, y2 in plate.char_boxes * np.array([*grey.shape[::-1]] * 2):
        assert np.ptp(grey[int(y1) : int(y2), int(x1) : int(x2)]) > 60


def test_the_same_seed_draws_the_same_plate_and_another_seed_another() -> None:
    first, again, other = (sample_crop(np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert first.text == again.text
    assert np.array_equal(first.image, again.image)
    assert first.text != other.text


@pytest.mark.parametrize("text", ["12가3456", "서울12바3456", "외교001002", "임1234", "영경기14노8695"])
def test_a_text_alone_chooses_a_kind_that_carries_it(text: str) -> None:
    assert sample_plate(np.random.default_rng(4), text=text).text == text


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(GrammarError, match="not the text"):
        sample_plate(np.random.default_rng(4), text="12345")
    with pytest.raises(ValueError, match="too short"):
        place(LAYOUTS[Kind.WHITE_LONG], "12가34")
    with pytest.raises(ValueError, match="too long"):
        place(LAYOUTS[Kind.WHITE_LONG], "123가45678")


def test_annex_2_puts_the_first_digit_44_mm_from_the_edge() -> None:
    cells = LAYOUTS[Kind.WHITE_LONG].of(Role.NUMBER)
    assert [cell.box for cell in cells] == [(44, 13.5, 56, 83), (100, 13.5, 56, 83)]


def test_a_short_region_number_is_centred() -> None:
    layout = LAYOUTS[Kind.GREEN_REGION]
    one = place(layout, "서울1가1234")
    first, second = layout.of(Role.NUMBER)
    assert one[1].cell.box[0] == pytest.approx((first.box[0] + second.box[0]) / 2)


def test_corners_mark_the_plate_in_the_crop() -> None:
    """Straightened by its corners, an easy crop shows the ink in the cells that the labels name."""
    rng = np.random.default_rng(9)
    for _ in range(5):
        crop = sample_crop(rng, kind=Kind.WHITE_LONG, difficulty=0.0)
        target = np.array([(0, 0), (520, 0), (520, 110), (0, 110)], np.float32)
        flat = cv2.warpPerspective(crop.image, cv2.getPerspectiveTransform(crop.corners, target), (520, 110))
        grey = cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY).astype(np.float32)
        columns = grey[25:90].min(0)
        gap = columns[212:248].mean()  # the annex leaves 36 mm free before the serial
        digits = np.mean([columns[int(b[0] * 520) + 8 : int(b[2] * 520) - 8].min() for b in crop.char_boxes])
        assert digits < gap - 20


def test_every_kind_and_every_letter_comes_up() -> None:
    rng = np.random.default_rng(10)
    assert set(KIND_WEIGHTS) == set(Kind)
    seen = {symbol for kind in Kind for _ in range(300) for symbol in sample_text(rng, kind)}
    from kplate.plates.alphabet import ALPHABET

    assert seen >= set(ALPHABET)


def test_degraded_pictures_keep_their_shape_and_say_when_colour_is_gone() -> None:
    rng = np.random.default_rng(11)
    picture = rng.integers(0, 256, (40, 150, 3), dtype=np.uint8)
    greys = []
    for _ in range(60):
        result, grey = degrade(picture, rng, 1.0, 20.0)
        assert result.shape == picture.shape
        assert result.dtype == np.uint8
        greys.append(grey)
    assert 0 < sum(greys) < 40


def test_negatives_have_no_text() -> None:
    crop = sample_negative(np.random.default_rng(12))
    assert crop.text == ""
    assert crop.kind is None
    assert crop.char_boxes.shape == (0, 4)
