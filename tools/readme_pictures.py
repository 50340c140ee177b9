"""Draws the pictures of the README: ``python tools/readme_pictures.py``.

``plates.png`` shows kinds of plates as new and, below each, as streets show it; ``demo.png`` is the scene of
``kplate demo`` as kplate reads it.
"""

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np

import kplate
from kplate.images import Image
from kplate.plates.kinds import Kind
from kplate.synth.crops import sample_crop
from kplate.synth.plates import PlateImage, sample_plate
from kplate.synth.scenes import demo_scene

OUT: Final = Path(__file__).parents[1] / "docs" / "pictures"
CELL: Final = (300, 120)
COLUMNS: Final = 4
GROUND: Final = (244, 244, 244)
#: One of each look; kinds that differ in size alone are left out.
SHOWN: Final = (
    Kind.WHITE_LONG,
    Kind.WHITE_8_FILM,
    Kind.ELECTRIC,
    Kind.CORPORATE,
    Kind.WHITE_SHORT,
    Kind.COMMERCIAL_SHORT,
    Kind.COMMERCIAL_LONG,
    Kind.GREEN_REGION,
    Kind.GREEN,
    Kind.DIPLOMATIC_SHORT,
    Kind.MILITARY,
    Kind.CONSTRUCTION,
)


def cell(image: Image) -> Image:
    """Centre a picture in a cell."""
    width, height = CELL
    scale = min((width - 16) / image.shape[1], (height - 16) / image.shape[0])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    result = np.full((height, width, 3), GROUND, np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return result


def on_ground(plate: PlateImage) -> Image:
    """Lay a plate, whose corners are round, on the page's ground."""
    share = plate.mask[..., None] / 255
    return np.asarray(plate.image * share + np.array(GROUND) * (1 - share), np.uint8)


def plates() -> Image:
    """Draw each kind as new and, below, as a camera sees it."""
    rng = np.random.default_rng(12)
    rows = []
    for start in range(0, len(SHOWN), COLUMNS):
        kinds = SHOWN[start : start + COLUMNS]
        new = [sample_plate(rng, kind=kind, wear=0, px_per_mm=1.5) for kind in kinds]
        seen = [sample_crop(rng, kind=plate.kind, text=plate.text, difficulty=0.6) for plate in new]
        rows.append(np.hstack([cell(on_ground(plate)) for plate in new]))
        rows.append(np.hstack([cell(crop.image) for crop in seen]))
    return np.vstack(rows).astype(np.uint8)


def main() -> None:
    """Write the pictures."""
    argparse.ArgumentParser(description=__doc__).parse_args()  # --help draws nothing
    kplate.write_image(OUT / "plates.png", plates())
    scene = demo_scene(np.random.default_rng(0), (1280, 720))
    result = kplate.Recognizer()(scene.image)
    kplate.write_image(OUT / "demo.png", result.draw(scene.image))


if __name__ == "__main__":
    main()
