"""The networks that ship with kplate, their manifests, and reading those of a user.

A network is two files: the network itself and a JSON manifest beside it that says what the network's
numbers mean, how it was trained and how well it does, and holds the checksum of the network's file.
"""

import hashlib
import json
import math
import os
import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from kplate.errors import WeightsError
from kplate.files import StrPath, printable, reason_of, write_atomic

#: The tasks there are networks for: finding plates, setting the boxes around them, finding a plate's corners
#: in a crop, reading the plate that was straightened by them. ``<task>.json`` is the manifest's name in a
#: folder of weights.
TASKS: Final = ("detector", "refiner", "locator", "reader")
#: What a network's numbers may be, the most precise first.
PRECISIONS: Final = ("float32", "float16", "int8")
#: The kinds of files a network may be in.
FORMATS: Final = ("onnx", "tflite", "openvino", "saved_model")
#: Axes of pictures: number, channels, height, width.
LAYOUTS: Final = ("NCHW", "NHWC")

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known about a network.

    Attributes:
        name: Of the network, such as ``kplate-nano``.
        task: One of :data:`TASKS`.
        file: The network's file, beside the manifest.
        sha256: Checksum of that file, 64 lower-case hexadecimal digits.
        input: Width and height of the network's input, in pixels.
        classes: Names of what a detector finds, in the order of its outputs.
        alphabet: Symbols of a reader, in the order of its outputs; the CTC blank follows them.
        kinds: Plate kinds of a reader, in the order of its second head.
        threshold: Lowest score that is reported (detector) or trusted (reader).
        temperature: What a reader's logits are divided by, so that its scores are frequencies.
        extra: What only this network's decoder needs: anchors, strides, ...
        training: How it was trained, and on what.
        accuracy: What was measured, by data set.
        precision: What the network's numbers are: ``float32``, ``float16`` or ``int8``.
        format: What kind of file it is: ``onnx``, ``tflite``, ``openvino`` or ``saved_model``.
        layout: Axes of the file's pictures and maps: ``NCHW``, or ``NHWC`` where channels come last.
    """

    name: str
    task: str
    file: str
    sha256: str
    input: tuple[int, int]
    classes: tuple[str, ...] = ()
    alphabet: str = ""
    kinds: tuple[str, ...] = ()
    threshold: float = 0.5
    temperature: float = 1.0
    extra: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    format: str = "onnx"
    layout: str = "NCHW"


def load(weights: StrPath | None, task: str) -> tuple[Path, Manifest]:
    """Find a network, read its manifest and check that the two belong together.

    Args:
        weights: A folder that holds ``<task>.json``, a manifest, or a network whose manifest lies beside
            it under the same name, its suffix replaced by ``.json`` or followed by it; None for the network
            that ships with kplate.
        task: One of :data:`TASKS`.

    Returns:
        The network's file and its manifest.

    Raises:
        WeightsError: A file is missing, the manifest is damaged or of another task, or the network's
            file is not the one that the manifest was written for.
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    source = _manifest_path(weights, task)
    manifest = _read(source)
    _refuse_other_task(source, manifest, task)
    network = source.with_name(manifest.file)
    found = fingerprint(network)
    if found != manifest.sha256:
        raise WeightsError(
            f"cannot use {printable(network)}: its SHA-256 checksum is {found[:12]}..., "
            f"but {source.name} says {manifest.sha256[:12]}...; the file is damaged or was replaced"
        )
    return network, manifest


def find(weights: StrPath | None, task: str) -> list[tuple[Path, Manifest]]:
    """List the networks of a task: in a folder there may be several, of other formats and precisions.

    Args:
        weights: As for :func:`load`.
        task: One of :data:`TASKS`.

    Returns:
        The path of each manifest, which :func:`load` takes, and the manifest. The networks' files are not
        looked at yet.

    Raises:
        WeightsError: There is none, or one is damaged or of another task.
    """
    main = _manifest_path(weights, task)
    sources = [main]
    if main.name == f"{task}.json" and (weights is None or Path(weights).is_dir()):
        sources = _manifests(main.parent, task) or sources
    found = [(path, _read(path)) for path in sources]
    for path, manifest in found:
        _refuse_other_task(path, manifest, task)
    return found


def holds(folder: Path, task: str) -> bool:
    """Tell whether a folder has a network of a task, in whichever format."""
    return bool(_manifests(folder, task))


def _manifests(folder: Path, task: str) -> list[Path]:
    """List a folder's manifests of a task: ``detector.json``, ``detector.int8.json``, ..."""
    return sorted(path for path in folder.glob(f"{task}.*json") if path.is_file())


def fingerprint(path: StrPath) -> str:
    """Return the SHA-256 checksum of a network as 64 hexadecimal digits.

    Networks of several files have one checksum of them all: a folder that of its files' relative paths and
    contents in the order of the paths, an ``.xml`` file that of itself and the ``.bin`` file beside it.

    Raises:
        WeightsError: A file cannot be read.
    """
    main = Path(path)
    _refuse_special(main)
    try:
        if main.is_dir():
            return _fingerprint_of_folder(main)
        parts = [main, main.with_suffix(".bin")] if main.suffix.lower() == ".xml" else [main]
        digest = hashlib.sha256()
        for part in parts:
            with part.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
        return digest.hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot load {printable(error.filename or path)}: {reason_of(error)}") from error


def _fingerprint_of_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(files):
        digest.update(f"{name}\0{files[name].stat().st_size}\0".encode())
        with files[name].open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def write_manifest(path: StrPath, manifest: Manifest) -> None:
    """Write a manifest, all or nothing, as indented JSON with a fixed order of keys.

    Args:
        path: The ``.json`` file, in the folder of the network's file.
        manifest: Its ``sha256`` is best made with :func:`fingerprint`.

    Raises:
        OutputError: The file cannot be written.
        WeightsError: A value is one that :func:`load` would refuse.
    """
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    _parse(json.loads(text), Path(path))
    write_atomic(path, text.encode())


def _manifest_path(weights: StrPath | None, task: str) -> Path:
    if weights is None:
        return Path(__file__).parent / f"{task}.json"
    if not os.fspath(weights):
        raise WeightsError(f"cannot load the {task}: the path is empty")
    path = Path(weights)
    own = path.with_name(f"{path.name}.json")
    if own.is_file():  # such as detector.int8.tflite.json, also beside a network that is a folder
        return own
    if path.is_dir():
        return path / f"{task}.json"
    if not path.exists():
        raise WeightsError(f"cannot load {printable(path)}: no such file or folder")
    return path if path.suffix.lower() == ".json" else path.with_suffix(".json")


def _refuse_other_task(source: Path, manifest: Manifest, task: str) -> None:
    if manifest.task != task:
        raise WeightsError(f"cannot use {printable(source)}: it is for a {manifest.task}, not for a {task}")


def _refuse_special(path: Path) -> None:
    """Refuse devices and pipes, which may never end.

    Raises:
        WeightsError: The path exists and is neither a file nor a folder.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise WeightsError(f"cannot load {printable(path)}: it is not an ordinary file")


def _read(source: Path) -> Manifest:
    name = printable(source)
    _refuse_special(source)
    try:
        values = json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"cannot load {name}: there is no such manifest") from None
    except OSError as error:
        raise WeightsError(f"cannot load {name}: {reason_of(error)}") from error
    except (ValueError, RecursionError) as error:  # bad UTF-8 is a ValueError as well
        raise WeightsError(f"cannot load {name}: it is not JSON ({error})") from error
    return _parse(values, source)


def _parse(values: object, source: Path) -> Manifest:
    """Check the values of a manifest and build it."""

    def refuse(reason: str) -> WeightsError:
        return WeightsError(f"cannot load {printable(source)}: {reason}")

    if not isinstance(values, dict):
        raise refuse("it must hold a JSON object")
    known = {item.name: item for item in fields(Manifest)}
    if unknown := sorted(set(values) - set(known)):
        raise refuse(f"unknown key {', '.join(map(repr, unknown))}")
    for key, item in known.items():
        if key not in values:
            if item.default is MISSING and item.default_factory is MISSING:
                raise refuse(f"the key {key!r} is missing")
        elif not _CHECKS[key][0](values[key]):
            raise refuse(f"{key!r} must be {_CHECKS[key][1]}")
    tuples = {key: tuple(values[key]) for key in ("input", "classes", "kinds") if key in values}
    return Manifest(**{**values, **tuples})


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_size(value: object) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)
    )


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


#: How each value of a manifest is checked, and what is said where it fails.
_CHECKS: Final[dict[str, tuple[Any, str]]] = {
    "name": (_is_text, "a text"),
    "task": (TASKS.__contains__, f"one of {', '.join(TASKS)}"),
    # A manifest must not point outside its folder.
    "file": (lambda value: _is_text(value) and not set(value) & set("/\\\0"), "a file name without folders"),
    "sha256": (lambda value: _is_text(value) and bool(_SHA256.fullmatch(value)), "64 hexadecimal digits"),
    "input": (_is_size, "two whole numbers, width and height in pixels"),
    "classes": (_is_names, "a list of different names"),
    "alphabet": (lambda value: isinstance(value, str) and len(set(value)) == len(value), "different symbols"),
    "kinds": (_is_names, "a list of different names"),
    "threshold": (lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 to 1"),
    "temperature": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "extra": (_is_object, "an object"),
    "training": (_is_object, "an object"),
    "accuracy": (_is_object, "an object"),
    "precision": (PRECISIONS.__contains__, f"one of {', '.join(PRECISIONS)}"),
    "format": (FORMATS.__contains__, f"one of {', '.join(FORMATS)}"),
    "layout": (LAYOUTS.__contains__, f"one of {', '.join(LAYOUTS)}"),
}
