"""Opening the networks that the arguments of a command ask for."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kplate.cli.engine_arguments import announce, engine_of
from kplate.errors import KplateError
from kplate.files import printable
from kplate.weights import TASKS, holds

if TYPE_CHECKING:
    from kplate import Detector, Recognizer
    from kplate.images.letterbox import Size

#: Ending of Darknet's files of values, which say nothing about their network.
_DARKNET: Final = ".weights"


def open_recognizer(args: argparse.Namespace) -> "Recognizer":
    """Open the recogniser that the arguments of a command ask for.

    Raises:
        KplateError: A network is missing, damaged or does not fit, or only a part of it is named.
    """
    if args.detector is None and args.names is None:
        return recognizer_with(args.weights, getattr(args, "reader", None), args)
    from kplate import Recognizer

    recognizer = Recognizer(
        detector=open_detector(args, min_score=_least_of(args)),
        closer=getattr(args, "closer", False),
        reader_weights=args.reader,
        threads=args.threads,
        min_score=getattr(args, "min_score", None),
        **engine_of(args),
    )
    announce(args, recognizer.reader.network)
    return recognizer


def open_detector(args: argparse.Namespace, *, min_score: float | None = None) -> "Detector":
    """Open the detector alone that the arguments of a command ask for.

    Args:
        args: The arguments of :func:`add_run_arguments`, and ``input_size``.
        min_score: Lowest score that it reports; None for the network's own.

    Raises:
        KplateError: The network is missing, damaged or does not fit, or only a part of it is named.
    """
    from kplate import Detector

    with sizes_named():
        if args.detector is None:
            if args.names is not None:
                raise KplateError("--names needs --detector: it names the classes of a Darknet network")
            weights = _held(args.weights, "detector")
            detector = Detector(
                weights,
                threads=args.threads,
                min_score=min_score,
                size=_size_of(args),
                refine=not getattr(args, "no_refine", False),
                **engine_of(args),
            )
            announce(args, detector.network)
            return detector
        if args.weights is None or args.names is None:
            raise KplateError(
                "--detector needs --weights and --names: the network's .weights and .names files"
            )
        return Detector.from_darknet(
            args.detector,
            args.weights,
            args.names,
            threads=args.threads,
            min_score=min_score,
            size=_size_of(args),
            engine=engine_of(args)["engine"],
        )


def recognizer_with(weights: str | None, reader: str | None, args: argparse.Namespace) -> "Recognizer":
    """Open the recogniser of a folder of weights, of which one network may be missing.

    Args:
        weights: Folder, manifest or network; None for the shipped ones.
        reader: The same for the reader alone.
        args: Its ``threads``, ``thresh``, ``min_score``, ``input_size`` and engine count.

    Raises:
        EngineError: What should run them is not installed, or there is no network for it.
        WeightsError: A network is missing, damaged or does not fit.
    """
    # Here, not above: `kplate --help` and the commands that read nothing need not load OpenCV and a runtime.
    from kplate import Detector, Recognizer

    with sizes_named():
        detector = Detector(
            _held(weights, "detector"),
            threads=args.threads,
            min_score=_least_of(args),
            size=_size_of(args),
            **engine_of(args),
        )
        recognizer = Recognizer(
            detector=detector,
            reader_weights=_held(weights, "reader") if reader is None else reader,
            threads=args.threads,
            min_score=getattr(args, "min_score", None),
            closer=getattr(args, "closer", False),
            **engine_of(args),
        )
    announce(args, recognizer.detector.network, recognizer.reader.network)
    return recognizer


def _size_of(args: argparse.Namespace) -> "Size | None":
    """Return the size that the detector works at; commands without the argument leave it to the network."""
    size: Size | None = getattr(args, "input_size", None)
    return size


def _least_of(args: argparse.Namespace) -> float | None:
    """Return the lowest score of boxes; commands without the argument leave it to the network."""
    least: float | None = getattr(args, "thresh", None)
    return least


@contextlib.contextmanager
def sizes_named() -> Iterator[None]:
    """Turn a size that a network cannot take into a failure for users."""
    try:
        yield
    except ValueError as error:
        raise KplateError(f"--size: {error}") from error


def _held(weights: str | None, task: str) -> str | None:
    """Return the weights, or None where they are a folder that holds the other network alone."""
    if weights and Path(weights).suffix.lower() == _DARKNET and not Path(weights).is_dir():
        raise KplateError(
            f"{printable(weights)}: a {_DARKNET} file needs --detector and --names, "
            "its network's .cfg and .names files"
        )
    folder = Path(weights) if weights else None
    if folder is None or not folder.is_dir() or holds(folder, task):
        return weights
    return None if any(holds(folder, other) for other in TASKS) else weights
