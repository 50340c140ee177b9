"""The reader with the weights that ship: what it promises whatever they have learned."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.errors import ImageError, WeightsError
from kplate.images import Image, write_image
from kplate.plates.kinds import Kind, Use
from kplate.reader import Reader
from kplate.reader_light import Light
from kplate.synth import effects
from kplate.synth.crops import sample_crop
from kplate.synth.plates import sample_plate


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


def clear_plate(text: str = "12가3456", kind: Kind = Kind.WHITE_LONG) -> Image:
    """Draw a new plate on dark bodywork, as a detector would cut it out."""
    plate = sample_plate(np.random.default_rng(1), kind=kind, text=text, px_per_mm=0.5, wear=0)
    return cv2.copyMakeBorder(plate.image, 8, 8, 16, 16, cv2.BORDER_CONSTANT, value=(60, 55, 50)).astype(
        np.uint8
    )


def test_a_reading_has_all_that_is_known(reader: Reader) -> None:
    image = clear_plate("12호3456")
    reading = reader(image)
    assert reading.text == reading.candidate == "12호3456"
    assert reading.display == "12호 3456"
    assert reading.use == Use.RENTAL
    assert len(reading.characters) == 8 - 1
    assert reader.min_score <= reading.score <= 1
    left, top = reading.corners[0]
    right, bottom = reading.corners[2]
    height, width = image.shape[:2]
    assert abs(left - 16) < 8
    assert abs(top - 8) < 8
    assert abs(right - (width - 16)) < 8
    assert abs(bottom - (height - 8)) < 8


def test_a_reading_becomes_plain_values(reader: Reader) -> None:
    reading = reader(clear_plate())
    values = reading.to_dict()
    assert list(values) == list(reading.__slots__)
    assert json.loads(reading.to_json()) == values
    assert "12가3456" in reading.to_json()
    assert values["score"] == round(reading.score, 4)
    assert np.shape(values["corners"]) == (4, 2)


def test_paths_and_arrays_are_taken(reader: Reader, tmp_path: Path) -> None:
    image = clear_plate()
    write_image(tmp_path / "plate.png", image)
    assert reader(tmp_path / "plate.png") == reader(str(tmp_path / "plate.png")) == reader(image)


def test_a_batch_reads_as_its_plates_one_by_one(reader: Reader) -> None:
    rng = np.random.default_rng(3)
    crops = [sample_crop(rng).image for _ in range(35)]  # more than go through the network at a time
    together = reader.read_batch(crops)
    alone = [reader(crop) for crop in crops]
    assert [reading.candidate for reading in together] == [reading.candidate for reading in alone]
    assert np.allclose([r.score for r in together], [r.score for r in alone], atol=1e-3)
    assert reader.read_batch([]) == []


def test_threads_share_a_large_batch_and_keep_its_order(reader: Reader) -> None:
    crops = [sample_crop(np.random.default_rng((6, n))).image for n in range(21)]
    alone = [reader.read_batch([crop])[0] for crop in crops]
    shared = Reader(threads=2).read_batch(crops)
    assert [reading.candidate for reading in shared] == [reading.candidate for reading in alone]
    assert [reading.score for reading in shared] == pytest.approx(
        [reading.score for reading in alone], abs=1e-3
    )


@pytest.mark.parametrize("min_score", [0.0, 1.0])
def test_the_least_score_decides_what_is_trusted(min_score: float) -> None:
    reading = Reader(threads=1, min_score=min_score)(clear_plate())
    assert reading.candidate == "12가3456"
    assert reading.text == (reading.candidate if reading.score >= min_score else None)


def test_grey_pictures_say_nothing_of_electric(reader: Reader) -> None:
    image = clear_plate("123가4567", Kind.ELECTRIC)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)
    assert reader(grey).electric is None
    assert reader(image).electric is not None
    assert reader.read_batch([image], light=Light(False))[0].electric is None


def test_slanted_plates_get_a_second_look(reader: Reader) -> None:
    """Straightened, a plate is read with a score that is no lower, and its corners still fit the crop."""
    rng = np.random.default_rng(8)
    crops = [sample_crop(rng, kind=Kind.WHITE_LONG, difficulty=0.9) for _ in range(40)]
    images = [crop.image for crop in crops]
    parts = [images[start : start + 8] for start in range(0, len(images), 8)]  # as many as are read at a time
    once = [
        reading
        for part in parts
        for reading in reader._look(reader.networks, part, [Light(True)] * len(part))
    ]
    twice = reader.read_batch(images, light=Light(True))
    assert all(second.score >= first.score for first, second in zip(once, twice, strict=True))
    looked_again = [n for n, reading in enumerate(once) if reading != twice[n]]
    assert looked_again
    for index in looked_again:
        errors = np.hypot(*(np.array(twice[index].corners) - crops[index].corners).T)
        assert np.median(errors) < 0.2 * images[index].shape[1]


def seen_from(rng: np.random.Generator, glyph_px: float, yaw: float) -> tuple[Image, str]:
    """Draw a plate with digits of so many px, seen from so many degrees aside. Returns its crop and text."""
    plate = sample_plate(rng, kind=Kind.WHITE_LONG, px_per_mm=0.7, wear=0.5)
    flat = np.array(((-260, -55, 0), (260, -55, 0), (260, 55, 0), (-260, 55, 0)), np.float64)
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turned = flat @ np.array(((cos, 0, sin), (0, 1, 0), (-sin, 0, cos))).T
    scale = glyph_px / 75 * 3000  # digits are 75 mm high; the camera is 3 m away
    quad = turned[:, :2] / (turned[:, 2:] + 3000) * scale
    margin = np.ptp(quad, axis=0) * (0.08, 0.16)
    size = np.ceil(np.ptp(quad, axis=0) + 2 * margin).astype(int)
    quad += margin - quad.min(axis=0)
    height, width = plate.image.shape[:2]
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    fine = 4  # drawn at four times the size and averaged, as a sensor does
    matrix = cv2.getPerspectiveTransform(corners, (quad * fine).astype(np.float32))
    drawn = cv2.warpPerspective(plate.image, matrix, (size * fine).tolist(), borderValue=(60, 60, 60))
    seen = cv2.resize(drawn, size.tolist(), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return effects.jpeg(effects.sensor_noise(seen, rng, 4.0), 80), plate.text


@pytest.mark.parametrize(("glyph_px", "yaw"), [(10, 0), (12, 45), (20, 60), (20, -60)])
def test_small_and_slanted_plates_are_read(reader: Reader, glyph_px: float, yaw: float) -> None:
    rng = np.random.default_rng(6)
    crops, texts = zip(*(seen_from(rng, glyph_px, yaw) for _ in range(12)), strict=True)
    read = [reading.candidate for reading in reader.read_batch(crops, light=Light(True))]
    assert sum(a == b for a, b in zip(read, texts, strict=True)) >= 10


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((0, 9, 3), np.uint8)])
def test_what_is_no_picture_is_refused(reader: Reader, bad: Image) -> None:
    with pytest.raises(ImageError):
        reader(bad)


def test_a_least_score_beyond_all_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="min_score"):
        Reader(min_score=1.5)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"reader\.json"):
        Reader(tmp_path)
