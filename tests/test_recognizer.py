"""From detections and readings to a result: cutting out, merging, assigning, many threads.

What finds and reads is played by small stand-ins here, whose answers are known; the last tests run the
weights that ship with kplate.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import kplate
from kplate.detector import Detection, Detector
from kplate.errors import ImageError, WeightsError
from kplate.images import Image, write_image
from kplate.reader import Reader, Reading
from kplate.reader_light import Light
from kplate.recognizer import Recognizer, crop_window
from kplate.results import Box, Recognition

WEIGHTS = Path(kplate.__file__).parent / "weights"
needs_weights = pytest.mark.skipif(
    not all((WEIGHTS / f"{task}.json").exists() for task in ("detector", "reader")),
    reason="no weights in this source tree yet",
)


def reading(candidate: str | None, *, trusted: bool = True, score: float = 0.9, **changes: Any) -> Reading:
    values: dict[str, Any] = {
        "text": candidate if trusted else None,
        "candidate": candidate,
        "display": candidate,
        "score": score,
        "characters": (score,) * len(candidate or ""),
        "kind": "white_long",
        "kind_score": 0.8,
        "use": "private",
        "electric": False,
        "corners": ((2.0, 1.0), (8.0, 1.5), (8.5, 4.0), (1.5, 3.0)),
    }
    return Reading(**{**values, **changes})


class KnownDetector(Detector):
    """Finds what it is told to."""

    def __init__(self, *found: Detection) -> None:
        self.found = found

    def __call__(self, image: Any) -> tuple[Detection, ...]:  # noqa: ARG002
        return self.found


class KnownReader(Reader):
    """Reads what a function says; notes the crops and how many batches there were."""

    def __init__(self, answer: Callable[[Image], Reading]) -> None:
        self.answer = answer
        self.crops: list[Image] = []
        self.colours: list[bool | None] = []
        self.batches = 0

    def read_batch(self, images: Sequence[Image], *, light: Light | None = None) -> list[Reading]:
        self.batches += 1
        self.crops += images
        self.colours.append(light.coloured if light else None)
        return [self.answer(image) for image in images]


def grey(width: int = 640, height: int = 480) -> Image:
    return np.full((height, width, 3), 90, np.uint8)


def recognise(
    *found: Detection, answers: Sequence[Reading] = (), image: Image | None = None
) -> tuple[Recognition, KnownReader]:
    queue = list(answers)
    reader = KnownReader(lambda _: queue.pop(0) if queue else reading("12가3456"))
    recognizer = Recognizer(detector=KnownDetector(*found), reader=reader)
    return recognizer(grey() if image is None else image), reader


def plate(*box: float, score: float = 0.9) -> Detection:
    left, top, right, bottom = box
    return Detection("license_plate", (left, top, right, bottom), score)


def car(*box: float, label: str = "car") -> Detection:
    left, top, right, bottom = box
    return Detection(label, (left, top, right, bottom), 0.95)


def test_a_plate_is_cut_out_with_a_margin_and_its_corners_come_back_to_the_picture() -> None:
    image = grey()
    image[200:250, 100:300] = 255
    found, reader = recognise(plate(100, 200, 300, 250), image=image)
    (crop,) = reader.crops
    assert crop.shape == (66, 232, 3)  # 8 % of 200 to the left and right, 16 % of 50 above and below
    assert (crop[8:58, 16:216] == 255).all()
    assert (crop[:8] == 90).all()
    (result,) = found.plates
    assert result.corners == ((86.0, 193.0), (92.0, 193.5), (92.5, 196.0), (85.5, 195.0))
    assert result.box == (100.0, 200.0, 300.0, 250.0)
    assert result.detection_score == 0.9
    assert (result.text, result.vehicle) == ("12가3456", None)


@pytest.mark.parametrize(
    ("box", "window"),
    [
        ((0.0, 0.0, 100.0, 50.0), (0, 0, 108, 58)),
        ((600.4, 460.2, 640.0, 480.0), (597, 457, 640, 480)),
        ((639.9, 479.9, 640.0, 480.0), (639, 479, 640, 480)),
        ((0.0, 0.0, 0.01, 0.01), (0, 0, 1, 1)),
        ((0.0, 0.0, 640.0, 480.0), (0, 0, 640, 480)),
    ],
)
def test_windows_stay_inside_and_hold_a_pixel(box: Box, window: tuple[int, int, int, int]) -> None:
    assert crop_window(box, 640, 480) == window


def test_all_plates_are_read_in_one_batch() -> None:
    boxes = [plate(60.0 * index, 10, 60.0 * index + 50, 30) for index in range(7)]
    answers = [reading(f"{10 + index}가1234") for index in range(7)]
    found, reader = recognise(*boxes, answers=answers)
    assert reader.batches == 1
    assert [item.text for item in found.plates] == [item.text for item in answers]
    assert recognise(car(0, 0, 50, 50))[1].batches == 0


def test_sorts_are_told_apart_and_unknown_ones_passed_over() -> None:
    found, _ = recognise(
        car(10, 10, 200, 200),
        car(300, 10, 500, 200, label="truck"),
        Detection("disabled_sticker", (20, 20, 30, 30), 0.8),
        Detection("traffic light", (400, 20, 430, 80), 0.8),
        plate(100, 150, 150, 165),
    )
    assert [item.score for item in found.vehicles] == [0.95, 0.95]
    assert [(item.score, item.vehicle) for item in found.permits] == [(0.8, 0)]
    assert [item.vehicle for item in found.plates] == [0]
    assert (found.width, found.height, found.file) == (640, 480, None)


@pytest.mark.parametrize(
    ("second", "answers", "kept"),
    [
        # One in the other: the trusted one stays, then the better one.
        (plate(110, 205, 290, 245), [reading("12가3456", trusted=False), reading("12가3456")], [1]),
        (plate(110, 205, 290, 245), [reading("12가3456", score=0.8), reading("12가3458", score=0.9)], [1]),
        (plate(100, 225, 300, 250), [reading("서울12가3456"), reading("3456", trusted=False)], [0]),
        # Half overlapping: one plate if both read the same.
        (plate(180, 200, 380, 250), [reading("12가3456"), reading("12가3456", score=0.95)], [1]),
        (plate(180, 200, 380, 250), [reading("12가3456"), reading("12가3457")], [0, 1]),
        (plate(180, 200, 380, 250), [reading(None, trusted=False)] * 2, [0, 1]),
        # The same text on two plates apart, as on a lorry and its trailer, is two plates.
        (plate(400, 200, 600, 250), [reading("12가3456")] * 2, [0, 1]),
    ],
)
def test_a_plate_found_twice_is_reported_once(
    second: Detection, answers: list[Reading], kept: list[int]
) -> None:
    both = [plate(100, 200, 300, 250), second]
    found, _ = recognise(*both, answers=answers)
    assert [item.box for item in found.plates] == [both[index].box for index in kept]


@pytest.mark.parametrize(
    ("width", "score", "sure", "kept"),
    [(90, 0.0005, 0.6, False), (90, 0.0005, 0.85, True), (90, 0.01, 0.6, True), (30, 0.0, 0.6, True)],
)
def test_a_large_box_that_says_nothing_is_no_plate(width: int, score: float, sure: float, kept: bool) -> None:
    found, _ = recognise(
        car(50, 50, 500, 400),
        plate(100, 200, 100 + width, 220, score=sure),
        answers=[reading("12가3456", trusted=False, score=score)],
    )
    assert (len(found.plates), len(found.vehicles)) == (int(kept), 1)


def test_a_plate_without_a_vehicle_stays() -> None:
    found, _ = recognise(
        car(0, 0, 100, 100),
        plate(300, 300, 400, 325),
        Detection("disabled_sticker", (200, 200, 220, 220), 0.9),
    )
    assert [item.vehicle for item in (*found.plates, *found.permits)] == [None, None]
    assert found.to_dict()["plates"][0]["vehicle"] is None


def test_boxes_are_clipped_and_empty_ones_dropped() -> None:
    found, _ = recognise(
        plate(-20, -5, 50, 20), plate(700, 10, 800, 30), plate(50, 50, 50, 60), car(-9, 0, 900, 500)
    )
    assert [item.box for item in found.plates] == [(0, 0, 50, 20)]
    assert [item.box for item in found.vehicles] == [(0, 0, 640, 480)]


def test_an_untrusted_reading_has_a_candidate_but_no_text_to_show() -> None:
    found, _ = recognise(plate(100, 200, 300, 250), answers=[reading("12가345", trusted=False, score=0.2)])
    values = found.to_dict()["plates"][0]
    assert (values["text"], values["display"], values["candidate"]) == (None, None, "12가345")


def test_the_whole_picture_says_whether_there_is_colour() -> None:
    colourful = grey()
    colourful[:200, :300] = (255, 40, 10)
    for image, expected in [(colourful, True), (grey(), False)]:
        _, reader = recognise(plate(400, 300, 500, 330), image=image)
        assert reader.colours == [expected]


def test_a_crop_is_read_without_detecting() -> None:
    reader = KnownReader(lambda _: reading("12가3456"))
    found = Recognizer(detector=KnownDetector(plate(1, 1, 9, 9)), reader=reader)(grey(200, 44), cropped=True)
    (result,) = found.plates
    assert result.box == (0, 0, 200, 44)
    assert result.detection_score is None
    assert result.corners == ((2.0, 1.0), (8.0, 1.5), (8.5, 4.0), (1.5, 3.0))
    assert (found.width, found.height, found.vehicles) == (200, 44, ())


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 500), (5000, 3)])
def test_pictures_too_thin_for_any_plate_give_an_empty_result(width: int, height: int) -> None:
    found, reader = recognise(plate(0, 0, 1, 1), image=grey(width, height))
    assert (found.width, found.height, found.plates, reader.batches) == (width, height, (), 0)


def test_paths_are_named_in_the_result_and_bad_pictures_refused(tmp_path: Path) -> None:
    path = tmp_path / "차.png"
    write_image(path, grey())
    recognizer = Recognizer(detector=KnownDetector(), reader=KnownReader(lambda _: reading("1")))
    assert recognizer(path).file == str(path)
    assert recognizer(str(path)).file == str(path)
    for bad in (tmp_path / "gone.jpg", np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ImageError):
            recognizer(bad)


def test_missing_weights_and_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"detector\.json"):
        Recognizer(weights=tmp_path)
    with pytest.raises(WeightsError, match="nowhere"):
        Recognizer(weights=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="min_score"):
        Recognizer(min_score=1.5)


def test_threads_share_a_recognizer() -> None:
    """Each picture's colour is its plate's text; slow parts make the calls overlap."""

    def slow(image: Image) -> Reading:
        time.sleep(0.002)
        return reading(str(image[0, 0, 0]))

    recognizer = Recognizer(detector=KnownDetector(plate(10, 10, 60, 30)), reader=KnownReader(slow))
    pictures = [np.full((40 + index, 80, 3), index, np.uint8) for index in range(60)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(recognizer, pictures))
    assert [(item.plates[0].text, item.height) for item in results] == [(str(i), 40 + i) for i in range(60)]


def test_the_recognizer_itself_takes_little_time() -> None:
    """Everything but the networks, for a 1080p picture with cars, plates and a permit."""
    cars = [car(300.0 * index, 200, 300.0 * index + 280, 700) for index in range(6)]
    plates = [plate(300.0 * index + 100, 600, 300.0 * index + 200, 625) for index in range(6)]
    recognizer = Recognizer(
        detector=KnownDetector(*cars, *plates, Detection("disabled_sticker", (320, 300, 340, 320), 0.8)),
        reader=KnownReader(lambda _: reading("12가3456")),
    )
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    times = [recognizer(image).elapsed_ms for _ in range(30)]
    assert min(times) < 5, f"{min(times):.2f} ms"


def plate_picture(seed: int, width: int = 260, height: int = 56) -> Image:
    """A noisy rectangle with bars: enough for networks to answer something."""
    rng = np.random.default_rng(seed)
    image = rng.integers(150, 256, (height, width, 3), dtype=np.uint8)
    for left in range(20, width - 20, 30):
        cv2.rectangle(image, (left, 10), (left + int(rng.integers(4, 20)), height - 10), (20, 20, 20), 3)
    return image


@needs_weights
def test_the_shipped_networks_answer_threads_as_they_answer_one_by_one() -> None:
    recognizer = Recognizer(threads=1)
    scenes: list[Image] = []
    for seed in range(12):
        scene = cv2.GaussianBlur(
            np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8), (0, 0), 9
        )
        scene[300:356, 200:460] = plate_picture(seed)
        scenes.append(np.asarray(scene, np.uint8))

    def answer(index: int) -> list[dict[str, Any]]:
        results = [
            recognizer(scenes[index]).to_dict(),
            recognizer(plate_picture(index), cropped=True).to_dict(),
        ]
        return [{key: value for key, value in item.items() if key != "elapsed_ms"} for item in results]

    alone = [answer(index) for index in range(12)]
    barrier = threading.Barrier(4)

    def work(start: int) -> list[list[dict[str, Any]]]:
        barrier.wait()
        return [answer((start + index) % 12) for index in range(12)]

    with ThreadPoolExecutor(4) as pool:
        for start, together in zip(range(4), pool.map(work, range(4)), strict=True):
            assert together == alone[start:] + alone[:start]


@needs_weights
@pytest.mark.parametrize(("width", "height"), [(8, 8), (1, 1), (3000, 8), (9, 3000), (200, 44)])
def test_the_shipped_networks_take_every_shape(width: int, height: int) -> None:
    recognizer = Recognizer(threads=1)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = recognizer(image)
    assert found.draw(image).shape == image.shape
    assert len(recognizer(image, cropped=True).plates) == 1
