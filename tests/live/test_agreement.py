from kplate.live.agreement import Ballot, Evidence, differing

from .made import frame, plate


def ballot(*readings: tuple[str | None, float], width: float = 100) -> Ballot:
    votes = Ballot()
    for index, (text, score) in enumerate(readings):
        votes.add(Evidence(frame(index), plate(text, score, (100, 100, 100 + width, 120)), None))
    return votes


def test_one_reading_is_never_enough() -> None:
    votes = ballot(("52주3108", 0.999))
    assert votes.verdict() is None
    assert votes.verdict(late=True) is None


def test_two_that_are_not_trusted_are_not_enough() -> None:
    assert ballot(*[("52주3108", 0.4)] * 9).verdict(late=True) is None


def test_one_trusted_reading_is_enough_where_others_say_the_same_with_less_certainty() -> None:
    readings = [("52주3108", 0.9), ("52주3108", 0.4), ("52주3108", 0.4)]
    assert ballot(*readings).verdict() is None
    late = ballot(*readings).verdict(late=True)
    assert late is not None
    assert (late.text, late.readings) == ("52주3108", 3)
    assert ballot(*readings, width=60).verdict(late=True) is None
    assert ballot(*readings, *[("62주3108", 0.4)] * 5).verdict(late=True) is None


def test_two_agree_when_no_more_come_and_three_at_once() -> None:
    assert ballot(*[("52주3108", 0.98)] * 2).verdict() is None
    late = ballot(*[("52주3108", 0.98)] * 2).verdict(late=True)
    assert late is not None
    assert (late.text, late.readings) == ("52주3108", 2)
    assert ballot(*[("52주3108", 0.98)] * 3).verdict() is not None


def test_small_plates_need_more_readings() -> None:
    assert ballot(*[("52주3108", 0.98)] * 3, width=24).verdict() is None
    assert ballot(*[("52주3108", 0.98)] * 8, width=24).verdict() is not None


def test_characters_are_voted_on_by_themselves() -> None:
    """Blurred frames that miss one character each still speak for the others."""
    mixed = [("52주3108", 0.9), ("52주3108", 0.9), ("62주3108", 0.6), ("52무3108", 0.6), ("52주3106", 0.6)]
    verdict = ballot(*mixed).verdict(late=True)
    assert verdict is not None
    assert verdict.text == "52주3108"
    assert verdict.score < 0.9


def test_readings_that_contradict_each_other_settle_nothing() -> None:
    assert ballot(*[("52주3108", 0.9), ("17너4562", 0.9)] * 4).verdict(late=True) is None


def test_the_best_frame_is_the_one_whose_reading_is_shown() -> None:
    votes = ballot(("52주3108", 0.8), ("52주3108", 0.99), ("52주3108", 0.9))
    verdict = votes.verdict()
    assert verdict is not None
    assert (verdict.best.frame.index, verdict.best.plate.score) == (1, 0.99)


def test_a_plate_that_nobody_can_read_does_not_fill_the_memory() -> None:
    votes = ballot(*[(f"{10 + n % 90}가{n:04d}", 0.6) for n in range(500)])
    assert len(votes._tallies) <= 24
    assert sum(tally.best is not None for tally in votes._tallies.values()) <= 2


def test_merging_adds_up() -> None:
    votes = ballot(("52주3108", 0.9))
    votes.merge(ballot(("52주3108", 0.95), ("52주3106", 0.55)))
    verdict = votes.verdict(late=True)
    assert verdict is not None
    assert (verdict.text, verdict.readings, verdict.best.plate.score) == ("52주3108", 2, 0.95)


def test_differing_counts_edits() -> None:
    assert differing("52주3108", "52주3108") == 0
    assert differing("52주3108", "52무310") == 2
    assert differing("", "가") == 1
