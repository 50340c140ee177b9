"""Measures a detector on labelled folders, with the code that users run.

`python -m kplate.training.evaluate_detector FOLDER [--split valid] [--weights DIR] [--size 416]` prints,
per class, AP50, and recall and precision at the network's own thresholds, and recall by width of the
object.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kplate.boxes import iou_matrix
from kplate.detector import Detector
from kplate.images import read_image
from kplate.training.data import CLASSES, Record, load_folder
from kplate.training.metrics import Found, Score, score_class

#: Boxes below this score do not change AP50 in the second decimal.
LEAST_SCORE = 0.01
#: Widths of objects in px of the network's input, for recall by size.
WIDTHS = (0, 8, 12, 20, 32, 64, 10_000)
#: IoU from which a box is right.
OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured on one folder.

    Attributes:
        classes: Scores of each labelled class.
        widths: For each class, recall at the threshold and number of objects by width.
        pictures: Number of pictures.
    """

    classes: dict[str, Score]
    widths: dict[str, list[tuple[str, float, int]]]
    pictures: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {
            label: {
                "ap50": round(score.ap, 4),
                "recall": round(score.recall, 4),
                "precision": round(score.precision, 4),
                "objects": score.truths,
            }
            for label, score in self.classes.items()
        }


def _of(rows: np.ndarray[Any, np.dtype[np.float32]], label: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return rows[rows[:, 0] == label, 1:]


def evaluate(
    records: Sequence[Record],
    weights: Path | None = None,
    *,
    size: int | None = None,
    threads: int | None = None,
    labels: Sequence[str] | None = None,
) -> Report:
    """Runs a detector over labelled pictures.

    Args:
        records: The pictures.
        weights: A network; None = the shipped one.
        size: Input size; None = the network's own.
        threads: CPU threads.
        labels: Classes to report; None = those that are labelled at all.
    """
    eager = Detector(weights, threads=threads, size=size, min_score=LEAST_SCORE)
    own = Detector(weights, threads=threads, size=size)
    side = eager.size if isinstance(eager.size, int) else max(eager.size)
    found: dict[str, list[Found]] = {label: [] for label in CLASSES}
    hits: dict[str, list[tuple[float, bool]]] = {label: [] for label in CLASSES}
    for record in records:
        detections = eager(read_image(record.path))
        scale = side / max(record.width, record.height)
        for n, label in enumerate(CLASSES):
            mine = [d for d in detections if d.label == label]
            boxes = np.asarray([d.box for d in mine], np.float32).reshape(-1, 4)
            sure = np.asarray([d.score for d in mine], np.float32)
            truth = _of(record.objects, n)
            found[label].append(Found(boxes, sure, truth, _of(record.ignored, n)))
            if len(truth):
                best = iou_matrix(truth, boxes[sure >= own.threshold(label)]).max(axis=1, initial=0.0)
                widths = (truth[:, 2] - truth[:, 0]) * scale
                hits[label] += [(float(w), bool(b >= OVERLAP)) for w, b in zip(widths, best, strict=True)]
    wanted = labels or [label for label in CLASSES if any(len(f.truth) for f in found[label])]
    scores = {
        label: score_class(found[label], overlap=OVERLAP, threshold=own.threshold(label)) for label in wanted
    }
    return Report(scores, {label: _by_width(hits[label]) for label in wanted}, len(records))


def _by_width(hits: Sequence[tuple[float, bool]]) -> list[tuple[str, float, int]]:
    rows = []
    for low, high in pairwise(WIDTHS):
        inside = [hit for width, hit in hits if low <= width < high]
        name = f"{low}-{high}" if high < WIDTHS[-1] else f"{low}+"
        rows.append((name, float(np.mean(inside)) if inside else 0.0, len(inside)))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure a detector on a labelled folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", help="only lines of labels.jsonl with this split")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--size", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", action="append", choices=CLASSES, help="report only this class")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    records = load_folder(options.folder, split=options.split)
    report = evaluate(
        records, options.weights, size=options.size, threads=options.threads, labels=options.only
    )
    if options.json:
        print(json.dumps(report.to_dict()))
        return
    print(f"{options.folder}: {report.pictures} pictures")
    for label, score in report.classes.items():
        print(
            f"  {label}: AP50 {score.ap:.3f}, recall {score.recall:.3f}, precision {score.precision:.3f}, "
            f"{score.truths} objects"
        )
        print("    recall by width in px of the input:", end="")
        print(*(f" {name}: {recall:.2f} ({count})" for name, recall, count in report.widths[label]), sep=",")


if __name__ == "__main__":
    main()
