"""What is timed: networks by engine, precision, threads and size, and the whole way from picture to text."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from kplate import Detector, Reader, Recognizer
from kplate.bench.darknet import find_cfg, open_random, operations, own_network, value_count
from kplate.bench.timing import Timing
from kplate.darknet.network import read_network
from kplate.engines import Engine, Network, candidates, open_engine
from kplate.engines.runtimes import RUNTIMES, choice_of, is_installed
from kplate.errors import EngineError
from kplate.files import StrPath
from kplate.images import Image
from kplate.synth.crops import sample_crop
from kplate.synth.scenes import demo_scene
from kplate.weights import PRECISIONS

#: Size of the rendered picture that the whole way is timed on; it shows three plates.
SCENE_SIZE: Final = (1920, 1080)
_SEED: Final = 0
#: Width and height of the input of detectors whose file does not say.
_USUAL: Final = (416, 416)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a user asks for.

    Attributes:
        weights: Folder of networks; None for those that ship.
        engines: Names such as ``onnx`` or ``openvino:bfloat16``; empty for all that are installed.
        precisions: Empty for all that there are.
        threads: Numbers of threads.
        sizes: Px of the longer side for the detector; empty for the network's own.
        others: Files of further networks: ``.cfg``, or whatever an engine runs.
    """

    weights: StrPath | None = None
    engines: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    threads: tuple[int, ...] = (1,)
    sizes: tuple[int, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class Case:
    """One row of the table.

    Attributes:
        what: ``detector``; ``reader``, from a plate's crop in memory to the outputs, its locator and the
            straightening among it; ``whole way``, from a picture in memory to texts; or the name of another
            network.
        engine: As in ``--engine``.
        runtime: Its name and version.
        precision: Of the network, or of what it computes in.
        threads: How many.
        size: Width and height of the input, or of the picture.
        megabytes: Of the networks' files.
        operations: Multiplications and additions of a run, where they are known.
        call: Runs it once.
        recognizer: For the whole way, so that its answers can be compared.
        timing: Once it was measured.
        quality: What else was found out about it, as plain values.
    """

    what: str
    engine: str
    runtime: str
    precision: str
    threads: int
    size: tuple[int, int]
    megabytes: float
    operations: int | None
    call: Callable[[], object]
    recognizer: Recognizer | None = None
    timing: Timing | None = None
    quality: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        speed = None
        if self.operations and self.timing:
            speed = round(self.operations / self.timing.best / 1e6, 1)
        return {
            "what": self.what,
            "engine": self.engine,
            "runtime": self.runtime,
            "precision": self.precision,
            "threads": self.threads,
            "size": list(self.size),
            "file_mb": round(self.megabytes, 2),
            "gflop": None if self.operations is None else round(self.operations / 1e9, 3),
            "best_gflops": speed,
            **(self.timing.to_dict() if self.timing else {}),
            **self.quality,
        }


def plan_cases(plan: Plan) -> list[Case]:
    """Open every network that the plan asks for.

    Raises:
        EngineError: An engine that is named is not installed, or nothing is left to be timed.
        WeightsError: A network is missing or damaged.
    """
    scene = demo_scene(np.random.default_rng(_SEED), SCENE_SIZE).image
    cases: list[Case] = []
    for engine in plan.engines or _installed_engines():
        for precision in _precisions(plan, engine):
            for threads in _thread_counts(engine, plan.threads):
                cases += _kplate_cases(plan, engine, precision, threads, scene)
    for name in plan.others:
        cases += _other_cases(plan, name)
    if not cases:
        raise EngineError(
            "nothing to measure: no engine that is installed has a network; see `kplate doctor`"
        )
    order = ["detector", "reader", "whole way"]
    return sorted(cases, key=lambda case: order.index(case.what) if case.what in order else len(order))


def _installed_engines() -> tuple[str, ...]:
    return tuple(name for name, runtime in RUNTIMES.items() if is_installed(runtime))


def _precisions(plan: Plan, engine: str) -> Iterator[str]:
    """Yield the precisions in which there are both a detector and a reader for an engine."""
    held = [
        {manifest.precision for _, manifest in candidates(plan.weights, task, engine)}
        for task in ("detector", "reader")
    ]
    both = set.intersection(*held)
    yield from (value for value in plan.precisions or PRECISIONS if value in both)


def _thread_counts(engine: str, threads: Sequence[int]) -> Sequence[int]:
    """TensorFlow has one number of threads for the whole process."""
    return threads[:1] if choice_of(engine).engine == "saved_model" else threads


def _kplate_cases(plan: Plan, engine: str, precision: str, threads: int, scene: Image) -> Iterator[Case]:
    chosen: dict[str, Any] = {"engine": engine, "precision": precision, "threads": threads}
    reader = Reader(plan.weights, **chosen)
    shown = "bfloat16" if choice_of(engine).provider == "bfloat16" else precision

    def case(what: str, networks: Sequence[Network], size: tuple[int, int], **more: Any) -> Case:
        megabytes = sum(size_of(network.path) for network in networks)
        return Case(what, engine, networks[0].engine.version, shown, threads, size, megabytes, **more)

    reading = reader.networks.parts
    for size in plan.sizes or (None,):
        detector = Detector(plan.weights, size=size, **chosen)
        side = (detector.size, detector.size) if isinstance(detector.size, int) else detector.size
        cfg = own_network(detector.network.manifest.name)
        yield case(
            "detector",
            [detector.network],
            side,
            operations=operations(cfg, side) if cfg else None,
            call=_run(detector.network.engine, side),
        )
        recognizer = Recognizer(detector=detector, reader=reader)
        yield case(
            "whole way",
            [*detector.networks, *reading],
            SCENE_SIZE,
            operations=None,
            call=functools.partial(recognizer, scene),
            recognizer=recognizer,
        )
    crop = sample_crop(np.random.default_rng(_SEED)).image
    call = functools.partial(reader.networks.run, [crop])
    yield case("reader", reading, reader.manifest.input, operations=None, call=call)


def _other_cases(plan: Plan, name: str) -> Iterator[Case]:
    for threads in plan.threads:
        if Path(name).suffix.lower() == ".cfg":
            yield from _darknet_cases(plan, name, threads)
            continue
        engine = open_engine(name, threads=threads)
        # A file that takes any size is timed at that of the detector.
        for size in engine.sizes or _squares(plan.sizes) or (_USUAL,):
            yield Case(
                what=Path(name).stem,
                engine="",
                runtime=engine.version,
                precision="",
                threads=threads,
                size=size,
                megabytes=size_of(Path(name)),
                operations=None,
                call=_run(engine, size),
            )


def _darknet_cases(plan: Plan, name: str, threads: int) -> Iterator[Case]:
    network = read_network(find_cfg(name))
    engine = open_random(network, threads=threads)
    for size in _squares(plan.sizes) or (network.size,):
        yield Case(
            what=network.name,
            engine="onnx",
            runtime=engine.version,
            precision="float32",
            threads=threads,
            size=size,
            megabytes=value_count(network) * 4 / 1e6,
            operations=operations(network, size),
            call=_run(engine, size),
        )


def _squares(sizes: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((side, side) for side in sizes)


def _run(engine: Engine, size: tuple[int, int]) -> Callable[[], object]:
    """Return a call that runs one picture of random values."""
    batch = np.random.default_rng(_SEED).random((1, 3, size[1], size[0]), np.float32)
    return lambda: engine.run(batch)


def size_of(path: Path) -> float:
    """Return the size of a network's file, with what belongs to it, in MB."""
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file()) / 1e6
    parts = [path, path.with_suffix(".bin")] if path.suffix.lower() == ".xml" else [path]
    return sum(part.stat().st_size for part in parts) / 1e6
