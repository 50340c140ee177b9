import time

import cv2
import numpy as np
import pytest

from kplate.plates.grammar import is_valid
from kplate.plates.kinds import Kind
from kplate.synth import compositing as comp
from kplate.synth.painter import Camera
from kplate.synth.permits import PermitStyle, draw_other_sticker, draw_permit
from kplate.synth.scenes import demo_scene, procedural_scene
from kplate.synth.swapping import Photograph, PlateTruth, add_distractors, add_stickers, swap_plates

QUAD = np.array(((100, 80), (200, 90), (198, 114), (98, 102)), np.float32)


@pytest.fixture(scope="module")
def scenes():
    return [procedural_scene(np.random.default_rng(seed)) for seed in range(12)]


def test_labels_lie_in_the_picture(scenes):
    for scene in scenes:
        height, width = scene.image.shape[:2]
        for box in (*scene.vehicles, *scene.permits):
            assert -2 <= box[0] < box[2] <= width + 2
            assert -2 <= box[1] < box[3] <= height + 2
        for plate in scene.plates:
            assert (plate.corners[1] - plate.corners[0])[0] > 0
            assert (plate.corners[3] - plate.corners[0])[1] > 0
            assert plate.vehicle is None or plate.vehicle < len(scene.vehicles)


def test_scenes_hold_all_that_is_to_be_found(scenes):
    assert sum(len(scene.vehicles) for scene in scenes) > 12
    assert sum(len(scene.plates) for scene in scenes) > 10
    assert sum(len(scene.permits) for scene in scenes) > 2


def test_a_seed_repeats_its_scene():
    one, two = (procedural_scene(np.random.default_rng(7), (320, 240)) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert [p.text for p in one.plates] == [p.text for p in two.plates]


def test_scenes_are_drawn_fast():
    start = time.perf_counter()
    for seed in range(5):
        procedural_scene(np.random.default_rng(seed))
    assert (time.perf_counter() - start) / 5 < 0.6  # 0.05 s on an idle core; CI machines are busy


def test_the_demo_shows_one_car_of_each_sort():
    for seed in range(4):
        scene = demo_scene(np.random.default_rng(seed))
        assert scene.image.shape == (720, 1280, 3)
        assert len(scene.vehicles) == len(scene.plates) == 3
        assert len(scene.permits) == 1
        assert sum(plate.electric for plate in scene.plates) == 1
        assert all(is_valid(plate.text) for plate in scene.plates)
        assert min(comp.quad_size(plate.corners)[0] for plate in scene.plates) > 80


def test_a_camera_sees_near_things_larger():
    camera = Camera(640, 480, 500.0, (0.0, 1.5, 0.0), pitch=0.1)
    near, far = (camera.project(np.array(((-1, 0, z), (1, 0, z)))) for z in (4.0, 8.0))
    assert near[1, 0] - near[0, 0] > 1.8 * (far[1, 0] - far[0, 0])
    assert camera.horizon() < far[0, 1] < near[0, 1]
    assert len(camera.outline(np.array(((-1, 0, -5), (1, 0, -5), (0, 1, -5))))) == 0


def test_warped_drawings_land_on_their_corners():
    picture = np.zeros((200, 300, 3), np.uint8)
    layer = comp.warp(
        np.full((50, 200, 3), 255, np.uint8), np.full((50, 200), 255, np.uint8), QUAD, picture.shape
    )
    assert layer is not None
    comp.lay(picture, layer)
    wanted = np.zeros((200, 300), np.uint8)
    cv2.fillConvexPoly(wanted, np.round(QUAD).astype(np.int32), (255,))
    both = ((picture[..., 0] > 127) & (wanted > 127)).sum()
    either = ((picture[..., 0] > 127) | (wanted > 127)).sum()
    assert both / either > 0.93


def test_warping_outside_the_picture_gives_nothing():
    drawing, mask = np.zeros((9, 9, 3), np.uint8), np.full((9, 9), 255, np.uint8)
    assert comp.warp(drawing, mask, QUAD + 1000, (200, 300, 3)) is None
    assert comp.warp(drawing, mask, np.zeros((4, 2), np.float32), (200, 300, 3)) is None


def photograph():
    rng = np.random.default_rng(1)
    image = np.clip(rng.normal(90, 6, (240, 320, 3)), 0, 255).astype(np.uint8)
    cv2.fillConvexPoly(image, np.round(QUAD).astype(np.int32), (200, 205, 210))
    plate = PlateTruth(comp.quad_box(QUAD), corners=QUAD)
    return Photograph(image, (plate, PlateTruth((5.0, 5.0, 30.0, 12.0))), ((10.0, 10.0, 310.0, 230.0),))


def test_swapping_changes_the_plate_and_nothing_far_from_it():
    before = photograph()
    untouched = before.image.copy()
    after = swap_plates(before, np.random.default_rng(2), share=1.0)
    assert np.array_equal(before.image, untouched)
    swapped, other = after.plates
    assert swapped.text is not None
    assert swapped.kind in set(Kind)
    assert other.text is None
    changed = np.abs(after.image.astype(int) - untouched).max(axis=2) > 0
    rows, columns = np.nonzero(changed)
    assert columns.min() > 60
    assert columns.max() < 240
    assert rows.min() > 55
    assert rows.max() < 140
    assert changed[85:105, 120:180].mean() > 0.5


def test_permits_are_laid_within_the_vehicle():
    after = add_stickers(photograph(), np.random.default_rng(3), share=1.0)
    x1, y1, x2, y2 = after.vehicles[0]
    for box in after.permits:
        assert x1 < (box[0] + box[2]) / 2 < x2
        assert y1 < (box[1] + box[3]) / 2 < y2


def test_distractors_keep_clear_of_labels():
    before = photograph()
    for seed in range(6):
        after = add_distractors(before, np.random.default_rng(seed))
        x1, y1, x2, y2 = (int(v) for v in before.plates[0].box)
        assert np.array_equal(after.image[y1:y2, x1:x2], before.image[y1:y2, x1:x2])


@pytest.mark.parametrize("style", PermitStyle)
def test_permits_have_their_colours(style):
    permit = draw_permit(np.random.default_rng(0), 96, style)
    assert permit.image.shape == (96, 96, 3)
    assert permit.style is style
    blue, _, red = permit.image[permit.mask > 0].mean(axis=0)
    assert (red - blue > 20) == (style is not PermitStyle.WHITE)


def test_other_stickers_are_no_permits():
    assert draw_other_sticker(np.random.default_rng(0), 64).style is None
