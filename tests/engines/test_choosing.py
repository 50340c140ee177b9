"""Which engine runs what, and what is said where one is missing."""

from pathlib import Path

import pytest

from kplate import engines
from kplate.engines import candidates, choose, open_engine, open_model, open_network
from kplate.engines.runtimes import AUTO, RUNTIMES, Choice, choice_of, install_hint
from kplate.engines.sizes import fitting
from kplate.errors import EngineError, WeightsError
from kplate.images import write_image
from kplate.weights import Manifest, fingerprint, write_manifest

from .scenes import ENGINES, python, read_command, scene, without

SHIPPED = Path(__file__).parents[2] / "src" / "kplate" / "weights"


def network(folder: Path, name: str, precision: str = "float32") -> Path:
    """Write a manifest, and a file that only looks like a network."""
    file = folder / name
    file.write_bytes(b"network")
    manifest = Manifest("mine", "detector", name, fingerprint(file), (416, 416), precision=precision)
    write_manifest(folder / f"{name}.json", manifest)
    return file


def test_names_are_understood() -> None:
    assert choice_of(None) == Choice(AUTO)
    assert choice_of("onnx") == Choice("onnx")
    assert choice_of("onnx:cuda") == choice_of("onnx", "cuda") == Choice("onnx", "cuda")
    assert str(choice_of("openvino:bfloat16")) == "openvino:bfloat16"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tflite", "there is no engine 'tflite': choose of auto, onnx, litert"),
        ("onnx:tpu", "no provider 'tpu': choose of cpu, cuda, tensorrt, coreml, directml"),
        ("auto:cuda", "without an engine"),
    ],
)
def test_unknown_names_are_refused(name: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        choice_of(name)


def test_the_most_precise_network_that_an_engine_runs_comes_first(tmp_path: Path) -> None:
    for precision in ("int8", "float32", "float16"):
        network(tmp_path, f"detector.{precision}.tflite", precision)
    network(tmp_path, "detector.int8.onnx", "int8")
    assert [m.precision for _, m in candidates(tmp_path, "detector", "litert")] == [
        "float32",
        "float16",
        "int8",
    ]
    assert [m.file for _, m in candidates(tmp_path, "detector", "onnx")] == ["detector.int8.onnx"]
    assert candidates(tmp_path, "detector", "saved_model") == []
    assert len(candidates(tmp_path, "detector")) == 5  # OpenVINO runs the ONNX network, too


def test_openvino_takes_its_own_format_before_onnx(tmp_path: Path) -> None:
    network(tmp_path, "detector.onnx")
    (tmp_path / "detector.bin").write_bytes(b"values")
    network(tmp_path, "detector.xml")
    assert [m.file for _, m in candidates(tmp_path, "detector", "openvino")] == [
        "detector.xml",
        "detector.onnx",
    ]


def test_auto_takes_the_most_precise_networks_and_then_the_fastest_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, precision in {
        "detector.onnx": "float32",
        "detector.int8.onnx": "int8",
        "detector.int8.tflite": "int8",
    }.items():
        network(tmp_path, name, precision)

    def chosen(installed: set[str], precision: str | None = None) -> tuple[str, str]:
        monkeypatch.setattr(engines, "is_installed", lambda runtime: runtime.name in installed)
        runtime, _, manifest = choose(tmp_path, "detector", Choice(AUTO), precision)
        return runtime.name, manifest.file

    everything = set(RUNTIMES)
    assert chosen(everything) == ("onnx", "detector.onnx")
    # LiteRT would be faster, but its only network is less precise.
    assert chosen(everything - {"onnx"}) == ("openvino", "detector.onnx")
    assert chosen({"litert"}) == ("litert", "detector.int8.tflite")
    assert chosen(everything, "int8") == ("litert", "detector.int8.tflite")
    assert chosen({"onnx", "openvino"}, "int8") == ("onnx", "detector.int8.onnx")


def test_a_precision_that_is_not_there_is_named(tmp_path: Path) -> None:
    network(tmp_path, "detector.onnx")
    with pytest.raises(EngineError, match="has no float16 network"):
        open_network(tmp_path, "detector", precision="float16")


def test_the_checksum_is_looked_at_of_the_network_that_is_used(tmp_path: Path) -> None:
    network(tmp_path, "detector.onnx").write_bytes(b"something else")
    with pytest.raises(WeightsError, match="damaged or was replaced"):
        open_network(tmp_path, "detector")


@pytest.mark.parametrize("name", RUNTIMES)
def test_an_engine_that_is_not_installed_names_the_command(name: str, tmp_path: Path) -> None:
    done = python(without(ENGINES, read_command("read", "a.png", "--engine", name)), tmp_path)
    assert done.returncode == 1
    assert f"{RUNTIMES[name].title} is not installed: {install_hint(RUNTIMES[name])}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_without_any_engine_the_commands_of_the_default_and_of_boards_are_named(tmp_path: Path) -> None:
    done = python(without(ENGINES, read_command("read", "a.png")), tmp_path)
    assert done.returncode == 1
    assert "pip install 'kplate[onnx]'" in done.stderr
    assert "LiteRT: pip install 'kplate[litert]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_extra_is_named_for_a_provider(tmp_path: Path) -> None:
    script = read_command("read", "a.png", "--engine", "onnx:cuda")
    done = python(without(ENGINES, script), tmp_path)
    assert "pip install 'kplate[cuda]'" in done.stderr


def test_a_provider_that_the_package_lacks_is_refused_and_not_replaced() -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra: onnx)")
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(EngineError, match=r"has no cuda \(but cpu.*kplate\[cuda\]"):
        open_engine(SHIPPED / "detector.onnx", engine="onnx:cuda")


def test_a_damaged_engine_is_an_error_and_none_steps_in_for_it(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").write_text("raise ImportError('libgomp.so.1: not there')")
    done = python(f"import sys\n{read_command('read', 'a.png')}", tmp_path, path=tmp_path)
    assert done.returncode == 1
    assert "ONNX Runtime is installed but does not load (libgomp.so.1: not there)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_an_engine_refuses_what_it_does_not_run(name: str, tmp_path: Path) -> None:
    pytest.importorskip(RUNTIMES[name].package, reason=f"{name} is not installed")
    other = "detector.tflite" if name == "onnx" else "detector.onnx"
    network(tmp_path, other)
    with pytest.raises(EngineError, match=rf"`kplate export --format .*has {other}"):
        open_network(tmp_path, "detector", engine=name)
    with pytest.raises(EngineError, match="kplate export --format"):
        open_engine(tmp_path / other, engine=name)


def test_networks_in_memory_are_run_by_onnx_runtime_only() -> None:
    with pytest.raises(EngineError, match="only onnx runs it"):
        open_model(b"", "my.weights", engine="litert")


def test_auto_tells_which_engine_it_took(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra: onnx)")
    write_image(tmp_path / "a.png", scene()[0])
    loud = python(f"import sys\n{read_command('read', 'a.png', '--engine', 'auto')}", tmp_path)
    quiet = python(f"import sys\n{read_command('read', 'a.png')}", tmp_path)
    assert loud.returncode == quiet.returncode == 0
    assert loud.stderr.startswith("kplate: engine ONNX Runtime ")
    assert "detector.onnx (float32), reader.onnx (float32)" in loud.stderr
    assert quiet.stderr == ""
    assert loud.stdout == quiet.stdout


def test_the_light_installation_reads(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (extra: litert)")
    write_image(tmp_path / "a.png", scene()[0])
    blocked = ("onnxruntime", "onnx", "torch", "tensorflow", "openvino")
    done = python(without(blocked, read_command("read", "a.png", "--only", "plates")), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = {line.split("\t")[3] for line in done.stdout.splitlines()} - {""}
    assert found
    assert found <= scene()[1]


SQUARES = ((416, 416),)
SEVERAL = ((416, 416), (416, 256), (256, 416))


@pytest.mark.parametrize(
    ("sizes", "wanted", "picture", "chosen"),
    [
        ((), 416, (1920, 1080), 416),
        ((), (640, 384), (1920, 1080), (640, 384)),
        (SQUARES, 416, (1920, 1080), (416, 416)),
        (SEVERAL, 416, (1920, 1080), (416, 256)),
        (SEVERAL, 416, (1080, 1920), (256, 416)),
        (SEVERAL, 416, (1024, 768), (416, 416)),
        (((640, 384),), 640, (500, 900), (640, 384)),
    ],
)
def test_the_smallest_input_that_a_picture_fits_is_taken(
    sizes: tuple[tuple[int, int], ...],
    wanted: int | tuple[int, int],
    picture: tuple[int, int],
    chosen: int | tuple[int, int],
) -> None:
    assert fitting(sizes, wanted, picture, "a.tflite") == chosen


def test_a_size_that_a_file_is_not_made_for_is_refused() -> None:
    with pytest.raises(EngineError, match=r"cannot run a\.tflite at 640x640 pixels: it is made for 416x416"):
        fitting(SQUARES, 640, (1, 1), "a.tflite")


def test_importing_the_commands_loads_no_engine(tmp_path: Path) -> None:
    script = "import sys, kplate.cli.common, kplate.cli.engine_arguments; print(*sys.modules)"
    done = python(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {*ENGINES, "numpy", "cv2", "rich"}.isdisjoint(done.stdout.split())
