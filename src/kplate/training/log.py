"""Training curves: a CSV row every so often, and a picture of the columns."""

import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PANEL = (360, 200)  # width and height of one curve in px
COLOUR = (180, 90, 20)


class TrainingLog:
    """Gathers losses, writes their means to `log.csv`, and draws them as `log.png`.

    Args:
        folder: Where both files go.
        resume: Append to an existing log.
    """

    def __init__(self, folder: Path, *, resume: bool = False) -> None:
        self.csv, self.png = folder / "log.csv", folder / "log.png"
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0
        self._minutes = 0.0
        if not resume:
            self.csv.unlink(missing_ok=True)

    def add(self, parts: dict[str, float]) -> None:
        """Adds one step's losses."""
        for key, value in parts.items():
            self._sums[key] += value
        self._count += 1

    def write(self, step: int, minutes: float, rate: float, batch: int) -> dict[str, float]:
        """Writes the means since the last row, and gives them; nothing when there were no steps."""
        if not self._count:
            return {}
        means = {key: value / self._count for key, value in self._sums.items()}
        seconds = (minutes - self._minutes) * 60
        speed = self._count * batch / seconds if seconds > 0 else 0.0
        row = {"step": step, "minutes": minutes, "rate": rate, "images_per_s": speed, **means}
        new = not self.csv.exists()
        with self.csv.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow({key: f"{value:.6g}" for key, value in row.items()})
        self._sums.clear()
        self._count, self._minutes = 0, minutes
        return row

    def draw(self) -> None:
        """Draws every column of the log against the step."""
        if not self.csv.exists():
            return
        with self.csv.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = [name for name in rows[0] if name not in {"step", "minutes"}]
        steps = np.asarray([float(row["step"]) for row in rows])
        panels = [_panel(name, steps, np.asarray([float(row[name]) for row in rows])) for name in columns]
        cv2.imwrite(str(self.png), np.vstack(panels))


def _panel(name: str, steps: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.uint8]:
    width, height = PANEL
    panel = np.full((height, width, 3), 255, np.uint8)
    low, high = float(values.min()), float(np.percentile(values, 98))
    span = max(high - low, 1e-12)
    x = 10 + (steps - steps[0]) / max(float(steps[-1] - steps[0]), 1.0) * (width - 20)
    y = height - 12 - np.clip((values - low) / span, 0, 1.05) * (height - 50)
    points = np.round(np.column_stack((x, y))).astype(np.int32)
    cv2.polylines(panel, [points], False, COLOUR, 1, cv2.LINE_AA)
    label = f"{name}: {values[-1]:.4g}  ({low:.4g} .. {high:.4g})"
    cv2.putText(panel, label, (10, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return panel
