"""Real plate crops in memory, and the light changes under which training shows them."""

import zlib
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.errors import ImageError
from kplate.images import Image, read_image
from kplate.synth import effects
from kplate.synth.crops import PlateCrop
from kplate.training.plates_data import LabelledPlate

#: Pictures kept in memory take at most so many bytes; further ones are read each time.
_MEMORY: Final = 1 << 30
#: Kept pictures are shrunk to this many px across: half as fine again as the network's input.
_LARGEST: Final = (288, 128)
#: Crops wider than this many times their height are taken for plates of one line where cells are guessed.
_ONE_LINE: Final = 1.7
#: By how much of its width a guessed cell is wider at either side.
_LOOSE: Final = 0.3


class Crops:
    """Labelled crops, read once where memory lasts.

    Attributes:
        plates: The labels.
    """

    def __init__(self, plates: Sequence[LabelledPlate] = ()) -> None:
        self.plates = list(plates)
        self._images: list[Image | None] = [None] * len(self.plates)
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.plates)

    def load(self, note: Callable[[], None] = lambda: None) -> list[str]:
        """Read every picture, drop the plates whose picture cannot be read, and say which those are.

        Args:
            note: Called after each picture.
        """
        problems, kept = [], []
        for plate in self.plates:
            try:
                kept.append((plate, shrink(read_image(plate.path))))
            except ImageError as error:
                problems.append(f"{plate.source}: {error}")
            if kept and self._bytes < _MEMORY:
                self._bytes += kept[-1][1].nbytes
            elif kept:
                kept[-1] = (plate, np.empty((0, 0, 3), np.uint8))
            note()
        self.plates = [plate for plate, _ in kept]
        self._images = [image if image.size else None for _, image in kept]
        return problems

    def image(self, index: int) -> Image:
        """Return one crop.

        Raises:
            ImageError: It is not in memory, and its file cannot be read any more.
        """
        image = self._images[index]
        return shrink(read_image(self.plates[index].path)) if image is None else image

    def crop(self, index: int, rng: np.random.Generator, *, guess: bool = False) -> PlateCrop:
        """Return one crop as training takes it: lightly changed, its corners unknown.

        Args:
            index: Number of the plate.
            rng: Source of the changes.
            guess: Guess the cells, as :func:`guessed_cells` does; else they are unknown.
        """
        plate, image = self.plates[index], vary(self.image(index), rng)
        boxes = np.zeros((len(plate.text), 4), np.float32)
        if guess and image.shape[1] > _ONE_LINE * image.shape[0]:
            boxes = guessed_cells(len(plate.text))
        unknown = np.full((4, 2), np.nan, np.float32)
        return PlateCrop(image, plate.text, plate.kind, None, unknown, boxes)


def guessed_cells(count: int) -> NDArray[np.float32]:
    """Return where the symbols of a one-line plate stand roughly: evenly, each cell half as wide again.

    Returns:
        float32 (count, 4), as shares of the plate.
    """
    places = np.arange(count, dtype=np.float32)
    low, high = (places - _LOOSE) / count, (places + 1 + _LOOSE) / count
    return np.stack((low, np.zeros_like(low), high, np.ones_like(low)), 1)


def split(plates: Sequence[LabelledPlate], share: float) -> tuple[list[LabelledPlate], list[LabelledPlate]]:
    """Set plates aside for validation: always the same ones, and all pictures of a text on one side.

    Args:
        plates: All plates.
        share: Share to set aside; at least one text, and never all.
    """
    texts = sorted({plate.text for plate in plates}, key=lambda text: (zlib.crc32(text.encode()), text))
    aside = set(texts[: max(1, round(len(texts) * share))] if len(texts) > 1 else [])
    return [p for p in plates if p.text not in aside], [p for p in plates if p.text in aside]


def shrink(image: Image) -> Image:
    """Make a crop no larger than training needs, its shape kept as the network's input does not keep it."""
    height, width = image.shape[:2]
    size = (min(width, _LARGEST[0]), min(height, _LARGEST[1]))
    if size == (width, height):
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def vary(image: Image, rng: np.random.Generator) -> Image:
    """Change a real crop lightly: another cut and angle, other light, some blur, noise and compression.

    Real pictures bring their own weather and cameras, so this is far less than rendered plates go through.

    Args:
        image: uint8 H x W x 3 BGR.
        rng: Source of everything random.
    """
    chance = rng.random(8)
    if chance[0] < 0.8:
        image = _move(image, rng)
    if chance[1] < 0.1:
        image = effects.monochrome(image, rng)
    if chance[2] < 0.1:
        image = effects.shadow(image, rng)
    if chance[3] < 0.5:
        half = cv2.addWeighted(image, 0.5, effects.exposure(image, rng), 0.5, 0)
        image = half.astype(np.uint8, copy=False)
    legible = image.shape[0] / 60  # sigma in px that leaves the strokes of a one-line plate apart
    if chance[4] < 0.15:
        image = effects.focus_blur(image, rng, float(max(0.3, rng.uniform(0.2, 0.8) * legible)))
    if chance[5] < 0.25:
        image = effects.sensor_noise(image, rng, float(rng.gamma(1.5, 3)))
    if chance[6] < 0.25:
        image = effects.jpeg(image, int(rng.uniform(40, 96)))
    return image


def _move(image: Image, rng: np.random.Generator) -> Image:
    """Move the crop's corners a little, each on its own; edges are continued."""
    height, width = image.shape[:2]
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    scale = np.array((width, height))
    common = rng.normal(0, (0.02, 0.04), 2)
    moved = corners + (rng.normal(0, (0.015, 0.03), (4, 2)) + common) * scale
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    turned = cv2.warpPerspective(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return turned.astype(np.uint8, copy=False)
