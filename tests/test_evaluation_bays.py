from datetime import UTC, datetime, timedelta

from kplate.evaluation.bays import compare_bays
from kplate.events import Event, EventBay, EventPlate, EventType, FrameReference


def told(kind: EventType, bay: str, time: float, text: str | None = None) -> Event:
    return Event(
        datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=time),
        "c",
        kind,
        bay=EventBay(bay),
        frame=FrameReference(round(time * 5), time, 10, 10),
        plate=None if text is None else EventPlate(text),
    )


def visit(bay: str, arrived: float | None, left: float | None, text: str) -> dict[str, object]:
    return {"bay": bay, "arrived": arrived, "left": left, "text": text, "permit": False, "rear": False}


LABELS = {"visits": [visit("A1", 10, 60, "12가3456"), visit("A2", None, 30, "52주3108")]}


def test_all_told_in_time():
    events = [
        told(EventType.ARRIVED, "A1", 12.0),
        told(EventType.LEFT, "A2", 29.0, "52주3108"),
        told(EventType.LEFT, "A1", 62.9, "12가3456"),
    ]
    report = compare_bays(LABELS, events)
    assert report.perfect
    assert (report.arrivals, report.departures, report.plates) == (1, 2, 2)
    assert [round(delay, 1) for delay in report.delays] == [2.0, 2.9, -1.0]


def test_what_is_late_is_both_missed_and_false():
    events = [told(EventType.ARRIVED, "A1", 14.0), told(EventType.LEFT, "A2", 29.0, "52주3100")]
    report = compare_bays(LABELS, events)
    assert [str(miss) for miss in report.misses] == [
        "arrived A1 at 10.0 s: not told",
        "arrived A1 at 14.0 s: told but not so",
        "left A1 at 60.0 s: not told",
    ]
    assert (report.plates, report.wrong_plates) == (0, 1)


def test_one_event_counts_once_and_only_in_its_bay():
    twice = [told(EventType.ARRIVED, "A1", 9.0), told(EventType.ARRIVED, "A1", 11.0)]
    assert [miss.told for miss in compare_bays(LABELS, twice).misses if miss.what == "arrived"] == [True]
    elsewhere = [told(EventType.ARRIVED, "A2", 10.0)]
    assert len([miss for miss in compare_bays(LABELS, elsewhere).misses if miss.what == "arrived"]) == 2
