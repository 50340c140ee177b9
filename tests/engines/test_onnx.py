"""Running networks: small graphs made here, run by the real runtime."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import kplate.engines.onnx
from kplate.engines import open_engine, thread_count
from kplate.errors import WeightsError

onnx = pytest.importorskip("onnx", reason="making test networks needs the onnx package")


def make_network(path: Path, inputs: int = 1) -> Path:
    """Write a network that returns the mean of each channel, and each picture's values doubled."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["means"]),
        helper.make_node("Add", ["image", "image" if inputs == 1 else "other"], ["double"]),
    ]
    shapes = {
        "image": ["n", 3, 4, 6],
        "other": ["n", 3, 4, 6],
        "means": ["n", 3, 1, 1],
        "double": ["n", 3, 4, 6],
    }
    values = {name: helper.make_tensor_value_info(name, number, shape) for name, shape in shapes.items()}
    taken = [values["image"], values["other"]][:inputs]
    graph = helper.make_graph(nodes, "tiny", taken, [values["means"], values["double"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("count", [1, 5])
def test_outputs_come_by_name_for_any_batch(tmp_path: Path, count: int) -> None:
    engine = open_engine(make_network(tmp_path / "tiny.onnx"), threads=1)
    batch = np.random.default_rng(0).random((count, 3, 4, 6), np.float32)
    outputs = engine.run(batch)
    assert list(outputs) == ["means", "double"]
    np.testing.assert_allclose(outputs["means"][:, :, 0, 0], batch.mean(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(outputs["double"], batch * 2)
    assert outputs["double"].dtype == np.float32


def test_a_batch_need_not_be_contiguous(tmp_path: Path) -> None:
    engine = open_engine(make_network(tmp_path / "tiny.onnx"))
    batch = np.random.default_rng(0).random((2, 4, 6, 3), np.float32).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(engine.run(batch)["double"], batch * 2)


def test_threads_share_an_engine(tmp_path: Path) -> None:
    engine = open_engine(make_network(tmp_path / "tiny.onnx"), threads=2)
    batches = [np.full((1 + index % 3, 3, 4, 6), index, np.float32) for index in range(200)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(engine.run, batches))
    for batch, result in zip(batches, results, strict=True):
        np.testing.assert_array_equal(result["double"], batch * 2)


@pytest.mark.parametrize("content", [b"", b"no network at all", None])
def test_damaged_networks_are_refused_in_one_line(
    tmp_path: Path, content: bytes | None, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.onnx"
    if content is None:  # a real one, cut off
        content = make_network(tmp_path / "tiny.onnx").read_bytes()[:-40]
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad\.onnx") as caught:
        open_engine(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_missing_and_unknown_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.onnx: no such file"):
        open_engine(tmp_path / "gone.onnx")
    with pytest.raises(WeightsError, match=r"read from \.onnx files"):
        open_engine(tmp_path / "net.caffemodel")


def test_a_batch_of_the_wrong_shape_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = open_engine(make_network(tmp_path / "tiny.onnx"))
    with pytest.raises(WeightsError, match=r"tiny\.onnx on 1x3x9x9 values") as caught:
        engine.run(np.zeros((1, 3, 9, 9), np.float32))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_network_with_two_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="one float32 input"):
        open_engine(make_network(tmp_path / "two.onnx", inputs=2))


def test_thread_counts() -> None:
    assert 1 <= thread_count(None) <= 4
    assert thread_count(7) == 7
    with pytest.raises(ValueError, match="at least 1"):
        thread_count(0)


def test_the_runtime_is_told_to_report_nothing_before_it_is_loaded() -> None:
    code = "import os, kplate.engines.onnx; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    without = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=without, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
    source = Path(kplate.engines.onnx.__file__).read_text(encoding="utf-8")
    assert source.index("ORT_DISABLE_TELEMETRY") < source.index("import onnxruntime")
