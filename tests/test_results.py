"""Results as values, as JSON, and as drawings."""

import dataclasses
import json
import os
from typing import Any

import numpy as np
import pytest

from kplate.drawing import COLOURS, text_mask
from kplate.errors import ImageError
from kplate.images import Image
from kplate.plates.alphabet import ALPHABET
from kplate.results import Box, Other, Permit, Plate, Recognition, Vehicle, json_line


def plate(box: Box = (420.04, 610.0, 590.5, 650.25), **changes: Any) -> Plate:
    left, top, right, bottom = box
    values: dict[str, Any] = {
        "text": "52주3108",
        "candidate": "52주3108",
        "display": "52주 3108",
        "score": np.float32(0.97123456),
        "characters": (0.99, np.float32(0.123456)),
        "kind": "electric",
        "use": "private",
        "electric": True,
        "box": box,
        "corners": ((left, top), (right, top), (right, bottom), (left, bottom)),
        "detection_score": 0.93,
        "vehicle": 0,
    }
    return Plate(**{**values, **changes})


def recognition(width: int, height: int, **changes: Any) -> Recognition:
    """A picture with a plate of every sort, a vehicle and a permit, whatever its size."""

    def box(left: float, top: float, right: float, bottom: float) -> Box:
        return (left * width, top * height, right * width, bottom * height)

    plates = (
        plate(box(0.2, 0.7, 0.35, 0.76)),
        plate(box(0.7, 0.75, 0.85, 0.8), electric=False, display="서울 39바 2764", text="서울39바2764"),
        plate(box(0.0, 0.94, 0.15, 1.0), text=None, display=None, candidate="12가34", electric=None),
        plate(box(0.9, 0.0, 1.0, 0.05), text=None, display=None, candidate=None, electric=None),
    )
    values: dict[str, Any] = {
        "vehicles": (Vehicle(box(0.1, 0.1, 0.6, 0.9), 0.98),),
        "plates": plates,
        "permits": (Permit(box(0.3, 0.3, 0.36, 0.38), 0.91, 0),),
        "file": "a.jpg",
    }
    return Recognition(width, height, 21.34567, **{**values, **changes})


def grey(width: int, height: int) -> Image:
    return np.full((height, width, 3), 90, np.uint8)


def test_the_dictionary_has_the_documented_shape() -> None:
    found = Recognition(
        1920,
        1080,
        21.34567,
        (Vehicle((1, 2, 3.04, 4.06), 0.98),),
        (plate(),),
        (Permit((1, 2, 3, 4), 0.91, None),),
        "a.jpg",
    )
    assert found.to_dict() == {
        "file": "a.jpg",
        "width": 1920,
        "height": 1080,
        "elapsed_ms": 21.3,
        "vehicles": [{"box": [1.0, 2.0, 3.0, 4.1], "score": 0.98}],
        "plates": [
            {
                "text": "52주3108",
                "candidate": "52주3108",
                "display": "52주 3108",
                "score": 0.9712,
                "characters": [0.99, 0.1235],
                "kind": "electric",
                "use": "private",
                "electric": True,
                "box": [420.0, 610.0, 590.5, 650.2],
                "corners": [[420.0, 610.0], [590.5, 610.0], [590.5, 650.2], [420.0, 650.2]],
                "detection_score": 0.93,
                "vehicle": 0,
            }
        ],
        "permits": [{"box": [1.0, 2.0, 3.0, 4.0], "score": 0.91, "vehicle": None}],
    }
    assert list(found.to_dict()) == ["file", "width", "height", "elapsed_ms", "vehicles", "plates", "permits"]


def test_json_is_one_line_with_readable_hangul() -> None:
    text = recognition(640, 480).to_json()
    assert "\n" not in text
    assert "52주 3108" in text
    assert json.loads(text) == recognition(640, 480).to_dict()


def test_nothing_known_is_null() -> None:
    unknown = plate(
        text=None,
        candidate=None,
        display=None,
        kind=None,
        use=None,
        electric=None,
        detection_score=None,
        vehicle=None,
    ).to_dict()
    null = {key for key, value in unknown.items() if value is None}
    assert null == {"text", "candidate", "display", "kind", "use", "electric", "detection_score", "vehicle"}


def test_names_that_are_no_utf8_survive_json() -> None:
    name = os.fsdecode(b"caf\xe9 \xeb\xb2\x88.jpg")
    line = json_line({"file": name})
    line.encode("utf-8")
    assert json.loads(line) == {"file": name}
    assert "번" in line


def test_json_holds_no_number_that_json_does_not_know() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_line({"score": float("nan")})
    assert str(Vehicle((-0.01, 0, 0, 0), 0).to_dict()["box"][0]) == "0.0"


def test_results_are_frozen_and_comparable() -> None:
    assert recognition(64, 48) == recognition(64, 48)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plate().text = "1"  # type: ignore[misc]
    assert plate().trusted
    assert not plate(text=None).trusted


@pytest.mark.parametrize(
    ("width", "height"),
    [(200, 150), (640, 480), (1920, 1080), (4000, 500), (300, 60), (40, 20), (1, 1), (20000, 3), (2, 3000)],
)
def test_drawing_fits_every_size(width: int, height: int) -> None:
    image = grey(width, height)
    drawn = recognition(width, height).draw(image)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 90).all(), "the picture itself must stay as it is"
    assert (drawn != 90).any()


def share(drawn: Image, colour: tuple[int, int, int]) -> float:
    return float((drawn == np.array(colour, np.uint8)).all(axis=2).mean())


def test_each_sort_has_its_colour() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS)
    others = (Other("person", (900, 250, 1000, 450), 0.7),)
    drawn = recognition(1280, 720, others=others).draw(grey(1280, 720))
    for name, colour in COLOURS.items():
        assert share(drawn, colour) > 0.0005, name
    blue, green, red = COLOURS["electric"]
    assert blue > 2 * green > red
    only = recognition(1280, 720, plates=(plate(electric=False),), vehicles=(), permits=())
    assert share(only.draw(grey(1280, 720)), COLOURS["electric"]) == 0


def test_what_only_custom_networks_find_has_a_place_of_its_own() -> None:
    assert "others" not in recognition(100, 50).to_dict()
    assert recognition(100, 50, others=()).to_dict()["others"] == []
    found = recognition(100, 50, others=(Other("person", (1, 2, 3.04, 4), 0.5),)).to_dict()
    assert found["others"] == [{"label": "person", "box": [1.0, 2.0, 3.0, 4.0], "score": 0.5}]
    assert Vehicle((1, 2, 3, 4), 0.5, "bus").to_dict() == {
        "box": [1.0, 2.0, 3.0, 4.0], "score": 0.5, "label": "bus",
    }  # fmt: skip


def test_labels_grow_with_the_picture_and_lie_inside_it() -> None:
    heights = []
    for width, height in [(200, 150), (800, 600), (3200, 2400)]:
        alone = recognition(width, height, vehicles=(), permits=())
        # A plate in the bottom right corner leaves its label only the space above and to the left.
        alone = dataclasses.replace(alone, plates=(plate((width * 0.9, height * 0.95, width, height)),))
        drawn = alone.draw(grey(width, height))
        rows = np.flatnonzero((drawn == np.array(COLOURS["electric"])).all(axis=2).any(axis=1))
        heights.append((height * 0.95 - rows[0]) / height)
        assert rows[0] > 0
        assert (drawn[: rows[0]] == 90).all()
    assert heights[0] > heights[1] >= heights[2] * 0.9 > 0.015  # small pictures need larger letters


def test_labels_do_not_hide_plates() -> None:
    boxes: list[Box] = [(100, 100, 200, 125), (100, 130, 200, 155), (100, 160, 200, 185)]
    found = recognition(640, 480, plates=tuple(plate(box) for box in boxes), vehicles=(), permits=())
    drawn = found.draw(grey(640, 480))
    for left, top, right, bottom in ((int(value) for value in box) for box in boxes):
        assert (drawn[top + 5 : bottom - 5, left + 5 : right - 5] == 90).all()


def test_boxes_far_outside_and_not_finite_do_no_harm() -> None:
    odd = [(-1e9, -5, 1e9, 10), (float("nan"), 0, float("inf"), 5), (600, 400, 500, 300)]
    found = recognition(640, 480, plates=tuple(plate(box) for box in odd))
    assert found.draw(grey(640, 480)).shape == (480, 640, 3)


def test_drawing_needs_the_picture_that_was_recognised() -> None:
    with pytest.raises(ImageError, match="640x480"):
        recognition(640, 480).draw(grey(480, 640))
    with pytest.raises(ImageError):
        recognition(640, 480).draw(np.zeros((480, 640), np.uint8))


def test_every_symbol_of_the_alphabet_is_drawn_and_differs() -> None:
    masks = {symbol: text_mask(symbol, 40) for symbol in ALPHABET}
    assert all(mask.shape[0] == 40 and mask.max() > 200 for mask in masks.values())
    assert len({mask.tobytes() for mask in masks.values()}) == len(ALPHABET)
    assert text_mask("-", 40).any()
    assert text_mask("", 40).shape[0] == 40
