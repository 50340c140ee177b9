"""Measures on rendered plates how well a reader finds corners, and what a slanted view costs it.

Every view shows the same plates, so that the difference to the frontal view is the view's doing. Views by an
angle come twice: from as far as the frontal view, where the plate has fewer pixels across, and from so near
that it has as many. The corner error is the mean distance of the four corners from the true ones, as a share
of the plate's width in the crop. Plates are read as users read them, second looks included.

Example:
    python -m kplate.training.geometry src/kplate/weights --count 500
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from kplate.files import write_atomic
from kplate.plates.grammar import is_valid
from kplate.plates.kinds import UNREAD_KINDS, Kind
from kplate.reader import Reader
from kplate.synth.crops import PlateCrop, sample_crop
from kplate.synth.texts import sample_kind, sample_text

#: Angles that plates are turned by, in degrees.
_ANGLES: Final = (-45, -30, -15, 15, 30, 45)
_BATCH: Final = 32
_WIDTH: Final = 100  # columns of the tables


@dataclass(frozen=True, slots=True)
class Figures:
    """How well plates of one group are read.

    Attributes:
        name: Of the group.
        count: Plates.
        exact: Share read exactly, trusted or not.
        trusted: Share with a trusted reading.
        wrong: Share of the trusted readings that are wrong.
        corners: Mean corner error, as a share of the plate's width.
        corners_median: Its median over the plates.
        corners_95: What 95 % of the plates stay below.
    """

    name: str
    count: int
    exact: float
    trusted: float
    wrong: float
    corners: float
    corners_median: float
    corners_95: float


def corner_error(found: Sequence[Sequence[float]], crop: PlateCrop) -> float:
    """Return the mean distance of four corners from a crop's true ones, as a share of the plate's width."""
    true = crop.corners.astype(np.float64)
    width = (np.hypot(*(true[1] - true[0])) + np.hypot(*(true[2] - true[3]))) / 2
    return float(np.hypot(*(np.asarray(found, np.float64) - true).T).mean() / width)


def measure(reader: Reader, name: str, crops: Iterator[PlateCrop]) -> Figures:
    """Read crops and hold text and corners against the true ones."""
    exact, trusted, wrong, errors = 0, 0, 0, []
    for batch in _batches(crops):
        for crop, reading in zip(batch, reader.read_batch([crop.image for crop in batch]), strict=True):
            exact += reading.candidate == crop.text
            trusted += reading.text is not None
            wrong += reading.text is not None and reading.text != crop.text
            errors.append(corner_error(reading.corners, crop))
    count = len(errors)
    return Figures(
        name, count, exact / count, trusted / count, wrong / max(1, trusted),
        float(np.mean(errors)), float(np.median(errors)), float(np.quantile(errors, 0.95)),
    )  # fmt: skip


def _batches(crops: Iterator[PlateCrop]) -> Iterator[list[PlateCrop]]:
    batch: list[PlateCrop] = []
    for crop in crops:
        batch.append(crop)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def draw(
    count: int,
    seed: int,
    *,
    kind: Kind | None = None,
    angles: tuple[float, float] | None = None,
    near: bool = False,
    difficulty: float = 1.0,
) -> Iterator[PlateCrop]:
    """Draw readable plates: the same ones for the same seed, whatever the angles are.

    Args:
        count: How many.
        seed: Seed.
        kind: Kind of all; drawn by frequency unless given.
        angles: Yaw and pitch in degrees; drawn by frequency unless given.
        near: Go so near that turned plates are as wide (or as high) as frontal ones.
        difficulty: 0 is near, straight and clear; 1 is everything that streets show.
    """
    turned = None if angles is None else (float(np.radians(angles[0])), float(np.radians(angles[1])))
    zoom = 1.0 if turned is None or not near else 1 / min(np.cos(turned[0]), np.cos(turned[1]))
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        while True:
            chosen = kind or sample_kind(rng)
            text = sample_text(rng, chosen)
            if chosen not in UNREAD_KINDS and is_valid(text):
                break
        yield sample_crop(rng, kind=chosen, text=text, angles=turned, zoom=zoom, difficulty=difficulty)


def readable_kinds() -> list[Kind]:
    """Return the kinds whose texts a reader can give."""
    rng = np.random.default_rng(0)
    return [
        kind
        for kind in Kind
        if kind not in UNREAD_KINDS and any(is_valid(sample_text(rng, kind)) for _ in range(20))
    ]


def views(reader: Reader, count: int, seed: int, difficulty: float) -> list[Figures]:
    """Measure frontal plates, the same turned by each angle, far and near, and plates as they come."""
    angles = [*((angle, 0) for angle in _ANGLES), *((0, angle) for angle in _ANGLES)]
    figures = [measure(reader, "frontal", draw(count, seed, angles=(0, 0), difficulty=difficulty))]
    for near in (False, True):
        for pair in angles:
            crops = draw(count, seed, angles=pair, near=near, difficulty=difficulty)
            figures.append(measure(reader, _view_name(*pair, near), crops))
    return [*figures, measure(reader, "as they come", draw(count, seed, difficulty=difficulty))]


def _view_name(yaw: int, pitch: int, near: bool) -> str:
    return (f"yaw {yaw:+d}°" if yaw else f"pitch {pitch:+d}°") + (", near" if near else "")


def kinds(reader: Reader, count: int, seed: int, difficulty: float) -> list[Figures]:
    """Measure plates of each kind, seen as they come."""
    return [
        measure(reader, kind.value, draw(count, seed, kind=kind, difficulty=difficulty))
        for kind in readable_kinds()
    ]


def cells_of(title: str, rows: Sequence[Figures], *, compared: bool = False) -> list[list[str]]:
    """Return the cells of a table with its head, in the end the difference to the first row's readings."""
    heads = [title, "plates", "exact", "trusted", "of them wrong", "corners", "median", "95 %"]
    result = [[*heads, *(["to frontal"] if compared else [])]]
    for row in rows:
        cells = [
            row.name,
            str(row.count), f"{row.exact:.1%}", f"{row.trusted:.1%}", f"{row.wrong:.2%}",
            f"{row.corners:.2%}", f"{row.corners_median:.2%}", f"{row.corners_95:.2%}",
        ]  # fmt: skip
        if compared:
            cells.append(f"{100 * (row.exact - rows[0].exact):+.1f}")
        result.append(cells)
    return result


def as_table(cells: Sequence[Sequence[str]]) -> Table:
    """Lay cells out for a terminal."""
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, head in enumerate(cells[0]):
        result.add_column(head, no_wrap=True, justify="right" if index else "left")
    for row in cells[1:]:
        result.add_row(*row)
    return result


def as_markdown(cells: Sequence[Sequence[str]]) -> str:
    """Lay cells out as a Markdown table."""
    head, *rows = (f"| {' | '.join(row)} |" for row in cells)
    return "\n".join([head, "|---" * len(cells[0]) + "|", *rows]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(prog="python -m kplate.training.geometry", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="?", help="folder of a reader (default: the shipped one)")
    parser.add_argument("--count", type=int, default=500, help="plates in each view (default 500)")
    parser.add_argument("--kind-count", type=int, default=200, help="plates of each kind (default 200)")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument(
        "--difficulty", type=float, default=1.0, help="0 is clear, 1 is everything that streets show"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON as well")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    reader = Reader(options.weights, threads=1)
    seen = views(reader, options.count, options.seed, options.difficulty) if options.count else []
    by_kind = (
        kinds(reader, options.kind_count, options.seed, options.difficulty) if options.kind_count else []
    )
    console = Console(width=_WIDTH, highlight=False)
    tables = [cells_of("view", seen, compared=True)] if seen else []
    tables += [cells_of("kind", by_kind)] if by_kind else []
    for cells in tables:
        console.print(as_table(cells), "")
    if options.markdown:
        write_atomic(options.markdown, "\n".join(map(as_markdown, tables)).encode())
    if options.json:
        figures: dict[str, Any] = {
            "network": reader.manifest.name,
            "sha256": reader.manifest.sha256,
            "seed": options.seed,
            "difficulty": options.difficulty,
            "views": [asdict(row) for row in seen],
            "kinds": [asdict(row) for row in by_kind],
        }
        write_atomic(options.json, (json.dumps(figures, ensure_ascii=False, indent=2) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
