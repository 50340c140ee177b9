import cv2
import numpy as np
import pytest

from kplate.reader_views import Corners, straighten


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
