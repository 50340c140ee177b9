"""``--engine`` and ``--precision``: what runs the networks."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from kplate.engines.runtimes import AUTO, RUNTIMES, choice_of
from kplate.errors import KplateError
from kplate.weights import PRECISIONS

if TYPE_CHECKING:
    from kplate.engines import Network


def engine_name(text: str) -> str:
    """Read an argument that names an engine, such as ``litert`` or ``onnx:cuda``."""
    try:
        choice_of(text)
    except KplateError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what runs the networks."""
    providers = ", ".join(f"{r.name}:{p}" for r in RUNTIMES.values() for p in r.providers[1:])
    parser.add_argument(
        "--engine",
        type=engine_name,
        metavar="NAME",
        help=f"what runs the networks: {', '.join(RUNTIMES)}; {AUTO}: of those installed that run the most "
        "precise networks there are, the fastest, and say which (default: the same, unsaid); with what it "
        f"computes on: {providers}",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="which of a folder's networks to take (default: the most precise that the engine runs)",
    )


def engine_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of a detector, reader or recogniser that say what runs it."""
    return {"engine": getattr(args, "engine", None), "precision": getattr(args, "precision", None)}


def announce(args: argparse.Namespace, *networks: "Network") -> None:
    """Say on standard error what runs the networks, where that was left to kplate by ``--engine auto``."""
    if getattr(args, "engine", None) == AUTO:
        engines = dict.fromkeys(network.engine.version for network in networks)
        files = ", ".join(f"{network.path.name} ({network.manifest.precision})" for network in networks)
        print(f"kplate: engine {' and '.join(engines)}: {files}", file=sys.stderr, flush=True)
