"""The shipped reader finds the corners that a known warp put there, and never merges repeated digits."""

import cv2
import numpy as np
import pytest

from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.reader import Reader
from kplate.synth.plates import sample_plate

#: What a detector leaves around a plate, as shares of its box.
MARGIN = np.array((0.08, 0.15))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


def warped(text: str, corners: list[tuple[float, float]]) -> tuple[Image, np.ndarray]:
    """Draw a new plate by its corners, and cut it out of dark bodywork. Returns crop and corners in it."""
    places = np.array(corners, np.float32)
    box = np.ptp(places, axis=0)
    places += MARGIN * box - places.min(0)
    size = tuple(np.ceil(box * (1 + 2 * MARGIN)).astype(int).tolist())
    plate = sample_plate(np.random.default_rng(1), kind=Kind.WHITE_LONG, text=text, px_per_mm=0.6, wear=0)
    height, width = plate.image.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, places)
    body = np.full((size[1], size[0], 3), (58, 52, 50), np.uint8)
    seen = cv2.warpPerspective(np.dstack((plate.image, plate.mask)), matrix, size, flags=cv2.INTER_AREA)
    alpha = seen[..., 3:].astype(np.float32) / 255
    return (body + (seen[..., :3] - body.astype(np.float32)) * alpha).astype(np.uint8), places


@pytest.mark.parametrize(
    "corners",
    [
        [(20, 40), (220, 40), (220, 84), (20, 84)],  # straight on
        [(22, 30), (216, 44), (218, 88), (20, 76)],  # turned
        [(40, 22), (200, 40), (200, 86), (40, 98)],  # from the left
        [(40, 46), (205, 26), (205, 100), (40, 88)],  # from the right
        [(34, 40), (206, 40), (212, 72), (28, 72)],  # from above
    ],
)
def test_corners_come_back_through_a_known_warp(reader: Reader, corners: list[tuple[float, float]]) -> None:
    crop, places = warped("12가3456", corners)
    reading = reader(crop)
    error = np.hypot(*(np.array(reading.corners) - places).T).mean() / np.hypot(*(places[1] - places[0]))
    assert reading.candidate == "12가3456"
    assert error < 0.04


@pytest.mark.parametrize("digit", "0123456789")
def test_repeated_digits_of_a_drawn_plate_are_all_read(reader: Reader, digit: str) -> None:
    first = "12" if digit == "0" else digit * 2
    text = f"{first}가{digit * 4}"
    crop, _ = warped(text, [(20, 40), (220, 42), (220, 88), (20, 86)])
    assert reader(crop).candidate == text
