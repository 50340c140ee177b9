"""`kplate events`: listing, exporting, deleting and sending what a store holds."""

import csv
import io
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sinks.conftest import Receiver, event, free_port

from kplate.events import Event, EventBay, EventPlate, EventType, Reason
from kplate.sinks import Store, open_sinks
from kplate.sinks.privacy import hashed

from .conftest import Result

Run = Callable[..., Result]
KEY = "0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store under the name that is looked for when none is given."""
    path = tmp_path / "kplate-events.db"
    made = Store(path)
    made.add(event(1, "12가3456"))
    reason = Reason("no-permit-seen", "no permit was seen")
    made.add(event(2, "52주3108", bay=EventBay("A1", "disabled"), reasons=(reason,)))
    made.add(event(3, "서울70바1234"), targets=["mqtt://broker:1883/kplate"])
    made.close()
    return path


@pytest.mark.usefixtures("store")
def test_events_are_listed(kplate: Run) -> None:
    done = kplate("events")
    assert (done.status, done.err) == (0, "")
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [row[4] for row in rows] == ["12가 3456", "52주 3108", "서울 70바 1234"]
    assert rows[1][1:4] == ["sighting", "gate", "A1"]
    assert rows[1][5] == "no permit was seen"


def test_events_are_exported_as_json(kplate: Run, store: Path) -> None:
    done = kplate("events", "--json", "--last", "2", "--store", store)
    assert (done.status, done.err) == (0, "")
    assert [line["plate"]["text"] for line in done.lines] == ["52주3108", "서울70바1234"]
    assert done.lines[0]["id"] == event(2).id


@pytest.mark.usefixtures("store")
def test_events_are_exported_as_csv(kplate: Run) -> None:
    done = kplate("events", "--csv", "--plate", "52주 3108")
    assert done.out.startswith("\ufeff")
    (row,) = csv.DictReader(io.StringIO(done.out[1:]))
    assert (row["plate"], row["bay"], row["reasons"]) == ("52주3108", "A1", "no-permit-seen")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--plate", "*3108"), ["52주3108"]),
        (("--since", "2026-03-01T08:30:00.150+00:00"), ["52주3108", "서울70바1234"]),
        (("--until", "2026-03-01T08:30:00.150Z"), ["12가3456"]),
        (("--since", "1h"), []),
        (("--bay", "A1"), ["52주3108"]),
        (("--type", "review,state"), []),
        (("--type", "sighting", "--source", "g?te"), ["12가3456", "52주3108", "서울70바1234"]),
    ],
)
@pytest.mark.usefixtures("store")
def test_filters(arguments: tuple[str, ...], expected: list[str], kplate: Run) -> None:
    assert [line["plate"]["text"] for line in kplate("events", "--json", *arguments).lines] == expected


def test_a_hashed_plate_is_found_with_the_key(kplate: Run, tmp_path: Path) -> None:
    with open_sinks([str(tmp_path / "events.db")]) as sinks:
        sinks.write(event(1, plate=EventPlate(None, hash=hashed("52주3108", KEY.encode()))))
    arguments = ("events", "--store", "events.db", "--plate", "52주 3108")
    assert "#" in kplate(*arguments, env={"KPLATE_PLATE_KEY": KEY}).out
    assert kplate(*arguments).out == ""


def test_old_events_are_deleted(kplate: Run, store: Path) -> None:
    made = Store(store)
    made.add(Event(datetime.now(UTC) - timedelta(hours=1), "gate", EventType.STATE))
    made.close()
    done = kplate("events", "prune", "--older-than", "1d")
    assert done.status == 0
    assert done.out == "2 events deleted\n"
    assert "1 older events still wait to be sent" in done.err
    assert kplate("events", "prune", "--older-than", "1d", "--undelivered").out == "1 events deleted\n"
    assert len(kplate("events", "--json").lines) == 1


@pytest.mark.usefixtures("store")
def test_what_waits_is_told_and_sent(kplate: Run, tmp_path: Path) -> None:
    assert kplate("events", "waiting").out == "mqtt://broker:1883/kplate\t1 waiting\n"
    receiver = Receiver()
    made = Store(tmp_path / "away.db")
    made.add(event(9), targets=[receiver.url])
    made.close()
    (waiting,) = kplate("events", "waiting", "--store", "away.db", "--json").lines
    assert waiting == {"target": receiver.url, "waiting": 1, "refused": 0}
    done = kplate("events", "send", "--to", "away.db", "--to", receiver.url)
    receiver.close()
    assert (done.status, done.err) == (0, "")
    assert receiver.ids() == [event(9).id]


def test_what_cannot_be_sent_is_told(kplate: Run, store: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    made = Store(store)
    made.add(event(9), targets=[url])
    made.close()
    done = kplate("events", "send", "--to", store, "--to", url, "--for", "1s")
    assert done.status == 1
    assert "connection refused" in done.err
    assert "1 events wait" in done.err


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--store", "none.db"), 1, "none.db: no such file"),
        (("--store", "."), 1, "a folder has this name"),
        (("prune", "--store", "none.db", "--older-than", "1d"), 1, "none.db: no such file"),
        (("prune", "--older-than", "soon"), 2, "'soon' is not a time"),
        (("prune",), 2, "--older-than"),
        (("--type", "party"), 2, "choose of"),
        (("--since", "yesterday"), 2, "'yesterday' is not a time"),
        (("--last", "0"), 2, "at least 1"),
        (("send", "--to", "events.txt"), 1, "cannot go there"),
        (("send", "--to", "x.db", "--hash-plates"), 1, "KPLATE_PLATE_KEY"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], status: int, word: str, kplate: Run) -> None:
    done = kplate("events", *arguments, env={"KPLATE_PLATE_KEY": ""})
    assert done.status == status
    assert word in done.err.replace("\n", " ")


def test_a_damaged_event_is_told(kplate: Run, store: Path) -> None:
    with sqlite3.connect(store) as database:
        database.execute("UPDATE events SET body = '{' WHERE seq = 2")
    done = kplate("events", "--json")
    assert done.status == 1
    assert "the event is no JSON" in done.err
