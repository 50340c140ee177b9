"""Each effect does to a picture what it is named after."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest

from kplate.images import Image
from kplate.synth import effects

EFFECTS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "exposure": effects.exposure,
    "monochrome": effects.monochrome,
    "shadow": effects.shadow,
    "glare": effects.glare,
    "headlights": effects.headlights,
    "motion_blur": partial(effects.motion_blur, length=5.0),
    "focus_blur": partial(effects.focus_blur, sigma=1.5),
    "sharpen": effects.sharpen,
    "sensor_noise": partial(effects.sensor_noise, strength=8.0),
    "rescale": partial(effects.rescale, factor=0.4),
    "rain": effects.rain,
}


def picture(width: int = 160, height: int = 48) -> Image:
    """Draw something like a plate: dark bars on a coloured ground."""
    image = np.full((height, width, 3), (150, 170, 190), np.uint8)
    for x in range(12, width - 8, 16):
        cv2.rectangle(image, (x, height // 4), (x + 5, 3 * height // 4), (40, 30, 35), -1)
    return image


def flat(level: int = 120) -> Image:
    return np.full((48, 160, 3), level, np.uint8)


def edges(image: Image) -> float:
    """Return how steep the picture is along its rows."""
    return float(np.abs(np.diff(image.astype(np.int16), axis=1)).max())


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize(("width", "height"), [(160, 48), (17, 10), (300, 200)])
def test_effects_return_a_new_picture_of_the_same_shape(name: str, width: int, height: int) -> None:
    image = picture(width, height)
    before = image.copy()
    for seed in range(5):
        result = EFFECTS[name](image, np.random.default_rng(seed))
        assert result.shape == image.shape
        assert result.dtype == np.uint8
        assert np.array_equal(image, before)
        assert np.array_equal(result, EFFECTS[name](image, np.random.default_rng(seed)))


def test_exposure_goes_from_night_to_glaring_day() -> None:
    means = [float(effects.exposure(flat(), np.random.default_rng(seed)).mean()) for seed in range(60)]
    assert min(means) < 35
    assert max(means) > 190


def test_infra_red_is_one_tint_and_may_turn_a_green_ground_dark_or_light() -> None:
    green = np.full((20, 40, 3), (35, 120, 0), np.uint8)
    levels = []
    for seed in range(40):
        grey = effects.monochrome(green, np.random.default_rng(seed)).reshape(-1, 3)
        assert np.ptp(grey, axis=0).max() == 0
        levels.append(float(grey.mean()))
    assert min(levels) < 35
    assert max(levels) > 75


def test_shadows_darken_a_part() -> None:
    for seed in range(10):
        shaded = effects.shadow(flat(), np.random.default_rng(seed)).astype(int)
        assert shaded.min() < 105
    edge = [np.ptp(effects.shadow(flat(), np.random.default_rng(seed))) for seed in range(10)]
    assert max(edge) > 40


def test_glare_only_adds_light() -> None:
    for seed in range(10):
        assert (effects.glare(flat(), np.random.default_rng(seed)) >= 120).all()


def test_headlights_glow_at_the_sides_and_dim_the_rest() -> None:
    brighter = []
    for seed in range(20):
        lit = effects.headlights(picture(), np.random.default_rng(seed)).astype(np.float32)
        brighter.append(lit[:, [0, -1]].mean() - lit[:, 70:90].mean())
    assert np.mean(brighter) > 20


def test_motion_blur_smears_along_its_direction() -> None:
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    lengths = [
        np.ptp(np.argwhere(effects.motion_blur(dot, np.random.default_rng(seed), 11.0)[..., 0] > 3), axis=0)
        for seed in range(12)
    ]
    assert all(8 <= np.hypot(*length) <= 15 for length in lengths)
    assert np.mean([across > down for down, across in lengths]) > 0.6  # cars drive past, they do not jump


@pytest.mark.parametrize("name", ["focus_blur", "motion_blur"])
def test_what_blurs_makes_edges_softer(name: str) -> None:
    image = picture()
    assert all(edges(EFFECTS[name](image, np.random.default_rng(seed))) < edges(image) for seed in range(3))


def test_lost_resolution_does_not_come_back() -> None:
    fine = np.random.default_rng(3).integers(0, 256, (48, 160, 3), dtype=np.uint8)
    spread = [effects.rescale(fine, np.random.default_rng(4), factor).std() for factor in (0.9, 0.3)]
    assert fine.std() > spread[0] > spread[1]


def test_noise_has_the_strength_that_is_asked_for() -> None:
    spread = [
        float(effects.sensor_noise(flat(128), np.random.default_rng(seed), 8.0).std()) for seed in range(20)
    ]
    assert 6 < np.mean(spread) < 10


def test_low_quality_costs_detail() -> None:
    image = np.random.default_rng(3).integers(0, 256, (48, 160, 3), dtype=np.uint8)
    lost = [np.abs(effects.jpeg(image, quality).astype(int) - image).mean() for quality in (95, 25)]
    assert lost[0] < lost[1]
