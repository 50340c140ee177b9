"""What the shipped networks must do on pictures drawn here; `kplate evaluate` measures real photographs."""

import numpy as np
import pytest

import kplate
from kplate.plates.kinds import ELECTRIC_KINDS, UNREAD_KINDS, Kind
from kplate.reader_light import Light
from kplate.synth.crops import sample_crop, sample_negative
from kplate.synth.scenes import demo_scene

READ_KINDS = [kind for kind in Kind if kind not in UNREAD_KINDS]


@pytest.fixture(scope="module")
def reader() -> kplate.Reader:
    return kplate.Reader(threads=1)


@pytest.mark.parametrize("kind", READ_KINDS)
def test_every_kind_is_read_when_seen_clearly(reader: kplate.Reader, kind: Kind) -> None:
    rng = np.random.default_rng(20)
    crops = [sample_crop(rng, kind=kind, difficulty=0.2) for _ in range(10)]
    readings = reader.read_batch([crop.image for crop in crops])
    right = [reading.candidate == crop.text for reading, crop in zip(readings, crops, strict=True)]
    assert sum(right) >= 7, [
        (crop.text, reading.candidate) for reading, crop in zip(readings, crops, strict=True)
    ]


@pytest.mark.parametrize("digit", "0123456789")
def test_four_equal_digits_are_read_as_four(reader: kplate.Reader, digit: str) -> None:
    text = f"12가{digit * 4}"
    rng = np.random.default_rng(21)
    crops = [sample_crop(rng, kind=Kind.WHITE_LONG, text=text, difficulty=0.1) for _ in range(3)]
    assert text in [reading.text for reading in reader.read_batch([crop.image for crop in crops])]


def test_electric_plates_are_told_from_white_ones(reader: kplate.Reader) -> None:
    rng = np.random.default_rng(22)
    kinds = (Kind.ELECTRIC, Kind.WHITE_LONG, Kind.WHITE_8_FILM)
    crops = [sample_crop(rng, kind=kind, difficulty=0.1) for kind in kinds for _ in range(12)]
    coloured = [crop for crop in crops if crop.electric is not None]
    assert len(coloured) > 15
    readings = reader.read_batch([crop.image for crop in coloured], light=Light(True))
    right = [
        reading.electric == (crop.kind in ELECTRIC_KINDS)
        for reading, crop in zip(readings, coloured, strict=True)
    ]
    assert np.mean(right) >= 0.9


def test_what_is_no_plate_is_hardly_ever_trusted(reader: kplate.Reader) -> None:
    rng = np.random.default_rng(23)
    readings = reader.read_batch([sample_negative(rng).image for _ in range(80)])
    assert sum(reading.text is not None for reading in readings) <= 1


def test_the_corners_are_found(reader: kplate.Reader) -> None:
    rng = np.random.default_rng(24)
    crops = [sample_crop(rng, kind=Kind.WHITE_LONG, difficulty=0.5) for _ in range(30)]
    errors = []
    for reading, crop in zip(reader.read_batch([crop.image for crop in crops]), crops, strict=True):
        width = np.hypot(*(crop.corners[1] - crop.corners[0]))
        errors.append(np.hypot(*(np.array(reading.corners) - crop.corners).T).mean() / width)
    assert np.median(errors) < 0.03


def test_everything_in_the_demo_scene_is_found_and_read() -> None:
    scene = demo_scene(np.random.default_rng(0), (1280, 720))
    result = kplate.Recognizer(threads=1)(scene.image)
    assert {plate.text for plate in result.plates if plate.text} == {plate.text for plate in scene.plates}
    assert len(result.vehicles) == len(scene.vehicles)
    assert len(result.permits) == len(scene.permits)
    assert all(plate.vehicle is not None for plate in result.plates)
