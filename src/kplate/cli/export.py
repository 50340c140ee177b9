"""``kplate export``: hand over to the export of a reader or a detector."""

import argparse
from typing import Final

from kplate.cli.common import add_handed_over, run_module

_MODULES: Final = {"reader": "kplate.export.reader", "detector": "kplate.export.detector"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_handed_over(parser, "export", _MODULES)


def run(args: argparse.Namespace) -> int:
    """Export."""
    return run_module(_MODULES[args.what], args.arguments, needs="Exporting", extra="export")
