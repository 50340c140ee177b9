"""One export from beginning to end: open, convert, describe, compare with the source, then hand over."""

import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kplate import __version__
from kplate.errors import KplateError, OutputError, WeightsError
from kplate.export.libraries import require
from kplate.export.pictures import calibration
from kplate.export.sources import Source, Told, open_sources, output_names
from kplate.export.verification import Report, verify
from kplate.files import printable, reason_of
from kplate.reader_network import STRAIGHTENED
from kplate.weights import FORMATS, PRECISIONS, Manifest, fingerprint, load, write_manifest

Array = NDArray[np.float32]

SUFFIXES: Final = {"onnx": ".onnx", "tflite": ".tflite", "openvino": ".xml", "saved_model": ".saved_model"}
#: What each format needs besides ONNX Runtime, which runs the source: modules, and kplate's extra for them.
NEEDS: Final = {
    "onnx": (("onnx",), "export"),
    "tflite": (("onnx", "torch", "litert_torch", "ai_edge_quantizer", "ai_edge_litert"), "export-tflite"),
    "openvino": (("onnx", "openvino"), "export-openvino"),
    "saved_model": (("onnx", "tensorflow"), "export-saved-model"),
}
_TITLES: Final = {
    "onnx": "ONNX", "tflite": "TFLite", "openvino": "OpenVINO", "saved_model": "SavedModel",
}  # fmt: skip
#: Libraries whose versions a manifest names, where they took part.
_LIBRARIES: Final = {
    "onnx": ("onnx", "onnxruntime"),
    "tflite": ("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
    "openvino": ("onnx", "onnxruntime", "openvino"),
    "saved_model": ("onnx", "tensorflow"),
}
_PIXELS: Final = "float32, RGB, pixel / 255"
_NORMALISED: Final = "float32, RGB, each plate to zero mean and unit variance"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be exported, and how.

    Attributes:
        what: As for :func:`kplate.export.sources.open_sources`.
        out: Folder for the files.
        source: See :func:`kplate.export.sources.open_sources`.
        format: One of :data:`kplate.weights.FORMATS`.
        precision: One of :data:`kplate.weights.PRECISIONS`.
        size: Width and height of a detector's input in px; None = the source's.
        calibration: Folder of pictures for int8; None = rendered ones.
        told: What else the user says about the source.
    """

    what: str
    out: Path
    source: Path | None = None
    format: str = "onnx"
    precision: str = "float32"
    size: tuple[int, int] | None = None
    calibration: Path | None = None
    told: Told = field(default_factory=Told)


@dataclass(frozen=True, slots=True)
class Exported:
    """One network that an export wrote.

    Attributes:
        manifest_path: The manifest; the network lies beside it.
        manifest: Its content.
        report: How the network compares with its source.
        size: Of the network, in bytes.
        reference: Manifest of the source as a float32 ONNX network, in the folder given for that.
    """

    manifest_path: Path
    manifest: Manifest
    report: Report
    size: int
    reference: Path

    @property
    def network_path(self) -> Path:
        """The network's file or folder."""
        return self.manifest_path.with_name(self.manifest.file)


def export(order: Order, beside: Path, step: Callable[[str], None] = lambda _: None) -> dict[str, Exported]:
    """Export a network; files that do not give their source's answers are not handed over.

    Args:
        order: What is wanted.
        beside: An empty folder for the source as it is compared with.
        step: Is told what is done next.

    Returns:
        What was written, by task: a detector comes with its refiner, a reader with its locator.

    Raises:
        KplateError: A library is not installed, the source cannot be used, or the conversion fails.
        WeightsError: A written network differs too much from its source.
        OutputError: The folder cannot be written to.
    """
    check(order)
    order.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".kplate-", dir=order.out) as temporary:
        draft = Path(temporary)
        step("opening")
        sources = open_sources(order.what, order.source, order.told, beside)
        references = {
            task: _write_source(source, _size(order, source), beside) for task, source in sources.items()
        }
        step("converting")
        drafts = {task: _write(order, source, references[task], draft) for task, source in sources.items()}
        step("comparing")
        # All are there now: a detector is compared together with its refiner, a reader with its locator.
        done = {task: _compared(order, task, references[task], drafts[task]) for task in sources}
        _move(draft, order.out)
    return done


def _compared(order: Order, task: str, reference: Path, described: Path) -> Exported:
    """Compare a written network with its source, and say so in its manifest.

    Raises:
        WeightsError: It differs too much.
    """
    report = verify(task, reference, described, order.precision)
    if report.faults:
        raise WeightsError(
            f"the {_TITLES[order.format]} {order.precision} {task} does not give its source's "
            f"answers, and is not written: {'; '.join(report.faults)}"
        )
    network, manifest = load(described, task)
    extra = manifest.extra | {"export": manifest.extra["export"] | {"compared": report.to_dict()}}
    manifest = replace(manifest, extra=extra)
    write_manifest(described, manifest)
    size = sum(path.stat().st_size for path in _files(network))
    return Exported(order.out / described.name, manifest, report, size, reference)


def check(order: Order) -> None:
    """Refuse what cannot be done, before any work.

    Raises:
        KplateError: It cannot, or a library is not installed.
    """
    assert order.format in FORMATS
    assert order.precision in PRECISIONS
    if order.size is not None and order.what != "detector":
        raise KplateError(
            f"the {order.what}'s size is the one that it was trained with: --size is for the detector"
        )
    modules, extra = NEEDS[order.format]
    require("onnxruntime", *modules, purpose=f"Exporting to {_TITLES[order.format]}", extra=extra)


def manifest_name(manifest: Manifest) -> str:
    """Name a network's manifest: `detector.json` for the main format, else the file's name with `.json`."""
    main = (manifest.format, manifest.precision) == ("onnx", "float32")
    return f"{manifest.task}.json" if main else f"{manifest.file}.json"


def file_name(task: str, form: str, precision: str) -> str:
    """Name a network's file or folder."""
    main = (form, precision) == ("onnx", "float32")
    return f"{task}{'' if main else f'.{precision}'}{SUFFIXES[form]}"


def _size(order: Order, source: Source) -> tuple[int, int]:
    if order.size is None or source.manifest.task != "detector":
        return source.manifest.input
    multiple = _multiple(source.manifest)
    if any(side % multiple for side in order.size):
        raise KplateError(f"both sides of --size must be multiples of {multiple}")
    return order.size


def _multiple(manifest: Manifest) -> int:
    heads = manifest.extra.get("heads", [])
    return int(manifest.extra.get("multiple", max((head["stride"] for head in heads), default=1)))


def _write(order: Order, source: Source, reference: Path, folder: Path) -> Path:
    """Write a network and its manifest, and return the manifest."""
    _, known = load(reference, source.manifest.task)
    path = folder / file_name(known.task, order.format, order.precision)
    batches: Sequence[Array] = ()
    if order.precision == "int8":
        batches = calibration(known.task, reference, order.calibration)
    _write_network(order, source, known.input, path, batches)
    manifest = _manifest(order, source, known, path)
    write_manifest(folder / manifest_name(manifest), manifest)
    return folder / manifest_name(manifest)


def _write_network(
    order: Order, source: Source, size: tuple[int, int], path: Path, batches: Sequence[Array]
) -> None:
    """Write a network's file or folder."""
    if order.format == "tflite":
        from kplate.export.tflite import convert, finish

        converted = convert(source.build(), size)
        names = output_names(source.model)
        path.write_bytes(finish(converted, names, order.precision, batches, source.manifest.task))
        return
    model = source.model
    if order.precision == "int8":
        from kplate.export.onnx_precision import with_int8

        model = with_int8(model, batches, source.manifest.task)
    half = order.precision == "float16"
    if order.format == "openvino":
        from kplate.export.openvino import to_openvino

        to_openvino(model, path, half=half)
        return
    if half:
        from kplate.export.onnx_precision import with_float16_weights

        model = with_float16_weights(model)
    if order.format == "saved_model":
        from kplate.export.saved_model import to_saved_model

        to_saved_model(model, path)
    else:
        path.write_bytes(model)


def _manifest(order: Order, source: Source, known: Manifest, network: Path) -> Manifest:
    how: dict[str, Any] = {
        "source": source.checksums,
        "normalisation": _NORMALISED if known.extra.get(STRAIGHTENED) else _PIXELS,
        "versions": {"kplate": __version__, "python": platform.python_version()}
        | {name: _version(name) for name in _LIBRARIES[order.format]},
    }
    if order.precision == "int8":
        how["calibrated_on"] = "rendered pictures" if order.calibration is None else order.calibration.name
    told, other = order.told, known.task != "reader"
    # What was measured with other numbers does not hold for these.
    accuracy = known.accuracy if order.precision == "float32" else {}
    return replace(
        known,
        name=told.name or known.name,
        file=network.name,
        sha256=fingerprint(network),
        threshold=known.threshold if told.threshold is None or other else told.threshold,
        temperature=known.temperature if told.temperature is None or other else told.temperature,
        extra=known.extra | {"export": how},
        accuracy=accuracy,
        precision=order.precision,
        format=order.format,
        layout="NHWC" if order.format == "tflite" else "NCHW",
    )


def _write_source(source: Source, size: tuple[int, int], folder: Path) -> Path:
    """Write the source as it is compared with, and return its manifest."""
    task = source.manifest.task
    network = folder / f"{task}.onnx"
    network.write_bytes(source.model)
    path = folder / f"{task}.json"
    write_manifest(path, replace(source.manifest, file=network.name, sha256=fingerprint(network), input=size))
    return path


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


def _files(network: Path) -> list[Path]:
    if network.is_dir():
        return [path for path in network.rglob("*") if path.is_file()]
    weights = network.with_suffix(".bin")
    return [network, weights] if network.suffix == SUFFIXES["openvino"] and weights.exists() else [network]


def _move(draft: Path, out: Path) -> None:
    """Put finished files in their place; the manifest, without which they are not used, comes last."""
    try:
        for path in sorted(draft.iterdir(), key=lambda path: path.suffix == ".json"):
            target = out / path.name
            if target.is_dir():
                shutil.rmtree(target)
            path.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write to {printable(out)}: {reason_of(error)}") from error
