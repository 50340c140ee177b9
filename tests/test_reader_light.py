import numpy as np
import pytest

from kplate.reader_light import Light, electric_odds, light_of


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 230, (60, 200, 1), dtype=np.uint8)


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (1.0, 0.8, 0.95), (0.7, 1.0, 0.8)])
def test_shades_of_one_tint_are_no_colour(tint: tuple[float, float, float]) -> None:
    assert not light_of((noise(1) * np.array(tint)).astype(np.uint8)).coloured


def test_a_blue_plate_on_a_grey_car_is_colour() -> None:
    picture = np.repeat(noise(2), 3, 2)
    picture[20:40, 60:140] = (235, 190, 120)
    assert light_of(picture).coloured


def test_clipped_highlights_of_a_tinted_picture_are_no_colour() -> None:
    tinted = noise(3).astype(np.float32) * np.array((1.3, 1.0, 0.8)) * 1.4
    assert not light_of(np.clip(tinted, 0, 255).astype(np.uint8)).coloured


def test_a_black_picture_is_no_colour() -> None:
    assert not light_of(np.zeros((5, 5, 3), np.uint8)).coloured


def plate(ground: tuple[int, int, int]) -> np.ndarray:
    """A ground in BGR with dark strokes over a third of it."""
    image = np.full((60, 200, 3), ground, np.uint8)
    image[15:45, 30:170:3] = 20
    return image


def test_a_blue_ground_speaks_for_an_electric_vehicle_and_a_white_one_against() -> None:
    neutral = Light(True)
    assert electric_odds(plate((245, 229, 183)), neutral) > 1
    assert electric_odds(plate((240, 240, 245)), neutral) < -4


def test_a_white_plate_in_blue_light_is_still_white() -> None:
    picture = np.full((60, 200, 3), (150, 110, 90), np.uint8)
    picture[10:50, 60:140] = (230, 170, 140)
    light = light_of(picture)
    assert light.blueness == pytest.approx(0.5, abs=0.1)
    assert electric_odds(plate((230, 185, 150)), light) < 0.5
