"""Vehicles without a plate are looked at again."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from kplate import Recognizer
from kplate.closer import look_closer
from kplate.detector import Detection, Detector
from kplate.images import Image
from kplate.results import Box
from kplate.synth.conditions import CONDITIONS

PLATE, CARS = "license_plate", ("car",)


@dataclass
class _Engine:
    sizes: tuple[tuple[int, int], ...] = ()


@dataclass
class _Network:
    engine: _Engine = field(default_factory=_Engine)


class Known(Detector):
    """Finds what it is told to in every part of a picture; notes the parts."""

    def __init__(self, *found: Detection, size: Any = 416, sizes: tuple[tuple[int, int], ...] = ()) -> None:
        self.found, self.size, self.multiple = found, size, 32
        self.labels = ("car", PLATE)
        self.network: Any = _Network(_Engine(sizes))
        self.parts: list[tuple[tuple[int, ...], Any]] = []

    def __call__(self, image: Any, *, size: Any = None) -> tuple[Detection, ...]:
        self.parts.append((image.shape, size))
        return self.found

    def threshold(self, label: str) -> float:
        assert label == PLATE
        return 0.5


def picture(width: int = 1920, height: int = 1080) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def car(box: Box) -> Detection:
    return Detection("car", box, 0.9)


def plate(box: Box, score: float = 0.8) -> Detection:
    return Detection(PLATE, box, score)


#: A car 200 px wide, from row 500 to 700; what is cut out begins at (790, 540).
CAR: Box = (800.0, 500.0, 1000.0, 700.0)


def test_a_plate_comes_back_to_the_picture() -> None:
    detector = Known(plate((95, 110, 125, 120)))
    assert look_closer(detector, picture(), [car(CAR)], CARS, PLATE) == [plate((885, 650, 915, 660))]
    ((shape, size),) = detector.parts
    assert shape == (177, 221, 3)
    assert size == 288  # a quarter more than its 221 px, in steps of 32


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (plate((95, 110, 125, 120), 0.55), "not sure enough"),
        (plate((95, 10, 125, 20)), "in the upper part"),
        (plate((20, 110, 130, 140)), "too wide"),
        (car((95, 110, 125, 120)), "no plate"),
    ],
)
def test_what_is_no_plate_of_the_vehicle_is_left_out(found: Detection, reason: str) -> None:
    assert look_closer(Known(found), picture(), [car(CAR)], CARS, PLATE) == [], reason


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ([car(CAR), plate((880, 650, 910, 660))], "it shows a plate"),
        ([car((100, 100, 1000, 900))], "it is near"),
        ([car((100, 100, 130, 130))], "it is too far"),
        ([Detection("tree", CAR, 0.9)], "it is no vehicle"),
        ([], "there is none"),
    ],
)
def test_vehicles_that_need_no_second_look(first: list[Detection], reason: str) -> None:
    detector = Known(plate((95, 110, 125, 120)))
    assert look_closer(detector, picture(), first, CARS, PLATE) == [], reason
    assert detector.parts == [], reason


def test_a_plate_in_two_vehicles_is_found_once() -> None:
    beside: Box = (810.0, 505.0, 1010.0, 700.0)
    detector = Known(plate((85, 110, 115, 120)))
    assert len(look_closer(detector, picture(), [car(CAR), car(beside)], CARS, PLATE)) == 1
    assert len(detector.parts) == 2


def test_crowds_are_looked_at_in_part_and_networks_of_one_size_not_at_all() -> None:
    crowd = [car((50.0 * n, 500, 50.0 * n + 45, 545)) for n in range(20)]
    detector = Known()
    assert look_closer(detector, picture(), crowd, CARS, PLATE) == []
    assert len(detector.parts) == 16
    fixed = Known(plate((95, 110, 125, 120)), sizes=((416, 416),))
    assert look_closer(fixed, picture(), [car(CAR)], CARS, PLATE) == []


def test_small_plates_of_a_street_are_found() -> None:
    """With the shipped network, in pictures of 1080 rows with plates of 20 to 32 px."""
    found = {False: 0, True: 0}
    total = 0
    recognizers = {closer: Recognizer(threads=1, closer=closer) for closer in found}
    for seed in (1, 2):
        scene = CONDITIONS["small"].draw(np.random.default_rng(seed))
        total += len(scene.plates)
        for closer, recognizer in recognizers.items():
            boxes = [item.box for item in recognizer(scene.image).plates]
            centres = [true.corners.mean(axis=0) for true in scene.plates]
            found[closer] += sum(
                any(x1 < x < x2 and y1 < y < y2 for x1, y1, x2, y2 in boxes) for x, y in centres
            )
    assert found[True] >= 0.7 * total
    assert found[True] > found[False]
