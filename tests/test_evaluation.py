"""Evaluation on cases small enough to work out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from kplate.errors import DataError, ImageError
from kplate.evaluation import (
    Sample,
    Share,
    align,
    edit_distance,
    evaluate,
    expected_calibration_error,
    load_also,
    load_samples,
    score_picture,
    summarise,
    wilson_interval,
    write_report,
)
from kplate.evaluation.scoring import PictureOutcome, Verdict
from kplate.evaluation.summary import other_readings, wrong_texts
from kplate.images import write_image
from kplate.results import Box, Plate, Recognition


def plate(
    candidate: str | None,
    *,
    trusted: bool = True,
    score: float = 0.9,
    electric: bool | None = None,
    box: Box = (10.0, 10.0, 60.0, 22.0),
) -> Plate:
    x1, y1, x2, y2 = box
    return Plate(
        text=candidate if trusted else None,
        candidate=candidate,
        display=None,
        score=score,
        characters=(),
        kind=None,
        use=None,
        electric=electric,
        box=box,
        corners=((x1, y1), (x2, y1), (x2, y2), (x1, y2)),
        detection_score=0.9,
        vehicle=None,
    )


def seen(*plates: Plate, ms: float = 10.0) -> Recognition:
    return Recognition(100, 50, ms, plates=plates)


def sample(
    *texts: str, name: str = "a.jpg", also: tuple[str, ...] = (), electric: bool | None = None
) -> Sample:
    return Sample(Path(name), name, texts, also, electric)


# ---- figures


@pytest.mark.parametrize(
    ("truth", "read", "distance"),
    [
        ("12가3456", "12가3456", 0),
        ("12가3456", "12거3456", 1),
        ("12가3456", "12가345", 1),
        ("12가3456", "112가3456", 1),
        ("12가3456", "", 7),
        ("", "12", 2),
        ("서울12바3456", "12바3456", 2),
        ("1111", "1121", 1),
    ],
)
def test_edit_distance(truth: str, read: str, distance: int) -> None:
    assert edit_distance(truth, read) == distance
    assert edit_distance(read, truth) == distance


def test_alignment_names_what_was_confused() -> None:
    assert align("12가3", "12거3") == [("1", "1"), ("2", "2"), ("가", "거"), ("3", "3")]
    assert align("12", "1") == [("1", "1"), ("2", "")]
    assert align("1", "71") == [("", "7"), ("1", "1")]


def test_interval_of_a_share() -> None:
    low, high = wilson_interval(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # a textbook value
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert Share(0, 0).value is None
    assert str(Share(3, 4)) == "3 / 4 = 75.0%"


def test_calibration_error() -> None:
    # Two readings at 0.95, one right: off by 0.45. Two at 0.55, both right: off by 0.45 as well.
    scores, right = [0.95, 0.95, 0.55, 0.55], [True, False, True, True]
    assert expected_calibration_error(scores, right) == pytest.approx(0.45)
    assert expected_calibration_error([1.0, 1.0], [True, True]) == 0.0
    assert expected_calibration_error([], []) is None


# ---- one picture against its labels


def test_a_trusted_and_an_untrusted_right_reading() -> None:
    for trusted in (True, False):
        (outcome,) = score_picture(sample("12가3456"), seen(plate("12가3456", trusted=trusted))).texts
        assert outcome.right
        assert outcome.trusted is trusted


def test_each_label_takes_its_nearest_reading() -> None:
    outcome = score_picture(
        sample("12가3456", "12가3457"), seen(plate("12가3457"), plate("12나3456"), plate("99허1111"))
    )
    assert [text.seen for text in outcome.texts] == ["12나3456", "12가3457"]
    assert [text.distance for text in outcome.texts] == [1, 0]
    assert [(other.plate.text, other.verdict) for other in outcome.others] == [("99허1111", Verdict.OTHER)]


def test_a_reading_that_resembles_no_label_is_another_reading() -> None:
    outcome = score_picture(sample("12가3456"), seen(plate("98허7012")))
    assert outcome.texts[0].plate is None
    assert outcome.texts[0].distance == 7
    assert len(outcome.others) == 1
    crop = score_picture(sample("12가3456"), seen(plate("98허7012")), cropped=True)
    assert crop.texts[0].seen == "98허7012"
    assert crop.others == ()


def test_background_plates_that_are_known_or_double_are_told_apart() -> None:
    outcome = score_picture(
        sample("12가3456", also=("34나5678",)),
        seen(
            plate("12가3456"),
            plate("34나5678"),
            plate("12가3456"),
            plate("77버7777"),
            plate("1", trusted=False),
        ),
    )
    assert [other.verdict for other in outcome.others] == [Verdict.KNOWN, Verdict.DUPLICATE, Verdict.OTHER]


def test_colour_is_taken_from_the_labelled_plate_or_the_largest() -> None:
    far = plate("98허7012", electric=True, box=(0.0, 0.0, 10.0, 3.0))
    near = plate("12가3456", electric=False)
    assert score_picture(sample("12가3456", electric=False), seen(far, near)).electric is False
    assert score_picture(sample("55소5555", electric=False), seen(far, near)).electric is False
    assert score_picture(sample("55소5555", electric=False), seen()).electric is None


# ---- sums


@pytest.fixture
def outcomes() -> list[PictureOutcome]:
    return [
        score_picture(sample("12가3456", electric=True), seen(plate("12가3456", score=0.98, electric=True))),
        score_picture(
            sample("12가3456", name="b.jpg", electric=False), seen(plate("12거3456", score=0.96), ms=20)
        ),
        score_picture(
            sample("서울12바3456", name="c.jpg"), seen(plate("서울12바3456", trusted=False, score=0.5), ms=30)
        ),
        score_picture(sample("99허1111", name="d.jpg"), seen(plate("77버7777"), ms=40)),
    ]


def test_summary(outcomes: list[PictureOutcome]) -> None:
    summary = summarise(outcomes)
    assert summary.seen == Share(2, 4)
    assert summary.trusted_right == Share(1, 4)
    assert summary.trusted == Share(2, 4)
    assert summary.trusted_wrong == Share(1, 2)
    assert summary.cer == pytest.approx((0 + 1 + 0 + 7) / (7 + 7 + 9 + 7))
    assert summary.others == {Verdict.KNOWN: 0, Verdict.DUPLICATE: 0, Verdict.OTHER: 1}
    assert summary.electric == Share(1, 2)
    assert summary.electric_unanswered == 1
    assert summary.median_ms == 25.0
    assert summary.p90_ms == pytest.approx(37.0)
    # 0.96 and 0.98 share a range, one of two right: 2/3 of |0.97 - 0.5|; and 1/3 of |0.5 - 1|.
    assert summary.ece == pytest.approx(2 / 3 * 0.47 + 1 / 3 * 0.5)
    assert [(group.name, group.seen, group.trusted_wrong) for group in summary.kinds] == [
        ("private7", Share(1, 3), 1),
        ("commercial", Share(1, 1), 0),
    ]
    assert ("가", "거", 1) in summary.confusions
    assert ("허", "", 1) in summary.confusions
    symbols = {row.symbol: row.right for row in summary.symbols}
    assert symbols["가"] == Share(1, 2)
    assert symbols["3"] == Share(3, 3)
    assert [text.sample.name for text in wrong_texts(outcomes)] == ["b.jpg", "d.jpg"]
    assert [other.sample.name for other in other_readings(outcomes, Verdict.OTHER)] == ["d.jpg"]
    json.dumps(summary.to_dict(), allow_nan=False)


def test_summary_of_nothing() -> None:
    summary = summarise([])
    assert summary.cer is None
    assert summary.median_ms is None
    json.dumps(summary.to_dict(), allow_nan=False)


def test_a_picture_that_cannot_be_read_counts_as_unread() -> None:
    def recognise(path: object) -> Recognition:
        if str(path) == "b.jpg":
            raise ImageError("cannot read b.jpg: the file is empty")
        return seen(plate("12가3456"))

    summary = summarise(list(evaluate([sample("12가3456"), sample("12가3456", name="b.jpg")], recognise)))
    assert summary.failed == (("b.jpg", "cannot read b.jpg: the file is empty"),)
    assert summary.seen == Share(1, 2)
    assert summary.cer == pytest.approx(7 / 14)


# ---- labels


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def test_labels_of_crops_and_scenes(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    lines(
        tmp_path / "labels.jsonl",
        {"file": "a.jpg", "text": "12가 3456", "kind": "white_long"},
        {"file": "b.jpg", "texts": ["외교 001-002"], "electric": False, "also": ["34나5678"]},
    )
    also = load_also(lines(tmp_path / "also.jsonl", {"file": "b.jpg", "texts": ["55소5555"]}))
    first, second = load_samples(tmp_path, also)
    assert (first.texts, first.kind, first.electric) == (("12가3456",), "white_long", None)
    assert (second.texts, second.also, second.electric) == (("외교001002",), ("34나5678", "55소5555"), False)
    assert second.path == tmp_path / "b.jpg"


def test_pictures_named_by_their_text(tmp_path: Path) -> None:
    for name in ("12가3456_1.jpg", "12가3456_2.PNG", "서울12바3456.jpg", "notes.txt", "img_001.jpg"):
        (tmp_path / name).touch()
    assert [found.texts[0] for found in load_samples(tmp_path)] == ["12가3456", "12가3456", "서울12바3456"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"file": "a.jpg"}], 'line 1: "texts" is missing'),
        ([{"text": "12가3456"}], 'line 1: "file" is missing'),
        ([{"file": "a.jpg", "text": ""}], 'line 1: "text" is missing, empty'),
        (
            [{"file": "a.jpg", "text": "12가3456"}, {"file": "a.jpg", "text": "12가3456"}],
            "line 2: a.jpg was labelled",
        ),
        ([{"file": "gone.jpg", "text": "12가3456"}], "line 1: gone.jpg"),
        ([{"file": "a.jpg", "text": "12가3456", "electric": "yes"}], 'line 1: "electric" is neither'),
        (["a.jpg"], "line 1: not a JSON object"),
        ([], "no labelled pictures"),
    ],
)
def test_wrong_labels_are_named_with_their_line(rows: list[object], message: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    lines(tmp_path / "labels.jsonl", *rows)
    with pytest.raises(DataError, match=message):
        load_samples(tmp_path)


def test_labels_that_are_no_json(tmp_path: Path) -> None:
    (tmp_path / "labels.jsonl").write_text('{"file": "a.jpg",\n')
    with pytest.raises(DataError, match=r"labels\.jsonl, line 1: not JSON"):
        load_samples(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        load_samples(tmp_path / "nowhere")


def test_further_plates_of_unknown_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "12가3456.jpg").touch()
    with pytest.raises(DataError, match=r"b\.jpg"):
        load_samples(tmp_path, {"b.jpg": ("12가3456",)})


# ---- report


def test_report_holds_its_pictures(tmp_path: Path) -> None:
    image = np.full((50, 100, 3), 90, np.uint8)
    names = [tmp_path / name for name in ("a.png", "b <b>.png", "c.png")]
    for name in names:
        write_image(name, image)
    outcomes = [
        score_picture(Sample(names[0], "a.png", ("12가3456",)), seen(plate("12가3456"))),
        score_picture(
            Sample(names[1], "b <b>.png", ("12가3456",), electric=True),
            seen(plate("12거3456"), plate("77버7777")),
        ),
        score_picture(Sample(names[2], "c.png", ("99허1111",)), seen()),
    ]
    report = tmp_path / "report.html"
    write_report(report, outcomes, title="kplate on <two>")
    page = report.read_text(encoding="utf-8")
    assert "<title>kplate on &lt;two&gt;</title>" in page
    assert "b &lt;b&gt;.png" in page
    assert "<mark>거</mark>" in page
    assert "77버7777" in page
    assert (
        page.count("data:image/jpeg;base64,") == 7
    )  # plate and scene for three findings, and one scene alone
    assert "http" not in page
    assert "a.png" not in page


def test_conditions_are_counted_apart(tmp_path: Path) -> None:
    rows = (("a.jpg", "night"), ("b.jpg", "night"), ("c.jpg", "rain"), ("d.jpg", None))
    for name, _ in rows:
        write_image(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    lines = [json.dumps({"file": name, "text": "12가3456", "condition": said}) for name, said in rows]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines), encoding="utf-8")
    answers = iter(("12가3456", "12가3450", "12가3456", "12가3456"))
    outcomes = list(evaluate(load_samples(tmp_path), lambda _: seen(plate(next(answers)))))
    summary = summarise(outcomes)
    assert [(group.name, group.seen) for group in summary.conditions] == [
        ("night", Share(1, 2)),
        ("rain", Share(1, 1)),
    ]
    (night, _) = summary.to_dict()["conditions"]
    assert (night["condition"], night["candidate"]["count"], night["trusted_wrong"]) == ("night", 1, 1)
    write_report(tmp_path / "report.html", outcomes, title="Conditions")
    assert "By condition (2)" in (tmp_path / "report.html").read_text(encoding="utf-8")
