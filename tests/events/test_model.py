"""The event model: dictionaries and back, its published schema, and what it refuses."""

import doctest
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kplate.events
from kplate.errors import DataError
from kplate.events import (
    CameraState,
    Event,
    EventBay,
    EventPicture,
    EventPlate,
    EventType,
    EventVehicle,
    FrameReference,
    Reason,
    Stay,
    Trigger,
    new_id,
    schema,
    urls,
    without_credentials,
)
from kplate.results import Plate

ROOT = Path(__file__).parents[2]
TIME = datetime(2026, 3, 1, 8, 30, 0, 250_999, tzinfo=UTC)


def full_event() -> Event:
    """An event in which every field says something."""
    box = (1.0, 2.0, 30.5, 40.25)
    plate = EventPlate("52주3108", "52주 3108", 0.97, "electric", "private", True, 4, box, "ab12")
    return Event(
        TIME,
        "rtsp://admin:pa@ss@10.0.0.5:554/stream",
        EventType.REVIEW,
        plate=plate,
        vehicle=EventVehicle(7, box, "bus", 0.98),
        permit=False,
        bay=EventBay("A1", "disabled"),
        stay=Stay(TIME, TIME + timedelta(minutes=61), 3660.0),
        reasons=(Reason("no-permit-seen", "no permit was seen", "표지가 보이지 않습니다"),),
        state=CameraState("connected", "back after 12 s", 15.0, 0.2),
        trigger=Trigger("mqtt", "B1-A1-In", "42"),
        others=(plate,),
        related=new_id(TIME),
        error="the camera gave no picture",
        frame=FrameReference(12, 0.8, 1920, 1080),
        pictures=(EventPicture("vehicle", box, "gate/a.jpg"),),
        details={"limit_minutes": 60, "near": ["52주3103"]},
    )


def test_dictionary_and_back() -> None:
    event = full_event()
    again = Event.from_json(event.to_json())
    assert again.to_dict() == event.to_dict()
    assert again.plate is not None
    assert again.plate.box == (1.0, 2.0, 30.5, 40.2)
    assert again.stay is not None
    assert again.stay.last - again.stay.first == timedelta(minutes=61)
    assert "52주3108" in event.to_json()


def test_fields_that_say_nothing_are_left_out() -> None:
    values = Event(TIME, "gate", EventType.STATE).to_dict()
    assert list(values) == ["version", "id", "time", "source", "type"]
    assert values["time"] == "2026-03-01T08:30:00.250Z"


def test_the_published_schema_is_that_of_the_model() -> None:
    published = json.loads((ROOT / "docs/event.schema.json").read_text(encoding="utf-8"))
    assert published == schema()
    assert set(schema()["properties"]) == set(full_event().to_dict())
    for name, described in schema()["properties"].items():
        assert described["description"], name


def test_the_schema_accepts_events_and_refuses_others() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(schema())
    jsonschema.Draft202012Validator.check_schema(schema())
    full = full_event().to_dict()
    for values in (full, Event(TIME, "gate", EventType.SIGHTING).to_dict()):
        assert list(validator.iter_errors(values)) == []
    wrong: list[dict[str, Any]] = [
        {**full, "type": "gone"},
        {**full, "permit": "yes"},
        {**full, "plate": {"display": "no text"}},
        {**full, "vehicle": {"box": [1, 2, 3]}},
        {name: value for name, value in full.items() if name != "id"},
    ]
    for values in wrong:
        assert list(validator.iter_errors(values)) != []
        with pytest.raises(DataError):
            Event.from_dict(values)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"time": "yesterday"}, "time"),
        ({"plate": {"text": 5}}, "plate.text"),
        ({"reasons": [{"code": "a"}]}, r"reasons\[0\].text"),
        ({"vehicle": {"track": True}}, "vehicle.track"),
        ({"stay": []}, "stay"),
        ({"details": []}, "details"),
        ({"version": 2}, "version 2"),
        ({"id": ""}, "id"),
    ],
)
def test_wrong_values_are_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError, match=named):
        Event.from_dict({**full_event().to_dict(), **change})


def test_unknown_fields_are_passed_over() -> None:
    values = full_event().to_dict()
    assert Event.from_dict({**values, "new": 1, "bay": {"id": "A1", "floor": 2}}).bay == EventBay("A1")


@pytest.mark.parametrize("text", ["", "[1]", "null", b"\xff"])
def test_what_is_no_event_is_refused(text: str | bytes) -> None:
    with pytest.raises(DataError):
        Event.from_json(text)


def test_times_are_utc_to_the_millisecond() -> None:
    seoul = datetime(2026, 3, 1, 17, 30, 0, 250_001, tzinfo=timezone(timedelta(hours=9)))
    assert Event(seoul, "gate", EventType.STATE).time == datetime(2026, 3, 1, 8, 30, 0, 250_000, UTC)
    with pytest.raises(DataError, match="time zone"):
        Event(datetime(2026, 3, 1), "gate", EventType.STATE)


def test_identifiers_sort_by_time_and_repeat_with_a_seed() -> None:
    later = TIME + timedelta(milliseconds=1)
    assert new_id(TIME)[14] == "7"
    assert new_id(TIME)[19] in "89ab"
    assert new_id(TIME) < new_id(later)
    assert len({new_id(TIME) for _ in range(1000)}) == 1000
    assert new_id(TIME, "clip.mp4 3") == new_id(TIME, "clip.mp4 3") != new_id(TIME, "clip.mp4 4")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rtsp://admin:secret@cam/1", "rtsp://cam/1"),
        ("rtsp://admin:se/c@ret@cam:554/1", "rtsp://cam:554/1"),
        ("no 'mqtts://user:secret@broker:8883/x': refused", "no 'mqtts://broker:8883/x': refused"),
        ("https://cam/snap?user=a&password=secret&ch=1", "https://cam/snap?user=***&password=***&ch=1"),
        ("rtsp://cam/user=a&password=secret&channel=1", "rtsp://cam/user=***&password=***&channel=1"),
        ("rtsp:/admin:secret@cam/1", "rtsp:/cam/1"),  # a slash is missing
        ("C:/cars@home.mp4", "C:/cars@home.mp4"),
        ("http://cam/a@b", "http://b"),  # rather too little of an address than a password
        ("car.mp4", "car.mp4"),
        ("0", "0"),
    ],
)  # fmt: skip
def test_credentials_are_left_out(text: str, told: str) -> None:
    assert without_credentials(text) == told
    assert "secret" not in Event(TIME, text, EventType.STATE).to_json()


def test_a_plate_that_is_not_trusted_has_no_text() -> None:
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 3.0), (0.0, 3.0))
    box = (0.0, 0.0, 9.0, 3.0)
    plate = Plate(None, "52주3108", None, 0.4, (0.4,), "electric", "private", True, box, corners, 0.9)
    told = EventPlate.of(plate, readings=1)
    assert (told.text, told.use, told.kind) == (None, None, "electric")
    assert "3108" not in json.dumps(Event(TIME, "gate", EventType.READING, plate=told).to_dict())


def test_numpy_values_become_plain() -> None:
    box = tuple(np.float32([1.26, 2, 3, 4]))
    event = Event(TIME, "gate", EventType.SIGHTING, vehicle=EventVehicle(box=box, score=np.float32(0.123456)))
    assert json.loads(event.to_json())["vehicle"]["score"] == 0.1235
    with pytest.raises(DataError, match="nan"):
        Event(TIME, "gate", EventType.STATE, details={"fps": float("nan")}).to_dict()


def test_the_examples_of_the_docstrings_work() -> None:
    for module in (kplate.events, urls):
        assert doctest.testmod(module).failed == 0
