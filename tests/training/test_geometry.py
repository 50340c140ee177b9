import json
from pathlib import Path

import numpy as np
import pytest

from kplate.plates.kinds import Kind
from kplate.training.geometry import corner_error, draw, main, readable_kinds


def test_true_corners_have_no_error_and_moved_ones_their_share_of_the_width() -> None:
    (crop,) = draw(1, 5, angles=(0, 0), difficulty=0)
    assert corner_error(crop.corners.tolist(), crop) == 0
    width = np.hypot(*(crop.corners[1] - crop.corners[0]))
    moved = crop.corners + np.array((0.03 * width, 0), np.float32)
    assert corner_error(moved.tolist(), crop) == pytest.approx(0.03, rel=0.02)


def test_views_show_the_same_plates_turned() -> None:
    frontal, turned = (list(draw(6, 5, angles=angles)) for angles in ((0, 0), (45, 0)))
    near = list(draw(6, 5, angles=(45, 0), near=True))
    assert [crop.text for crop in frontal] == [crop.text for crop in turned] == [crop.text for crop in near]
    for first, second, third in zip(frontal, turned, near, strict=True):
        widths = [np.ptp(crop.corners[:, 0]) for crop in (first, second, third)]
        assert 0.6 < widths[1] / widths[0] < 0.85  # cos 45° = 0.71, and perspective and roll
        assert 0.85 < widths[2] / widths[0] < 1.15


def test_every_kind_with_a_canonical_text_is_measured() -> None:
    kinds = readable_kinds()
    assert {Kind.WHITE_LONG, Kind.GREEN_REGION, Kind.MILITARY, Kind.CONSTRUCTION_OLD} <= set(kinds)
    assert Kind.TEMPORARY_10_LONG not in kinds


def test_the_command_prints_and_writes_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--json", str(tmp_path / "g.json"), "--markdown", str(tmp_path / "g.md")]
    assert main(["--count", "3", "--kind-count", "1", *files]) == 0
    printed = capsys.readouterr().out
    assert "frontal" in printed
    assert "yaw -45°, near" in printed
    figures = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))
    assert len(figures["views"]) == 26
    assert (tmp_path / "g.md").read_text(encoding="utf-8").startswith("| view | plates | exact |")
    assert figures["views"][0]["count"] == 3
    assert {row["name"] for row in figures["kinds"]} == {kind.value for kind in readable_kinds()}
