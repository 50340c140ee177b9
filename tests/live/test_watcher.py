"""Following cars and telling each of them once, with recognitions made by hand."""

from dataclasses import replace

from kplate.live.telling import sighting_event
from kplate.live.watcher import Watcher

from .made import Car, frame, play, recognition, sightings


def test_a_passing_car_is_told_once_with_its_best_frame() -> None:
    car = Car("52주3108", (0, 100), (8, 0), permit=True)
    car.readings = {5: ("52주3108", 0.999)}
    (sighting,) = sightings([car], range(50))
    assert (sighting.text, sighting.kind, sighting.electric, sighting.permit) == (
        "52주3108",
        "white_long",
        False,
        True,
    )
    assert sighting.first == 0.0
    assert sighting.readings >= 3


def test_the_crop_comes_from_the_frame_that_was_read() -> None:
    car = Car("52주3108", (10, 100), (4, 0))
    watcher = Watcher()
    results = list(play(watcher, [car], range(30)))
    sighting = next(result.settled[0] for result in results if result.settled)
    x, y, *_ = car.at(sighting.best.index)
    assert sighting.plate.box == (x + 20, y + 70, x + 100, y + 90)
    assert sighting.crop.base is sighting.best.image


def test_a_single_blurred_reading_is_never_told() -> None:
    car = Car("52주3108", (0, 100), (8, 0))
    car.readings = dict.fromkeys(range(50), (None, 0.0)) | {20: ("52주3106", 0.9)}
    assert sightings([car], range(50)) == []


def test_two_readings_are_told_when_the_car_has_gone() -> None:
    car = Car("52주3108", (0, 100), (8, 0))
    car.readings = dict.fromkeys(range(100), (None, 0.0)) | {10: ("52주3108", 0.9), 20: ("52주3108", 0.9)}
    car.hidden = set(range(40, 100))
    assert [sighting.text for sighting in sightings([car], range(100))] == ["52주3108"]


def test_wrong_readings_are_outvoted() -> None:
    car = Car("52주3108", (0, 100), (4, 0))
    car.readings = dict.fromkeys(range(0, 80, 3), ("52주3106", 0.6))
    assert [sighting.text for sighting in sightings([car], range(80))] == ["52주3108"]


def test_cars_that_pass_one_another_keep_their_numbers() -> None:
    right, left = Car("52주3108", (0, 100), (10, 0)), Car("17너4562", (500, 110), (-10, 0))
    watcher = Watcher()
    seen: dict[str, set[int]] = {}
    for result in play(watcher, [right, left], range(50)):
        for vehicle in result.vehicles:
            if vehicle.plate is not None:
                seen.setdefault(result.recognition.plates[vehicle.plate].text or "", set()).add(
                    vehicle.track_id
                )
    assert {text: len(numbers) for text, numbers in seen.items()} == {"52주3108": 1, "17너4562": 1}


def test_a_car_behind_a_pillar_is_the_same_car() -> None:
    car = Car("52주3108", (0, 100), (3, 0))
    car.hidden = set(range(40, 70))
    assert len(sightings([car], range(150))) == 1


def test_a_car_that_was_lost_for_ten_seconds_is_not_told_again() -> None:
    car = Car("52주3108", (0, 100), (8, 0))
    car.hidden = set(range(30, 280))
    car.start = (0, 100)
    again = Car("52주3108", (-1500, 100), (6, 0))  # elsewhere when it comes back
    again.hidden = set(range(280))
    found = sightings([car, again], range(330))
    assert [sighting.text for sighting in found] == ["52주3108"]


def test_a_car_that_comes_back_later_is_a_new_stay() -> None:
    car = Car("52주3108", (0, 100), (0, 0))
    car.hidden = set(range(60, 60 + 25 * 90))
    found = sightings([car], range(25 * 95))
    assert [sighting.text for sighting in found] == ["52주3108", "52주3108"]
    assert found[0].track_id != found[1].track_id


def test_another_car_in_the_same_place_is_another_car() -> None:
    """At one frame a second a car may be replaced by the next one at a gate."""
    first, second = Car("52주3108", (100, 100)), Car("17너4562", (104, 98))
    first.hidden, second.hidden = set(range(10, 60)), set(range(10))
    found = sightings([first, second], range(20), rate=1.0)
    assert [sighting.text for sighting in found] == ["52주3108", "17너4562"]


def test_a_parked_car_that_is_hidden_stays() -> None:
    car = Car("52주3108", (100, 100))
    car.hidden = set(range(100, 100 + 25 * 20))
    watcher = Watcher()
    results = list(play(watcher, [car], range(100 + 25 * 20)))
    (vehicle,) = results[-1].vehicles
    assert (vehicle.seen, vehicle.sighting is not None) == (False, True)
    assert not any(result.left for result in results)


def test_a_car_that_has_gone_has_left_once() -> None:
    car = Car("52주3108", (0, 100), (9, 0))
    car.hidden = set(range(60, 1000))
    watcher = Watcher(gap=5.0)
    left = [sighting for result in play(watcher, [car], range(400)) for sighting in result.left]
    assert [(sighting.text, sighting.last) for sighting in left] == [("52주3108", 59 / 25)]
    assert watcher.finish() == ((), ())


def test_a_plate_without_a_car_around_it_is_followed_too() -> None:
    car = Car("52주3108", (0, 100), (8, 0))
    watcher = Watcher()
    told = []
    for index in range(40):
        found = recognition([car], index)
        alone = tuple(replace(plate, vehicle=None) for plate in found.plates)
        told += watcher.update(frame(index), replace(found, vehicles=(), plates=alone)).settled
    assert [(sighting.text, sighting.vehicle_box) for sighting in told] == [("52주3108", None)]


def test_identifiers_of_a_file_repeat_and_do_not_tell_the_plate() -> None:
    """Plates may be hashed, and whoever knows the rest of an event could try them all."""
    first, again, other = (
        sighting_event(sightings([Car(text, (0, 100), (8, 0))], range(50))[0], "gate", repeatable=True)
        for text in ("52주3108", "52주3108", "17너4562")
    )
    assert first.id == again.id == other.id
    assert first.plate != other.plate


def test_the_same_frames_give_the_same_sightings() -> None:
    def run() -> list[object]:
        cars = [Car("52주3108", (0, 100), (8, 0)), Car("17너4562", (500, 100), (-7, 0))]
        cars[0].readings = dict.fromkeys(range(0, 60, 4), ("52주3106", 0.8))
        return [(s.track_id, s.text, s.score, s.first, s.best.index) for s in sightings(cars, range(60))]

    assert run() == run()
