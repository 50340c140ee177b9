"""The trusted/rejected curve and the comparison of two networks, on cases worked out by hand."""

import json
from pathlib import Path

import pytest

from kplate.evaluation import PictureOutcome, Sample, Share, TextOutcome, compare, trust_curve, write_report
from kplate.evaluation.trust import trust_svg
from kplate.results import Plate


def outcome(
    name: str, truth: str, seen: str | None, score: float = 0.9, *, trusted: bool = True
) -> PictureOutcome:
    sample = Sample(Path(name), name, (truth,))
    if seen is None:
        return PictureOutcome(sample, (TextOutcome(sample, truth, None, len(truth)),))
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 3.0), (0.0, 3.0))
    plate = Plate(
        text=seen if trusted else None, candidate=seen, display=seen, score=score, characters=(), kind=None,
        use=None, electric=None, box=(0.0, 0.0, 9.0, 3.0), corners=corners, detection_score=None,
        vehicle=None,
    )  # fmt: skip
    distance = sum(a != b for a, b in zip(truth, seen, strict=True))
    return PictureOutcome(sample, (TextOutcome(sample, truth, plate, distance),))


FIRST = [
    outcome("a.jpg", "12가3456", "12가3456", 0.995),
    outcome("b.jpg", "12가3457", "12거3457", 0.96),
    outcome("c.jpg", "12가3458", "12가3458", 0.4, trusted=False),
    outcome("d.jpg", "12가3459", None),
]
SECOND = [
    outcome("a.jpg", "12가3456", "12가3456", 0.9),
    outcome("b.jpg", "12가3457", "12가3457", 0.9),
    outcome("c.jpg", "12가3458", "12가3450", 0.8),
    outcome("d.jpg", "12가3459", "12가3459", 0.8),
]


def test_a_threshold_trades_trust_for_errors() -> None:
    points = {point.threshold: point for point in trust_curve(FIRST)}
    assert (points[0.0].trusted, points[0.0].wrong) == (Share(3, 4), Share(1, 3))
    assert (points[0.5].trusted, points[0.5].wrong) == (Share(2, 4), Share(1, 2))
    assert (points[0.99].trusted, points[0.99].wrong) == (Share(1, 4), Share(0, 1))
    assert points[0.999].wrong.value is None
    figures = json.dumps([point.to_dict() for point in points.values()], allow_nan=False)
    assert '"threshold": 0.995' in figures
    drawing = trust_svg(tuple(points.values()))
    assert drawing.startswith("<svg")
    assert drawing.count("<circle") == len(points) - 1
    assert trust_svg(()) == ""


def test_two_networks_plate_by_plate() -> None:
    found = compare(FIRST, SECOND)
    assert (found.both_right, found.only_first, found.only_second, found.both_wrong) == (1, 1, 2, 0)
    assert [first.sample.name for first, _ in found.differing] == ["b.jpg", "d.jpg", "c.jpg"]
    # Of three plates that only one network reads, one against two is as even as it gets.
    assert found.chance == pytest.approx(1.0)
    values = found.to_dict()
    assert values["differing"][1]["first"] == {"text": None, "right": False, "trusted": False, "score": 0.0}
    assert dict(found.rows())["Only by the second"] == "2"
    json.dumps(values, allow_nan=False)


def test_a_difference_that_is_no_chance() -> None:
    right = [outcome(f"{i}.jpg", "12가3456", "12가3456") for i in range(10)]
    wrong = [outcome(f"{i}.jpg", "12가3456", "12거3456") for i in range(10)]
    assert compare(right, wrong).chance == pytest.approx(2 / 2**10)
    assert compare(right, right).chance == 1.0
    many = [outcome(f"{i}.jpg", "12가3456", "12가3456") for i in range(1500)]
    none = [outcome(f"{i}.jpg", "12가3456", "12거3456") for i in range(1500)]
    assert compare(many, none).chance == pytest.approx(0.0)


def test_only_the_same_pictures_compare() -> None:
    with pytest.raises(ValueError, match="different samples"):
        compare(FIRST, SECOND[::-1])


def test_the_report_shows_both(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    write_report(report, FIRST, title="both", cropped=True, comparison=compare(FIRST, SECOND))
    page = report.read_text(encoding="utf-8")
    assert "<svg" in page
    assert "Read differently (3)" in page
    assert "12<mark>거</mark>3457" in page
    assert "Against" not in (write_report(report, FIRST, title="one") or report.read_text(encoding="utf-8"))
