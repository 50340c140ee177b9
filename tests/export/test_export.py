"""Exports that need no library beyond ONNX: what is written, what is told, and what is refused."""

import re
import shutil
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="exporting needs the export extra")

from darknet.networks import write_painted  # noqa: E402

from kplate import Detector, Reader, Recognizer, weights  # noqa: E402
from kplate.cli import main  # noqa: E402
from kplate.errors import KplateError, WeightsError  # noqa: E402
from kplate.export import libraries, onnx_precision, run  # noqa: E402
from kplate.export.onnx_precision import with_float16_weights  # noqa: E402
from kplate.export.run import Order, export  # noqa: E402
from kplate.export.verification import LIMITS, Report  # noqa: E402
from kplate.plates.alphabet import ALPHABET  # noqa: E402
from kplate.synth.scenes import demo_scene  # noqa: E402

SHIPPED = Path(weights.__file__).parent


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    folder = tmp_path / "beside"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("precision", "most"), [("float16", 0.52), ("int8", 0.7)])
def test_smaller_numbers_read_the_same(
    precision: str, most: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", "all", "--precision", precision, "--out", str(out)]) == 0
    assert capsys.readouterr().out.count("agree") == 4
    names = {f"{task}.{precision}.onnx" for task in weights.TASKS}
    assert {path.name for path in out.iterdir()} == names | {f"{name}.json" for name in names}
    for task in weights.TASKS:
        path, manifest = weights.load(out / f"{task}.{precision}.onnx", task)
        assert (manifest.format, manifest.precision, manifest.layout) == ("onnx", precision, "NCHW")
        assert path.stat().st_size < most * (SHIPPED / f"{task}.onnx").stat().st_size
        told = manifest.extra["export"]
        assert told["source"] == {f"{task}.onnx": weights.fingerprint(SHIPPED / f"{task}.onnx")}
        assert {"kplate", "onnx", "onnxruntime"} <= set(told["versions"])
        assert "largest_difference" in told["compared"]
        assert manifest.accuracy == {}  # what was measured in float32 is no longer claimed
    scene = demo_scene(np.random.default_rng(4), (1280, 720))
    texts = [
        sorted(plate.text or "" for plate in recognizer(scene.image).plates)
        for recognizer in (Recognizer(threads=1), Recognizer(weights=out, threads=1))
    ]
    assert len(texts[0]) >= 2
    assert texts[0] == texts[1]


def test_the_main_format_keeps_its_names(tmp_path: Path, beside: Path) -> None:
    done = export(Order("reader", tmp_path), beside)
    assert set(done) == {"locator", "reader"}
    for task, exported in done.items():
        assert exported.manifest_path == tmp_path / f"{task}.json"
        assert (tmp_path / f"{task}.onnx").read_bytes() == (SHIPPED / f"{task}.onnx").read_bytes()
        assert exported.manifest.accuracy == weights.load(None, task)[1].accuracy
        assert exported.report.agreed == exported.report.compared > 10


def test_a_size_of_its_own(tmp_path: Path, beside: Path) -> None:
    exported = export(Order("detector", tmp_path, size=(320, 192)), beside)["detector"]
    assert exported.manifest.input == (320, 192)
    assert Detector(tmp_path).size == 320


def test_a_darknet_network(tmp_path: Path, beside: Path) -> None:
    cfg, values, names = write_painted(tmp_path)
    told = run.Told(weights=values, names=names)
    order = Order("detector", tmp_path / "out", cfg, told=told, precision="float16")
    exported = export(order, beside)["detector"]
    source = Detector.from_darknet(cfg, values, names)
    assert exported.manifest.classes == source.labels
    assert set(exported.manifest.extra["export"]["source"]) == {cfg.name, values.name}
    scene = demo_scene(np.random.default_rng(1), (320, 240)).image
    assert len(Detector(exported.manifest_path)(scene)) == len(source(scene))


def without_weights(model: bytes) -> bytes:
    """A float16 network whose weights got lost on the way."""
    network = onnx.load_from_string(with_float16_weights(model))
    for tensor in network.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT16:
            tensor.raw_data = bytes(len(tensor.raw_data))
    return bytes(network.SerializeToString())


@pytest.mark.parametrize("what", ["detector", "reader"])
def test_a_network_that_lost_its_weights_is_not_handed_over(
    what: str, tmp_path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kind of file that converts without a word and then finds nothing."""
    monkeypatch.setattr(onnx_precision, "with_float16_weights", without_weights)
    out = tmp_path / "out"
    with pytest.raises(
        WeightsError, match="does not give its source's answers, and is not written"
    ) as caught:
        export(Order(what, out, precision="float16"), beside)
    assert "\n" not in str(caught.value)
    assert re.search(r"\b\d of \d+ ", str(caught.value))  # hardly anything of what the source finds
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "missing", "extra"),
    [
        ("onnx", "onnx", "export"),
        ("tflite", "litert_torch", "export-tflite"),
        ("tflite", "ai_edge_quantizer", "export-tflite"),
        ("openvino", "openvino", "export-openvino"),
        ("saved_model", "tensorflow", "export-saved-model"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    form: str, missing: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(KplateError) as caught:
        export(Order("reader", tmp_path / "out", format=form), tmp_path)
    assert f"needs {missing}, which is not installed: pip install 'kplate[{extra}]'" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_every_extra_that_messages_name_exists() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {extra for _, extra in run.NEEDS.values()} <= set(project["optional-dependencies"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["reader", "--size", "320"], "--size is for the detector"),
        (["detector", "--size", "300"], "must be multiples of 32"),
        (["all", "--calibration", "."], "one network at a time"),
        (["reader", "--temperature", "0"], "must be above 0"),
        (["reader", "nowhere"], "no such file or folder"),
        (["reader", "my.cfg"], "describes a detector"),
        (["detector", "my.cfg"], "needs --weights and --names"),
        (["reader", "--facts", "nowhere.json"], "no such file"),
        (["reader", "--precision", "int8", "--calibration", "empty"], "it has no pictures"),
        (["detector", "--precision", "int8", "--calibration", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["export", *arguments, "--out", "out"]) == 1
    told = capsys.readouterr().err
    assert reason in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_exports_are_made_from_the_float32_network_alone(tmp_path: Path, beside: Path) -> None:
    path, manifest = weights.load(None, "reader")
    shutil.copy(path, tmp_path / "reader.onnx")
    weights.write_manifest(tmp_path / "reader.json", replace(manifest, precision="int8"))
    with pytest.raises(WeightsError, match="begin with the float32 ONNX network"):
        export(Order("reader", tmp_path / "out", tmp_path), beside)


def test_a_reader_without_its_locator_is_refused(tmp_path: Path, beside: Path) -> None:
    for name in ("reader.onnx", "reader.json"):
        shutil.copy(SHIPPED / name, tmp_path)
    with pytest.raises(WeightsError, match=r"locator\.json: there is no such manifest"):
        export(Order("reader", tmp_path / "out", tmp_path), beside)
    assert not list((tmp_path / "out").iterdir())


def test_the_checkpoint_of_a_training_becomes_a_reader_and_its_locator(tmp_path: Path, beside: Path) -> None:
    pytest.importorskip("onnxscript", reason="exporting a training's result needs the export extra")
    from kplate.nets.lprnet import LprNet, LprNetConfig
    from kplate.training.reader_checkpoint import LATEST, write_checkpoint

    config = LprNetConfig(input_size=(64, 32), plate_size=(64, 32), width=16, symbols=len(ALPHABET))
    values = LprNet(config).state_dict()
    state = {"network": values, "average": values, "config": asdict(config), "step": 1, "seconds": 60.0}
    write_checkpoint(tmp_path / LATEST, state)
    done = export(Order("reader", tmp_path / "out", tmp_path), beside)
    assert [(task, one.manifest.input) for task, one in done.items()] == [
        ("locator", (192, 64)),
        ("reader", (64, 32)),
    ]
    assert {tuple(one.manifest.extra["export"]["source"]) for one in done.values()} == {(LATEST,)}
    crop = np.full((40, 90, 3), 120, np.uint8)
    (x, y), *_ = Reader(tmp_path / "out", threads=1)(crop).corners
    assert (x / 90, y / 40) == pytest.approx((0.08, 0.14), abs=1e-3)  # where corners are expected at first


def test_evaluation_says_what_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "plates"
    assert main(["synth", "plates", "--count", "3", "--seed", "2", "--out", str(data)]) == 0
    command = ["export", "reader", "--precision", "float16", "--out", str(tmp_path / "out")]
    assert main([*command, "--evaluate", str(data)]) == 0
    told = capsys.readouterr().out
    assert "before" in told
    assert "after" in told
    assert "lost: 0.0 points" in told


def test_faults_are_what_lies_beyond_the_limits() -> None:
    good = Report(LIMITS["int8"], {"head0": 0.2, "head1": 0.3}, "boxes", compared=40, agreed=39, overlap=0.8)
    assert good.faults == []
    assert Report(LIMITS["float32"], good.differences, "boxes", 40, 40, 1.0).faults == [
        "head1 differs by 0.3 (limit 0.001)"
    ]
    assert "20 of 40 boxes agree" in Report(LIMITS["int8"], {"head0": 0.2}, "boxes", 40, 20, 0.8).faults[0]
    assert "inf" in Report(LIMITS["int8"], {"logits": np.inf}, "texts", 10, 10).faults[0]


def moved(model: bytes) -> bytes:
    """A locator whose corners all lie a twentieth of the crop beside the plate's."""
    network = onnx.load_from_string(model)
    if [value.name for value in network.graph.output] == ["corners"]:
        bias = next(item for item in network.graph.initializer if item.name.endswith("corners.bias"))
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + 0.05, bias.name))
    return bytes(network.SerializeToString())


def test_a_locator_that_misses_the_corners_is_not_handed_over(
    tmp_path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_precision, "with_float16_weights", moved)
    with pytest.raises(WeightsError, match=r"float16 locator .* 0 of 192 corners agree"):
        export(Order("reader", tmp_path / "out", precision="float16"), beside)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("task", weights.TASKS)
def test_the_shipped_small_networks_are_made_from_the_shipped_ones(task: str) -> None:
    """If not: `kplate export all --format tflite --precision int8 --out src/kplate/weights`."""
    _, small = weights.load(SHIPPED / f"{task}.int8.tflite", task)
    path, whole = weights.load(None, task)
    assert small.extra["export"]["source"] == {path.name: whole.sha256}
    assert (small.threshold, small.temperature, small.input) == (
        whole.threshold,
        whole.temperature,
        whole.input,
    )
