"""Timing: the arithmetic, the counts, and the command on stub networks."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kplate.bench.cases import Case, Plan, plan_cases, size_of
from kplate.bench.chart import draw_chart
from kplate.bench.darknet import find_cfg, operations, own_network, value_count
from kplate.bench.machine import machine, peak_memory, versions
from kplate.bench.peak import convolutions, product_peak
from kplate.bench.quality import agreement
from kplate.bench.timing import Timing, measure
from kplate.cli import main
from kplate.darknet.network import read_network
from kplate.errors import EngineError
from kplate.results import Box, Plate, Recognition, Vehicle

SHIPPED = Path(__file__).parents[2] / "src" / "kplate" / "weights"


def plate(text: str, box: Box) -> Plate:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    return Plate(text, text, text, 1.0, (), None, None, None, box, corners, 1.0, None)


def test_every_call_gets_its_time_and_they_take_turns() -> None:
    order: list[int] = []
    calls = [lambda n=n: order.append(n) for n in range(3)]
    timings = measure(calls, 0.0001)
    assert len(timings) == 3
    assert order[:9] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    turns = [n for n, _ in itertools.groupby(order[9:])]
    assert turns[:6] == [0, 1, 2, 0, 1, 2]
    for timing in timings:
        assert sum(timing.times) >= 0.1
        assert 0 < timing.best <= timing.quantile(0.1) <= timing.median <= timing.quantile(0.9)


def test_a_timing_is_told_in_ms() -> None:
    told = Timing((1.0, 2.0, 3.0, 4.0, 100.0)).to_dict()
    assert (told["runs"], told["median_ms"], told["best_ms"]) == (5, 3.0, 1.0)


def test_operations_and_values_are_counted_as_darknet_counts_them() -> None:
    network = read_network(find_cfg("yolov4-tiny.cfg"))
    # What is known of YOLOv4-tiny: 6.8 billion operations, 6 million values.
    assert operations(network, (416, 416)) / 1e9 == pytest.approx(6.79, abs=0.15)
    assert value_count(network) / 1e6 == pytest.approx(6.05, abs=0.2)
    own = own_network("kplate-nano")
    assert own is not None
    assert operations(own, (416, 208)) == pytest.approx(operations(own, (416, 416)) / 2, rel=0.03)
    assert own_network("of-somebody-else") is None


def test_a_users_cfg_comes_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_cfg("yolov4-tiny.cfg").is_absolute()
    (tmp_path / "yolov4-tiny.cfg").write_text("mine")
    assert find_cfg("yolov4-tiny.cfg").read_text() == "mine"


def test_agreement_counts_texts_and_boxes() -> None:
    first = Recognition(9, 9, 0.0, (Vehicle((0, 0, 100, 100), 1.0),), (plate("12가3456", (10, 10, 60, 30)),))
    moved = Recognition(9, 9, 0.0, (Vehicle((0, 0, 100, 90), 1.0),), (plate("12가3456", (10, 10, 60, 30)),))
    other = Recognition(9, 9, 0.0, (), (plate("12가3457", (10, 10, 60, 30)),))

    def told(texts: int, same: int, near: int, boxes: int) -> dict[str, int]:
        counts = {"boxes_same": same, "boxes_near": near, "boxes": boxes}
        return {"texts_same": texts, "texts": 1, **counts}

    assert agreement([first], [first]) == told(1, 4, 4, 4)
    assert agreement([first], [moved]) == told(1, 2, 4, 4)
    assert agreement([first], [other]) == told(0, 2, 2, 3)


def test_the_machine_is_described() -> None:
    facts = machine()
    assert facts["cores"] >= facts["cores_of_this_process"] >= 1
    assert {"kplate", "numpy"} <= set(versions())
    memory = peak_memory()
    assert memory is None or 10 < memory < 100_000


def test_the_peak_is_measured_both_ways() -> None:
    pytest.importorskip("onnx", reason="networks are made with onnx (extra: darknet)")
    assert product_peak(0.05) > 0.5
    tried = convolutions()
    assert tried is not None
    call, count = tried
    call()
    assert count > 1e8


def test_the_chart_has_a_bar_a_row() -> None:
    def case(what: str, ms: float) -> Case:
        timing = Timing((ms, ms, ms * 2))
        return Case(what, "onnx", "ONNX", "float32", 1, (416, 416), 1.0, None, print, timing=timing)

    small = draw_chart([case("detector", 5.0)], "title")
    large = draw_chart([case("detector", 5.0), case("detector", 10.0), case("reader", 1.0)], "title")
    assert large.shape[0] > small.shape[0]
    assert (large.dtype, large.shape[2]) == (np.uint8, 3)
    blue = (large == (235, 111, 31)).all(axis=2)
    lengths = sorted({int(row.sum()) for row in blue if row.sum() > 40})
    assert lengths[-1] > 1.5 * lengths[0]


def test_further_networks_stand_with_their_like_in_the_chart() -> None:
    def height(size: tuple[int, int]) -> int:
        own = (Case("detector", "onnx", "ONNX", "float32", 1, (416, 416), 1.0, None, print, timing=timing),)
        return int(draw_chart([*own, replace(own[0], what="further", size=size)], "title").shape[0])

    timing = Timing((1.0, 1.0, 2.0))
    assert height((94, 24)) > height((416, 256))  # a group of its own


def test_nothing_to_measure_is_said(tmp_path: Path) -> None:
    for task in ("detector", "locator", "reader"):
        (tmp_path / f"{task}.onnx").write_bytes((SHIPPED / f"{task}.onnx").read_bytes())
        (tmp_path / f"{task}.json").write_bytes((SHIPPED / f"{task}.json").read_bytes())
    with pytest.raises(EngineError, match="see `kplate doctor`"):
        plan_cases(Plan(weights=tmp_path, engines=("onnx",), precisions=("int8",)))
    assert size_of(tmp_path) > size_of(tmp_path / "detector.onnx") > 0.1


@pytest.mark.parametrize("form", ["--json", "--markdown"])
def test_the_command_times_and_compares(
    form: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra: onnx)")
    picture = tmp_path / "bench.png"
    arguments = ["bench", "--engine", "onnx", "--precision", "float32", "--threads", "1", "--seconds", "0.01"]
    assert main([*arguments, form, "--agreement", "1", "--picture", str(picture)]) == 0
    out = capsysbinary.readouterr().out.decode()
    assert picture.read_bytes().startswith(b"\x89PNG")
    if form == "--markdown":
        assert out.startswith("| what | engine |")
        assert "| detector | onnx | float32 | 1 | 416x416 |" in out
        return
    told = json.loads(out)
    assert [case["what"] for case in told["cases"]] == ["detector", "reader", "whole way"]
    detector, reader, whole = told["cases"]
    parts = detector["file_mb"] + size_of(SHIPPED / "refiner.onnx") + reader["file_mb"]
    assert whole["file_mb"] == pytest.approx(parts, abs=0.02)
    assert reader["file_mb"] > size_of(SHIPPED / "reader.onnx")  # the locator's belongs to it
    assert detector["best_ms"] <= detector["median_ms"]
    assert detector["gflop"] > 0.5
    assert 0 < told["peak_gflops_one_core"]["detector_share"] < 3
    assert whole["agreement"]["texts_same"] == whole["agreement"]["texts"] > 0
    assert told["machine"]["cores"] >= 1


@pytest.mark.parametrize("wrong", [["--engine", "tpu"], ["--threads", "0"], ["--seconds", "0"]])
def test_wrong_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", *wrong])
    assert caught.value.code == 2
    assert "error: argument" in capsys.readouterr().err
