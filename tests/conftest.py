"""What tests of several rooms share."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from kplate.images import write_image
from kplate.synth.clips import Clip, write_clip


@pytest.fixture(scope="session")
def passing_cars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``clip.mp4`` and ``clip.jsonl``, 7 seconds of 3 passing cars, and its frames as JPEG."""
    folder = tmp_path_factory.mktemp("passing_cars")
    clip = Clip(np.random.default_rng(3), cars=3, seconds=7, size=(640, 360), rate=20, day=0.5)
    write_clip(clip, folder)
    (folder / "frames").mkdir()
    capture = cv2.VideoCapture(str(folder / "clip.mp4"))
    for index in range(clip.frames):
        done, image = capture.read()
        assert done
        write_image(folder / "frames" / f"{index:05d}.jpg", image)
    return folder
