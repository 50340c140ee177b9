"""``kplate train``: hand over to the training of a reader or a detector."""

import argparse
import contextlib
import importlib
import os
from pathlib import Path
from typing import Final

from kplate.cli.common import add_handed_over, run_module

_MODULES: Final = {
    "reader": "kplate.training.reader",
    "detector": "kplate.training.detector",
    "refiner": "kplate.training.refiner",
}
#: The best checkpoint of a reader trained on real plates, and the folder it is exported to.
_BEST: Final = "best.pt"
_WEIGHTS: Final = "weights"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_handed_over(parser, "train", _MODULES)


def run(args: argparse.Namespace) -> int:
    """Train; a reader that was trained on real plates is exported as well."""
    status = run_module(_MODULES[args.what], args.arguments, needs="Training", extra="train")
    # One of the processes that torchrun starts is enough to write the result.
    if status == 0 and args.what == "reader" and os.environ.get("RANK", "0") == "0":
        _export(args.arguments)
    return status


def _export(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=True)
    parser.add_argument("--out", type=Path)
    out: Path = parser.parse_known_args(arguments)[0].out
    if not (out / _BEST).is_file():
        return
    try:
        importlib.import_module("onnxscript")
        exporting = importlib.import_module("kplate.export.reader")
    except ModuleNotFoundError:
        print(f"to use it: pip install 'kplate[export]', then kplate export reader {out / _BEST} --out DIR")
        return
    with contextlib.redirect_stdout(None):
        exporting.main([str(out / _BEST), "--out", str(out / _WEIGHTS), "--name", out.resolve().name])
    print(f"to use it: kplate read PICTURES --weights {out / _WEIGHTS}")
