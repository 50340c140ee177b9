"""Test pictures by condition show what they claim, and their labels lie where they should."""

import functools

import cv2
import numpy as np
import pytest

from kplate.synth.conditions import CONDITIONS, ON_PHOTOGRAPHS, legible
from kplate.synth.scenes import Scene
from kplate.synth.weather import infra_red

SEEDS = range(2)


@functools.cache
def scenes(name: str) -> tuple[Scene, ...]:
    return tuple(CONDITIONS[name].draw(np.random.default_rng((11, seed))) for seed in SEEDS)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_gives_labelled_pictures(name: str) -> None:
    assert any(scene.plates for scene in scenes(name))
    for scene in scenes(name):
        height, width = scene.image.shape[:2]
        assert scene.image.dtype == np.uint8
        assert max(width, height) >= 1280
        for box in (*scene.vehicles, *scene.permits, *(plate.box for plate in scene.plates)):
            assert -2 <= box[0] < box[2] <= width + 2
            assert -2 <= box[1] < box[3] <= height + 2
        for plate in scene.plates:
            if plate.vehicle is not None:
                x, y = plate.corners.mean(axis=0)
                left, top, right, bottom = scene.vehicles[plate.vehicle]
                assert left < x < right
                assert top < y < bottom


def test_the_same_seed_gives_the_same_picture() -> None:
    again = CONDITIONS["rain"].draw(np.random.default_rng((11, 0)))
    np.testing.assert_array_equal(again.image, scenes("rain")[0].image)
    assert [plate.text for plate in again.plates] == [plate.text for plate in scenes("rain")[0].plates]


def test_infra_red_pictures_are_grey_and_night_is_dark() -> None:
    for scene in scenes("infra_red"):
        lab = cv2.cvtColor(scene.image, cv2.COLOR_BGR2LAB).astype(int)
        assert np.abs(lab[..., 1:] - 128).mean() < 6  # a tint at most
        assert scene.image.mean() < 110
    day = np.mean([scene.image.mean() for scene in scenes("front")])
    assert all(scene.image.mean() < 0.7 * day for scene in scenes("night"))


def test_plates_glare_in_infra_red_light() -> None:
    image = np.full((400, 600, 3), 120, np.uint8)
    quad = np.array(((250, 180), (350, 180), (350, 202), (250, 202)), np.float32)
    dark = infra_red(image, [], np.random.default_rng(3))
    lit = infra_red(image, [quad], np.random.default_rng(3))
    window = (slice(184, 198), slice(256, 344))
    assert lit[window].mean() > dark[window].mean() * 1.1
    np.testing.assert_array_equal(lit[300:], dark[300:])


def test_small_plates_are_small() -> None:
    widths = [np.ptp(plate.corners[:, 0]) for scene in scenes("small") for plate in scene.plates]
    assert widths
    assert all(18 < width < 34 for width in widths)
    assert not any(legible(plate.corners) for scene in scenes("small") for plate in scene.plates)
    assert all(scene.image.shape == (1080, 1920, 3) for scene in scenes("small"))


def test_permits_are_behind_windscreens() -> None:
    boxes = [(scene, box) for scene in scenes("permits") for box in scene.permits]
    assert boxes
    for scene, (left, top, right, bottom) in boxes:
        x, y = (left + right) / 2, (top + bottom) / 2
        owners = [car for car in scene.vehicles if car[0] < x < car[2] and car[1] < y < car[3]]
        assert any(y < (car[1] + car[3]) / 2 for car in owners)


@pytest.mark.parametrize("name", ON_PHOTOGRAPHS)
def test_photographs_keep_their_shape(name: str) -> None:
    image = np.random.default_rng(1).integers(0, 255, (120, 213, 3)).astype(np.uint8)
    quad = np.array(((50, 50), (90, 52), (90, 62), (50, 60)), np.float32)
    before = image.copy()
    done = ON_PHOTOGRAPHS[name](image, [quad], np.random.default_rng(2))
    assert (done.shape, done.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(image, before)
