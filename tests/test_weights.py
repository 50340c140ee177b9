"""Finding weights, and refusing those that are damaged."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kplate.errors import OutputError, WeightsError
from kplate.weights import TASKS, Manifest, find, fingerprint, load, write_manifest

SHIPPED = Path(__file__).parents[1] / "src" / "kplate" / "weights"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a detector; the network's content does not matter here."""
    network = tmp_path / "detector.onnx"
    network.write_bytes(b"network")
    write_manifest(tmp_path / "detector.json", manifest(network))
    return tmp_path


def manifest(network: Path, **changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "name": "kplate-nano",
        "task": "detector",
        "file": network.name,
        "sha256": fingerprint(network),
        "input": (416, 416),
        "classes": ("car", "license_plate"),
        "threshold": 0.4,
        "extra": {"strides": [16, 32]},
        "training": {"data": ["주차장"]},
    }
    return Manifest(**{**values, **changes})


def change(folder: Path, **values: Any) -> None:
    path = folder / "detector.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **values}))


def refusal(weights: Path | str, task: str = "detector") -> str:
    with pytest.raises(WeightsError) as caught:
        load(weights, task)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_manifest_comes_back_as_it_was_written(folder: Path) -> None:
    network, found = load(folder, "detector")
    assert network == folder / "detector.onnx"
    assert found == manifest(network)
    assert found.input == (416, 416)
    assert "주차장" in (folder / "detector.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [".", "detector.json", "detector.onnx"])
def test_weights_are_named_by_folder_manifest_or_network(folder: Path, name: str) -> None:
    assert load(folder / name, "detector")[0].read_bytes() == b"network"
    assert load(str(folder / name), "detector")[1].name == "kplate-nano"


def test_a_changed_network_is_refused(folder: Path) -> None:
    (folder / "detector.onnx").write_bytes(b"netwerk")
    message = refusal(folder)
    assert "detector.onnx" in message
    assert "SHA-256" in message


def test_missing_files_are_named(folder: Path) -> None:
    assert "nowhere" in refusal(folder / "nowhere")
    assert "reader.json" in refusal(folder, "reader")
    (folder / "detector.onnx").unlink()
    assert "detector.onnx: no such file" in refusal(folder)
    (folder / "detector.json").unlink()
    assert "no such manifest" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / "detector.json").write_bytes(content)
    assert "detector.json" in refusal(folder)


def test_a_manifest_of_another_task_is_refused(folder: Path) -> None:
    change(folder, task="reader")
    assert "it is for a reader, not for a detector" in refusal(folder)
    with pytest.raises(ValueError, match="tracker"):
        load(folder, "tracker")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("task", "tracker"),
        ("file", "../detector.onnx"),
        ("file", "/etc/passwd"),
        ("sha256", "abc"),
        ("input", [416]),
        ("input", [416, 0]),
        ("input", [416.0, 416]),
        ("classes", ["car", "car"]),
        ("classes", "car"),
        ("alphabet", "00"),
        ("kinds", [1]),
        ("threshold", 1.5),
        ("threshold", float("nan")),
        ("threshold", True),
        ("temperature", 0),
        ("extra", []),
    ],
)
def test_wrong_values_are_named(folder: Path, key: str, value: object) -> None:
    change(folder, **{key: value})
    message = refusal(folder)
    assert f"'{key}' must be" in message
    assert "detector.json" in message


def test_unknown_and_missing_keys_are_named(folder: Path) -> None:
    change(folder, colour="blue")
    assert "unknown key 'colour'" in refusal(folder)
    content = json.loads((folder / "detector.json").read_text())
    del content["colour"], content["sha256"]
    (folder / "detector.json").write_text(json.dumps(content))
    assert "'sha256' is missing" in refusal(folder)


def test_a_manifest_that_load_would_refuse_is_not_written(folder: Path, tmp_path: Path) -> None:
    before = (folder / "detector.json").read_bytes()
    with pytest.raises(WeightsError, match="threshold"):
        write_manifest(folder / "detector.json", manifest(folder / "detector.onnx", threshold=2.0))
    assert (folder / "detector.json").read_bytes() == before
    with pytest.raises(OutputError, match="missing"):
        write_manifest(tmp_path / "missing" / "detector.json", manifest(folder / "detector.onnx"))


def test_an_empty_path_is_not_taken_for_the_shipped_weights() -> None:
    with pytest.raises(WeightsError, match="the path is empty"):
        load("", "reader")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["detector.onnx", "detector.json"])
def test_pipes_are_refused_instead_of_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "not an ordinary file" in refusal(folder)


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_weights_are_whole(task: str) -> None:
    if not (SHIPPED / f"{task}.json").exists():
        pytest.skip(f"no weights for the {task} in this source tree yet")
    network, found = load(None, task)
    assert network.parent == SHIPPED
    assert found.task == task
    assert found.training["data"], "a manifest says what its network was trained on"
    assert found.accuracy, "a manifest says how good its network is"
    named = str(found.training["data"])
    assert "korean_plates_eval" not in named
    assert "korean_scenes_eval" not in named


def test_a_network_of_several_files_has_one_checksum(tmp_path: Path) -> None:
    graph, values = tmp_path / "reader.xml", tmp_path / "reader.bin"
    graph.write_bytes(b"graph")
    values.write_bytes(b"values")
    both = fingerprint(graph)
    values.write_bytes(b"others")
    assert fingerprint(graph) != both
    values.unlink()
    with pytest.raises(WeightsError, match=r"reader\.bin: no such file"):
        fingerprint(graph)


def test_a_folder_has_a_checksum_of_its_names_and_contents(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, order in ((first, "ab"), (second, "ba")):
        for name in order:
            (folder / name).mkdir(parents=True)
            (folder / name / "part").write_text(name)
    assert fingerprint(first) == fingerprint(second)  # whatever the order they were written in
    (second / "a" / "part").rename(second / "a" / "other")
    assert fingerprint(first) != fingerprint(second)


def test_formats_lie_side_by_side(folder: Path) -> None:
    """Each file has a manifest under its whole name, so that none fights over `detector.json`."""
    network = folder / "detector.int8.tflite"
    network.write_bytes(b"small")
    write_manifest(
        folder / "detector.int8.tflite.json",
        manifest(network, precision="int8", format="tflite", layout="NHWC"),
    )
    inside = folder / "detector.float32.saved_model"
    inside.mkdir()
    (inside / "saved_model.pb").write_bytes(b"graph")
    write_manifest(folder / "detector.float32.saved_model.json", manifest(inside, format="saved_model"))
    path, found = load(network, "detector")
    assert (path, found.precision, found.format, found.layout) == (network, "int8", "tflite", "NHWC")
    assert load(inside, "detector")[0] == inside
    assert load(folder, "detector")[1].format == "onnx"
    assert {item.format for _, item in find(folder, "detector")} == {"onnx", "saved_model", "tflite"}
    assert [item.format for _, item in find(inside, "detector")] == ["saved_model"]


@pytest.mark.parametrize("key", ["format", "precision", "layout"])
def test_what_a_file_is_must_be_one_of_the_known(folder: Path, key: str) -> None:
    change(folder, **{key: "fp4"})
    assert "must be one of" in refusal(folder)
