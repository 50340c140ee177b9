"""The store: nothing is lost or doubled, old versions are brought up to date, failures are sentences."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from kplate.errors import DataError, KplateError, OutputError
from kplate.events import EventBay, EventPlate
from kplate.sinks import Store, open_sinks
from kplate.sinks.base import Picture
from kplate.sinks.migrations import APPLICATION_ID, MIGRATIONS
from kplate.sinks.privacy import hashed
from kplate.sinks.query import Filter, find

from .conftest import START, Log, event, wait_until


def texts(path: Path, **wanted: object) -> list[str | None]:
    return [found.plate and found.plate.text for found in find(path, Filter(**wanted))]  # type: ignore[arg-type]


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = Store(path)
    assert store.add(event(2))
    assert store.add(event(1))
    assert not store.add(event(1, "99가9999"))
    assert [found.id for found in find(path)] == [event(1).id, event(2).id]  # while it is open
    store.close()
    assert [found.to_dict() for found in find(path)] == [event(1).to_dict(), event(2).to_dict()]


def test_deliveries_wait_in_order_until_they_arrived(tmp_path: Path) -> None:
    store = Store(tmp_path / "events.db")
    picture = Picture("vehicle", "a/b.jpg", b"data")
    for number in range(3):
        store.add(event(number), targets=["one", "two"], pictures=[picture])
    store.add(event(0), targets=["one"])
    waiting = store.waiting("one")
    assert [item.event for item in waiting] == [event(number).id for number in range(3)]
    assert store.waiting("one", after=waiting[0].seq, limit=1) == [waiting[1]]
    store.delivered([item.seq for item in waiting])
    assert store.waiting("one") == []
    assert store.pictures(event(0).id) == [picture]  # the other still needs it
    first = store.waiting("two")[0]
    store.refused(first.seq, "too large")
    assert store.pictures(event(0).id) == []
    assert store.backlog() == {"one": (0, 0), "two": (2, 1)}
    store.close()


WRITER = """
import os, sys
sys.path.insert(0, sys.argv[2])
from sinks.conftest import event
from kplate.sinks import Store
store = Store(sys.argv[1])
for number in range(100000):
    store.add(event(number), targets=["one"])
    os.write(1, b"%d\\n" % number)
"""


def test_what_was_taken_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", WRITER, str(path), tests]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(40):
        writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    last = [39, *map(int, writer.stdout.read().split())][-1]
    writer.wait()
    stored = [found.id for found in find(path)]
    assert stored[: last + 1] == [event(number).id for number in range(last + 1)]
    assert len(stored) <= last + 2
    store = Store(path)
    assert [item.event for item in store.waiting("one", limit=10**6)] == stored
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()


def test_an_old_store_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as database:
        database.executescript(MIGRATIONS[0])
        database.execute("PRAGMA user_version = 1")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        values = (event(1).id, "2026-03-01T08:30:00.100Z", "sighting", "gate", event(1).to_json())
        database.execute("INSERT INTO events (id, time, type, source, body) VALUES (?, ?, ?, ?, ?)", values)
    database.close()
    assert [found.id for found in find(path)] == [event(1).id]  # looking in changes nothing
    store = Store(path)
    store.add(event(2), targets=["one"])
    store.close()
    assert [found.id for found in find(path)] == [event(1).id, event(2).id]


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    Store(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="newer kplate"):
        Store(path)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("just some text, and more of it " * 100)
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE cars (plate)")
    (tmp_path / "folder.db").mkdir()
    for name in ("text.db", "other.db"):
        for use in (Store, lambda path: list(find(path))):
            with pytest.raises(DataError, match=f"{name}.*no store of events"):
                use(tmp_path / name)
    with pytest.raises(OutputError, match="a folder has this name"):
        Store(tmp_path / "folder.db")
    with pytest.raises(OutputError, match="the folder does not exist"):
        Store(tmp_path / "none" / "events.db")
    with pytest.raises(DataError, match="no such file"):
        list(find(tmp_path / "none.db"))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["12가3456", "52주3108", "서울70바1234"]),
        ({"plate": "52주 3108"}, ["52주3108"]),
        ({"plate": "*3108"}, ["52주3108"]),
        ({"plate": "??가*"}, ["12가3456"]),
        ({"plate": "[0-9]*"}, []),
        ({"since": START + timedelta(milliseconds=200)}, ["52주3108", "서울70바1234"]),
        ({"until": START + timedelta(milliseconds=200)}, ["12가3456"]),
        ({"last": 2}, ["52주3108", "서울70바1234"]),
        ({"types": ("review",)}, []),
        ({"types": ("review", "sighting"), "last": 1}, ["서울70바1234"]),
        ({"source": "g*"}, ["12가3456", "52주3108", "서울70바1234"]),
        ({"source": "yard"}, []),
        ({"bay": "A2"}, ["52주3108"]),
    ],
)
def test_filters(wanted: dict[str, object], expected: list[str], tmp_path: Path) -> None:
    store = Store(tmp_path / "events.db")
    for number, text in enumerate(["12가3456", "52주3108", "서울70바1234"], 1):
        store.add(event(number, text, bay=EventBay(f"A{number}")))
    store.close()
    assert texts(tmp_path / "events.db", **wanted) == expected


def test_hashed_plates_are_found_with_the_key(tmp_path: Path) -> None:
    key = b"0123456789abcdef"
    store = Store(tmp_path / "events.db")
    store.add(event(1, plate=EventPlate(None, hash=hashed("52주3108", key))))
    store.close()
    assert len(texts(tmp_path / "events.db", plate="52주 3108", key=key)) == 1
    assert texts(tmp_path / "events.db", plate="52주3108", key=b"another key of 16") == []
    assert texts(tmp_path / "events.db", plate="52주3108") == []


def test_old_events_go_but_not_those_that_wait(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = Store(path)
    store.add(event(1, "52주3108"))
    store.add(event(2), targets=["one"])
    store.add(event(36_000, "12가3456"))  # an hour later
    now = START + timedelta(days=30, minutes=30)
    assert store.prune(timedelta(days=30), now=now) == (1, 1)
    assert [found.id for found in find(path)] == [event(2).id, event(36_000).id]
    assert store.prune(timedelta(days=30), now=now, undelivered=True) == (1, 0)
    assert store.backlog() == {}
    store.close()
    assert "52주3108".encode() not in path.read_bytes()  # gone from the file as well
    assert "12가3456".encode() in path.read_bytes()


def test_a_full_disk_costs_nothing_that_was_written(tmp_path: Path, log: Log) -> None:
    """A limit on file sizes stands for the disk; what comes meanwhile is written when there is room."""
    path = tmp_path / "events.db"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_sinks([str(path), str(tmp_path / "events.jsonl")], log=log) as sinks:
        for number in range(20):
            sinks.write(event(number))
        size = (tmp_path / "events.db-wal").stat().st_size
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (min(size, (tmp_path / "events.jsonl").stat().st_size), limits[1])
        )
        try:
            for number in range(20, 40):
                sinks.write(event(number))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert len(log) == 2  # once for each
        assert all("full" in message or "too large" in message for message in log)
        assert [found.id for found in find(path)] == [event(number).id for number in range(20)]
        assert (tmp_path / "events.jsonl").read_text().count("\n") == 20
        for number in range(40, 45):
            sinks.write(event(number))
        assert log.has("works again; 20 events written late")
    expected = [event(number).id for number in range(45)]
    assert [found.id for found in find(path)] == expected
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [line.split('"')[5] for line in lines] == expected


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A disk of one megabyte that really is full at some point."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs rights that this user has not")
    yield folder  # type: ignore[misc]
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_that_is_full(small_disk: Path, log: Log) -> None:
    path = small_disk / "events.db"
    with open_sinks([str(path)], log=log) as sinks:
        sinks.write(event(0))
        (small_disk / "ballast").write_bytes(bytes(600_000))
        number = 0
        while not log and number < 5000:
            number += 1
            sinks.write(event(number))
        assert log.has("the disk is full")
        stored = [found.id for found in find(path)]
        assert stored == [event(index).id for index in range(number)]
        (small_disk / "ballast").unlink()
        sinks.write(event(number + 1))
        assert log.has("works again")
    assert [found.id for found in find(path)] == [event(index).id for index in range(number + 2)]


def test_the_last_of_a_disk_is_for_events(small_disk: Path, log: Log) -> None:
    with open_sinks([str(small_disk / "events.db"), f"{small_disk}/pictures/"], log=log) as sinks:
        for number in range(3):
            sinks.write(event(number), {"frame": np.zeros((90, 90, 3), np.uint8)})
    assert log == [f"pictures are no longer stored: the disk of {small_disk}/pictures is almost full"]
    assert list((small_disk / "pictures").iterdir()) == []
    assert len(list(find(small_disk / "events.db"))) == 3


def test_a_store_that_may_not_be_written(small_disk: Path) -> None:
    Store(small_disk / "events.db").close()
    remounted = subprocess.run(
        ["mount", "-o", "remount,ro", str(small_disk)], capture_output=True, check=False
    )
    if remounted.returncode != 0:
        pytest.skip("remounting needs rights that this user has not")
    for name in ("events.db", "new.db"):
        with pytest.raises(
            OutputError, match=f"cannot write .*{name}: (permission denied|it may not be written)"
        ):
            open_sinks([str(small_disk / name)])
    assert list(find(small_disk / "events.db")) == []  # but it can be read


READER = """
import sys
from kplate.errors import OutputError
from kplate.sinks import Store
from kplate.sinks.query import backlog
print(backlog(sys.argv[1]))
try:
    Store(sys.argv[1])
except OutputError as error:
    print(error)
"""


def test_a_store_that_may_only_be_read_is_told_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = Store(path)
    store.add(event(1), targets=["one"])
    store.close()
    path.chmod(0o444)
    command = [sys.executable, "-c", READER, str(path)]
    if os.geteuid() == 0:  # who may do everything
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed: apt-get install util-linux")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == f"{{'one': (1, 0)}}\ncannot write {path}: it may not be written to\n", done.stderr


def test_threads_share_a_store(tmp_path: Path) -> None:
    import threading

    store = Store(tmp_path / "events.db")
    threads = [
        threading.Thread(target=lambda first=first: [store.add(event(first + 4 * n)) for n in range(20)])
        for first in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts(tmp_path / "events.db")) == 80
    store.close()


def test_a_store_that_is_locked_for_a_while_is_waited_for(tmp_path: Path) -> None:
    import threading

    store = Store(tmp_path / "events.db")
    other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(store.add(event(1))))
    thread.start()
    assert not wait_until(lambda: bool(done), 0.3)
    other.execute("COMMIT")
    thread.join(10)
    assert done == [True]
    other.close()
    store.close()


def test_two_stores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KplateError, match="only one store"):
        open_sinks([str(tmp_path / "a.db"), str(tmp_path / "b.db")])
