"""The rules that keep the house standing: which room uses which, what reading imports, how long files are."""

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import kplate

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "kplate"
LONGEST_FILE = 400

#: Rooms from the bottom up. A module may import from its own room and from the layers below it; the rooms of
#: one layer know nothing of one another, unless NEIGHBOURS says so.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("classes", "errors"),
    ("files", "plates"),
    ("images", "results", "weights", "raster"),
    ("boxes",),
    ("linking", "suppression"),
    ("engines", "drawing", "ctc", "reader_light", "reader_views", "darknet", "events"),
    ("reader_network",),
    ("refiner",),
    ("detector", "reader", "sinks"),
    ("closer",),
    ("recognizer",),
    ("live",),
    ("bays",),
    ("evaluation", "synth", "nets", "training", "export", "labels"),
    ("bench", "doctor"),
    ("cli",),
    ("__main__",),
)
#: Rooms that may look sideways or up, and why.
NEIGHBOURS = {
    ("results", "images"),  # for the type of a picture
    ("results", "drawing"),  # draw() is a method of a result; imported when called
    ("training", "synth"),
    ("training", "labels"),  # what the labels of training photographs leave out
    ("training", "nets"),
    ("export", "nets"),
    ("export", "training"),
    ("export", "synth"),  # what int8 is calibrated on, and exported networks are checked on
}
#: Rooms that only development needs: reading a plate must never import them.
WORKSHOPS = ("kplate.nets", "kplate.synth", "kplate.training", "kplate.export")
TRAINING = ("torch", "tensorflow", "onnx", "onnxscript")
#: What reading with the default engine does without.
HEAVY = (*TRAINING, "openvino", "ai_edge_litert")


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room(module: str) -> str:
    """Return the room of a module such as ``kplate.plates.kinds``; the package itself is the facade."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "kplate"


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "kplate")


def test_every_room_has_a_layer() -> None:
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in modules()} - {"__init__"}
    assert rooms <= {name for layer in LAYERS for name in layer}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_arrows_point_down(path: Path) -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    here = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if here == "__init__":
        return  # the facade names everything below it and is checked by what reading imports
    for module in imports(path):
        there = room(module) if module.startswith("kplate.") else ""
        if there in level and there != here and (here, there) not in NEIGHBOURS:
            assert level[there] < level[here], f"{here} must not import {module}"


def test_only_workshops_import_training_libraries() -> None:
    allowed = {"nets", "training", "export"}
    for path in modules():
        here = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if path in (SOURCE / "darknet" / "graph.py", SOURCE / "engines" / "saved_model.py"):
            continue  # a user's Darknet network as ONNX, or as a SavedModel; imported only when one is opened
        used = {module.partition(".")[0] for module in imports(path)} & set(TRAINING)
        assert not used or here in allowed, f"{path.relative_to(SOURCE)} imports {used}"


@pytest.mark.parametrize(
    "code",
    [
        "import kplate; [getattr(kplate, name) for name in kplate.__all__]",
        "import kplate.recognizer, kplate.drawing, kplate.engines.onnx",
        "import kplate.cli.read, kplate.cli.evaluate",
    ],
)
def test_reading_imports_no_workshop(code: str) -> None:
    script = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "kplate" in loaded
    unwanted = [name for name in loaded if name.startswith(WORKSHOPS) or name.partition(".")[0] in HEAVY]
    assert unwanted == []


def test_importing_kplate_is_cheap() -> None:
    script = "import sys, kplate; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"numpy", "cv2", "onnxruntime"}.isdisjoint(done.stdout.split())


def test_public_names_are_complete() -> None:
    assert len(set(kplate.__all__)) == len(kplate.__all__)
    for name in kplate.__all__:
        assert getattr(kplate, name) is not None
    promised = {
        "Detector",
        "KplateError",
        "Permit",
        "Plate",
        "Reader",
        "Recognition",
        "Recognizer",
        "Vehicle",
    }
    assert promised <= set(kplate.__all__)
    public = importlib.import_module("kplate.errors").__dict__.values()
    errors = {
        item.__name__ for item in public if isinstance(item, type) and issubclass(item, kplate.KplateError)
    }
    assert errors <= set(kplate.__all__)


def test_version_is_the_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert kplate.__version__ == project["version"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_files_stay_short() -> None:
    lengths = {
        str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules()
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCE / "py.typed").is_file()
