from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np
import pytest

from kplate.bays import BayMonitor, Bays, parse_bays
from kplate.events import Event
from kplate.images import Image
from kplate.live.model import Frame, FrameResult
from kplate.plates.grammar import display
from kplate.results import Box, Permit, Plate, Recognition, Vehicle

WIDTH, HEIGHT = 640, 360
#: Where cars stand in the two bays, and one that passes before both.
HOME: dict[str, Box] = {"A1": (80, 140, 260, 280), "A2": (380, 140, 560, 280)}
PASSING: Box = (100, 150, 620, 355)
BAYS = """
[[camera]]
name = "north"
[[camera.bay]]
name = "A1"
kind = "KIND"
polygon = [[0.1, 0.5], [0.42, 0.5], [0.42, 0.82], [0.1, 0.82]]
[[camera.bay]]
name = "A2"
polygon = [[0.58, 0.5], [0.9, 0.5], [0.9, 0.82], [0.58, 0.82]]
"""
FLOOR = cv2.GaussianBlur(
    np.random.default_rng(1).integers(90, 170, (HEIGHT, WIDTH, 3)).astype(np.uint8), (0, 0), 2
)


@lru_cache(maxsize=64)
def picture(boxes: tuple[Box, ...], light: float) -> Image:
    """Draw cars as patterns of their own, near ones over far ones."""
    margin = 600
    image = cv2.copyMakeBorder(FLOOR, margin, margin, margin, margin, cv2.BORDER_REFLECT)
    for box in sorted(boxes, key=lambda box: box[3]):
        left, top, right, bottom = (round(side) + margin for side in box)
        seed = (right - left) * 1000 + bottom - top
        coarse = np.random.default_rng(seed).integers(20, 235, (6, 8, 3)).astype(np.uint8)
        image[top:bottom, left:right] = cv2.resize(coarse, (right - left, bottom - top))
    return np.asarray(image[margin:-margin, margin:-margin] * light, np.uint8)


class Film:
    """Frames of which a test says what is in them, and what is found in them."""

    def __init__(self, bays: Bays, *, apart: bool = False) -> None:
        self.monitor = BayMonitor(bays, apart=apart)
        self.time = 0.0
        self.index = 0
        self.events: list[Event] = []
        self.began = datetime(2026, 3, 2, 9, tzinfo=UTC)

    @property
    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.time)

    def show(
        self,
        seconds: float,
        cars: Sequence[Box] = (),
        *,
        unseen: Sequence[Box] = (),
        text: str | None = None,
        electric: bool | None = False,
        permit: bool = False,
        light: float = 1.0,
        step: float = 0.2,
    ) -> list[str]:
        """Play for a while and return what was told, such as ``arrived A1``."""
        told = []
        for _ in range(max(1, round(seconds / step))):
            image = picture((*cars, *unseen), light)
            plates = tuple(plate(text, electric, n) for n in range(len(cars)) if text is not None)
            permits = (Permit((0, 0, 9, 9), 0.9, 0),) if permit and cars else ()
            found = Recognition(WIDTH, HEIGHT, 1.0, tuple(Vehicle(b, 0.9) for b in cars), plates, permits)
            frame = Frame(self.index, self.time, self.now, image)
            for event in self.monitor.update(FrameResult(frame, found)):
                self.events.append(event)
                assert event.bay is not None
                told.append(f"{event.reasons[0].code if event.reasons else event.type} {event.bay.id}")
                assert set(self.monitor.pictures(event)) == {picture.name for picture in event.pictures}
            self.time += step
            self.index += 1
        return told


def plate(text: str, electric: bool | None, vehicle: int) -> Plate:
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 3.0), (0.0, 3.0))
    return Plate(
        text,
        text,
        display(text),
        0.99,
        (),
        "white_long",
        "private",
        electric,
        (0, 0, 9, 3),
        corners,
        0.9,
        vehicle,
    )


@pytest.fixture
def film() -> Film:
    return Film(parse_bays(BAYS.replace("KIND", "ordinary")))


def moved(box: Box, x: float, y: float) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def test_a_car_comes_stays_and_goes(film: Film):
    assert film.show(3) == []
    for step in range(10):
        assert film.show(0.2, [moved(HOME["A1"], -90 + 9 * step, 0)]) == []
    assert film.show(2.2, [HOME["A1"]], text="12가3456") == ["arrived A1", "parked A1"]
    assert film.show(30, [HOME["A1"]], text="12가3456") == []
    for step in range(10):
        assert film.show(0.2, [moved(HOME["A1"], 0, 7 * step)]) in ([], ["left A1"])
    film.show(2)
    kinds = [str(event.type) for event in film.events]
    assert kinds == ["arrived", "parked", "left"]
    arrived, _, left = film.events
    assert left.plate is not None
    assert left.plate.text == "12가3456"
    assert left.related == arrived.id
    assert left.stay is not None
    assert 30 < left.stay.seconds < 36
    assert arrived.source == "north"


def test_arrivals_and_departures_are_told_within_two_seconds(film: Film):
    film.show(3)
    begin = film.time
    film.show(5, [HOME["A2"]])
    end = film.time
    film.show(5)
    arrived, _, left = film.events[0], film.events[-2], film.events[-1]
    assert arrived.frame is not None
    assert left.frame is not None
    assert 1.4 < arrived.frame.time - begin < 2
    assert 0.7 < left.frame.time - end < 2


def test_a_car_that_was_there_before_has_not_arrived(film: Film):
    assert film.show(3, [HOME["A1"]], text="12가3456") == ["parked A1"]
    assert film.events[0].details == {"found": True}
    assert film.show(3) == ["left A1"]


def test_a_passing_car_neither_arrives_nor_hides(film: Film):
    film.show(3, [HOME["A1"]])
    film.show(10, [HOME["A1"]])
    for step in range(20):
        assert film.show(0.2, [moved(PASSING, -400 + 40 * step, 0)], unseen=[HOME["A1"]]) == []
    assert film.show(20, [HOME["A1"]]) == []


def test_a_van_may_stop_before_a_bay(film: Film):
    film.show(13, [HOME["A1"]])
    van: Box = (20, 100, 330, 350)
    assert film.show(30, [van], unseen=[HOME["A1"]]) == []
    assert film.show(5, [HOME["A1"]]) == []


def test_what_nobody_finds_may_hide_a_bay(film: Film):
    film.show(13, [HOME["A1"]])
    van: Box = (-330, 190, 0, 350)
    for step in range(12):  # it comes from the side, first over the ground before the bay
        film.show(0.2, [HOME["A1"]] if step < 4 else [], unseen=[HOME["A1"], moved(van, 30 * step, 0)])
    assert film.show(400, unseen=[HOME["A1"], moved(van, 330, 0)], step=2) == []
    assert film.show(5, [HOME["A1"]]) == []
    assert [str(event.type) for event in film.events] == ["parked"]


def test_a_car_that_left_behind_what_nobody_finds_is_told_when_that_is_gone(film: Film):
    film.show(13, [HOME["A1"]])
    assert film.show(10, unseen=[(0, 190, 330, 350)]) == []
    assert film.show(2) == ["left A1"]


def test_a_car_may_come_between_as_one_box_with_the_parked_one(film: Film):
    film.show(13, [HOME["A1"]])
    van: Box = (190, 285, 420, 355)
    for step in range(4):  # it covers the ground first
        assert film.show(0.2, [HOME["A1"]], unseen=[HOME["A1"], moved(van, -10 * step, 0)]) == []
    for step in range(12):  # then the network finds both as one, which drives on
        both: Box = (95 + 4 * step, 145 + step, 275 + 4 * step, 356)
        front: Box = (both[0], 190, both[2], 350)
        assert film.show(0.2, [both], unseen=[HOME["A1"], front]) == []
    assert film.show(3, unseen=[HOME["A1"], (139, 190, 319, 350)]) == []
    assert film.show(5, [HOME["A1"]]) == []


def test_what_came_to_rest_before_a_bay_belongs_to_the_ground(film: Film):
    trolley: Box = (80, 286, 150, 345)
    film.show(13, [HOME["A1"]])
    film.show(1, [HOME["A1"]], unseen=[trolley])
    assert film.show(10, [HOME["A1"]], unseen=[trolley]) == []
    told = []
    for step in range(16):  # it is told while the car is still on its way
        told += film.show(0.2, [moved(HOME["A1"], 9 * step, 5 * step)], unseen=[trolley])
    assert told == ["left A1"]


def test_who_stops_before_a_bay_and_drives_on_leaves_the_ground_as_it_was(film: Film):
    van: Box = (60, 286, 300, 355)
    film.show(13, [HOME["A1"]])
    assert film.show(12, [HOME["A1"]], unseen=[van]) == []
    film.show(1, [HOME["A1"]])
    told = []
    for step in range(16):
        told += film.show(0.2, [moved(HOME["A1"], 9 * step, 5 * step)])
    assert told == ["left A1"]


def test_a_part_of_a_car_is_not_taken_for_it(film: Film):
    film.show(3)
    tailgate: Box = (140, 190, 200, 240)
    film.show(5, [tailgate, HOME["A1"]], unseen=[])
    assert film.events[0].vehicle is not None
    assert film.events[0].vehicle.box == HOME["A1"]


def test_a_car_that_left_behind_a_van_is_told_when_the_van_is_gone(film: Film):
    film.show(13, [HOME["A1"]])
    assert film.show(10, [(20, 100, 330, 350)]) == []
    assert film.show(2) == ["left A1"]


def test_a_short_stop_is_no_arrival(film: Film):
    film.show(3)
    assert film.show(1.0, [HOME["A1"]]) == []
    assert film.show(3) == []


def test_a_pedestrian_changes_nothing(film: Film):
    film.show(13, [HOME["A1"]])
    person: Box = (150, 120, 190, 290)
    assert film.show(4, unseen=[HOME["A1"], person]) == []
    assert film.show(4, unseen=[moved(person, 300, 0), HOME["A1"]]) == []


@pytest.mark.parametrize("light", [0.0, 0.05, 0.3])
def test_lights_off_and_on_change_nothing(film: Film, light: float):
    film.show(13, [HOME["A1"]])
    assert film.show(40, unseen=[HOME["A1"]], light=light) == []
    assert film.show(5, [HOME["A1"]]) == []


def test_nothing_arrives_in_the_dark(film: Film):
    film.show(3)
    assert film.show(5, [HOME["A1"]], light=0.02) == []
    assert film.show(5) == []


def test_the_detector_may_miss_a_car_for_long(film: Film):
    film.show(20, [HOME["A1"]])
    assert film.show(200, unseen=[HOME["A1"]], step=1) == []


def test_what_was_found_for_a_moment_only_does_not_stay(film: Film):
    film.show(3)
    assert film.show(2.2, [HOME["A1"]], unseen=[]) == ["arrived A1"]
    assert film.show(100, unseen=[HOME["A1"]], step=1) == ["parked A1", "left A1"]


def test_pictures_minutes_apart():
    film = Film(parse_bays(BAYS.replace("KIND", "ordinary")), apart=True)
    one = {"step": 180.0}
    assert film.show(180, [HOME["A1"]], text="12가3456", **one) == ["parked A1"]
    assert film.show(180, [HOME["A1"]], text="12가3456", **one) == []
    assert film.show(180, [HOME["A1"], HOME["A2"]], **one) == ["arrived A2", "parked A2"]
    assert film.show(180, unseen=[HOME["A1"]], **one) == ["left A2"]
    assert film.show(180, [HOME["A1"]], text="52주3108", **one) == ["left A1", "arrived A1", "parked A1"]
    assert film.show(180, light=0.01, **one) == []
    assert film.show(180, **one) == ["left A1"]


def test_a_long_gap_in_a_video_is_bridged(film: Film):
    film.show(10, [HOME["A1"]])
    film.time += 600
    assert film.show(0.2, [HOME["A2"]]) == ["left A1", "arrived A2", "parked A2"]


def test_another_plate_is_another_car(film: Film):
    film.show(10, [HOME["A1"]], text="12가3456")
    assert film.show(0.4, [HOME["A1"]], text="12거3456") == []  # one confusable character
    assert film.show(5, [HOME["A1"]], text="99다1111") == []  # in view all the time: misread
    film.show(0.4, [HOME["A1"]], text="12가3456")
    film.show(5, light=0.0)
    assert film.show(0.4, [HOME["A1"]], text="99다1111") == []  # twice is not enough
    film.show(0.2, [HOME["A1"]], text="12가3456")
    film.show(5, light=0.0)
    assert film.show(2, [HOME["A1"]], text="52주3108") == ["left A1", "arrived A1", "parked A1"]


def test_the_same_frames_give_the_same_events():
    runs = []
    for _ in range(2):
        film = Film(parse_bays(BAYS.replace("KIND", "disabled")))
        film.show(3)
        film.show(70, [HOME["A1"]], text="12가3456")
        film.show(3)
        runs.append([event.to_json() for event in film.events])
    assert runs[0] == runs[1]
    assert len(runs[0]) == 4


def test_no_permit_seen_is_a_review_with_evidence():
    film = Film(parse_bays(BAYS.replace("KIND", "disabled")))
    film.show(3)
    assert film.show(50, [HOME["A1"]], text="12가3456") == ["arrived A1", "parked A1"]
    assert film.show(120, [HOME["A1"]], text="12가3456") == ["no-permit-seen A1"]
    review = film.events[-1]
    assert review.permit is False
    assert [picture.name for picture in review.pictures] == ["arrival", "vehicle", "frame"]
    assert "may lie behind glare" in review.reasons[0].text
    assert review.reasons[0].korean


def test_a_permit_may_be_seen_for_a_moment_only():
    film = Film(parse_bays(BAYS.replace("KIND", "disabled")))
    film.show(3)
    film.show(5, [HOME["A1"]])
    film.show(0.2, [HOME["A1"]], permit=True)
    assert film.show(100, [HOME["A1"]], step=0.5) == ["parked A1"]
    assert film.monitor.states()[0].permit
    assert film.show(3) == ["left A1"]
    assert film.events[-1].permit is True


@pytest.mark.parametrize(("electric", "codes"), [(True, []), (None, []), (False, ["not-electric A1"])])
def test_what_stands_at_a_charger(electric: bool | None, codes: list[str]):
    film = Film(parse_bays(BAYS.replace("KIND", "charging_slow")))
    film.show(3)
    told = film.show(100, [HOME["A1"]], text="12가3456", electric=electric, step=0.5)
    assert told == ["arrived A1", "parked A1", *codes]
    if codes:
        assert "plug-in hybrid has a white plate" in film.events[-1].reasons[0].text


def test_over_time_at_a_fast_charger():
    film = Film(parse_bays(BAYS.replace("KIND", "charging_fast")))
    film.show(3)
    hour = film.show(3500, [HOME["A1"]], text="12가3456", electric=True, step=5)
    assert hour == ["arrived A1", "parked A1"]
    assert film.show(200, [HOME["A1"]], text="12가3456", electric=True, step=5) == ["over-time A1"]
    assert film.events[-1].details == {"limit_s": 3600.0, "counted_s": 3605.0, "charging": "fast"}


def test_lists():
    text = BAYS.replace("KIND", 'reserved"\nplates = ["12가3456"]\nlimit = "2 h').replace("\n", "", 1)
    bays = parse_bays('watch_list = ["99다1111", "34무5678"]\n' + text)
    for read, expected in {
        "12가3456": [],
        "12거3456": ["not-listed-near A1"],
        "12가3446": ["not-listed A1"],
        "99다1111": ["watch-list A1", "not-listed A1"],
        "34모5678": ["watch-list-near A1", "not-listed A1"],
    }.items():
        film = Film(bays)
        film.show(3)
        assert film.show(100, [HOME["A1"]], text=read, step=0.5) == ["arrived A1", "parked A1", *expected], (
            read
        )
        for event in film.events[2:]:
            assert event.details["match"] == (
                "near" if "near" in event.reasons[0].code else event.details["match"]
            )
    film = Film(bays)
    film.show(3)
    assert film.show(100, [HOME["A1"]], step=0.5) == ["arrived A1", "parked A1", "plate-unread A1"]


def test_a_closer_look_finds_what_is_small():
    film = Film(parse_bays(BAYS.replace("KIND", "disabled")))
    asked: list[tuple[int, ...]] = []

    def look(image: Image) -> Recognition:
        asked.append(image.shape)
        height, width = image.shape[:2]
        size = (0.0, 0.0, float(width), float(height))
        seen = plate("12가3456", False, 0)
        return Recognition(
            width, height, 1.0, (Vehicle(size, 0.9),), (seen,), (Permit((0, 0, 9, 9), 0.9, 0),)
        )

    film.monitor.look = look
    film.show(3)
    assert film.show(6, [HOME["A1"]]) == ["arrived A1", "parked A1"]
    assert film.events[-1].permit is True
    found = film.events[-1].plate
    assert found is not None
    assert found.text == "12가3456"
    assert found.box == (62.0, 126.0, 71.0, 129.0)  # in the whole picture, not in the part
    assert asked == [(168, 216, 3), (84, 180, 3)] * 2  # the car, and its windscreen: no more than it takes
    assert film.show(100, [HOME["A1"]], step=0.5) == []
