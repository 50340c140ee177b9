"""Labelled boxes in every format that kplate can learn from, and what is said about wrong ones."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kplate.classes import CLASSES
from kplate.errors import DataError
from kplate.images import write_image
from kplate.training.data_formats import BoxData, listed, load_boxes
from kplate.training.data_own import parts_of

#: The boxes of the two pictures, which are 200 x 100 px: class and x1, y1, x2, y2.
BOXES = {"a.png": [("car", (20, 10, 120, 90)), ("license_plate", (60, 70, 90, 80))], "b.png": []}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in BOXES:
        write_image(tmp_path / name, np.full((100, 200, 3), 90, np.uint8))
    return tmp_path


def as_darknet(folder: Path) -> Path:
    for name, boxes in BOXES.items():
        lines = []
        for label, (x1, y1, x2, y2) in boxes:
            number = ("license_plate", "car").index(label)
            lines.append(
                f"{number} {(x1 + x2) / 400} {(y1 + y2) / 200} {(x2 - x1) / 200} {(y2 - y1) / 100}\n"
            )
        (folder / name).with_suffix(".txt").write_text("".join(lines))
    (folder / "our.names").write_text("license_plate\ncar\n")
    (folder / "train.list").write_text("a.png\nb.png\n")
    (folder / "our.data").write_text(
        "classes = 2\ntrain = train.list\n# no validation\nnames = our.names\nbackup = /nowhere\n"
    )
    return folder / "our.data"


def as_darknet_folder(folder: Path) -> Path:
    as_darknet(folder).unlink()
    return folder


def as_darknet_tree(folder: Path) -> Path:
    """Pictures under `images`, labels under `labels`."""
    as_darknet(folder)
    for kind, suffix in (("images", ".png"), ("labels", ".txt")):
        (folder / kind / "train").mkdir(parents=True)
        for name in BOXES:
            file = (folder / name).with_suffix(suffix)
            file.rename(folder / kind / "train" / file.name)
    (folder / "train.list").write_text("images/train/a.png\nimages/train/b.png\n")
    return folder / "our.data"


def as_voc(folder: Path) -> Path:
    (folder / "JPEGImages").mkdir()
    (folder / "Annotations").mkdir()
    for name, boxes in BOXES.items():
        (folder / name).rename(folder / "JPEGImages" / name)
        objects = "".join(
            f"<object><name>{label}</name><difficult>0</difficult><bndbox><xmin>{x1 + 1}</xmin>"
            f"<ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>\n"
            for label, (x1, y1, x2, y2) in boxes
        )
        text = f'<?xml version="1.0"?>\n<annotation><filename>{name}</filename>\n{objects}</annotation>\n'
        (folder / "Annotations" / name).with_suffix(".xml").write_text(text)
    return folder / "Annotations"


def as_coco(folder: Path) -> Path:
    notes = [
        {"id": 9, "image_id": 1, "category_id": 7 if label == "car" else 3, "iscrowd": 0,
         "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for label, (x1, y1, x2, y2) in BOXES["a.png"]
    ]  # fmt: skip
    values = {
        "info": {"description": "[]{}", "more": [1, 2]},
        "images": [{"id": n, "file_name": name} for n, name in enumerate(BOXES, start=1)],
        "annotations": notes,
        "categories": [{"id": 3, "name": "license-plate"}, {"id": 7, "name": "car"}],
    }
    (folder / "labels.json").write_text(json.dumps(values, indent=1))
    return folder / "labels.json"


def as_lines(folder: Path) -> Path:
    rows = [
        {"file": name, "objects": [{"class": label, "box": box} for label, box in boxes]}
        for name, boxes in BOXES.items()
    ]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def as_list(folder: Path) -> Path:
    (folder / "list.txt").write_text(
        "a.png 20,10,120,90,1 60,70,90,80,0\nb.png\n",
    )
    (folder / "our.names").write_text("license_plate\ncar\n")
    return folder / "list.txt"


FORMATS = (as_darknet, as_darknet_folder, as_darknet_tree, as_voc, as_coco, as_lines, as_list)


@pytest.mark.parametrize("written", FORMATS)
def test_every_format_says_the_same(pictures: Path, written: Callable[[Path], Path]) -> None:
    data = load_boxes(written(pictures))
    assert data.problems == []
    assert data.classes == CLASSES
    by_name = {record.path.name: record for record in data.records}
    assert set(by_name) == set(BOXES)
    assert (by_name["a.png"].width, by_name["a.png"].height) == (200, 100)
    rows = by_name["a.png"].objects[np.argsort(by_name["a.png"].objects[:, 0])]
    np.testing.assert_allclose(rows, [(0, 20, 10, 120, 90), (1, 60, 70, 90, 80)], atol=1e-4)
    assert by_name["b.png"].objects.shape == (0, 5)
    # Nobody looked for permits: finding none must not be taught.
    assert {record.negatives for record in data.records} == {(1.0, 1.0, 0.0)}


def test_classes_of_ones_own_come_from_the_data_or_from_the_caller(pictures: Path) -> None:
    path = as_darknet(pictures)
    (pictures / "our.names").write_text("cat\ndog\n")
    data = load_boxes(path)
    assert data.classes == ("cat", "dog")
    assert data.records[0].objects[:, 0].tolist() == [1, 0]
    other = load_boxes(path, ["dog", "bird", "Cat"])
    assert other.records[0].objects[:, 0].tolist() == [0, 2]
    assert other.records[0].negatives == (1.0, 0.0, 1.0)


def test_parts_of_the_data(pictures: Path) -> None:
    path = as_darknet(pictures)
    (pictures / "valid.list").write_text("b.png\n")
    (pictures / "train.list").write_text("a.png\n")
    path.write_text(path.read_text() + "valid = valid.list\n")
    assert [r.path.name for r in load_boxes(path, split="train").records] == ["a.png"]
    assert [r.path.name for r in load_boxes(path, split="valid").records] == ["b.png"]
    assert len(load_boxes(path).records) == 2


def test_unsure_boxes_are_ignored_regions(pictures: Path) -> None:
    note = as_coco(pictures)
    note.write_text(note.read_text().replace('"iscrowd": 0', '"iscrowd": 1'))
    (record, _) = load_boxes(note).records
    assert (len(record.objects), len(record.ignored)) == (0, 2)
    line = {"file": "a.png", "objects": [{"class": "motorbike", "box": [1, 1, 9, 9]}]}
    line["vehicles"] = [{"box": [0, 0, 50, 50], "score": 0.2}]
    line["ignored"] = [{"class": "plate", "box": [5, 5, 9, 9]}]
    (pictures / "labels.jsonl").write_text(json.dumps(line))
    (record,) = load_boxes(pictures).records
    assert record.objects.shape == (0, 5)
    assert sorted(record.ignored[:, 0].tolist()) == [0, 0, 1]


def problem(data: BoxData) -> str:
    (line,) = data.problems
    assert data.records == []
    return line


def of_box(folder: Path, box: object, label: str = "car", more: tuple[object, ...] = ()) -> BoxData:
    things = [{"class": label, "box": box}, *more]
    (folder / "labels.jsonl").write_text("\n" + json.dumps({"file": "a.png", "objects": things}))
    return load_boxes(folder)


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ([30, 10, 30, 50], "the car has no area: 30, 10, 30, 50"),
        ([30, 50, 60, 10], "the car has no area"),
        ([150, 10, 250, 50], "the car lies outside the picture of 200 x 100: 150, 10, 250, 50"),
        ([-30, 10, 50, 50], "outside the picture"),
        ([200, 10, 202, 50], "outside the picture"),
        ([1, 2, 3], 'without a "box" of four numbers'),
        ([1, 2, 3, "x"], 'without a "box" of four numbers'),
        ([1, 2, 3, float("nan")], 'without a "box" of four numbers'),
        ([1, 2, 3, 10**400], 'without a "box" of four numbers'),
    ],
)
def test_wrong_boxes_are_listed_with_their_line(pictures: Path, box: object, said: str) -> None:
    line = problem(of_box(pictures, box))
    assert line.startswith(f"{pictures / 'labels.jsonl'}, line 2: ")
    assert said in line


def test_boxes_that_leave_the_picture_by_rounding_are_clipped(pictures: Path) -> None:
    (record,) = of_box(pictures, [-1, -0.5, 201, 100.4]).records
    assert record.objects.tolist() == [[0, 0, 0, 200, 100]]


def test_an_unknown_class_and_a_box_labelled_twice(pictures: Path) -> None:
    assert "unknown class 'licence'" in problem(of_box(pictures, [1, 1, 9, 9], "licence"))
    twice = ({"class": "car", "box": [1, 1, 9, 9]},)
    assert "this car is labelled twice; first by" in problem(of_box(pictures, [1, 1, 9, 9], more=twice))
    assert of_box(pictures, [1, 1, 9, 9], "person").records[0].objects.shape == (0, 5)


def test_pictures_that_are_missing_damaged_or_labelled_twice(pictures: Path) -> None:
    rows = [{"file": name} for name in ("a.png", "gone.png", "bad.png", "./a.png")]
    (pictures / "bad.png").write_bytes(b"no picture")
    (pictures / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n{\n[]\n")
    data = load_boxes(pictures)
    assert [record.path.name for record in data.records] == ["a.png"]
    gone, bad, twice, broken, array = data.problems
    assert "line 2: there is no picture" in gone
    assert "line 3: " in bad
    assert "is no picture that can be read" in bad
    assert "line 4: " in twice
    assert "labelled twice; first by" in twice
    assert "line 5: not JSON" in broken
    assert "line 6: not a JSON object" in array


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0.5 0.5 0.5", "is no `class x y width height`"),
        ("5 0.5 0.5 0.1 0.1", "unknown class '5': there are 2, from 0 on"),
        ("9" * 5000 + " 0.5 0.5 0.1 0.1", "unknown class '999"),
        ("0 50 50 10 10", "must be shares of the picture"),
        ("0 0.9 0.5 0.8 0.1", "lies outside the picture"),
        ("0 0.5 0.5 0 0.1", "has no area"),
    ],
)
def test_wrong_lines_of_darknet(pictures: Path, text: str, said: str) -> None:
    path = as_darknet(pictures)
    (pictures / "b.txt").write_text(f"\n{text}\n")
    (line,) = load_boxes(path).problems
    assert line.startswith(f"{pictures / 'b.txt'}, line 2: ")
    assert said in line


def test_wrong_files_of_darknet(pictures: Path) -> None:
    path = as_darknet(pictures)
    (pictures / "b.txt").unlink()
    (line,) = load_boxes(path).problems
    assert "b.txt beside it" in line
    (pictures / "train.list").write_text("a.png\ngone.png\n")
    assert "train.list, line 2: there is no picture" in load_boxes(path).problems[0]
    path.write_text("classes = 2 # cats\nnames = our.names\ntrain = train.list")
    assert len(load_boxes(path).records) == 1
    for text, said in (
        (f"train = {'x' * 5000}\nnames = our.names", "cannot be read: file name too long"),
        ("train = a\0b\nnames = our.names", "cannot be read: embedded null byte"),
        ("train = train.list", "there is no `names = FILE`"),
        ("names = our.names", "names no list of pictures"),
        ("classes = 3\nnames = our.names\ntrain = train.list", "says `classes=3`, but our.names has 2"),
        ("names", "line 1: is no `option = value`"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            load_boxes(path)


def test_a_list_needs_names_and_says_which_line_is_wrong(pictures: Path) -> None:
    path = as_list(pictures)
    (pictures / "a b.png").write_bytes((pictures / "a.png").read_bytes())
    path.write_text("a b.png 20,10,120,90,1\nb.png 1,2,3,4,7 1,2,3,0 5,5,9,9,0\n")
    data = load_boxes(path)
    assert [record.path.name for record in data.records] == ["a b.png"]
    assert "line 2: unknown class '7'" in data.problems[0]
    assert "line 2: '1,2,3,0' is no `x1,y1,x2,y2,class`" in data.problems[1]
    (pictures / "our.names").unlink()
    with pytest.raises(DataError, match="its classes are numbers; name them with --names"):
        load_boxes(path)
    assert load_boxes(path, ["license_plate", "car"]).records[0].objects[0, 0] == 1


def test_the_numbers_of_a_list_are_those_of_the_names_beside_it(pictures: Path) -> None:
    path = as_list(pictures)
    assert load_boxes(path, ["car", "license_plate"]).records[0].objects[:, 0].tolist() == [0, 1]


def test_wrong_xml(pictures: Path) -> None:
    folder = as_voc(pictures)
    file = folder / "a.xml"
    text = file.read_text()
    file.write_text(text.replace("<xmax>120", "<xmax>x"))
    assert "a.xml, line 3: an <object> needs a <name> and a <bndbox>" in load_boxes(folder).problems[0]
    file.write_text(text.replace("</filename>", ""))
    assert "a.xml: line 5: is no XML: mismatched tag" in load_boxes(folder).problems[0]
    file.write_text("<other/>")
    assert "is no Pascal VOC label" in load_boxes(folder).problems[0]


def test_xml_reads_nothing_from_elsewhere(pictures: Path) -> None:
    folder = as_voc(pictures)
    secret = pictures / "secret"
    secret.write_text("car")
    for entity in (f'<!ENTITY x SYSTEM "{secret.as_uri()}">', '<!ENTITY x "car">'):
        text = f"<!DOCTYPE annotation [{entity}]>\n<annotation><filename>&x;</filename></annotation>"
        (folder / "a.xml").write_text(text)
        (line,) = load_boxes(folder).problems
        assert line.endswith("a.xml: line 1: has a document type, which is not read")


def test_wrong_coco(pictures: Path) -> None:
    path = as_coco(pictures)
    text = path.read_text()
    lines = text.splitlines()
    number = lines.index(next(line for line in lines if '"category_id": 3' in line)) - 2
    path.write_text(text.replace('"category_id": 3', '"category_id": 4'))
    assert f"labels.json, line {number}: unknown class: category_id 4" in load_boxes(path).problems[0]
    path.write_text(text.replace('"image_id": 1', '"image_id": 8', 1))
    assert "an annotation belongs to none of the images" in load_boxes(path).problems[0]
    for wrong, said in ((text[:-3], "not JSON"), ("{}", "is no COCO file"), ("[1]", "not JSON")):
        path.write_text(wrong)
        with pytest.raises(DataError, match=said):
            load_boxes(path)


@pytest.mark.parametrize("wrong", ["null", "[1]", '{"a": 1}', "true", "1.5"])
def test_coco_knows_its_things_by_numbers_or_text(pictures: Path, wrong: str) -> None:
    path = as_coco(pictures)
    text = path.read_text()
    path.write_text(text.replace('"id": 1,', f'"id": {wrong},', 1))
    assert "an image needs an id and a file_name" in load_boxes(path).problems[0]
    path.write_text(text.replace('"image_id": 1', f'"image_id": {wrong}', 1))
    assert "an annotation belongs to none of the images" in load_boxes(path).problems[0]
    path.write_text(text.replace('"category_id": 3', f'"category_id": {wrong}'))
    assert "unknown class: category_id" in load_boxes(path).problems[0]
    path.write_text(text.replace('"id": 3,', f'"id": {wrong},'))
    with pytest.raises(DataError, match=r"line \d+: a category needs an id and a name"):
        load_boxes(path)


def test_coco_gives_every_thing_an_id_of_its_own(pictures: Path) -> None:
    path = as_coco(pictures)
    text = path.read_text()
    path.write_text(text.replace('"id": 2,', '"id": 1,'))
    assert "another image has the id 1, too" in problem_of(path, "b.png")
    path.write_text(text.replace('"id": 7,', '"id": 3,'))
    with pytest.raises(DataError, match=r"line \d+: another category has the id 3, too"):
        load_boxes(path)
    path.write_text(text.replace('"iscrowd": 0', f'"iscrowd": {"1" * 5000}'))
    with pytest.raises(DataError, match="not JSON that can be read: a number is too long"):
        load_boxes(path)


def problem_of(path: Path, picture: str) -> str:
    """The only problem of labels in which all but one picture can be used."""
    data = load_boxes(path)
    assert picture not in [record.path.name for record in data.records]
    (line,) = data.problems
    return line


def test_classes_have_names_that_can_be_written_down(pictures: Path) -> None:
    text = as_coco(pictures).read_text()
    for name, said in ((" ", "' ' is no name of a class"), ("a\nb", "is no name"), ("Car", "'car' twice")):
        (pictures / "labels.json").write_text(text.replace('"license-plate"', json.dumps(name)))
        with pytest.raises(DataError, match=said):
            load_boxes(pictures / "labels.json")
    (pictures / "labels.json").write_text(text.replace('"license-plate"', '"car"'))  # many tools write it so
    assert load_boxes(pictures / "labels.json").records[0].objects[:, 0].tolist() == [0, 0]


def test_lines_of_json_may_hold_what_else_ends_lines(pictures: Path) -> None:
    row = {"file": "a.png", "note": "\u2028", "plates": [{"box": [60, 70, 90, 80]}]}
    (pictures / "labels.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\r\n", encoding="utf-8")
    assert len(load_boxes(pictures).records[0].objects) == 1


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("negatives", [1, 1, float("nan")], '"negatives" must be a list with a weight from 0 to 1'),
        ("negatives", [1, 1, -5], '"negatives" must be'),
        ("negatives", "111", '"negatives" must be'),
        ("negatives", [1, 1], '"negatives" has 2 values, not 3'),
        ("split", ["train"], '"split" is no text'),
        ("file", "x" * 5000, "there is no picture"),
    ],
)
def test_wrong_values_of_a_line(pictures: Path, key: str, value: object, said: str) -> None:
    rows = [{"file": "a.png", "plates": [{"box": [60, 70, 90, 80]}], key: value}]
    (pictures / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    line = problem(load_boxes(pictures))
    assert said in line
    assert len(line) < 1000
    assert parts_of(pictures) == frozenset()


def test_parts_have_other_names_too(pictures: Path) -> None:
    rows = [{"file": "a.png", "split": "training"}, {"file": "b.png", "split": "val"}]
    (pictures / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n" + "[" * 100_000)
    assert parts_of(pictures) == {"train", "valid"}
    for name in ("valid", "val", "validation"):
        assert [record.path.name for record in load_boxes(pictures, split=name).records] == ["b.png"]


def test_what_is_no_data_at_all(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "gone", "no such file or folder"),
        (tmp_path, "holds no labels"),
        (tmp_path / "a.csv", "labelled boxes are a"),
    ):
        (tmp_path / "a.csv").write_text("")
        with pytest.raises(DataError, match=said):
            load_boxes(path)
    (tmp_path / "labels.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="it is not UTF-8 text"):
        load_boxes(tmp_path)
    (tmp_path / "labels.jsonl").write_text("")
    with pytest.raises(DataError, match="no labelled pictures"):
        load_boxes(tmp_path)


def test_long_lists_of_problems_are_counted() -> None:
    assert listed([str(n) for n in range(25)]).splitlines()[-1] == "... and 5 more"
    assert listed(["one"]) == "one"
