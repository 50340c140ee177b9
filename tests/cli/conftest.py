"""Runs the real command in a process of its own, mostly on two tiny networks whose answers are known.

The stub detector finds what is painted in pure colours into a dark picture: a plate where a cell of 32 x 32
pixels is red, a car where it is green, a permit where it is blue. The stub reader reads every plate as
12가3456. Everything else, from the command line to decoding and back, is the real thing.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kplate.plates.alphabet import ALPHABET, encode
from kplate.weights import Manifest, fingerprint, write_manifest

TEXT = "12가3456"
CELL = 32
COLOURS = {"plate": (0, 0, 255), "car": (0, 255, 0), "permit": (255, 0, 0)}
_STEPS = 18


@dataclass(frozen=True)
class Result:
    """What a finished command left."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "kplate", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "", "COLUMNS": "120", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let commands hear Ctrl-C where the tests themselves do not: a shell's background jobs ignore it."""
    former = signal.getsignal(signal.SIGINT)
    if former == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture
def kplate(tmp_path: Path) -> Callable[..., Result]:
    def run(*arguments: object, cwd: Path = tmp_path, env: dict[str, str] | None = None) -> Result:
        done = subprocess.run(
            command(*arguments),
            cwd=cwd,
            env={**environment(), **(env or {})},
            capture_output=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        err = done.stderr.decode()
        assert "Traceback" not in err, err
        return Result(done.returncode, done.stdout.decode(), err)

    return run


@pytest.fixture(scope="session")
def stub_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx", reason="the stub networks are built with onnx (extra: dev)")
    folder = tmp_path_factory.mktemp("weights")
    _write_detector(folder)
    _write_reader(folder)
    return folder


def paint(path: Path, cells: Sequence[tuple[str, int, int]] = (("plate", 4, 8),)) -> Path:
    """Write a dark picture of 416 x 416 pixels with coloured cells: (what, column, row)."""
    image = np.zeros((416, 416, 3), np.uint8)
    image[:CELL] = (60, 0, 0)  # a night sky, so that the picture is one in colour
    for what, column, row in cells:
        image[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = COLOURS[what]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def _save(folder: Path, manifest: dict[str, Any], graph: Any) -> None:
    from onnx import helper, save

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / f"{manifest['task']}.onnx"
    save(model, path)
    stated = Manifest(name="stub", file=path.name, sha256=fingerprint(path), **manifest)
    write_manifest(folder / f"{manifest['task']}.json", stated)


def _constant(name: str, values: NDArray[Any]) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(values, name)


def _write_detector(folder: Path) -> None:
    from onnx import TensorProto, helper

    # Outputs: x, y, w, h, objectness, car, license_plate, disabled_sticker; inputs: red, green, blue.
    weight = np.zeros((8, 3), np.float32)
    bias = np.zeros(8, np.float32)
    weight[4], bias[4] = 20, -10
    weight[5:] = ((-20, 20, -20), (20, -20, -20), (-20, -20, 20))
    kernel = np.ones((8, 3, CELL, CELL), np.float32) * weight[:, :, None, None] / CELL**2
    node = helper.make_node("Conv", ["image", "weight", "bias"], ["head0"], strides=[CELL, CELL])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    head = helper.make_tensor_value_info("head0", TensorProto.FLOAT, ["n", 8, "y", "x"])
    constants = [_constant("weight", kernel), _constant("bias", bias)]
    heads = [
        {"output": "head0", "stride": CELL, "anchors": [[64, 32]], "scale_x_y": 1.0, "new_coords": False}
    ]
    manifest = {
        "task": "detector",
        "input": (416, 416),
        "classes": ("car", "license_plate", "disabled_sticker"),
        "extra": {"heads": heads},
    }
    _save(folder, manifest, helper.make_graph([node], "detector", [image], [head], constants))


def _write_reader(folder: Path) -> None:
    from onnx import TensorProto, helper

    kinds = ("white_long", "electric")
    logits = np.full((1, _STEPS, len(ALPHABET) + 1), -5.0, np.float32)
    for step in range(_STEPS):
        symbols = encode(TEXT)
        at = symbols[step // 2] if step % 2 == 0 and step // 2 < len(symbols) else len(ALPHABET)
        logits[0, step, at] = 5
    corners = np.array([[0.1, 0.2, 0.9, 0.2, 0.9, 0.8, 0.1, 0.8]], np.float32)
    outputs = {"logits": logits, "kind": np.array([[6.0, -6.0]], np.float32), "corners": corners}
    nodes = [
        helper.make_node("Shape", ["image"], ["count"], start=0, end=1),
        *(
            node
            for name, value in outputs.items()
            for node in (
                helper.make_node("Concat", ["count", f"{name}_shape"], [f"{name}_full"], axis=0),
                helper.make_node("Expand", [f"{name}_one", f"{name}_full"], [name]),
            )
        ),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 24, 94])
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *value.shape[1:]])
        for name, value in outputs.items()
    ]
    constants = [_constant(f"{name}_one", value) for name, value in outputs.items()]
    constants += [
        _constant(f"{name}_shape", np.array(value.shape[1:], np.int64)) for name, value in outputs.items()
    ]
    manifest = {"task": "reader", "input": (94, 24), "alphabet": ALPHABET, "kinds": kinds}
    _save(folder, manifest, helper.make_graph(nodes, "reader", [image], infos, constants))
