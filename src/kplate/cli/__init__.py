"""The command line: ``kplate COMMAND``. One file a command; each is imported when it is asked for."""

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from kplate.cli.common import CANCELLED, FAILED, PIPE_CLOSED, complain, prepare_streams
from kplate.errors import KplateError
from kplate.files import printable, reason_of

#: Command -> its line of help. Its module ``kplate.cli.COMMAND`` has ``configure(parser)`` and ``run(args)``.
COMMANDS: Final = {
    "read": "read the number plates in pictures",
    "bays": "make and check a file of parking bays, and measure on a rendered car park",
    "watch": "watch a video or a camera and tell which cars are seen",
    "listen": "read a camera's picture when a message asks for it, or every so often",
    "demo": "render a car-park scene, read it and show the result",
    "events": "list, export and delete what the store of events holds",
    "evaluate": "measure accuracy on labelled pictures",
    "bench": "time the networks on this machine, engine by engine",
    "doctor": "examine what is installed, whether it works, and what to do where it does not",
    "synth": "render labelled plates or whole scenes",
    "train": "train a reader or a detector",
    "export": "turn a trained network into the file that is run",
}

_PROLOGUE: Final = "kplate reads Korean number plates: offline, with weights that ship inside the package."


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Build the parser; only the named command, or every one for ``None``, gets its arguments.

    Commands that are not asked for stay unimported, which keeps ``kplate read`` quick to start.
    """
    parser = _Parser(prog="kplate", description=_PROLOGUE)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, line in COMMANDS.items():
        child = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if command in (None, name):
            module = importlib.import_module(f"kplate.cli.{name}")
            module.configure(child)
            child.mixed = getattr(module, "MIXED", False)
            child.set_defaults(run=module.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments without credentials: an address may be in the wrong place.

    Attributes:
        mixed: Whether options may stand between the positional arguments.
    """

    mixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Take options between positional arguments, too, where some of those may be left out."""
        if not self.mixed:
            return super().parse_known_args(args, namespace)
        self.mixed = False  # what follows calls this method in its turn
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixed = True

    def error(self, message: str) -> NoReturn:
        from kplate.events.urls import without_credentials

        super().error(without_credentials(message))


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from kplate import __version__

        print(f"kplate {__version__}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0: done. 1: something failed, such as one of the pictures. 2: wrong arguments. 130: cancelled by Ctrl-C.
    141: whoever read the output has gone.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        prepare_streams()
        status = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = CANCELLED
        complain("cancelled")
    except BrokenPipeError:
        status = PIPE_CLOSED
    except KplateError as error:
        status = FAILED
        complain(str(error))
    except MemoryError:
        status = FAILED
        complain("there is not enough memory for this")
    except OSError as error:
        status = FAILED
        name = f"{printable(error.filename)}: " if isinstance(error.filename, (str, os.PathLike)) else ""
        complain(f"{name}{reason_of(error)}")
    _drop_what_cannot_be_written()
    if argv is None:
        gc.freeze()  # the process ends, and looking for garbage once more takes longer than reading
    return status


def _run(arguments: list[str]) -> int:
    command = next((argument for argument in arguments if argument in COMMANDS), "")
    parser = build_parser(command)
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 0
    status: int = args.run(args)
    return status


def _drop_what_cannot_be_written() -> None:
    """Flush standard output; where that fails, point it at nothing, or Python's last flush fails as well."""
    try:
        sys.stdout.flush()
    except OSError:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
