"""What a plate shows beside its text is there, where the notice puts it."""

import cv2
import numpy as np
import pytest

from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS
from kplate.synth import details
from kplate.synth.crops import sample_crop
from kplate.synth.plates import sample_plate

SCALE = 2.0


def new_plate(kind: Kind, seed: int = 1) -> Image:
    return sample_plate(np.random.default_rng(seed), kind=kind, px_per_mm=SCALE, wear=0).image


def part(image: Image, x1: float, y1: float, x2: float, y2: float) -> Image:
    """Cut out a rectangle given in mm."""
    return image[round(y1 * SCALE) : round(y2 * SCALE), round(x1 * SCALE) : round(x2 * SCALE)]


@pytest.mark.parametrize("kind", [kind for kind in Kind if LAYOUTS[kind].border is not None])
def test_the_border_is_a_line_in_the_texts_colour(kind: Kind) -> None:
    offset, thickness = LAYOUTS[kind].border or (0.0, 0.0)
    middle = LAYOUTS[kind].height / 2 - 3
    image = new_plate(kind)
    line = part(image, offset + 0.5, middle, offset + thickness - 0.5, middle + 2).mean()
    rim = part(image, 0, middle, offset - 0.5, middle + 2).mean()
    assert abs(line - rim) > 60


def test_the_film_has_a_blue_band_with_a_hologram_seen_at_times() -> None:
    bands = [part(new_plate(Kind.WHITE_8_FILM, seed), 6, 6, 56, 104) for seed in range(12)]
    for band in bands:
        blue, _, red = band.reshape(-1, 3).mean(axis=0)
        assert blue > red + 30
    rings = [np.ptp(cv2.cvtColor(band, cv2.COLOR_BGR2GRAY)[90:140, 36:66]) for band in bands]
    assert min(rings) < 60 < max(rings)


def test_electric_plates_have_a_pattern_where_the_ground_shows() -> None:
    ground = part(new_plate(Kind.ELECTRIC), 222, 14, 248, 96)  # annex 18 leaves this gap free
    plain = part(new_plate(Kind.WHITE_LONG), 222, 14, 248, 96)
    assert ground.std(axis=(0, 1)).max() > 2
    assert plain.std(axis=(0, 1)).max() == 0


def test_temporary_plates_have_red_diagonals() -> None:
    image = new_plate(Kind.TEMPORARY_SHORT).astype(int)
    red = (image[..., 2] - image[..., :2].max(axis=2)) > 100
    assert 0.02 < red.mean() < 0.3


def test_bolts_lie_on_their_holes_and_the_seal_on_the_left_one() -> None:
    layout = LAYOUTS[Kind.WHITE_LONG]
    sizes = []
    for seed in range(60):
        image = np.full((220, 1040, 3), 240, np.uint8)
        details.draw_hardware(image, layout, SCALE, np.random.default_rng(seed))
        drawn = (image != 240).any(axis=2)
        assert not drawn[:, 100:940].any()
        sizes.append((np.count_nonzero(drawn[:, :100]), np.count_nonzero(drawn[:, 940:])))
    shown = [left for left, right in sizes if left and right]
    assert len(shown) > 50
    seals = [left > 1.5 * right for left, right in sizes if right]
    assert 0.1 < np.mean(seals) < 0.6


def test_embossing_shades_slopes_and_leaves_flats() -> None:
    alpha = np.zeros((60, 200), np.uint8)
    alpha[20:40, 50:150] = 255
    ground = np.full((60, 200, 3), 128, np.uint8)
    shaded = [details.emboss(ground, alpha, np.random.default_rng(seed), 1.0) for seed in range(20)]
    pressed = [image for image in shaded if (image != 128).any()]
    assert 5 < len(pressed) < 20  # some presses are worn, and films are flat
    for image in pressed:
        assert (image[28:32, 90:110] == 128).all()
        assert image.max() > 130
        assert image.min() < 126


def test_dirt_covers_some_plates_and_new_ones_stay_clean() -> None:
    clean = np.full((110, 520, 3), 200, np.uint8)
    changed = []
    for seed in range(60):
        image = clean.copy()
        details.draw_dirt(image, np.random.default_rng(seed), 1.0)
        changed.append(not np.array_equal(image, clean))
        details.draw_dirt(untouched := clean.copy(), np.random.default_rng(seed), 0.0)
        assert np.array_equal(untouched, clean)
    assert 0.3 < np.mean(changed) < 0.95


def test_views_reach_sixty_degrees_and_small_plates() -> None:
    """The slant of a plate's shorter sides cannot show yaw, but how much narrower it looks can."""
    rng = np.random.default_rng(5)
    narrow, small = [], []
    for _ in range(500):
        crop = sample_crop(rng, kind=Kind.WHITE_LONG)
        across = np.hypot(*(crop.corners[1] - crop.corners[0]))
        down = np.hypot(*(crop.corners[3] - crop.corners[0]))
        narrow.append(across / down / (520 / 110))
        small.append(down * 75 / 110)
    assert np.quantile(narrow, 0.02) < 0.65
    assert np.quantile(small, 0.1) < 12
