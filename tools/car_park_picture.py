"""Draws the picture of docs/car-park.md: ``python tools/car_park_picture.py``.

It is a frame of the rendered car park with what kplate knows of its bays by then.
"""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import cv2
import numpy as np

import kplate
from kplate.bays import BayMonitor, parse_bays
from kplate.bays.drawing import draw_bays
from kplate.live.model import Frame
from kplate.live.watcher import Watcher
from kplate.synth.car_park import RATE, CarPark, bays_toml

OUT: Final = Path(__file__).parents[1] / "docs" / "pictures" / "car-park.png"
#: Seconds of the clip to watch: in the last of them a car is on its way into a bay.
FROM, UNTIL = 60.0, 84.0
SIZE: Final = (800, 450)


def main() -> None:
    """Watch a part of the clip and write its last frame."""
    argparse.ArgumentParser(description=__doc__).parse_args()  # --help draws nothing
    park = CarPark(np.random.default_rng(0))
    recognizer, watcher = kplate.Recognizer(), Watcher()
    monitor = BayMonitor(parse_bays(bays_toml(park)), look=recognizer)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    for index in range(round(FROM * RATE), round(UNTIL * RATE)):
        image, time = park.frame(index), index / RATE
        result = recognizer(image)
        monitor.update(watcher.update(Frame(index, time, start + timedelta(seconds=time), image), result))
    drawn = draw_bays(image, monitor.states())
    kplate.write_image(OUT, np.asarray(cv2.resize(drawn, SIZE, interpolation=cv2.INTER_AREA), np.uint8))


if __name__ == "__main__":
    main()
