"""How the rows of the ablation are measured, and the table of them."""

import json
import logging
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kplate.ctc import beam_search, greedy, softmax
from kplate.engines import open_engine
from kplate.errors import DataError
from kplate.files import write_atomic
from kplate.images import Image
from kplate.nets.readers import ReaderNet
from kplate.plates.automaton import plate_automaton
from kplate.plates.script import KOREAN
from kplate.reader_views import fit_to_input
from kplate.synth.crops import PlateCrop
from kplate.training.geometry import corner_error, draw
from kplate.training.plates_data import listed, load_plates
from kplate.training.plates_data_crops import Crops

_BATCH: Final = 64
_SEED: Final = 9_041
_TILTED: Final = 45
_TIMED: Final = 200
#: Of the times of a plate the one that this share of them stays below: other work on the machine only adds.
_UNDISTURBED: Final = 0.1
#: What is measured, in the order of the table's columns.
SETS: Final = ("frontal", "45° yaw", "as they come", "two lines", "real")


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table.

    Attributes:
        name: Of the row.
        key: Of its file.
        exact: Share of the plates read exactly under the grammar, by set.
        free: The same without the grammar.
        counts: Plates, by set.
        corners: Mean corner error on plates as they come, as a share of the plate's width.
        parameters: Trained numbers.
        milliseconds: ONNX Runtime, one thread, one plate, the network alone.
        minutes: Time of one processor that training took.
        facts: How it was trained.
    """

    name: str
    key: str
    exact: dict[str, float]
    free: dict[str, float]
    counts: dict[str, int]
    corners: float
    parameters: int
    milliseconds: float
    minutes: float
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read what :meth:`to_dict` gave.

        Raises:
            DataError: The file is none of these.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}: no row of an ablation: {error}") from error

    def line(self) -> str:
        """Return the figures in one line."""
        shares = ", ".join(f"{name} {share:.1%}" for name, share in self.exact.items())
        return f"{shares}; {self.milliseconds:.2f} ms, {self.minutes:.1f} minutes"


@dataclass(frozen=True, slots=True)
class _Test:
    images: list[Image]
    texts: list[str]
    crops: list[PlateCrop]


class Judge:
    """Draws the tests once and measures networks on them."""

    def __init__(self, count: int, real: Path | None) -> None:
        """Draw the tests.

        Args:
            count: Rendered plates in each.
            real: Labelled real crops, if there are any.

        Raises:
            DataError: The real crops cannot be used.
        """
        half = [list(draw(count // 2, _SEED, angles=(yaw, 0), near=True)) for yaw in (-_TILTED, _TILTED)]
        natural = list(draw(count, _SEED + 1))
        self._tests = {
            "frontal": _test(list(draw(count, _SEED, angles=(0, 0)))),
            "45° yaw": _test(half[0] + half[1]),
            "as they come": _test(natural),
            "two lines": _test([crop for crop in natural if _two_lines(crop)]),
        }
        if real:
            self._tests["real"] = _real(real)

    def judge(self, network: ReaderNet, name: str, key: str, minutes: float, facts: dict[str, Any]) -> Result:
        """Measure a network."""
        exact, free, corners = {}, {}, 0.0
        for test_name, test in self._tests.items():
            logits, found = _outputs(network, test.images)
            exact[test_name] = _share(logits, test.texts, grammar=True)
            free[test_name] = _share(logits, test.texts, grammar=False)
            if test_name == "as they come":
                corners = _mean_corner_error(found, test.crops)
        return Result(
            name, key, exact, free, {test: len(rows.texts) for test, rows in self._tests.items()}, corners,
            sum(parameter.numel() for parameter in network.parameters()), milliseconds(network),
            minutes, facts,
        )  # fmt: skip


def _test(crops: list[PlateCrop]) -> _Test:
    return _Test([crop.image for crop in crops], [crop.text for crop in crops], crops)


def _two_lines(crop: PlateCrop) -> bool:
    """Tell whether a plate's text stands on two lines: its first symbol is above its last."""
    return bool(crop.char_boxes[0, 3] <= crop.char_boxes[-1, 1] + 0.1)


def _real(folder: Path) -> _Test:
    plates, problems = load_plates([folder], KOREAN)
    crops = Crops(plates)
    problems += crops.load()
    if problems:
        raise DataError(f"{len(problems)} labels cannot be used:\n{listed(problems)}")
    return _Test([crops.image(i) for i in range(len(crops))], [plate.text for plate in crops.plates], [])


def _outputs(network: ReaderNet, images: Sequence[Image]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return logits (N, 18, 81) and corners (N, 8) of a first look."""
    logits, corners = [], []
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            part = [
                fit_to_input(image, network.config.input_size) for image in images[start : start + _BATCH]
            ]
            output = network(torch.from_numpy(np.stack(part)).float() / 255)
            logits.append(output.logits.float().numpy())
            corners.append(output.corners.float().numpy())
    return np.concatenate(logits), np.concatenate(corners)


def _share(logits: NDArray[np.float32], texts: Sequence[str], *, grammar: bool) -> float:
    automaton = plate_automaton() if grammar else None
    right = 0
    for steps, text in zip(softmax(logits), texts, strict=True):
        paths = beam_search(steps, automaton)
        right += (paths[0].text if paths else greedy(steps).text) == text
    return right / max(1, len(texts))


def _mean_corner_error(found: NDArray[np.float32], crops: Sequence[PlateCrop]) -> float:
    errors = []
    for shares, crop in zip(found, crops, strict=True):
        height, width = crop.image.shape[:2]
        errors.append(corner_error((shares.reshape(4, 2) * (width, height)).tolist(), crop))
    return float(np.mean(errors))


class _Exported(nn.Module):
    def __init__(self, network: ReaderNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.network(image)
        return output.logits, output.corners * 1


def _export(network: ReaderNet, path: Path, shape: tuple[int, int, int, int]) -> None:
    """Write a network as ONNX for its time alone; networks to be used go through :mod:`kplate.export`."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Exported(network).eval(), (torch.rand(shape),), str(path),
            input_names=["image"], output_names=["logits", "corners"], dynamo=True, verbose=False,
        )  # fmt: skip


def milliseconds(network: ReaderNet) -> float:
    """Return the time of one plate in ONNX Runtime on one thread."""
    width, height = network.config.input_size
    shape = (1, 3, height, width)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        _export(network, path, shape)
        engine = open_engine(path, threads=1)
        batch = np.random.default_rng(1).random(shape, np.float32)
        times = []
        for _ in range(_TIMED):
            started = time.perf_counter()
            engine.run(batch)
            times.append(time.perf_counter() - started)
    return float(np.quantile(times, _UNDISTURBED)) * 1e3


def written(results: Sequence[Result], folder: Path) -> str:
    """Write the table as Markdown and JSON, and return it as text."""
    names = [name for name in SETS if any(name in result.exact for result in results)]
    heads = ["row", "--rows", *names, "corners", "parameters", "ms"]
    rows = []
    for result in results:
        key = "" if result.key.startswith("also") else result.key
        rows.append([result.name, key, *_cells(result.exact, names), *_rest(result)])
        if result.key == "all":
            name = f"{result.name}, decoded without the grammar"
            rows.append([name, key, *_cells(result.free, names), "", "", ""])
    markdown = [_bar(heads), _bar(["---"] * len(heads)), *(_bar(row) for row in rows)]
    write_atomic(folder / "ablation.md", ("\n".join(markdown) + "\n").encode())
    everything = json.dumps([result.to_dict() for result in results], ensure_ascii=False, indent=2)
    write_atomic(folder / "ablation.json", f"{everything}\n".encode())
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [heads, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cells(shares: dict[str, float], names: Sequence[str]) -> list[str]:
    return [f"{shares[name]:.1%}" if name in shares else "" for name in names]


def _rest(result: Result) -> list[str]:
    return [f"{result.corners:.2%}", f"{result.parameters / 1e6:.2f} M", f"{result.milliseconds:.2f}"]


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
