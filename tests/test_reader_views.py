import cv2
import numpy as np
import pytest

from kplate.reader_views import (
    LEAST_VARIANCE,
    Corners,
    as_batch,
    normalised_batch,
    straighten,
    upright,
    without_excess,
)


def test_a_straightened_plate_fills_the_view_and_its_corners_map_back() -> None:
    picture = np.full((120, 300, 3), 40, np.uint8)
    quad = np.array([(40, 60), (250, 20), (260, 70), (50, 112)], np.int32)
    cv2.fillPoly(picture, [quad], (250, 250, 250))
    corners = tuple((float(x), float(y)) for x, y in quad)
    assert len(corners) == 4
    view = straighten(picture, corners)
    assert view is not None
    assert view.image.shape == (192, 384, 3)
    assert view.image[30:162, 40:344].min() > 200
    inside = ((0.06 * 384, 19.2), (0.94 * 384, 19.2), (0.94 * 384, 172.8), (0.06 * 384, 172.8))
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
    assert straighten(np.zeros((40, 90, 3), np.uint8), corners) is None


def test_large_crops_are_averaged_and_none_of_their_pixels_left_out() -> None:
    stripes = np.zeros((640, 1920, 3), np.uint8)
    stripes[:, ::2] = 200  # thinner than the network's pixels: only their mean can be seen
    batch = as_batch([stripes, stripes[:100, :300]], (192, 64))
    assert batch.shape == (2, 3, 64, 192)
    assert batch.dtype == np.float32
    assert np.allclose(batch[0], 100 / 255, atol=0.01)


def test_batches_are_rgb() -> None:
    blue = np.full((30, 90, 3), (255, 128, 0), np.uint8)
    assert np.allclose(as_batch([blue], (192, 64))[0, :, 5, 5], (0, 128 / 255, 1), atol=1e-3)
    red, green, blue_ = normalised_batch([blue])[0, :, 5, 5]
    assert red < green < blue_


@pytest.mark.parametrize("scale", [1, 5])
def test_upright_plates_are_sampled_where_the_corners_say(scale: int) -> None:
    rng = np.random.default_rng(1)
    plate = cv2.resize(rng.integers(0, 255, (8, 24, 3), np.uint8), (192, 64), interpolation=cv2.INTER_CUBIC)
    corners = np.array(((30, 20), (200, 34), (190, 95), (25, 80)), np.float32)
    target = np.array(((0, 0), (192, 0), (192, 64), (0, 64)), np.float32)
    matrix = cv2.getPerspectiveTransform(target, corners * scale)
    crop = cv2.warpPerspective(plate, matrix, (220 * scale, 110 * scale), flags=cv2.INTER_LINEAR)
    shares = np.asarray(corners / (220, 110), np.float32).reshape(8)
    found = upright(without_excess(crop.astype(np.uint8), (192, 64)), shares, (192, 64))
    inner = np.s_[4:-4, 4:-4]
    difference = np.abs(found[inner].astype(float) - plate[inner].astype(float))
    assert difference.mean() < 6


def test_plates_are_normalised_each_by_itself() -> None:
    rng = np.random.default_rng(2)
    plates = [rng.integers(0, high, (64, 192, 3), np.uint8) for high in (255, 40)]
    batch = normalised_batch(plates)
    for row, plate in zip(batch, plates, strict=True):
        assert row.mean() == pytest.approx(0, abs=1e-4)
        spread = (plate / 255).std()
        assert row.std() == pytest.approx(spread / np.sqrt(spread**2 + LEAST_VARIANCE), rel=1e-4)
    assert not normalised_batch([np.full((64, 192, 3), 77, np.uint8)]).any()
