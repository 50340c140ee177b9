"""The real thing: a rendered car park through the shipped networks, from frames to events."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import kplate
from kplate.bays import BayMonitor, parse_bays
from kplate.bays.guess import guess_bays, starting_file
from kplate.evaluation.bays import compare_bays
from kplate.events import Event, EventType
from kplate.live.model import Frame
from kplate.live.watcher import Watcher
from kplate.synth.car_park import RATE, CarPark, bays_toml

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def watched() -> tuple[CarPark, list[Event]]:
    park = CarPark(np.random.default_rng(11), 60)
    recognizer, watcher = kplate.Recognizer(threads=1), Watcher()
    monitor = BayMonitor(parse_bays(bays_toml(park)), look=recognizer)
    events: list[Event] = []
    for index, image in enumerate(park):
        frame = Frame(index, index / RATE, START + timedelta(seconds=index / RATE), image)
        events += monitor.update(watcher.update(frame, recognizer(image)))
    return park, events


def test_who_comes_and_goes_is_told_in_time_and_nothing_else(watched: tuple[CarPark, list[Event]]):
    park, events = watched
    labels = park.labels()
    assert labels["passing"]
    assert labels["walkers"]
    assert labels["lights"]
    report = compare_bays(labels, events)
    assert report.arrivals >= 1
    assert report.departures >= 1
    assert report.misses == ()
    assert (report.plates, report.wrong_plates) == (report.visits, 0)
    assert (report.permits, report.permit_visits) == (1, 1)


def test_events_are_those_of_the_schema_s_form(watched: tuple[CarPark, list[Event]]):
    _, events = watched
    assert {event.type for event in events} >= {EventType.ARRIVED, EventType.PARKED, EventType.LEFT}
    for event in events:
        assert Event.from_json(event.to_json()).to_dict() == event.to_dict()
        assert event.bay is not None
    assert len({event.id for event in events}) == len(events)


def test_a_guessed_file_holds_the_cars_of_its_picture():
    park = CarPark(np.random.default_rng(11), 60)
    image = park.frame(0)
    vehicles = kplate.Recognizer(threads=1)(image).vehicles
    bays = parse_bays(starting_file("north", guess_bays(vehicles, 1280, 720), 1280, 720)).camera().bays
    assert len(bays) == 2
    truth = [polygon for name, _, polygon in park.polygons() if name in ("A2", "A4")]
    for bay, polygon in zip(bays, truth, strict=True):
        middle = np.mean(bay.polygon, axis=0)
        assert np.min(polygon, axis=0)[0] < middle[0] < np.max(polygon, axis=0)[0]


def test_without_cars_there_are_thirds():
    names = [bay.name for bay in parse_bays(starting_file('the "north" \\', [], 640, 480)).camera().bays]
    assert names == ["A1", "A2", "A3"]
