"""``kplate train``: hand over to the training of a reader or a detector."""

import argparse
from typing import Final

from kplate.cli.common import run_module

_MODULES: Final = {"reader": "kplate.training.reader", "detector": "kplate.training.detector"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("what", choices=_MODULES, help="the network to train")
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="its arguments: see `kplate train WHAT --help`",
    )


def run(args: argparse.Namespace) -> int:
    """Train."""
    return run_module(_MODULES[args.what], args.arguments, needs="Training", extra="train")
