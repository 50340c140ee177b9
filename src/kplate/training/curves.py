"""Training curves as CSV, written as they come, and as a picture."""

import contextlib
import csv
import importlib
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from kplate.images import write_image

_PANEL: Final = (420, 220)
_MARGIN: Final = 40


class Curves:
    """A CSV file of values by step, continued where one exists, and a PNG picture of it.

    Args:
        path: Path without suffix; ``.csv`` and ``.png`` are added.
        keep: Last step whose rows are kept of an existing file: what a killed run wrote after its last
            checkpoint is written anew. ``None`` keeps all.
    """

    def __init__(self, path: Path, keep: int | None = None) -> None:
        self._csv = path.with_suffix(".csv")
        self._png = path.with_suffix(".png")
        if keep is not None and self._csv.exists():
            self._cut(keep)

    def _cut(self, keep: int) -> None:
        """Drop the rows after a step, and a last one that was not written to its end."""
        with self._csv.open(newline="") as file:
            head, *rows = list(csv.reader(file)) or [[]]
        kept = [row for row in rows if len(row) == len(head) and row[0].isdigit() and int(row[0]) <= keep]
        if not kept:
            self._csv.unlink()
            return
        part = self._csv.with_suffix(".part")
        with part.open("w", newline="") as file:
            csv.writer(file).writerows([head, *kept])
        part.replace(self._csv)

    def add(self, step: int, minutes: float, values: dict[str, float]) -> None:
        """Append one row."""
        new = not self._csv.exists()
        with self._csv.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "minutes", *values])
            writer.writerow([step, f"{minutes:.2f}", *(f"{value:.5g}" for value in values.values())])

    def draw(self) -> None:
        """Draw one panel for each column."""
        if not self._csv.exists():
            return
        with self._csv.open(newline="") as file:
            rows = list(csv.reader(file))
        names, table = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
        if len(table) < 2:
            return
        data = np.array(table, np.float64)
        panels = [_panel(name, data[:, 1], data[:, i]) for i, name in enumerate(names) if i >= 2]
        while len(panels) % 2:
            panels.append(np.full_like(panels[0], 255))
        pairs = [np.hstack(panels[i : i + 2]) for i in range(0, len(panels), 2)]
        write_image(self._png, np.vstack(pairs).astype(np.uint8))


class TensorBoard:
    """Curves for TensorBoard, where its package is installed (extra ``tensorboard``); else nothing.

    Args:
        folder: Where the event files go.
    """

    def __init__(self, folder: Path) -> None:
        self._writer: Any = None
        with contextlib.suppress(ImportError):
            module: Any = importlib.import_module("torch.utils.tensorboard")
            self._writer = module.SummaryWriter(str(folder))

    def add(self, step: int, values: dict[str, float]) -> None:
        """Add one step's values."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()


def _panel(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draw one curve with its extremes written at the axis."""
    width, height = _PANEL
    panel = np.full((height, width, 3), 255, np.uint8)
    low, high = float(np.percentile(y, 0.5)), float(np.percentile(y, 99.5))
    span = max(high - low, 1e-9)
    px = _MARGIN + (x - x[0]) / max(x[-1] - x[0], 1e-9) * (width - _MARGIN - 10)
    py = height - 25 - (np.clip(y, low, high) - low) / span * (height - 60)
    points = np.stack((px, py), 1).astype(np.int32)
    cv2.polylines(panel, [points], False, (180, 90, 20), 1, cv2.LINE_AA)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(panel, f"{name}: {y[-1]:.4g}", (_MARGIN, 20), font, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    for value, row in ((high, 38), (low, height - 25)):
        cv2.putText(panel, f"{value:.3g}", (2, row), font, 0.35, (90, 90, 90), 1, cv2.LINE_AA)
    cv2.putText(panel, f"{x[-1]:.0f} min", (width - 60, height - 8), font, 0.35, (90, 90, 90), 1, cv2.LINE_AA)
    return panel
