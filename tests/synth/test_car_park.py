import numpy as np
import pytest

from kplate.bays import parse_bays
from kplate.synth.car_park import BAYS, RATE, CarPark, bays_toml
from kplate.synth.driving import Aisle, drive_in, drive_out, drive_past

AISLE = Aisle(5.6, 9.4)
LENGTH = 4.8


@pytest.fixture(scope="module")
def labels():
    return CarPark(np.random.default_rng(0)).labels()


def test_ten_minutes_hold_all_that_bays_are_tested_with(labels):
    visits = labels["visits"]
    assert sum(visit["arrived"] is not None for visit in visits) >= 10
    assert sum(visit["left"] is not None for visit in visits) >= 9
    assert len(labels["passing"]) >= 6
    assert len(labels["walkers"]) >= 8
    assert {light for _, _, light in labels["lights"]} == {0.02, 0.25}
    assert {visit["bay"] for visit in visits} == {name for name, _ in BAYS}
    assert any(visit["electric"] for visit in visits)
    assert any(visit["permit"] for visit in visits)


@pytest.mark.parametrize("seed", range(40))
def test_no_two_cars_are_in_one_bay(seed: int):
    visits = CarPark(np.random.default_rng(seed), 300).labels()["visits"]
    for name, _ in BAYS:
        stays = [(v["arrived"] or 0.0, v["left"] or 300.0) for v in visits if v["bay"] == name]
        for (_, left), (arrived, _) in zip(sorted(stays), sorted(stays)[1:], strict=False):
            assert left < arrived


def test_a_seed_repeats_its_clip():
    one, two = (CarPark(np.random.default_rng(5), 20) for _ in range(2))
    assert one.labels() == two.labels()
    frames = [park.frame(30) for park in (one, two)]
    assert np.array_equal(*frames)
    assert frames[0].shape == (720, 1280, 3)


def test_its_bays_are_a_file_of_bays():
    bays = parse_bays(bays_toml(CarPark(np.random.default_rng(0), 10)))
    assert [(bay.name, str(bay.kind)) for bay in bays.camera().bays] == list(BAYS)


def test_the_lights_go_off():
    park = CarPark(np.random.default_rng(11), 60)
    start, _, light = park.lights[0]
    first = round(start * RATE + 0.5)
    assert light < 0.1
    assert park.frame(first - 2).mean() > 10 * park.frame(first + 2).mean()


@pytest.mark.parametrize("rear", [True, False])
@pytest.mark.parametrize("side", [-1, 1])
def test_cars_come_from_outside_and_end_straight_in_their_bay(rear: bool, side: int):
    drive = drive_in(-1.25, AISLE, LENGTH, side, rear=rear)
    x, _, _ = drive.at(0.0, rear=rear)
    assert side * x > 4
    x, z, yaw = drive.at(drive.seconds, rear=rear)
    assert (x, z, yaw) == pytest.approx((-1.25, AISLE.bay, 0.0), abs=0.06)
    x, z, yaw = drive_out(-1.25, AISLE, LENGTH, side, rear=rear).at(0.0, rear=rear)
    assert (x, z, yaw) == pytest.approx((-1.25, AISLE.bay, 0.0), abs=0.06)


def test_cars_keep_their_length_and_a_car_park_s_speed():
    for drive in (
        drive_in(1.25, AISLE, LENGTH, 1, rear=True),
        drive_in(1.25, AISLE, LENGTH, -1, rear=False),
        drive_out(3.75, AISLE, LENGTH, 1, rear=True),
        drive_out(3.75, AISLE, LENGTH, -1, rear=False),
        drive_past(AISLE, LENGTH, 1, 0.5, 3.0),
    ):
        lengths = np.linalg.norm(drive.fronts - drive.rears, axis=1)
        assert lengths == pytest.approx(np.full(len(lengths), LENGTH), abs=0.02)
        steps = np.linalg.norm(np.diff(drive.fronts, axis=0), axis=1)
        assert (np.diff(drive.times) > 0).all()
        assert (steps / np.diff(drive.times)).max() < 4.0
