"""What the tests of engines share: a drawn scene with its texts, and what stands in for packages."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kplate.errors import EngineError
from kplate.synth.scenes import demo_scene

#: Put in front of a script, it makes packages look as if they were not installed.
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""
ENGINES = ("onnxruntime", "ai_edge_litert", "openvino", "tensorflow")


@lru_cache(maxsize=1)
def scene() -> tuple[NDArray[np.uint8], frozenset[str]]:
    """A drawn car park, and the texts of its plates."""
    drawn = demo_scene(np.random.default_rng(0))
    return drawn.image, frozenset(plate.text for plate in drawn.plates)


def reason(call: Callable[[], object]) -> str:
    """Why a call fails as users are told; empty where it does not."""
    try:
        call()
    except EngineError as error:
        return str(error)
    return ""


def without(packages: tuple[str, ...], script: str) -> str:
    """A script that runs as if packages were not installed."""
    return BLOCKER.format(names=set(packages)) + script


def python(script: str, folder: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own; ``path`` comes before all other places that packages are in."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def read_command(*arguments: object) -> str:
    """The script of a `kplate` command."""
    return f"from kplate.cli import main; sys.exit(main({[str(argument) for argument in arguments]!r}))"
