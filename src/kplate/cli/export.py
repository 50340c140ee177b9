"""``kplate export``: hand over to the export of a reader or a detector."""

import argparse
from typing import Final

from kplate.cli.common import run_module

_MODULES: Final = {"reader": "kplate.export.reader", "detector": "kplate.export.detector"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("what", choices=_MODULES, help="the network to export")
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="its arguments: see `kplate export WHAT --help`",
    )


def run(args: argparse.Namespace) -> int:
    """Export."""
    return run_module(_MODULES[args.what], args.arguments, needs="Exporting", extra="export")
