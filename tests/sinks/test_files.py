"""Text files, folders of pictures, and many sinks at once."""

import csv
import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from kplate.errors import DataError, KplateError
from kplate.events import (
    Event,
    EventBay,
    EventPicture,
    EventPlate,
    EventType,
    EventVehicle,
    FrameReference,
    Reason,
    Stay,
)
from kplate.images import read_image
from kplate.sinks import Privacy, open_sinks
from kplate.sinks.files import COLUMNS, PictureFolder
from kplate.sinks.naming import picture_key, slug
from kplate.sinks.query import find

from .conftest import START, Log, event


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_json_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for number in range(2):
        with open_sinks([str(path)]) as sinks:
            sinks.write(event(number))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [Event.from_json(line) for line in lines] == [event(0), event(1)]
    assert "52주3108" in lines[0]


@pytest.mark.parametrize("torn", ['{"version": 1, "id": "01', "{", '"'])
def test_a_torn_last_line_is_dropped(torn: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f"{event(0).to_json()}\n{torn}", encoding="utf-8")
    with open_sinks([str(path)]) as sinks:
        sinks.write(event(1))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [event(0).id, event(1).id]


def test_a_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(event(0).to_json(), encoding="utf-8")
    with open_sinks([str(path)]) as sinks:
        sinks.write(event(1))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [event(0).id, event(1).id]


def test_csv_has_a_row_for_each_event(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    full = event(
        1,
        plate=EventPlate("52주3108", "52주 3108", 0.97, "electric", "private", True),
        bay=EventBay("A1", "charging"),
        permit=False,
        stay=Stay(START, START + timedelta(seconds=90), 90.0),
        reasons=(Reason("over-time", "over time"), Reason("watch-list", 'says "stop", here')),
        vehicle=EventVehicle(7),
    )
    for happened in (full, Event(START, "정문, north", EventType.STATE)):
        with open_sinks([str(path)]) as sinks:
            sinks.write(happened)
    with path.open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == list(COLUMNS)
    assert first["plate"] == "52주3108"
    assert (first["electric"], first["permit"], first["track"]) == ("true", "false", "7")
    assert (first["bay"], first["seconds"], first["reasons"]) == ("A1", "90.0", "over-time watch-list")
    assert (second["source"], second["plate"]) == ("정문, north", "")


def test_a_foreign_csv_is_not_appended_to(tmp_path: Path) -> None:
    (tmp_path / "cars.csv").write_text("plate,owner\n")
    with pytest.raises(DataError, match=r"cars\.csv.*columns"):
        open_sinks([str(tmp_path / "cars.csv")])
    assert (tmp_path / "cars.csv").read_text() == "plate,owner\n"


def test_pictures_go_to_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    image = np.full((40, 60, 3), 90, np.uint8)
    with open_sinks([f"{folder}/", str(tmp_path / "events.db")]) as sinks:
        sinks.write(event(1), {"vehicle": image})
        sinks.write(event(2))
    day = folder / "2026-03-01" / "gate"
    assert names(day) == [f"{event(1).id}-vehicle.jpg", f"{event(1).id}.json"]
    assert read_image(day / f"{event(1).id}-vehicle.jpg").shape == (40, 60, 3)
    first, _ = find(tmp_path / "events.db")
    assert (folder / (first.pictures[0].key or "")).is_file()


def test_old_pictures_go(tmp_path: Path) -> None:
    for day in ("2026-02-01", "2026-02-28", "2026-03-01", "keep me"):
        (tmp_path / day / "gate").mkdir(parents=True)
    assert PictureFolder(tmp_path).prune(timedelta(days=1), now=START) == 1
    assert names(tmp_path) == ["2026-02-28", "2026-03-01", "keep me"]


def test_old_events_and_pictures_go_by_themselves(tmp_path: Path) -> None:
    targets = [str(tmp_path / "events.db"), f"{tmp_path}/pictures/"]
    with open_sinks(targets) as sinks:
        sinks.write(event(1), {"vehicle": np.zeros((9, 9, 3), np.uint8)})
    with open_sinks(targets, keep=timedelta(days=30)):
        pass
    assert list(find(tmp_path / "events.db")) == []
    assert names(tmp_path / "pictures") == []


def test_keys_and_topics_are_harmless() -> None:
    assert slug("rtsp://10.0.0.5:554/a/b?x=1#+") == "10.0.0.5-554-a-b-x-1"
    assert slug("정문 1") == "정문-1"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("") == "source"
    assert picture_key(event(1), "a/b") == f"2026-03-01/gate/{event(1).id}-a-b.jpg"


def test_several_threads_may_write(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "events.jsonl"
    with (
        open_sinks([str(path), str(tmp_path / "events.db")], log=log) as sinks,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(lambda number: sinks.write(event(number)), range(40)))
    assert {Event.from_json(line).id for line in path.read_text().splitlines()} == {
        event(number).id for number in range(40)
    }
    sinks.write(event(99))
    assert log == [f"event {event(99).id} came after the sinks were closed"]


def test_a_sink_that_fails_does_not_disturb_the_others(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "away" / "events.jsonl"
    path.parent.mkdir()
    with open_sinks([str(path), str(tmp_path / "events.csv"), str(tmp_path / "events.db")], log=log) as sinks:
        sinks.write(event(0))
        path.parent.rename(tmp_path / "gone")
        for number in range(1, 4):
            sinks.write(event(number))
        assert len(list(find(tmp_path / "events.db"))) == 4
        assert len((tmp_path / "events.csv").read_text(encoding="utf-8").splitlines()) == 5
        (tmp_path / "gone").rename(path.parent)
        sinks.write(event(4))
    assert len(path.read_text().splitlines()) == 5
    assert len(log) == 2
    assert "no such file" in log[0]
    assert "works again; 3 events written late" in log[1]


def test_what_never_could_be_written_is_told(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "away" / "events.jsonl"
    path.parent.mkdir()
    with open_sinks([str(path)], log=log) as sinks:
        path.parent.rename(tmp_path / "gone")
        sinks.write(event(0))
    assert log[-1].endswith("1 events could not be written")


def test_an_event_that_no_sink_can_write_holds_up_nothing(tmp_path: Path, log: Log) -> None:
    with open_sinks([str(tmp_path / "events.jsonl")], log=log) as sinks:
        sinks.write(event(0, details={"share": float("inf")}))
        sinks.write(event(1))
    assert log.has("cannot be written")
    assert (tmp_path / "events.jsonl").read_text().count("\n") == 1


def test_events_without_their_pictures_are_better_than_none(tmp_path: Path, log: Log) -> None:
    with open_sinks([f"{tmp_path}/pictures/", str(tmp_path / "events.jsonl")], log=log) as sinks:
        sinks.write(event(0), {"vehicle": np.zeros((0, 5, 3), np.uint8)})
    assert len(log) == 1
    assert (tmp_path / "events.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("events.txt", "cannot go there"),
        ("ftp://me:topsecret@host/x", "cannot go there"),
        ("none/events.jsonl", "no such file"),
        ("none/events.csv", "no such file"),
        ("", "cannot go there"),
        ("file.jsonl/pictures/", "not a directory"),
    ],
)
def test_targets_that_cannot_be(
    target: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.jsonl").touch()
    with pytest.raises(KplateError, match=reason) as caught:
        open_sinks([target])
    assert "topsecret" not in str(caught.value)


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("paho.mqtt", "obstore.store"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    for target, extra in (("mqtt://host", "mqtt"), ("s3://bucket", "objects")):
        with pytest.raises(KplateError, match=rf"pip install 'kplate\[{extra}\]'"):
            open_sinks([target], spool=tmp_path / "spool.db")


# --- privacy --------------------------------------------------------------------------------------

KEY = b"0123456789abcdef"
#: A car at the left half of a frame, its plate, and another car at the right.
SCENE = event(
    1,
    plate=EventPlate("52주3108", "52주 3108", box=(60.0, 150.0, 100.0, 160.0)),
    vehicle=EventVehicle(1, (20.0, 60.0, 140.0, 180.0)),
    frame=FrameReference(0, 0.0, 320, 240),
    pictures=(EventPicture("vehicle", (20.0, 60.0, 140.0, 180.0)),),
    reasons=(Reason("near-match", "52주 3108 looks like 52주3103", "52주3108 번호판"),),
    details={"listed": ["52주3103"], "limit": 60},
)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def detail(image: np.ndarray) -> float:
    """How much neighbouring pixels differ."""
    return float(np.abs(np.diff(image.astype(int), axis=1)).mean()) if image.size else 0.0


def test_hashed_plates_are_nowhere(tmp_path: Path) -> None:
    with open_sinks([str(tmp_path / "events.jsonl")], privacy=Privacy(KEY)) as sinks:
        sinks.write(SCENE)
    text = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert "3108" not in text
    assert "3103" not in text
    told = Event.from_json(text)
    assert told.plate is not None
    assert told.plate.hash is not None
    assert len(told.plate.hash) == 64
    assert told.reasons[0].text == "*** looks like ***"
    assert told.details["limit"] == 60
    with_other_key = Privacy(KEY[::-1]).event(SCENE)
    assert with_other_key.plate is not None
    assert with_other_key.plate.hash != told.plate.hash


def test_a_short_key_is_refused() -> None:
    with pytest.raises(KplateError, match="at least 16"):
        Privacy(b"short")
    assert "0123" not in repr(Privacy(KEY))


def test_only_the_vehicle_stays_sharp() -> None:
    frame = noise(240, 320)
    before = frame.copy()
    shown = Privacy(blur=True).pictures(SCENE, {"frame": frame})["frame"]
    assert np.array_equal(frame, before)
    assert np.array_equal(shown[60:180, 20:140], frame[60:180, 20:140])
    assert detail(shown[:, 160:]) < detail(frame[:, 160:]) / 10
    assert detail(shown[:50]) < detail(frame[:50]) / 10


def test_other_cars_plates_are_blurred_even_inside_the_vehicles_box() -> None:
    frame = noise(240, 320)
    for box in ((110.0, 100.0, 130.0, 110.0), (200.0, 100.0, 220.0, 110.0)):
        happened = dataclasses.replace(SCENE, others=(EventPlate("12가3456", box=box),))
        shown = Privacy(blur=True).pictures(happened, {"frame": frame})["frame"]
        left, top, right, bottom = map(int, box)
        assert detail(shown[top:bottom, left:right]) == 0
        assert np.array_equal(shown[60:95, 20:140], frame[60:95, 20:140])


def test_where_plates_are_hashed_other_cars_are_hidden_as_well() -> None:
    frame = noise(240, 320)
    shown = Privacy(KEY).pictures(SCENE, {"frame": frame})["frame"]
    assert detail(shown[:, 160:]) < detail(frame[:, 160:]) / 10


def test_boxes_follow_crops_and_scales() -> None:
    crop = noise(240, 240)  # the vehicle's 120 x 120 pixels, twice as large
    shown = Privacy(blur=True).pictures(SCENE, {"vehicle": crop})["vehicle"]
    assert np.array_equal(shown, crop)
    shown = Privacy(KEY).pictures(SCENE, {"vehicle": crop})["vehicle"]
    assert detail(shown[180:200, 80:160]) == 0  # the plate
    assert np.array_equal(shown[:170], crop[:170])


def test_a_picture_without_evidence_is_blurred_whole() -> None:
    happened = Event(START, "gate", EventType.STATE)
    frame = noise(240, 320)
    assert detail(Privacy(blur=True).pictures(happened, {"frame": frame})["frame"]) < detail(frame) / 10


def test_stored_pictures_are_blurred(tmp_path: Path) -> None:
    frame = noise(240, 320)
    with open_sinks([f"{tmp_path}/pictures/"], privacy=Privacy(blur=True)) as sinks:
        sinks.write(SCENE, {"frame": frame})
    (path,) = (tmp_path / "pictures").rglob("*.jpg")
    assert detail(read_image(path)[:, 170:]) < detail(frame[:, 170:]) / 10
