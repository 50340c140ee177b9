"""LiteRT on the networks that ship."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (extra: litert)")

from kplate.engines import candidates, open_engine, open_network
from kplate.engines.litert import Tensor
from kplate.engines.litert_gpu import _details
from kplate.errors import WeightsError

from .scenes import reason

SHIPPED = Path(__file__).parents[2] / "src" / "kplate" / "weights"


def shipped(task: str) -> Path:
    found = candidates(None, task, "litert")
    if not found:
        pytest.skip("no .tflite networks ship")
    return SHIPPED / found[0][1].file


@pytest.mark.parametrize(
    ("task", "least"), [("detector", 0.95), ("refiner", 0.95), ("locator", 0.99), ("reader", 0.95)]
)
def test_outputs_go_with_those_of_the_onnx_network(task: str, least: float) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra: onnx)")
    lite = open_engine(shipped(task), threads=1)
    reference = open_engine(SHIPPED / f"{task}.onnx", threads=1)
    width, height = candidates(None, task, "litert")[0][1].input
    batch = np.random.default_rng(0).random((2, 3, height, width), np.float32)
    found, wanted = lite.run(batch), reference.run(batch)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert (found[name].shape, found[name].dtype) == (values.shape, np.float32)
        # Noise shows nothing, and quantised numbers differ: how good they are, the export verifies.
        assert np.corrcoef(found[name].ravel(), values.ravel())[0, 1] > least


def test_it_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    engine = open_engine(shipped("reader"), threads=1)
    ((width, height),) = engine.sizes
    engine.run(np.zeros((1, 3, height, width), np.float32))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x1c\0\0\0TFL3", None])
def test_damaged_networks_are_refused_in_one_line(
    tmp_path: Path, content: bytes | None, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(shipped("reader").read_bytes()[:200_000] if content is None else content)
    with pytest.raises(WeightsError, match=r"bad\.tflite") as caught:
        open_engine(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_missing_files_and_wrong_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.tflite: no such file"):
        open_engine(tmp_path / "gone.tflite")
    engine = open_engine(shipped("reader"), threads=1)
    with pytest.raises(WeightsError, match=r"on 1x3x9x9 values: it takes \d+x\d+"):
        engine.run(np.zeros((1, 3, 9, 9), np.float32))


def test_the_detector_takes_any_size_also_after_one_that_it_cannot() -> None:
    engine = open_engine(shipped("detector"), threads=1)
    assert engine.sizes == ()
    rng = np.random.default_rng(0)
    wide, odd = (rng.random(shape, np.float32) for shape in ((2, 3, 64, 96), (1, 3, 50, 50)))
    before = engine.run(wide)
    assert before["head0"].shape == (2, 24, 2, 3)
    with pytest.raises(WeightsError, match="on 1x3x50x50 values") as caught:
        engine.run(odd)
    assert "\n" not in str(caught.value)
    for name, values in engine.run(wide).items():
        np.testing.assert_array_equal(values, before[name])


def test_a_gpu_is_used_or_refused_but_never_replaced() -> None:
    shipped("detector")
    if said := reason(lambda: open_network(None, "detector", engine="litert:gpu")):
        assert "the engine `litert` runs on the processor" in said
    else:
        assert open_network(None, "detector", engine="litert:gpu").engine.version.endswith("gpu")


def test_integers_are_packed_and_unpacked() -> None:
    tensor = Tensor("image", (1, 2), np.int8, 0.5, -3)
    packed = tensor.pack(np.array([0.0, 1.0, 1000.0, -1000.0], np.float32))
    np.testing.assert_array_equal(packed, np.array([-3, -1, 127, -128], np.int8))
    np.testing.assert_array_equal(tensor.unpack(packed[:2]), [0.0, 1.0])


def test_what_the_gpu_interface_says_of_a_tensor_is_understood() -> None:
    details = _details({"name": "x", "index": 3, "dtype": "float32", "shape": [1, 2]})
    tensor = Tensor.of("x", details)
    assert (tensor.shape, tensor.dtype, tensor.scale) == ((1, 2), np.float32, 0.0)
