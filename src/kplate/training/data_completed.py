"""Completes the labels of photographs with a trained detector's own findings.

`python -m kplate.training.data_completed --data DIR --weights DIR --out DIR` writes folders of labels (the
pictures stay where they are). What the detector is sure of and nobody labelled becomes a label where the
folder does not label that class, and is ignored elsewhere; what it half believes is ignored.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kplate.boxes import iou_matrix
from kplate.classes import CLASSES
from kplate.detector import Detection, Detector
from kplate.images import read_image
from kplate.training.data import CAR, PLATE, SOURCES, Array, Record, load_source

#: Scores from which a finding is a label, and from which it is ignored.
SURE = {CAR: 0.65, PLATE: 0.7}
DOUBTFUL = 0.3
SAME = 0.4  # IoU from which a finding is an object that is labelled
SIZE = 640
#: A plate lies in the lower part of a vehicle and is much narrower; signs on buses are not, and do not.
PLATE_TOP, PLATE_WIDTH = 0.45, 0.4


def complete(record: Record, found: Sequence[Detection]) -> dict[str, Any]:
    """The line of `labels.jsonl` for one photograph.

    Args:
        record: Its labels.
        found: What a detector found, down to :data:`DOUBTFUL`.
    """
    objects = [{"class": CLASSES[int(row[0])], "box": row[1:].tolist()} for row in record.objects]
    ignored = [{"class": CLASSES[int(row[0])], "box": row[1:].tolist()} for row in record.ignored]
    negatives = list(record.negatives)
    for label in (CAR, PLATE):
        known = np.concatenate((record.objects, record.ignored))
        known = known[known[:, 0] == label, 1:]
        partly = 0 < record.negatives[label] < 1 or (label == PLATE and record.negatives[label] == 0)
        for detection in found:
            if detection.label != CLASSES[label] or _known(detection, known):
                continue
            sure = detection.score >= SURE[label] and (label == CAR or _on_vehicle(detection, record.objects))
            entry = {"class": CLASSES[label], "box": [round(value, 1) for value in detection.box]}
            (objects if partly and sure else ignored).append(entry)
        if partly:
            negatives[label] = 1.0
    return {
        "file": str(record.path.resolve()),
        "width": record.width,
        "height": record.height,
        "objects": objects,
        "ignored": ignored,
        "negatives": negatives,
    }


def _on_vehicle(plate: Detection, objects: Array) -> bool:
    x, y = (plate.box[0] + plate.box[2]) / 2, (plate.box[1] + plate.box[3]) / 2
    for x1, y1, x2, y2 in objects[objects[:, 0] == CAR, 1:].tolist():
        inside = x1 < x < x2 and y1 + PLATE_TOP * (y2 - y1) < y < y2
        if inside and plate.box[2] - plate.box[0] < PLATE_WIDTH * (x2 - x1):
            return True
    return False


def _known(detection: Detection, known: Array) -> bool:
    box = np.asarray([detection.box], np.float32)
    return bool(len(known)) and float(iou_matrix(box, known).max()) >= SAME


def write(root: Path, weights: Path | None, out: Path, folders: Sequence[str]) -> None:
    """Writes the completed labels of some training folders, one folder each."""
    detector = Detector(weights, threads=1, size=SIZE, min_score=DOUBTFUL)
    for source in SOURCES:
        if source.folder not in folders or not (root / source.folder).is_dir():
            continue
        (out / source.folder).mkdir(parents=True, exist_ok=True)
        with (out / source.folder / "labels.jsonl").open("w", encoding="utf-8") as labels:
            for record in load_source(root, source):
                line = complete(record, detector(read_image(record.path)))
                labels.write(json.dumps(line, ensure_ascii=False) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Complete labels with a detector's own findings.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("folders", nargs="*", default=["vehicles_openimages", "vehicles_roadside"])
    options = parser.parse_args(arguments)
    write(options.data, options.weights, options.out, options.folders)


if __name__ == "__main__":
    main()
