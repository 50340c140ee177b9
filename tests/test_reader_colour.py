import numpy as np
import pytest

from kplate.reader import has_colour


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 230, (60, 200, 1), dtype=np.uint8)


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (1.0, 0.8, 0.95), (0.7, 1.0, 0.8)])
def test_shades_of_one_tint_are_no_colour(tint: tuple[float, float, float]) -> None:
    assert not has_colour((noise(1) * np.array(tint)).astype(np.uint8))


def test_a_blue_plate_on_a_grey_car_is_colour() -> None:
    picture = np.repeat(noise(2), 3, 2)
    picture[20:40, 60:140] = (235, 190, 120)
    assert has_colour(picture)


def test_clipped_highlights_of_a_tinted_picture_are_no_colour() -> None:
    tinted = noise(3).astype(np.float32) * np.array((1.3, 1.0, 0.8)) * 1.4
    assert not has_colour(np.clip(tinted, 0, 255).astype(np.uint8))


def test_a_black_picture_is_no_colour() -> None:
    assert not has_colour(np.zeros((5, 5, 3), np.uint8))
