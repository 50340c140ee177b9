"""Makes a folder of training pictures with Korean plates and permits out of labelled photographs.

`python -m kplate.training.data_swapped --data DIR --out DIR --count 2000` writes JPEG pictures and
`labels.jsonl`. Compositing is done once, ahead of the training, so that the core that trains only trains.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.classes import CLASSES
from kplate.errors import DataError
from kplate.images import Image
from kplate.synth import compositing as comp
from kplate.synth import weather
from kplate.synth.scenes import procedural_scene
from kplate.synth.swapping import (
    Box,
    Photograph,
    PlateTruth,
    add_distractors,
    add_stickers,
    swap_plates,
)
from kplate.training.data import CAR, SURE_VEHICLE
from kplate.training.data_augment import between_middles
from kplate.training.data_corrected import CORRECTED_PLATES, correct, corrections

#: Photographs whose plates have corners, and vehicles for permits. Only their training split is used.
FOLDER = "openimages_plates"
VEHICLE_FOLDERS = ("vehicles_openimages", "vehicles_roadside")
VEHICLES = {"car", "truck", "bus", "ambulance"}
CLOSE_UP = 0.4  # share of pictures that are cut around a plate and enlarged, as phones take them
LONG_SIDE = 640
NEAR = (1.15, 6.0)  # width of a close-up in plate widths
DRAWN_SIZES = ((640, 480), (640, 360), (480, 640), (560, 560))
OTHERS = 0.2  # share of pictures in which only a permit is new
STICKERS = 0.8  # share of vehicles, in the other ones, that get stickers where they are large enough
NEAR_SHARE = 0.6  # of drawn pictures: cars stand near, most with a permit
WEATHER = 0.3  # share of pictures that rain, a night or infra-red lamps change
_WORTH_CUTTING = 28  # px of a plate's width; smaller ones are blurs when enlarged
SEEN = 0.4  # vehicles of which a close-up shows less are ignored


#: What is neither taught to be there nor to be missing: its class, and where it is.
Unsure = tuple[str, Box]


def _row_photograph(root: Path, row: dict[str, Any]) -> tuple[Photograph, tuple[Unsure, ...]]:
    """A labelled photograph, and what is not sure in it."""
    image = cv2.imread(str(root / row["file"]), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{root / row['file']}: cannot be read as a picture")
    plates = tuple(
        PlateTruth(
            _box(p["box"]), corners=None if p["corners"] is None else np.asarray(p["corners"], np.float32)
        )
        for p in row.get("plates", ())
    )
    vehicles = row.get("vehicles", ())
    sure = tuple(_box(v["box"]) for v in vehicles if v.get("score") is None or v["score"] >= SURE_VEHICLE)
    unsure = tuple(
        (CLASSES[CAR], _box(v["box"]))
        for v in vehicles
        if v.get("score") is not None and v["score"] < SURE_VEHICLE
    )
    unsure += tuple((thing["class"], _box(thing["box"])) for thing in row.get("ignored", ()))
    sure += tuple(_box(o["box"]) for o in row.get("objects", ()) if o["class"].lower() in VEHICLES)
    return Photograph(np.asarray(image, np.uint8), plates, sure), unsure


def _box(values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = map(float, values)
    return x1, y1, x2, y2


def _cut(
    photograph: Photograph, unsure: Sequence[Unsure], rng: np.random.Generator
) -> tuple[Photograph, tuple[Unsure, ...]]:
    """Cuts a part around one plate and enlarges it, with all labels."""
    height, width = photograph.image.shape[:2]
    quads = [p.corners for p in photograph.plates if p.corners is not None]
    known = [quad for quad in quads if comp.quad_size(quad)[0] > _WORTH_CUTTING]
    large = [box for box in photograph.vehicles if box[2] - box[0] > 150]
    if known and (not large or rng.random() < 0.5):
        quad = known[int(rng.integers(len(known)))]
        wanted = comp.quad_size(quad)[0] * float(np.exp(rng.uniform(*np.log(NEAR))))
        x, y = quad.mean(axis=0)
    elif large:  # the window of a car, for permits
        x1, y1, x2, y2 = large[int(rng.integers(len(large)))]
        wanted = (x2 - x1) * float(rng.uniform(0.35, 0.9))
        x, y = x1 + (x2 - x1) * rng.uniform(0.3, 0.7), y1 + (y2 - y1) * rng.uniform(0.3, 0.5)
    else:
        return photograph, tuple(unsure)
    cut_w = min(float(width), wanted)
    cut_h = min(float(height), cut_w * float(rng.uniform(0.55, 1.1)))
    left = float(np.clip(x - cut_w * rng.uniform(0.4, 0.6), 0, width - cut_w))
    top = float(np.clip(y - cut_h * rng.uniform(0.3, 0.8), 0, height - cut_h))
    scale = min(LONG_SIDE / max(cut_w, cut_h), 5.0)
    matrix = np.array(((scale, 0, -left * scale), (0, scale, -top * scale)))
    size = (round(cut_w * scale), round(cut_h * scale))
    enlarged = cv2.warpAffine(photograph.image, between_middles(matrix), size, flags=cv2.INTER_CUBIC)
    image = np.asarray(enlarged, np.uint8)

    def move(box: Box) -> tuple[Box, float]:
        moved = (np.array(box).reshape(2, 2) - (left, top)) * scale
        clipped = np.clip(moved, 0, size)
        area = float(np.prod(np.maximum(moved[1] - moved[0], 1e-6)))
        seen = float(np.prod(np.maximum(clipped[1] - clipped[0], 0))) / area
        return _box(clipped.ravel().tolist()), seen

    plates = []
    for p in photograph.plates:
        box, seen = move(p.box)
        if seen <= 0.05:
            continue
        whole = p.corners is not None and seen > 0.98
        corners = (
            (p.corners - np.array((left, top), np.float32)) * scale
            if whole and p.corners is not None
            else None
        )
        plates.append(PlateTruth(box, corners=None if corners is None else corners.astype(np.float32)))
    vehicles = [move(box) for box in photograph.vehicles]
    rest = [(CLASSES[CAR], box) for box, seen in vehicles if 0 < seen < SEEN]
    rest += [(label, move(box)[0]) for label, box in unsure]
    shown = tuple(box for box, seen in vehicles if seen >= SEEN)
    doubtful = tuple((label, b) for label, b in rest if b[2] > b[0] and b[3] > b[1])
    return Photograph(image, tuple(plates), shown), doubtful


def label_of(photograph: Photograph, unsure: Sequence[Unsure], file: str, **more: object) -> dict[str, Any]:
    """A line of `labels.jsonl`."""

    def rounded(values: NDArray[np.float32] | Sequence[float]) -> list[Any]:
        result: list[Any] = np.asarray(values, np.float64).round(1).tolist()
        return result

    plates = [
        {
            "box": rounded(p.box),
            "corners": None if p.corners is None else rounded(p.corners),
            "text": p.text,
            "kind": p.kind,
        }
        for p in photograph.plates
    ]
    height, width = photograph.image.shape[:2]
    return {
        "file": file,
        "width": width,
        "height": height,
        "plates": plates,
        "vehicles": [{"box": rounded(box)} for box in photograph.vehicles],
        "permits": [{"box": rounded(box)} for box in photograph.permits],
        "ignored": [{"class": label, "box": rounded(box)} for label, box in unsure],
        **more,
    }


def draw(rng: np.random.Generator, file: str) -> tuple[Image, dict[str, Any]]:
    """One picture drawn from nothing, and its label."""
    size = DRAWN_SIZES[int(rng.integers(len(DRAWN_SIZES)))]
    scene = procedural_scene(rng, size, near=bool(rng.random() < NEAR_SHARE))
    plates = tuple(PlateTruth(p.box, p.text, p.kind, p.corners) for p in scene.plates)
    photograph = Photograph(scene.image, plates, scene.vehicles, scene.permits)
    unsure = [(CLASSES[label], box) for label, box in scene.unsure]
    return scene.image, label_of(photograph, unsure, file)


def _rows(root: Path, folder: str) -> list[dict[str, Any]]:
    path = root / folder / "labels.jsonl"
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row.get("split", "train") == "train"]


class Maker:
    """Makes swapped pictures.

    Args:
        root: Root of the training folders.

    Raises:
        DataError: The photographs are not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        ours = corrections(CORRECTED_PLATES)
        rows = (correct(row, ours) for row in _rows(root, FOLDER))
        self.rows = [row for row in rows if any(p["corners"] for p in row["plates"])]
        self.others = [(name, row) for name in VEHICLE_FOLDERS for row in _rows(root, name)]
        if not self.rows:
            raise DataError(f"{root / FOLDER}: there are no photographs with corners of plates")

    def make(self, rng: np.random.Generator, file: str) -> tuple[Image, dict[str, Any]]:
        """One picture and its label."""
        if self.others and rng.random() < OTHERS:  # only a permit is new here; plates are not labelled
            name, row = self.others[int(rng.integers(len(self.others)))]
            photograph, unsure = _row_photograph(self.root / name, row)
            done = add_distractors(add_stickers(photograph, rng, 0.9), rng)
            return done.image, label_of(done, unsure, file, negatives=[0.3, 0.0, 1.0])
        row = self.rows[int(rng.integers(len(self.rows)))]
        photograph, unsure = _row_photograph(self.root / FOLDER, row)
        if rng.random() < CLOSE_UP:
            photograph, unsure = _cut(photograph, unsure, rng)
        done = add_distractors(add_stickers(swap_plates(photograph, rng), rng, STICKERS), rng)
        return weathered(done, rng), label_of(done, unsure, file)


def weathered(photograph: Photograph, rng: np.random.Generator) -> Image:
    """The picture, sometimes as it were in rain, by night or in the light of infra-red lamps."""
    if rng.random() >= WEATHER:
        return photograph.image
    effect = (weather.rain, weather.by_night, weather.infra_red)[int(rng.integers(3))]
    return effect(photograph.image, [plate.outline for plate in photograph.plates], rng)


def write(root: Path | None, out: Path, count: int, seed: int) -> None:
    """Adds `count` pictures to a folder, beginning at number `seed` x `count`."""
    make = draw if root is None else Maker(root).make
    (out / "images").mkdir(parents=True, exist_ok=True)
    with (out / "labels.jsonl").open("a", encoding="utf-8") as labels:
        for n in range(count):
            file = f"images/{seed}_{n:05d}.jpg"
            image, label = make(np.random.default_rng((seed, n)), file)
            if not cv2.imwrite(str(out / file), image, [cv2.IMWRITE_JPEG_QUALITY, 93]):
                raise DataError(f"{out / file}: cannot be written")
            labels.write(json.dumps(label, ensure_ascii=False) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Make training pictures with Korean plates out of photographs."
    )
    parser.add_argument("--data", type=Path, help="root of the training folders; without it scenes are drawn")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    write(options.data, options.out, options.count, options.seed)


if __name__ == "__main__":
    main()
