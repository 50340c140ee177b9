"""What one core can do at most, so that it can be said how much of that a network reaches.

Two things are tried: large matrix products in NumPy's linear-algebra library, and, where networks can be made
(extra ``darknet``), convolutions that ONNX Runtime runs best (``peak.cfg``). The faster one counts.

``python -m kplate.bench.peak SECONDS`` prints the speed of the products in GFLOP/s. It is a process of its
own, since that library reads how many threads it may use when it is loaded.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: Rows and columns of the matrices: about what a core's second-level cache holds, and but a few ms a product,
#: so that some product runs undisturbed on a busy machine too.
_SIDES: Final = (256, 384, 512)
#: What the libraries that NumPy is built with call their number of threads.
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_CFG: Final = Path(__file__).with_name("peak.cfg")


def product_peak(seconds: float = 1.0) -> float:
    """Measure the speed of one core's matrix products, float32.

    Args:
        seconds: How long.

    Returns:
        The fastest product's speed, in GFLOP/s.
    """
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    command = [sys.executable, "-m", "kplate.bench.peak", str(seconds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def convolutions() -> tuple[Callable[[], object], int] | None:
    """Return a call that runs convolutions on one core, and how many operations that is.

    None where the extra ``darknet`` or ONNX Runtime is not installed.
    """
    import numpy as np

    from kplate.bench.darknet import open_random, operations
    from kplate.darknet.network import read_network
    from kplate.errors import EngineError

    network = read_network(_CFG)
    with contextlib.suppress(EngineError):
        engine = open_random(network, threads=1)
        batch = np.random.default_rng(0).random((1, 3, *network.size), np.float32)
        return lambda: engine.run(batch), operations(network)
    return None


def _fastest(seconds: float) -> float:
    import numpy as np

    speed = 0.0
    for side in _SIDES:
        first, second, product = (np.ones((side, side), np.float32) for _ in range(3))
        end = time.perf_counter() + seconds / len(_SIDES)
        while time.perf_counter() < end:
            start = time.perf_counter()
            np.matmul(first, second, out=product)
            speed = max(speed, 2 * side**3 / (time.perf_counter() - start))
    return speed / 1e9


if __name__ == "__main__":
    print(_fastest(float(sys.argv[1])))
