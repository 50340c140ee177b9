"""LPRNet as published, with the weights that the repository keeps for comparison."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.images import Image
from kplate.plates.alphabet import BLANK, encode
from kplate.plates.kinds import Kind
from kplate.reader import Reader
from kplate.synth.plates import sample_plate

WEIGHTS = Path(__file__).parents[1] / "checkpoints" / "lprnet"

pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason=f"needs {WEIGHTS}, which a clone has")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(WEIGHTS, threads=1)


def clear_plate(text: str, kind: Kind) -> Image:
    plate = sample_plate(np.random.default_rng(1), kind=kind, text=text, px_per_mm=0.4, wear=0)
    return cv2.copyMakeBorder(plate.image, 6, 6, 14, 14, cv2.BORDER_CONSTANT, value=(60, 55, 50)).astype(
        np.uint8
    )


@pytest.mark.parametrize("text", ["12가3456", "52주3108", "77다7777", "34모5678"])
def test_it_reads_plates_of_one_line(reader: Reader, text: str) -> None:
    reading = reader(clear_plate(text, Kind.WHITE_LONG))
    assert reading.candidate == text
    assert reading.use is not None


def test_kinds_are_left_to_the_text(reader: Reader) -> None:
    assert reader.manifest.kinds == ()
    white = reader(clear_plate("12가3456", Kind.WHITE_LONG))
    assert (white.kind, white.electric) == (None, None)  # such a text stands on white, green and blue plates


def test_corners_are_those_of_its_transformer(reader: Reader) -> None:
    image = clear_plate("12가3456", Kind.WHITE_LONG)
    height, width = image.shape[:2]
    expected = np.array([(14, 6), (width - 14, 6), (width - 14, height - 6), (14, height - 6)])
    found = np.array(reader(image).corners)
    assert np.hypot(*(found - expected).T).mean() < 0.06 * width


class Saying:
    """An engine that says a text, and nothing of kind and corners."""

    sizes = ((94, 24),)
    version = "a test"

    def __init__(self, text: str) -> None:
        self.logits = np.full((1, 18, BLANK + 1), -9, np.float32)
        symbols = encode(text)
        self.logits[0, np.arange(len(symbols)), symbols] = 9
        self.logits[0, len(symbols) :, BLANK] = 9

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        return {"logits": self.logits.repeat(len(batch), 0)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [("영서울12가3456", Kind.CONSTRUCTION_OLD), ("12가3456", None), ("서울12바3456", None)],
)
def test_a_kind_is_named_where_only_one_carries_the_text(text: str, kind: Kind | None) -> None:
    reader = Reader(WEIGHTS, threads=1)
    reader.networks.network = replace(reader.networks.network, engine=Saying(text))
    reading = reader(np.full((40, 120, 3), 99, np.uint8))
    assert (reading.candidate, reading.kind) == (text, kind)
    assert reading.corners == ((0, 0), (120, 0), (120, 40), (0, 40))
    assert reading.kind_score == (pytest.approx(reading.score) if kind else 0)
