import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.bays import load_bays
from kplate.bays.lettering import name_mask, syllable_mask
from kplate.cli import main
from kplate.drawing import text_mask

GOOD = (
    '[[camera]]\nname = "north"\n'
    '[[camera.bay]]\nname = "A1"\nkind = "charging_slow"\npolygon = [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9]]\n'
    '[[camera]]\nname = "south"\ncolumns = ["B1", "B2"]\n'
)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bays.toml").write_text(GOOD, encoding="utf-8")
    cv2.imwrite("view.png", np.full((180, 320, 3), 90, np.uint8))


def test_a_good_file_is_listed(capsys: pytest.CaptureFixture[str]):
    assert main(["bays", "check", "bays.toml"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1][:3] == ["north", "A1", "charging_slow"]
    assert "14" in rows[1]
    assert rows[2] == ["south", "B1", "ordinary"]


def test_a_file_is_drawn_over_a_picture(capsys: pytest.CaptureFixture[str]):
    assert main(["bays", "check", "bays.toml", "view.png", "--camera", "south"]) == 0
    drawn = cv2.imread("bays.png")
    assert drawn is not None
    assert drawn.shape == (180, 320, 3)
    assert (drawn != 90).any(axis=2).mean() > 0.1
    assert main(["bays", "check", "bays.toml", "view.png"]) == 1
    assert "say which camera it is: north, south" in capsys.readouterr().err
    assert main(["bays", "check", "bays.toml", "view.png", "--camera", "south", "--out", "view.png"]) == 1
    assert "view.png is the picture itself" in capsys.readouterr().err
    assert main(["bays", "check", "bays.toml", "--out", "x.png"]) == 1
    assert "need a PICTURE" in capsys.readouterr().err


def test_the_picture_itself_is_not_drawn_over(capsys: pytest.CaptureFixture[str]):
    before = Path("view.png").read_bytes()
    assert main(["bays", "new", "view.png", "--thirds", "--out", "view.toml"]) == 1
    assert "view.png is the picture itself" in capsys.readouterr().err
    assert Path("view.png").read_bytes() == before
    assert not Path("view.toml").exists()


def test_hangul_names_are_drawn():
    drawn = {}
    for name in ("장애인 1", "장애인 2", "입구-A", "入口", "出口", "A1"):
        text = GOOD.replace('"A1"', f'"{name}"')
        Path("named.toml").write_text(text, encoding="utf-8")
        assert main(["bays", "check", "named.toml", "view.png", "--camera", "north"]) == 0
        image = cv2.imread("named.png")
        assert image is not None
        drawn[name] = image.tobytes()
    assert len(set(drawn.values())) == 5
    assert drawn["入口"] == drawn["出口"]  # what cannot be drawn is shown by its number


def test_every_syllable_is_another_one():
    for syllables in (
        "가각간갈감강갔갖갗같갚갛",
        "가개갸걔거게겨계고과괘괴교구궈궤귀규그긔기",
        "가까나다따라마바빠사싸아자짜차카타파하",
    ):
        masks = [syllable_mask(syllable, 24) for syllable in syllables]
        assert len({mask.tobytes() for mask in masks}) == len(syllables)
        assert all(mask.shape == (24, 22) and 30 < mask.mean() < 150 for mask in masks)
    assert name_mask("?", 3, 20).tobytes() == text_mask("?", 20).tobytes()
    assert name_mask("車", 3, 20).tobytes() == text_mask("#3", 20).tobytes()


def test_every_mistake_is_a_line(capsys: pytest.CaptureFixture[str]):
    Path("bad.toml").write_text(GOOD.replace('"charging_slow"', '"slow"') + "colour = 3\n", encoding="utf-8")
    assert main(["bays", "check", "bad.toml"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        "bad.toml, line 5",
        "bad.toml, line 10",
    ]
    assert main(["bays", "check", "none.toml"]) == 1
    assert "none.toml: cannot be read: no such file or directory" in capsys.readouterr().err


def test_thirds_need_no_car(capsys: pytest.CaptureFixture[str]):
    assert main(["bays", "new", "view.png", "--thirds", "--out", "new.toml", "--camera", "hall"]) == 0
    bays = load_bays("new.toml")
    assert bays.camera("hall").bays[2].name == "A3"
    assert Path("new.png").is_file()
    assert main(["bays", "new", "view.png", "--thirds", "--out", "new.toml"]) == 1
    assert "new.toml exists already" in capsys.readouterr().err
    assert main(["bays", "new", "gone.png", "--thirds", "--out", "other.toml"]) == 1
    assert "gone.png" in capsys.readouterr().err
    assert not Path("other.toml").exists()


def test_a_clip_is_rendered_and_measured(capsys: pytest.CaptureFixture[str]):
    assert main(["bays", "clip", "--out", "park", "--seconds", "3"]) == 0
    assert main(["bays", "evaluate", "park", "--json", "--events", "events.jsonl", "--threads", "1"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["misses"] == []
    assert figures["plates"] == figures["visits"] == 2
    events = [json.loads(line) for line in Path("events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["type"] for event in events] == ["parked", "parked"]
    assert main(["bays", "clip", "--out", "park", "--seconds", "3"]) == 1
    assert "exists already" in capsys.readouterr().err
    Path("park/clip.json").write_text("{", encoding="utf-8")
    assert main(["bays", "evaluate", "park"]) == 1
    assert "clip.json cannot be used" in capsys.readouterr().err
