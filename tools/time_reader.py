"""Times the reader from crop to text: `python tools/time_reader.py FOLDER`.

The pictures of the folder are read one by one with one thread, and 32 at a time with two threads; decoding of
files is not counted. It prints the median of each in milliseconds a plate.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kplate import Reader, read_image
from kplate.images import Image, find_images

TOGETHER = 32
ROUNDS = 5


def milliseconds(read: Callable[[Sequence[Image]], object], parts: Sequence[Sequence[Image]]) -> float:
    """Median time a plate over all parts, after one round to warm up."""
    times = []
    for round_ in range(1 + ROUNDS):
        for part in parts:
            start = time.perf_counter()
            read(part)
            if round_:
                times.append((time.perf_counter() - start) * 1000 / len(part))
    return statistics.median(times)


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="pictures of one plate each, at least 32")
    parser.add_argument("--weights", help="folder of weights (default: the shipped ones)")
    args = parser.parse_args()
    paths = [path for path in find_images([args.folder]) if isinstance(path, Path)]
    crops = [read_image(path) for path in paths]
    batches = [crops[start : start + TOGETHER] for start in range(0, len(crops) - TOGETHER + 1, TOGETHER)]
    for threads, parts in ((1, [[crop] for crop in crops]), (2, batches)):
        reader = Reader(args.weights, threads=threads)
        taken = milliseconds(reader.read_batch, parts)
        print(f"{len(parts[0])} at a time, {threads} thread{'s' * (threads > 1)}: {taken:.2f} ms a plate")


if __name__ == "__main__":
    main()
