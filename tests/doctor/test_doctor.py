"""The examination, on installations with faults that are made here."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kplate.cli import main
from kplate.doctor import checks
from kplate.doctor.trial import Trial, try_engine
from kplate.engines.runtimes import RUNTIMES

SHIPPED = Path(__file__).parents[2] / "src" / "kplate" / "weights"

Told = dict[str, dict[str, str]]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A copy of the shipped ONNX networks."""
    for task in ("detector", "refiner", "locator", "reader"):
        for suffix in (".onnx", ".json"):
            shutil.copy(SHIPPED / f"{task}{suffix}", tmp_path)
    return tmp_path


@pytest.fixture
def doctor(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, Told]]:
    def run(*arguments: str) -> tuple[int, Told]:
        status = main(["doctor", "--json", *arguments])
        lines = [json.loads(line) for line in capsysbinary.readouterr().out.decode().splitlines()]
        return status, {line["what"]: line for line in lines}

    return run


def test_a_sound_installation_has_no_faults(
    doctor: Callable[..., tuple[int, Told]], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra: onnx)")
    monkeypatch.setattr(checks, "RUNTIMES", {name: RUNTIMES[name] for name in ("onnx", "litert")})
    status, told = doctor("--weights", str(weights))
    assert status == 0
    assert told["detector.onnx"]["state"] == "good"
    assert "checksum right" in told["detector.onnx"]["says"]
    assert told["onnx"]["state"] == "good"
    assert "rendered plates in" in told["onnx"]["says"]
    assert told["litert"]["state"] == "note"  # not installed, or no networks for it
    assert told["auto"]["says"].startswith("without --engine, ONNX Runtime: ")


@pytest.mark.parametrize("task", ["refiner", "locator", "reader"])
def test_a_damaged_network_is_a_fault_and_its_engine_is_not_tried(
    task: str, doctor: Callable[..., tuple[int, Told]], weights: Path
) -> None:
    network = weights / f"{task}.onnx"
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    status, told = doctor("--weights", str(weights))
    assert status == 1
    assert told["detector.onnx"]["state"] == "good"
    fault = told[f"{task}.onnx"]
    assert fault["state"] == "fault"
    assert "checksum" in fault["says"]
    assert fault["advice"]
    assert told["onnx"]["says"] == "not tried: its networks are damaged"


def test_a_reader_without_its_locator_is_a_fault(
    doctor: Callable[..., tuple[int, Told]], weights: Path
) -> None:
    (weights / "locator.json").unlink()
    status, told = doctor("--weights", str(weights))
    assert status == 1
    assert "locator.json: there is no such manifest" in told["locator"]["says"]


def test_a_reader_in_one_piece_needs_no_locator(
    doctor: Callable[..., tuple[int, Told]], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (weights / "locator.json").unlink()
    manifest = json.loads((weights / "reader.json").read_text())
    del manifest["extra"]["straightened"]
    (weights / "reader.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(checks, "RUNTIMES", {"onnx": RUNTIMES["onnx"]})
    monkeypatch.setattr(checks, "try_engine", lambda *_: Trial(plates=1, read=1))
    monkeypatch.setattr(checks, "is_installed", lambda _: True)
    _, told = doctor("--weights", str(weights))
    assert "locator" not in told
    assert {line["state"] for line in told.values()} == {"good"}


def test_a_damaged_manifest_is_a_fault(doctor: Callable[..., tuple[int, Told]], weights: Path) -> None:
    (weights / "detector.json").write_text("{")
    status, told = doctor("--weights", str(weights))
    assert status == 1
    assert "it is not JSON" in told["detector"]["says"]


def test_without_engines_the_commands_are_named(
    doctor: Callable[..., tuple[int, Told]], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "is_installed", lambda _: False)
    status, told = doctor("--weights", str(weights))
    assert status == 1
    assert (
        told["engines"]["advice"]
        == "pip install 'kplate[onnx]', or on a small board pip install 'kplate[litert]'"
    )
    assert told["openvino"]["advice"] == "pip install 'kplate[openvino]'"


def test_an_engine_that_does_not_load_is_a_fault_with_the_command_that_repairs_it(
    doctor: Callable[..., tuple[int, Told]], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "onnxruntime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('no libgomp.so.1')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(checks, "RUNTIMES", {"onnx": RUNTIMES["onnx"]})
    monkeypatch.setattr(checks, "is_installed", lambda _: True)
    status, told = doctor("--weights", str(weights))
    assert status == 1
    assert "no libgomp.so.1" in told["onnx"]["says"]
    assert told["onnx"]["advice"] == "pip install --force-reinstall --no-deps onnxruntime"


def test_an_engine_that_ends_the_process_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "onnxruntime"
    package.mkdir()
    (package / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "it ended the process (SIGILL)" in str(try_engine("onnx", None).error)


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (Trial(runtime="X 1", plates=3, read=0), "read 0 of 3"),
        (Trial(runtime="X 1", plates=3, read=2, wrong=("12가3456",)), "wrongly 12가3456"),
    ],
)
def test_wrong_readings_are_a_fault(trial: Trial, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "try_engine", lambda *_: trial)
    monkeypatch.setattr(checks, "is_installed", lambda runtime: runtime.name == "onnx")
    (found,) = [finding for finding in checks.examine(SHIPPED) if finding.what == "onnx"]
    assert (found.state, said in found.says) == ("fault", True)


def test_people_get_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "is_installed", lambda _: False)
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("fault engines: none is installed") for line in lines)
    assert any(line.strip() == "-> pip install 'kplate[litert]'" for line in lines)
    assert lines[-1] == "1 fault"
