"""Every format and precision of both networks: converts, gives its source's answers, reads a rendered scene.

Each needs the libraries of its extra: see docs/export.md for the commands that run these tests.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from kplate import Detector, Reader, Recognizer, weights
from kplate.cli import main
from kplate.export.run import NEEDS, SUFFIXES
from kplate.synth.scenes import demo_scene

pytestmark = pytest.mark.heavy

RUN_BY = {
    "onnx": "onnxruntime",
    "tflite": "ai_edge_litert",
    "openvino": "openvino",
    "saved_model": "tensorflow",
}


def needed(form: str) -> None:
    modules, extra = NEEDS[form]
    for module in (*modules, RUN_BY[form]):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'kplate[{extra}]'")


@pytest.mark.parametrize("precision", weights.PRECISIONS)
@pytest.mark.parametrize("form", weights.FORMATS)
def test_every_format_and_precision_reads_a_scene(form: str, precision: str, tmp_path: Path) -> None:
    needed(form)
    assert main(["export", "all", "--format", form, "--precision", precision, "--out", str(tmp_path)]) == 0
    manifests = {}
    for task in weights.TASKS:
        ((manifests[task], manifest),) = weights.find(tmp_path, task)
        assert (manifest.format, manifest.precision) == (form, precision)
        path, _ = weights.load(manifests[task], task)
        assert path.suffix == SUFFIXES[form]
    recognizer = Recognizer(
        detector=Detector(manifests["detector"], threads=1), reader=Reader(manifests["reader"], threads=1)
    )
    shipped = Recognizer(threads=1)
    for seed in (0, 4):
        scene = demo_scene(np.random.default_rng(seed), (1280, 720))
        wanted = sorted(plate.text or "" for plate in shipped(scene.image).plates)
        assert len(wanted) >= 2
        assert sorted(plate.text or "" for plate in recognizer(scene.image).plates) == wanted
        # Sizes other than the first one: the network takes any, or its engine says which.
        small = scene.image[::2, 100:800:2]
        assert len(recognizer(small).vehicles) == len(shipped(small).vehicles)


def test_tflite_files_consist_of_built_in_operators_and_free_sizes(tmp_path: Path) -> None:
    needed("tflite")
    from ai_edge_litert.interpreter import Interpreter

    from kplate.export.tflite_graph import Graph

    assert main(["export", "all", "--format", "tflite", "--precision", "int8", "--out", str(tmp_path)]) == 0
    heads = {head["output"] for head in weights.load(None, "detector")[1].extra["heads"]}
    outputs = {
        "detector": heads, "refiner": {"edges"}, "locator": {"corners"}, "reader": {"logits", "kind"},
    }  # fmt: skip
    for task in weights.TASKS:
        content = (tmp_path / f"{task}.int8.tflite").read_bytes()
        assert Graph(content).custom_operators() == []
        (entry,) = Interpreter(model_content=content).get_signature_list().values()
        assert (entry["inputs"], set(entry["outputs"])) == (["image"], outputs[task])
    detector = Interpreter(model_content=(tmp_path / "detector.int8.tflite").read_bytes())
    assert detector.get_input_details()[0]["shape_signature"].tolist() == [-1, -1, -1, 3]


def test_a_folder_of_pictures_calibrates(tmp_path: Path) -> None:
    needed("onnx")
    data, out = tmp_path / "plates", tmp_path / "out"
    assert main(["synth", "plates", "--count", "12", "--seed", "9", "--out", str(data)]) == 0
    command = ["export", "reader", "--precision", "int8", "--calibration", str(data), "--out", str(out)]
    assert main(command) == 0
    _, manifest = weights.load(out / "reader.int8.onnx", "reader")
    assert manifest.extra["export"]["calibrated_on"] == "plates"
