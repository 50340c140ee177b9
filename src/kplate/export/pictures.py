"""The pictures that int8 networks are calibrated on, and those that every exported network is checked on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate.errors import ImageError, KplateError
from kplate.files import printable
from kplate.images import Image, find_images, read_image
from kplate.images.letterbox import letterbox
from kplate.reader_views import fit_to_input

Array = NDArray[np.float32]

#: Pictures of a calibration: more change the ranges little.
_SCENES: Final = 24
_CROPS: Final = 96
#: Of a user's folder, spread over its files.
_MOST_FROM_FOLDER: Final = 200
#: Seeds of what is checked differ from those of what is calibrated on.
_CALIBRATED: Final = 71_001
_CHECKED: Final = 71_002
_SIZES: Final = ((1280, 720), (640, 640), (720, 960))
_CHECKED_SCENES: Final = 8
_CHECKED_CROPS: Final = 48


def calibration(task: str, size: tuple[int, int], multiple: int, folder: Path | None) -> list[Array]:
    """Draw, or load, what a network is calibrated on.

    Args:
        task: ``detector`` or ``reader``.
        size: Width and height of the network's input, in px.
        multiple: Largest stride of a detector.
        folder: The user's pictures: photographs for a detector, plate crops for a reader; None = rendered.

    Returns:
        float32 1 x 3 x H x W, RGB in 0..1.

    Raises:
        KplateError: The folder has no pictures.
    """
    images: Iterator[Image]
    if folder is not None:
        images = _from_folder(folder)
    else:
        images = _scenes(_CALIBRATED, _SCENES) if task == "detector" else _crops(_CALIBRATED, _CROPS)
    batches = [as_input(task, image, size, multiple) for image in images]
    if not batches:
        raise KplateError(f"cannot calibrate on {printable(folder or '')}: it has no pictures")
    return batches


def checked(task: str) -> list[Image]:
    """Draw the fixed pictures that exported networks are checked on: scenes, or plate crops."""
    if task == "detector":
        return list(_scenes(_CHECKED, _CHECKED_SCENES))
    return list(_crops(_CHECKED, _CHECKED_CROPS))


def as_input(task: str, image: Image, size: tuple[int, int], multiple: int) -> Array:
    """Make the input that a network is given for a picture; a detector's is padded to its full size."""
    if task == "reader":
        return np.asarray(fit_to_input(image, size), np.float32)[None] / np.float32(255)
    return letterbox(image, size, multiple).batch


def _scenes(seed: int, count: int) -> Iterator[Image]:
    from kplate.synth.scenes import procedural_scene

    for number in range(count):
        rng = np.random.default_rng((seed, number))
        yield procedural_scene(rng, _SIZES[number % len(_SIZES)]).image


def _crops(seed: int, count: int) -> Iterator[Image]:
    from kplate.synth.crops import sample_crop

    for number in range(count):
        yield sample_crop(np.random.default_rng((seed, number))).image


def _from_folder(folder: Path) -> Iterator[Image]:
    paths = [path for path in find_images([folder]) if isinstance(path, Path)]
    for path in paths[:: max(1, len(paths) // _MOST_FROM_FOLDER)][:_MOST_FROM_FOLDER]:
        # A damaged picture tells nothing about ranges.
        with contextlib.suppress(ImageError):
            yield read_image(path)
