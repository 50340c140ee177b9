"""Reading a rendered picture with one engine, in a process of its own: a damaged runtime may end its process.

``python -m kplate.doctor.trial ENGINE [WEIGHTS]`` prints one line of JSON.
"""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Final

from kplate.errors import KplateError
from kplate.files import StrPath

#: Seconds after which an engine is given up.
_PATIENCE: Final = 180
_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """How reading went.

    Attributes:
        error: Why it failed; None where it did not.
        runtime: The engine's version.
        networks: The files that were used, with their precision.
        plates: Plates in the picture.
        read: Of those, the ones that were read rightly.
        wrong: Texts that were read and are not there.
        ms: Time for the picture, after the first.
    """

    error: str | None = None
    runtime: str = ""
    networks: tuple[str, ...] = ()
    plates: int = 0
    read: int = 0
    wrong: tuple[str, ...] = ()
    ms: float = 0.0


def try_engine(engine: str, weights: StrPath | None) -> Trial:
    """Read a rendered picture with an engine, in another process."""
    command = [sys.executable, "-m", "kplate.doctor.trial", engine]
    if weights is not None:
        command.append(str(weights))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return Trial(f"it has not finished within {_PATIENCE} seconds")
    try:
        return Trial(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        if done.returncode < 0:
            name = signal.Signals(-done.returncode).name
            return Trial(f"it ended the process ({name}): is the package made for this processor? {last}")
        return Trial(f"it failed: {last}")


def _try(engine: str, weights: str | None) -> Trial:
    import numpy as np

    from kplate import Recognizer
    from kplate.synth.scenes import demo_scene

    scene = demo_scene(np.random.default_rng(_SEED))
    try:
        recognizer = Recognizer(weights=weights, engine=engine)
        recognizer(scene.image)
        result = recognizer(scene.image)
    except KplateError as error:
        return Trial(str(error))
    true = {plate.text for plate in scene.plates}
    found = {plate.text for plate in result.plates if plate.text}
    networks = [*recognizer.detector.networks, *recognizer.reader.networks.parts]
    return Trial(
        runtime=networks[0].engine.version,
        networks=tuple(f"{network.path.name} ({network.manifest.precision})" for network in networks),
        plates=len(true),
        read=len(true & found),
        wrong=tuple(sorted(found - true)),
        ms=round(result.elapsed_ms, 1),
    )


if __name__ == "__main__":
    print(
        json.dumps(asdict(_try(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)), ensure_ascii=True)
    )
