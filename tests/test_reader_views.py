import cv2
import numpy as np
import pytest

from kplate.reader_views import Corners, has_colour, straighten


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


def test_a_straightened_plate_fills_the_view_and_its_corners_map_back() -> None:
    picture = np.full((120, 300, 3), 40, np.uint8)
    quad = np.array([(40, 60), (250, 20), (260, 70), (50, 112)], np.int32)
    cv2.fillPoly(picture, [quad], (250, 250, 250))
    corners = tuple((float(x), float(y)) for x, y in quad)
    assert len(corners) == 4
    view = straighten(picture, corners, (192, 64))
    assert view is not None
    assert view.image.shape == (128, 384, 3)
    assert view.image[20:108, 40:344].min() > 200
    inside = ((0.06 * 384, 12.8), (0.94 * 384, 12.8), (0.94 * 384, 115.2), (0.06 * 384, 115.2))
    assert np.allclose(view.back(inside), corners, atol=0.05)


@pytest.mark.parametrize(
    "corners",
    [
        ((0.0, 0.0), (90.0, 40.0), (90.0, 0.0), (0.0, 40.0)),
        ((10.0, 10.0), (12.0, 10.0), (12.0, 11.0), (10.0, 11.0)),
        ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_crossed_and_tiny_corners_give_no_view(corners: Corners) -> None:
    assert straighten(np.zeros((40, 90, 3), np.uint8), corners, (192, 64)) is None
