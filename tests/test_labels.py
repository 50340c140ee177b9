"""Labels of our own are sound, and fit the pictures they are for."""

import json
from pathlib import Path

import pytest

from kplate.boxes import iou_matrix
from kplate.errors import DataError
from kplate.images import read_image
from kplate.labels import labels_file

PICTURES = Path(__file__).parents[2] / "shared" / "data" / "korean_scenes_eval"
ROWS = [
    json.loads(line) for line in labels_file("korean_scenes_eval").read_text(encoding="utf-8").splitlines()
]


def test_boxes_lie_in_their_pictures_and_apart() -> None:
    assert len(ROWS) == len({row["file"] for row in ROWS}) == 128
    for row in ROWS:
        assert set(row) <= {"file", "width", "height", "plates", "ignored", "negatives"}
        boxes = [tuple(thing["box"]) for thing in (*row["plates"], *row.get("ignored", ()))]
        for x1, y1, x2, y2 in boxes:
            assert 0 <= x1 < x2 <= row["width"]
            assert 0 <= y1 < y2 <= row["height"]
        iou = iou_matrix(boxes, boxes)
        assert (iou.sum(axis=1) < 1.1).all()


def test_the_largest_plate_comes_first() -> None:
    for row in ROWS:
        widths = [thing["box"][2] - thing["box"][0] for thing in row["plates"]]
        assert widths[0] == max(widths)
        assert min(widths) >= 16


def test_labels_fit_their_pictures() -> None:
    if not PICTURES.is_dir():
        pytest.skip("the photographs of korean_scenes_eval are not beside this checkout")
    labelled = [json.loads(line) for line in (PICTURES / "labels.jsonl").read_text().splitlines()]
    assert [row["file"] for row in labelled] == [row["file"] for row in ROWS]
    for row in ROWS[::16]:
        assert read_image(PICTURES / row["file"]).shape == (row["height"], row["width"], 3)


TRAINED = ("openimages_plates_train", "vehicles_openimages_train", "vehicles_roadside_train")


@pytest.mark.parametrize("name", [*TRAINED, "openimages_plates_unlabelled", "vehicles_unlabelled"])
def test_what_labels_lack_lies_in_their_pictures(name: str) -> None:
    lines = labels_file(name).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == len({row["file"] for row in rows})
    for row in rows:
        assert "plates" not in row or name in TRAINED
        for thing in (*row.get("plates", ()), *row["ignored"]):
            x1, y1, x2, y2 = thing["box"]
            assert 0 <= x1 < x2 <= row["width"]
            assert 0 <= y1 < y2 <= row["height"]


@pytest.mark.parametrize("name", TRAINED)
def test_nothing_is_learned_from_other_splits(name: str) -> None:
    lines = labels_file(name).read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["split"] for line in lines} == {"train"}


@pytest.mark.parametrize("name", ["nothing", "../training/data", "korean_scenes_eval.jsonl"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="there are: korean_scenes_eval"):
        labels_file(name)
