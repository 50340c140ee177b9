"""Clips of passing cars: the labels say what the frames show."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from kplate.errors import KplateError
from kplate.live.files import VideoFile
from kplate.synth.clips import Clip


def test_the_labels_say_where_every_car_is(passing_cars: Path) -> None:
    head, *rows = map(json.loads, (passing_cars / "clip.jsonl").read_text(encoding="utf-8").splitlines())
    with VideoFile(passing_cars / "clip.mp4") as video:
        frames = {frame.index: frame.image for frame in video}
    assert head["frames"] == len(rows) == len(frames) == 140
    assert [car["car"] for car in head["cars"]] == [0, 1, 2]
    assert {car["night"] for car in head["cars"]} == {False, True}
    empty = np.median(np.stack([frames[index] for index in range(0, 65, 6)]), axis=0)
    shown = {car["car"]: 0 for car in head["cars"]}
    for row in rows[:65]:  # by day
        for car in row["cars"]:
            shown[car["car"]] += car["corners"] is not None
            left, top, right, bottom = (round(side) for side in car["box"])
            inside = frames[row["frame"]][top:bottom, left:right].astype(float)
            if inside.size > 3000:  # where a car is said to be, the road is hidden
                assert np.abs(inside - empty[top:bottom, left:right]).mean() > 8
    assert shown[0] > 10


def test_the_same_seed_draws_the_same_frames() -> None:
    def frame() -> np.ndarray:
        clip = Clip(np.random.default_rng(5), cars=2, seconds=6, size=(160, 96), rate=5)
        return [image for image, _ in clip][8]

    assert np.array_equal(frame(), frame())


def test_too_many_cars_are_refused() -> None:
    with pytest.raises(KplateError, match="40 cars cannot pass in 60 seconds"):
        Clip(np.random.default_rng(5), cars=40)


def test_cars_do_not_run_into_one_another() -> None:
    clip = Clip(np.random.default_rng(1), cars=30, seconds=60, size=(64, 48), rate=5)
    for away in (False, True):
        lane = [car for car in clip.cars if car.away is away]
        for first, second in itertools.pairwise(lane):
            assert (second.start - first.start) * first.speed > first.car.shape.length + 2
    assert max(car.end for car in clip.cars) <= 60
    assert len({car.plate.text for car in clip.cars}) == 30
