"""Each format of labelled plates, and everything that can be wrong with one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kplate.errors import DataError
from kplate.images import write_image
from kplate.plates.kinds import Kind
from kplate.plates.script import KOREAN, NO_GRAMMAR, Script
from kplate.training.plates_data import LabelledPlate, listed, load_plates


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((20, 60, 3), 200, np.uint8))
    return path


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def load(*paths: Path, script: Script = KOREAN) -> list[LabelledPlate]:
    plates, problems = load_plates(paths, script)
    assert problems == []
    return plates


def problem(*paths: Path) -> str:
    plates, problems = load_plates(paths, KOREAN)
    assert plates == []
    (only,) = problems
    return only


def test_pictures_named_by_their_text(tmp_path: Path) -> None:
    for name in ("12가3456_1.jpg", "12가3456_2.PNG", "more/서울 12바-3456.jpg"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    assert [plate.text for plate in load(tmp_path)] == ["12가3456", "12가3456", "서울12바3456"]


def test_json_lines(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "sub" / "b.jpg")
    rows = (
        {"file": "a.jpg", "text": "12가 3456", "kind": "electric"},
        "",
        {"file": "sub/b.jpg", "text": "임1234"},
    )
    path = write(tmp_path / "labels.jsonl", *rows)
    first, second = load(path)
    assert (first.path, first.text, first.kind) == (tmp_path / "a.jpg", "12가3456", Kind.ELECTRIC)
    assert (second.text, second.kind) == ("임1234", None)
    assert second.source == f"{path}, line 3"
    assert load(tmp_path) == [first, second]


def test_the_json_of_the_scripts(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    item = {"images": {"filename": "a.jpg", "id": 1}, "annotations": {"text": "12가3456", "id": 1}}
    (plate,) = load(write(tmp_path / "train.json", {"class_names": list("0123"), "data": [item]}))
    assert (plate.path, plate.text) == (tmp_path / "a.jpg", "12가3456")


def test_the_json_of_ai_hub(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "labels" / "b.jpg")
    write(tmp_path / "labels" / "a.json", {"imagePath": "a.jpg", "value": "01가0785"})
    write(tmp_path / "labels" / "b.json", {"imagePath": "b.jpg", "value": "02나0785"})
    assert [(p.path.parent.name, p.text) for p in load(tmp_path)] == [
        ("images", "01가0785"),
        ("labels", "02나0785"),
    ]
    (single,) = load(tmp_path / "labels" / "b.json")
    assert single.text == "02나0785"


def test_a_script_of_another_country(tmp_path: Path) -> None:
    picture(tmp_path / "AB-12_1.jpg")
    assert load(tmp_path, script=Script("AB12", NO_GRAMMAR))[0].text == "AB12"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file": "a.jpg", "text": "12X3456"}, "'12X3456' has symbols outside the alphabet: X"),
        ({"file": "a.jpg", "text": "12가345"}, "not the text of a Korean plate"),
        ({"file": "gone.jpg", "text": "12가3456"}, "there is no picture"),
        ({"file": "a.jpg"}, '"text" is missing'),
        ({"file": 3, "text": "12가3456"}, '"file" is missing, empty or not a text'),
        ({"file": "a.jpg", "text": "12가3456", "kind": "purple"}, "'purple'"),
        ('{"file": "a.jpg", ', "not JSON"),
        (["a.jpg"], "not a JSON object"),
    ],
)
def test_wrong_lines_are_named(row: Any, message: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    path = write(tmp_path / "some.jsonl", "", row)
    said = problem(path)
    assert said.startswith(f"{path}, line 2: ")
    assert message in said


def test_every_problem_is_listed_and_the_rest_is_kept(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    right = {"file": "a.jpg", "text": "12가3456"}
    path = write(
        tmp_path / "some.jsonl", right, {"file": "b.jpg", "text": "12가3456"}, right, {"text": "12가3456"}
    )
    plates, problems = load_plates([path], KOREAN)
    assert [plate.source for plate in plates] == [f"{path}, line 1"]
    assert [text.split(": ")[0].rpartition(" ")[2] for text in problems] == ["2", "3", "4"]
    assert f"a.jpg is labelled twice; first by {path}, line 1" in problems[1]
    assert listed([str(i) for i in range(30)]).endswith("19\n... and 10 more")


def test_wrong_json_files_are_named(tmp_path: Path) -> None:
    broken = write(tmp_path / "broken.json", '{"data": [', "{]")
    assert problem(broken).startswith(f"{broken}: not JSON (line 2)")
    item = {"images": {"filename": "gone.jpg"}, "annotations": {"text": "12가3456"}}
    flat = write(tmp_path / "flat.json", {"data": [item]})
    assert problem(flat).startswith(f"{flat}, entry 1: there is no picture")
    tall = write(tmp_path / "tall.json", json.dumps({"data": [item]}, indent=1))
    assert problem(tall).startswith(f"{tall}, line 5: there is no picture")
    assert "no object" in problem(write(tmp_path / "odd.json", {"data": [{"images": "a.jpg"}]}))
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"imagePath": "a.jpg", "value": "\xe9"}')
    assert problem(latin) == f"{latin}: cannot be read: it is not UTF-8 text"


def test_texts_that_the_network_has_no_steps_for(tmp_path: Path) -> None:
    picture(tmp_path / f"{'A' * 10}.jpg")
    picture(tmp_path / f"{'AB' * 9}.jpg")
    plates, (said,) = load_plates([tmp_path], Script("AB", NO_GRAMMAR))
    assert [plate.text for plate in plates] == ["AB" * 9]
    assert "too long" in said


def test_places_without_labels(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "no labelled pictures"), (tmp_path / "no", "no such file")):
        with pytest.raises(DataError, match=message):
            load_plates([path], KOREAN)
