"""OpenVINO on the ONNX networks that ship."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed (extra: openvino)")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra: onnx)")

from kplate import Recognizer
from kplate.bench.quality import agreement
from kplate.engines import open_engine
from kplate.errors import EngineError, WeightsError

from .scenes import reason, scene

SHIPPED = Path(__file__).parents[2] / "src" / "kplate" / "weights"


def test_answers_are_those_of_onnx_runtime() -> None:
    image, texts = scene()
    reference = Recognizer(engine="onnx", threads=1)(image)
    same = agreement([reference], [Recognizer(engine="openvino", threads=1)(image)])
    assert same["texts_same"] == same["texts"] == len(texts)
    assert same["boxes_same"] == same["boxes"] > 0


def test_any_number_of_pictures_of_any_size_is_taken() -> None:
    engine = open_engine(SHIPPED / "detector.onnx", engine="openvino", threads=1)
    reference = open_engine(SHIPPED / "detector.onnx", engine="onnx", threads=1)
    for shape in ((1, 3, 256, 416), (3, 3, 96, 128)):
        batch = np.random.default_rng(0).random(shape, np.float32)
        found = engine.run(batch)
        for name, values in reference.run(batch).items():
            np.testing.assert_allclose(found[name], values, atol=1e-3)


def test_bfloat16_is_used_or_refused() -> None:
    path = SHIPPED / "detector.onnx"
    if said := reason(lambda: open_engine(path, engine="openvino:bfloat16")):
        assert "has no bfloat16" in said
        return
    engine = open_engine(path, engine="openvino:bfloat16", threads=1)
    batch = np.random.default_rng(0).random((1, 3, 416, 416), np.float32)
    exact, rounded = open_engine(path, engine="openvino", threads=1).run(batch), engine.run(batch)
    for name, values in exact.items():
        difference = np.abs(values - rounded[name]).max()
        assert 1e-5 < difference < 1


@pytest.mark.parametrize("provider", ["gpu", "npu"])
def test_a_device_that_is_not_there_is_refused(provider: str) -> None:
    code = "import openvino; print(*openvino.Core().available_devices)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if provider.upper() in done.stdout:
        pytest.skip(f"this machine has an OpenVINO {provider}")
    with pytest.raises(EngineError, match=rf"OpenVINO finds no {provider} on this machine \(but CPU"):
        open_engine(SHIPPED / "detector.onnx", engine=f"openvino:{provider}")


def test_damaged_networks_and_wrong_shapes_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"no network at all")
    with pytest.raises(WeightsError, match=r"bad\.onnx") as caught:
        open_engine(path, engine="openvino")
    assert "\n" not in str(caught.value)
    engine = open_engine(SHIPPED / "reader.onnx", engine="openvino", threads=1)
    with pytest.raises(WeightsError, match=r"reader\.onnx on 1x3x9x9 values") as caught:
        engine.run(np.zeros((1, 3, 9, 9), np.float32))
    assert "\n" not in str(caught.value)
