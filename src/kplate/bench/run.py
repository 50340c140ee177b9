"""The whole measurement: times, the processor's peak beside them, agreement and accuracy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kplate.bench import quality
from kplate.bench.cases import Case, Plan, plan_cases
from kplate.bench.machine import machine, peak_memory, versions
from kplate.bench.peak import convolutions, product_peak
from kplate.bench.timing import measure
from kplate.files import StrPath

#: Share of the time for the other cases that goes into the matrix products.
_PRODUCTS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Questions:
    """What is to be found out, beside the times.

    Attributes:
        seconds: How long each case is timed.
        scenes: Rendered pictures on which answers are compared; 0 for none.
        plates: Folder of labelled plate crops to measure accuracy on; None for none.
        photographs: Folder of labelled photographs; likewise.
    """

    seconds: float = 1.0
    scenes: int = 0
    plates: StrPath | None = None
    photographs: StrPath | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured.

    Attributes:
        cases: The rows.
        machine: What they were measured on.
        versions: Of the libraries.
        peak: GFLOP/s of one core by ``products`` and ``convolutions``, and what the float32 detector reaches
            of the larger, as ``detector_share``; keys without an answer are missing.
        memory: The most this process has held at once, in MiB.
    """

    cases: tuple[Case, ...]
    machine: dict[str, Any]
    versions: dict[str, str]
    peak: dict[str, float]
    memory: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "machine": self.machine,
            "versions": self.versions,
            "peak_gflops_one_core": self.peak,
            "peak_memory_mib": None if self.memory is None else round(self.memory, 1),
            "cases": [case.to_dict() for case in self.cases],
        }


def run(plan: Plan, questions: Questions, progress: Callable[[str], None]) -> Report:
    """Measure.

    Args:
        plan: What is timed.
        questions: What else is asked.
        progress: Told what is being done.

    Raises:
        EngineError: An engine is not installed, or nothing is left to be timed.
        WeightsError: A network is missing or damaged.
        DataError: A folder has no labelled pictures.
    """
    facts = machine()  # first, for the machine's load is to be that of others
    progress("opening the networks")
    cases = plan_cases(plan)
    peak = _measure(cases, questions.seconds, progress)
    memory = peak_memory()
    if questions.scenes:
        _compare(cases, questions.scenes, progress)
    if questions.plates is not None:
        _count(cases, "plates", questions.plates, True, progress)
    if questions.photographs is not None:
        _count(cases, "photographs", questions.photographs, False, progress)
    return Report(tuple(cases), facts, versions(), peak, memory)


def _measure(cases: Sequence[Case], seconds: float, progress: Callable[[str], None]) -> dict[str, float]:
    progress("timing")
    tried = convolutions()
    calls = [case.call for case in cases] + ([tried[0]] if tried else [])
    timings = measure(calls, seconds, lambda share: progress(f"timing: {share:.0%}"))
    for case, timing in zip(cases, timings, strict=False):
        case.timing = timing
    peak = {"products": product_peak(seconds * _PRODUCTS)}
    if tried:
        peak["convolutions"] = tried[1] / timings[-1].best / 1e6
    reached = [
        case.operations / case.timing.best / 1e6
        for case in cases
        if case.what == "detector" and case.threads == 1 and case.precision == "float32"
        if case.operations and case.timing
    ]
    share = {"detector_share": max(reached) / max(peak.values())} if reached else {}
    return {name: round(value, 3) for name, value in (peak | share).items()}


def _compare(cases: Sequence[Case], count: int, progress: Callable[[str], None]) -> None:
    """Hold the answers of each engine and precision against those of the first."""
    progress(f"comparing answers on {count} rendered pictures")
    pictures = quality.scenes(count)
    reference = None
    for case in _once(cases):
        assert case.recognizer
        found = quality.answers(case.recognizer, pictures)
        reference = reference or found
        case.quality["agreement"] = quality.agreement(reference, found)


def _count(
    cases: Sequence[Case], name: str, folder: StrPath, cropped: bool, progress: Callable[[str], None]
) -> None:
    for case in _once(cases):
        assert case.recognizer
        progress(f"reading the {name} with {case.engine} {case.precision}")
        case.quality[name] = quality.accuracy(case.recognizer, folder, cropped=cropped)


def _once(cases: Sequence[Case]) -> list[Case]:
    """Return one whole way of each engine, precision and size: threads change no answer."""
    chosen: dict[tuple[object, ...], Case] = {}
    for case in cases:
        if case.recognizer:
            size = case.recognizer.detector.size
            best = chosen.setdefault((case.engine, case.precision, size), case)
            if case.threads > best.threads:
                chosen[case.engine, case.precision, size] = case
    return list(chosen.values())
