"""Detectors measured on cases small enough to work out by hand."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from kplate.boxes import iou_matrix, share_matrix
from kplate.detector import Detection
from kplate.errors import KplateError
from kplate.evaluation import Share
from kplate.evaluation.average_precision import average_precision
from kplate.evaluation.boxes import (
    BoxOutcome,
    BoxSample,
    LabelledBox,
    Verdict,
    evaluate_boxes,
    match_boxes,
)
from kplate.evaluation.boxes_report import precision_recall_svg, write_boxes_report, write_curve
from kplate.evaluation.boxes_summary import misses, needless, summarise_boxes, width_name
from kplate.images import Image, write_image
from kplate.results import Box

pytest.importorskip("faster_coco_eval", reason="average precision needs the extra: evaluate")

PLATE, CAR = "license_plate", "car"
LEFT: Box = (10.0, 10.0, 50.0, 20.0)
RIGHT: Box = (60.0, 10.0, 90.0, 20.0)
FAR: Box = (10.0, 70.0, 50.0, 80.0)
THRESHOLDS = {CAR: 0.5, PLATE: 0.5}


def sample(
    *truths: tuple[str, Box],
    name: str = "a.png",
    ignored: tuple[tuple[str, Box], ...] = (),
    unlabelled: frozenset[str] = frozenset(),
    condition: str | None = None,
) -> BoxSample:
    def listed(pairs: tuple[tuple[str, Box], ...]) -> tuple[LabelledBox, ...]:
        return tuple(LabelledBox(label, box) for label, box in pairs)

    return BoxSample(Path(name), name, 200, 100, listed(truths), listed(ignored), unlabelled, condition)


def found(label: str, box: Box, score: float = 0.9) -> Detection:
    return Detection(label, box, score)


def outcome(of: BoxSample, *detections: Detection) -> BoxOutcome:
    sure = [detection for detection in detections if detection.score >= 0.5]
    return BoxOutcome(of, detections, match_boxes(of, sure))


def verdicts(of: BoxSample, *detections: Detection) -> list[Verdict]:
    return [box.verdict for box in match_boxes(of, detections)]


# ---- what a found box is


def test_overlap_of_boxes() -> None:
    np.testing.assert_allclose(iou_matrix([LEFT], [LEFT, RIGHT, (30, 10, 70, 20)]), [[1, 0, 1 / 3]])
    np.testing.assert_allclose(share_matrix([LEFT], [(30, 0, 300, 300)]), [[0.5]])
    assert iou_matrix([], [LEFT]).shape == (0, 1)


def test_each_object_goes_to_its_surest_box() -> None:
    of = sample((PLATE, LEFT))
    loose = (12.0, 10.0, 50.0, 20.0)
    assert verdicts(of, found(PLATE, loose, 0.95), found(PLATE, LEFT, 0.6)) == [
        Verdict.RIGHT,
        Verdict.DUPLICATE,
    ]


def test_kinds_of_needless_boxes() -> None:
    of = sample((PLATE, LEFT), (CAR, (0, 50, 100, 100)))
    assert verdicts(of, found(PLATE, (40, 10, 80, 20))) == [Verdict.LOOSE]
    assert verdicts(of, found(PLATE, FAR)) == [Verdict.BACKGROUND]
    assert verdicts(of, found(PLATE, (0, 50, 100, 100))) == [Verdict.CONFUSED]
    assert verdicts(of, found(CAR, (0, 50, 100, 100), 0.9), found(PLATE, (0, 50, 100, 100), 0.8)) == [
        Verdict.RIGHT,
        Verdict.BACKGROUND,  # the car was found: this box is one too many
    ]


def test_what_is_ignored_or_not_labelled_counts_neither_way() -> None:
    of = sample((PLATE, LEFT), ignored=((PLATE, (100, 0, 200, 100)),), unlabelled=frozenset({CAR}))
    assert verdicts(of, found(PLATE, (120, 10, 150, 20))) == [Verdict.IGNORED]
    assert verdicts(of, found(PLATE, (60, 10, 110, 20))) == [Verdict.BACKGROUND]  # a fifth of it inside
    assert verdicts(of, found(CAR, FAR)) == [Verdict.IGNORED]


# ---- figures


def test_average_precision_by_hand() -> None:
    first = outcome(sample((PLATE, LEFT)), found(PLATE, LEFT, 0.9), found(PLATE, FAR, 0.8))
    second = outcome(sample((PLATE, RIGHT), name="b.png"), found(PLATE, RIGHT, 0.7))
    precision = average_precision([first, second], [CAR, PLATE])
    assert precision[CAR] is None
    plates = precision[PLATE]
    assert plates is not None
    # Right, wrong, right: precision 1 up to a recall of 1/2, then 2/3; 101 points of recall.
    assert plates.ap50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert plates.ap == pytest.approx(plates.ap50)  # the boxes fit exactly
    assert plates.scores[0] == pytest.approx(0.9)
    assert plates.scores[-1] == pytest.approx(0.7)


def test_average_precision_passes_over_what_nobody_labelled() -> None:
    ignored = sample((PLATE, LEFT), ignored=((PLATE, FAR),))
    unlabelled = sample(name="b.png", unlabelled=frozenset({PLATE}))
    outcomes = [
        outcome(ignored, found(PLATE, LEFT, 0.8), found(PLATE, FAR, 0.9)),
        outcome(unlabelled, found(PLATE, RIGHT, 0.95)),
    ]
    plates = average_precision(outcomes, [PLATE])[PLATE]
    assert plates is not None
    assert plates.ap50 == pytest.approx(1)


def test_nothing_found_is_no_precision() -> None:
    plates = average_precision([outcome(sample((PLATE, LEFT)))], [PLATE])[PLATE]
    assert plates is not None
    assert plates.ap50 == 0


def test_summary_by_hand() -> None:
    outcomes = [
        outcome(
            sample((PLATE, LEFT), (CAR, (0, 50, 100, 100)), condition="night"),
            found(PLATE, LEFT),
            found(PLATE, (150, 50, 180, 60)),
            found(PLATE, (0, 50, 100, 100), 0.8),
        ),
        outcome(
            sample((PLATE, LEFT), (PLATE, (60, 10, 70, 13)), name="b.png", condition="night"),
            found(PLATE, LEFT),
        ),
        outcome(sample((PLATE, RIGHT), name="c.png", condition="rain"), found(PLATE, RIGHT, 0.3)),
    ]
    summary = summarise_boxes(outcomes, THRESHOLDS, 400)
    cars, plates = summary.classes
    assert (plates.found, plates.right) == (Share(2, 4), Share(2, 4))
    assert plates.largest == Share(2, 3)
    assert plates.clean == Share(2, 3)
    assert plates.verdicts[Verdict.BACKGROUND] == plates.verdicts[Verdict.CONFUSED] == 1
    # 400 px for pictures 200 px wide: 10, 30 and twice 40 px become 20, 60 and 80.
    assert plates.widths == ((20, Share(0, 1)), (32, Share(0, 1)), (64, Share(2, 2)))
    assert plates.picture_widths == ((8, Share(0, 1)), (20, Share(0, 1)), (32, Share(2, 2)))
    assert [(group.name, group.found, group.needless) for group in plates.conditions] == [
        ("night", Share(2, 3), 2),
        ("rain", Share(0, 1), 0),
    ]
    assert plates.conditions[1].ap50 == pytest.approx(1)  # found, though not surely enough to be reported
    assert cars.found == Share(0, 1)
    assert {(a, b): n for a, b, n in summary.confusions} == {
        (PLATE, PLATE): 2,
        (PLATE, ""): 2,
        (CAR, PLATE): 1,
        ("", PLATE): 1,
    }
    assert [(it.sample.name, truth.box) for it, truth in misses(outcomes, PLATE)] == [
        ("b.png", (60, 10, 70, 13)),
        ("c.png", RIGHT),
    ]
    assert [box.detection.score for _, box in needless(outcomes, PLATE)] == [0.9, 0.8]
    json.dumps(summary.to_dict(), allow_nan=False)


def test_names_of_widths() -> None:
    assert [width_name(low) for low in (0, 20, 128)] == ["0–8", "20–32", "128+"]


# ---- running and reporting


def test_a_picture_that_cannot_be_read_finds_nothing(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((100, 200, 3), np.uint8))
    good, bad = (
        BoxSample(tmp_path / name, name, 200, 100, (LabelledBox(PLATE, LEFT),)) for name in ("a.png", "b.png")
    )

    def detect(image: Image) -> list[Detection]:
        assert image.shape == (100, 200, 3)
        return [found(PLATE, LEFT), found(PLATE, FAR, 0.2), found("dog", FAR)]

    outcomes = list(evaluate_boxes([good, bad], detect, {PLATE: 0.5}))
    assert [len(it.detections) for it in outcomes] == [2, 0]
    assert outcomes[1].error
    summary = summarise_boxes(outcomes, {PLATE: 0.5}, 416)
    assert summary.classes[0].found == Share(1, 2)
    assert [name for name, _ in summary.failed] == ["b.png"]


def test_report_shows_misses_and_needless_boxes(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((100, 200, 3), np.uint8))
    of = BoxSample(
        tmp_path / "a.png", "<a>.png", 200, 100, (LabelledBox(PLATE, LEFT), LabelledBox(PLATE, RIGHT))
    )
    outcomes = [outcome(of, found(PLATE, LEFT), found(PLATE, FAR, 0.7), found(PLATE, RIGHT, 0.3))]
    summary = summarise_boxes(outcomes, {PLATE: 0.5}, (416, 256))
    write_boxes_report(tmp_path / "report.html", outcomes, summary, title="Boxes")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "1 pictures at 416 x 256 px" in page
    assert "license_plate: needless boxes (1)" in page
    assert "license_plate: not found (1)" in page
    assert "score 0.30, overlap 1.00" in page
    assert page.count("data:image/jpeg") == 4
    assert "&lt;a&gt;.png" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    write_curve(tmp_path / "curve.svg", summary)
    drawn = ElementTree.parse(tmp_path / "curve.svg").getroot()
    assert len(drawn.findall("{*}polyline")) == len(drawn.findall("{*}circle")) == 1
    assert "AP50" in precision_recall_svg(summary)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(KplateError, match=r"pip install 'kplate\[evaluate\]'"):
        average_precision([], [PLATE])
