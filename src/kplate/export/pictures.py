"""The pictures that int8 networks are calibrated on, and those that every exported network is checked on."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate import weights as manifests
from kplate.errors import ImageError, KplateError
from kplate.files import printable
from kplate.images import Image, find_images, read_image
from kplate.images.letterbox import letterbox
from kplate.reader_network import ReaderNetwork
from kplate.reader_views import as_batch, normalised_batch
from kplate.refiner import SIZE, WINDOW, cut_window, windows_around

Array = NDArray[np.float32]

#: Pictures of a calibration: with 24 scenes a head differed by 0.58 of its largest value, with 80 by 0.40.
_SCENES: Final = 80
_CROPS: Final = 96
#: Of a user's folder, spread over its files.
_MOST_FROM_FOLDER: Final = 200
#: Seeds of what is checked differ from those of what is calibrated on.
_CALIBRATED: Final = 71_001
_CHECKED: Final = 71_002
_SIZES: Final = ((1280, 720), (640, 640), (720, 960))
_CHECKED_SCENES: Final = 8
_CHECKED_CROPS: Final = 48
#: How far the edges of what a refiner is shown lie from the box's, in sides of it.
_BESIDE: Final = 0.08


def calibration(task: str, source: Path, folder: Path | None) -> list[Array]:
    """Draw, or load, what a network is calibrated on.

    Args:
        task: One of :data:`kplate.weights.TASKS`.
        source: As for :func:`as_inputs`.
        folder: The user's pictures: photographs for a detector, crops for the others; None = rendered.

    Returns:
        float32 1 x 3 x H x W, as the network takes them.

    Raises:
        KplateError: The folder has no pictures.
    """
    if folder is not None:
        images = _from_folder(folder)
    else:
        images = _DRAWN[task](_CALIBRATED, _SCENES if task == "detector" else _CROPS)
    batches = list(as_inputs(task, source, images))
    if not batches:
        raise KplateError(f"cannot calibrate on {printable(folder or '')}: it has no pictures")
    return batches


def checked(task: str) -> list[Image]:
    """Draw the fixed pictures that exported networks are checked on: scenes, parts of them, or crops."""
    return list(_DRAWN[task](_CHECKED, _CHECKED_SCENES if task == "detector" else _CHECKED_CROPS))


def as_inputs(task: str, source: Path, images: Iterable[Image]) -> Iterator[Array]:
    """Make the inputs that a network is given for pictures.

    Args:
        task: One of :data:`kplate.weights.TASKS`.
        source: Manifest of the float32 ONNX network, with its locator beside it where it needs one.
        images: uint8 H x W x 3 BGR.

    Yields:
        float32 1 x 3 x H x W of each; a detector's is padded to its full size.
    """
    size = manifests.load(source, task)[1].input
    reader = ReaderNetwork(source, threads=1, engine="onnx") if task == "reader" else None
    for image in images:
        if task == "detector":
            yield letterbox(image, size).batch
        elif reader is None or (plates := reader.run([image]).plates) is None:
            yield as_batch([image], size)
        else:
            yield normalised_batch(plates)


def _scenes(seed: int, count: int) -> Iterator[Image]:
    from kplate.synth.scenes import procedural_scene

    for number in range(count):
        rng = np.random.default_rng((seed, number))
        yield procedural_scene(rng, _SIZES[number % len(_SIZES)]).image


def _windows(seed: int, count: int) -> Iterator[Image]:
    """What is around the plates and permits of scenes, or a little beside them."""
    from kplate.synth.scenes import procedural_scene

    rng = np.random.default_rng(seed)
    done = 0
    while done < count:
        scene = procedural_scene(rng, _SIZES[0], near=True)
        things = [*(plate.box for plate in scene.plates), *scene.permits]
        boxes = np.asarray(things, np.float32).reshape(-1, 4)[: count - done]
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        moved = (boxes + sides * rng.normal(0, _BESIDE, boxes.shape)).astype(np.float32)
        for window in windows_around(moved, WINDOW):
            yield cut_window(scene.image, window, SIZE)
        done += len(boxes)


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


#: Draws so many pictures of a task from a seed.
_DRAWN: Final = {"detector": _scenes, "refiner": _windows, "locator": _crops, "reader": _crops}
