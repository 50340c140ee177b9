"""What is known of bays goes from one run to the next."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from kplate.bays import BayMonitor, parse_bays
from kplate.bays.state import State, StateFile
from kplate.errors import DataError, OutputError
from kplate.events import Event

from .test_monitor import BAYS, HOME, Film

HOUR = 3600.0


def again(
    film: Film, folder: Path, seconds: float, *, text: str | None = None, private: bool = False
) -> Film:
    """End a run, and begin another one so many seconds later."""
    state = film.monitor.state()
    assert state is not None
    file = StateFile(folder / "bays.state", private=private)
    file.save(state)
    kept, untold = file.load()
    assert kept is not None
    assert untold == []
    new = Film(parse_bays(text or BAYS.replace("KIND", 'ordinary"\nlimit = "2 h')))
    new.monitor.resume(kept)
    new.began = film.now + timedelta(seconds=seconds)
    return new


@pytest.fixture
def film() -> Film:
    film = Film(parse_bays(BAYS.replace("KIND", 'ordinary"\nlimit = "2 h')))
    film.show(3)
    assert film.show(20, [HOME["A1"]], text="12가3456") == ["arrived A1", "parked A1"]
    return film


def test_a_car_that_stays_is_not_told_again_and_its_time_goes_on(film: Film, tmp_path: Path):
    arrived = film.events[0]
    film = again(film, tmp_path, HOUR)
    assert film.show(20, [HOME["A1"]], text="12가3456") == []
    state = film.monitor.states()[0]
    assert state.plate is not None
    assert state.plate.text == "12가3456"
    film = again(film, tmp_path, HOUR)
    assert film.show(5, [HOME["A1"]], text="12가3456") == ["over-time A1"]
    review = film.events[-1]
    assert review.related == arrived.id
    assert review.stay is not None
    assert arrived.stay is not None
    assert abs((review.stay.first - arrived.stay.first).total_seconds()) < 0.01
    assert [picture.name for picture in review.pictures] == ["arrival", "vehicle", "frame"]
    film = again(film, tmp_path, 60)
    assert film.show(20, [HOME["A1"]], text="12가3456") == []  # given already


def test_a_car_that_left_meanwhile_has_left(film: Film, tmp_path: Path):
    last = film.now
    film = again(film, tmp_path, HOUR)
    assert film.show(3) == ["left A1"]
    left = film.events[-1]
    assert left.plate is not None
    assert left.plate.text == "12가3456"
    assert left.stay is not None
    assert abs((left.stay.last - last).total_seconds()) < 1  # nobody knows of later


def test_another_car_has_taken_its_place(film: Film, tmp_path: Path):
    film = again(film, tmp_path, HOUR)
    assert film.show(20, [HOME["A1"]], text="52주3108") == ["left A1", "arrived A1", "parked A1"]


def test_a_car_that_looks_otherwise_is_another_one(film: Film, tmp_path: Path):
    other = (HOME["A1"][0] + 5, HOME["A1"][1] - 8, *HOME["A1"][2:])  # drawn in other colours
    seen = again(film, tmp_path, HOUR)
    assert seen.show(30, [other]) == ["left A1", "arrived A1", "parked A1"]
    same = again(film, tmp_path, HOUR)
    assert same.show(30, [other], text="12가3456") == []  # its plate says that it is the same


def test_a_bay_that_was_free_is_arrived_at(film: Film, tmp_path: Path):
    film = again(film, tmp_path, HOUR)
    assert film.show(3, [HOME["A1"], HOME["A2"]], text="12가3456") == ["arrived A2", "parked A2"]
    assert "found" not in film.events[0].details


def test_the_detector_may_miss_a_car_that_stays(film: Film, tmp_path: Path):
    film = again(film, tmp_path, HOUR)
    assert film.show(100, unseen=[HOME["A1"]], step=1) == []


def test_nothing_is_told_in_the_dark(film: Film, tmp_path: Path):
    film = again(film, tmp_path, HOUR)
    assert film.show(20, light=0.01) == []
    assert film.show(3) == ["left A1"]


def test_bays_that_are_elsewhere_begin_anew(film: Film, tmp_path: Path):
    text = BAYS.replace("KIND", "ordinary").replace("[0.1, 0.5]", "[0.09, 0.5]")
    film = again(film, tmp_path, 5, text=text)
    assert film.show(3, [HOME["A1"]], text="12가3456") == ["parked A1"]
    assert film.events[0].details == {"found": True}


def test_a_state_of_the_future_is_passed_over(film: Film, tmp_path: Path):
    film = again(film, tmp_path, -HOUR)
    assert film.show(3, [HOME["A1"]], text="12가3456") == ["parked A1"]


def test_plates_and_pictures_may_be_left_out(film: Film, tmp_path: Path):
    size = {}
    for private in (False, True):
        new = again(film, tmp_path, HOUR, private=private)
        data = (tmp_path / "bays.state").read_bytes()
        assert ("12가3456".encode() in data) is not private
        size[private] = len(data)
        assert new.show(20, [HOME["A1"]], text="12가3456") == []
    assert size[True] < size[False] < 200_000


def test_what_was_not_told_is_told(film: Film, tmp_path: Path):
    file = StateFile(tmp_path / "a.state")
    state = film.monitor.state()
    assert isinstance(state, State)
    file.save(state, film.events)
    _, untold = file.load()
    assert [event.to_dict() for event in untold] == [event.to_dict() for event in film.events]
    assert all(isinstance(event, Event) for event in untold)


def test_files_that_are_none(film: Film, tmp_path: Path):
    state = film.monitor.state()
    assert state is not None
    assert StateFile(tmp_path / "none.state").load() == (None, [])
    good = tmp_path / "good.state"
    StateFile(good).save(state)
    data = good.read_bytes()
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for name, content in {
        "empty": b"",
        "text": b"hello",
        "cut": data[: len(data) // 2],
        "other": (tmp_path / "other.npz").read_bytes(),
        "newer": data.replace(b'"version":1', b'"version":9').replace(b'"version": 1', b'"version": 9'),
    }.items():
        file = tmp_path / f"{name}.state"
        file.write_bytes(content)
        with pytest.raises(DataError, match=f"{name}.state: it is no state of bays"):
            StateFile(file).load()
    with pytest.raises(DataError, match="cannot read"):
        StateFile(tmp_path).load()
    with pytest.raises(OutputError):
        StateFile(tmp_path / "no" / "a.state").save(state)


def test_nothing_is_known_before_the_first_frame():
    assert BayMonitor(parse_bays(BAYS.replace("KIND", "ordinary"))).state() is None
