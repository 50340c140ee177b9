"""Plates and permits belong to the vehicle that carries them, in drawn streets full of cars."""

import numpy as np
import pytest

from kplate.boxes import overlap
from kplate.recognizer import owner
from kplate.results import Vehicle
from kplate.synth.conditions import CONDITIONS


@pytest.mark.parametrize(("name", "seed"), [("above", 1), ("above", 5), ("phone", 2)])
def test_every_plate_finds_its_car(name: str, seed: int) -> None:
    scene = CONDITIONS[name].draw(np.random.default_rng(seed))
    vehicles = [Vehicle(box, 0.9) for box in scene.vehicles]
    linked = [
        (owner(plate.box, vehicles), plate.vehicle) for plate in scene.plates if plate.vehicle is not None
    ]
    assert len(linked) >= 2
    assert all(found == true for found, true in linked)


def test_every_permit_finds_a_car_that_shows_it_in_its_upper_half() -> None:
    scene = CONDITIONS["permits"].draw(np.random.default_rng(4))
    vehicles = [Vehicle(box, 0.9) for box in scene.vehicles]
    owners = [(owner(permit, vehicles), permit) for permit in scene.permits]
    assert owners
    for index, permit in owners:
        assert index is not None
        _, top, _, bottom = vehicles[index].box
        assert (permit[1] + permit[3]) / 2 < (top + bottom) / 2
        assert overlap(permit, vehicles[index].box) > 0
