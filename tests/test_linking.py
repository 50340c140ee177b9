"""Plates and permits belong to the vehicle that carries them, in drawn streets full of cars."""

import numpy as np
import pytest

from kplate.boxes import overlap
from kplate.linking import one_plate_each, owner
from kplate.synth.conditions import CONDITIONS


@pytest.mark.parametrize(("name", "seed"), [("above", 1), ("above", 5), ("phone", 2)])
def test_every_plate_finds_its_car(name: str, seed: int) -> None:
    scene = CONDITIONS[name].draw(np.random.default_rng(seed))
    linked = [
        (owner(plate.box, scene.vehicles), plate.vehicle)
        for plate in scene.plates
        if plate.vehicle is not None
    ]
    assert len(linked) >= 2
    assert all(found == true for found, true in linked)


def test_every_permit_finds_a_car_that_shows_it_in_its_upper_half() -> None:
    scene = CONDITIONS["permits"].draw(np.random.default_rng(4))
    owners = [(owner(permit, scene.vehicles), permit) for permit in scene.permits]
    assert owners
    for index, permit in owners:
        assert index is not None
        _, top, _, bottom = scene.vehicles[index]
        assert (permit[1] + permit[3]) / 2 < (top + bottom) / 2
        assert overlap(permit, scene.vehicles[index]) > 0


def test_the_owner_is_the_smallest_vehicle_that_holds_most_of_a_plate() -> None:
    vehicles = [(0.0, 0.0, 600.0, 400.0), (100.0, 100.0, 300.0, 300.0), (280.0, 0.0, 400.0, 400.0)]
    assert owner((150, 250, 200, 265), vehicles) == 1
    assert owner((500, 250, 550, 265), vehicles) == 0
    # The small ones hold 80 and 60 %, the large one all of it.
    assert owner((260, 250, 310, 265), vehicles) == 0
    assert owner((590, 250, 640, 265), vehicles) is None
    assert owner((595, 250, 605, 265), vehicles) == 0
    assert owner((0, 0, 1, 1), []) is None


def test_a_second_plate_of_a_vehicle_counts_less() -> None:
    vehicles = np.array(((0, 0, 100, 100), (100, 0, 200, 100)), np.float32)
    plates = np.array(
        ((10, 70, 30, 80), (40, 70, 70, 80), (110, 70, 140, 80), (10, 120, 40, 130), (50, 120, 80, 130)),
        np.float32,
    )
    scores = np.array((0.5, 0.9, 0.8, 0.7, 0.6), np.float32)
    lowered = one_plate_each(plates, scores, vehicles)
    assert lowered.tolist() == pytest.approx([0.5 * (1 - 0.2 * 0.9), 0.9, 0.8, 0.7, 0.6])
    assert lowered.dtype == np.float32
    assert scores.tolist() == pytest.approx([0.5, 0.9, 0.8, 0.7, 0.6])
    assert one_plate_each(plates, scores, vehicles[:0]).tolist() == scores.tolist()
    assert len(one_plate_each(plates[:0], scores[:0], vehicles)) == 0


def test_an_unsure_plate_beside_another_keeps_nearly_all_of_its_score() -> None:
    plates = np.array(((10, 70, 30, 80), (40, 70, 70, 80)), np.float32)
    scores = np.array((0.1, 0.05), np.float32)
    vehicle = np.array(((0, 0, 100, 100),), np.float32)
    assert one_plate_each(plates, scores, vehicle).tolist() == pytest.approx([0.1, 0.05 * 0.98])
