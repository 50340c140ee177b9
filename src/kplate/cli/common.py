"""What the commands share: arguments, exit states, the screen, output folders."""

import argparse
import contextlib
import functools
import importlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kplate.cli.engine_arguments import add_engine_arguments
from kplate.errors import KplateError, OutputError
from kplate.files import excerpt, printable, reason_of, write_atomic

if TYPE_CHECKING:
    from rich.console import Console

    from kplate.images.letterbox import Size

FAILED: Final = 1
#: 128 + SIGINT and 128 + SIGPIPE, as a shell reports programs that end by these signals.
CANCELLED: Final = 130
PIPE_CLOSED: Final = 141

#: How PyTorch's allocators say that there is no memory, for which it has no class of its own.
_NO_MEMORY: Final = ("out of memory", "not enough memory", "allocate memory")
#: Columns of a table that does not go to a terminal.
_PIPE_WIDTH: Final = 160


def complain(message: str) -> None:
    """Print one line on standard error."""
    # Nobody may be listening any more; that must not hide the exit status.
    with contextlib.suppress(OSError):
        print(_clean(f"kplate: {message}"), file=sys.stderr, flush=True)


def _clean(message: str) -> str:
    """Keep what a terminal would obey, such as escape sequences in a class's name, from reaching it."""
    return "\n".join(map(printable, message.split("\n")))


def prepare_streams() -> None:
    """Make sure that neither a symbol that a terminal cannot show nor a closed stream ends the command.

    Raises:
        OutputError: Standard output is closed.
    """
    # Python leaves out streams that were closed when it started. The results must go somewhere; complaints
    # need not.
    closed = sys.stdout is None
    if closed:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if closed:
        raise OutputError("cannot write to standard output: it is closed")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write_json_line(line: str) -> None:
    """Print one line of JSON as UTF-8, whatever the terminal's encoding, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{line}\n".encode())
    sys.stdout.buffer.flush()


class Screen:
    """Where a command shows its progress, its results for people, and its complaints.

    The progress bar is drawn only on a terminal: beside a table on standard output, else on standard error,
    and never where JSON Lines go to the same terminal.
    """

    def __init__(self, *, json: bool = False) -> None:
        """Look at where the output goes.

        Args:
            json: Standard output carries JSON, and nothing else may be written to it.
        """
        out_is_terminal, err_is_terminal = sys.stdout.isatty(), sys.stderr.isatty()
        self._out_is_terminal = out_is_terminal
        self.shows_table = out_is_terminal and not json
        self._bar_console: Console | None = None
        if self.shows_table:
            self._bar_console = self.out
        elif err_is_terminal and not out_is_terminal:
            from rich import console

            self._bar_console = console.Console(stderr=True, highlight=False, emoji=False)

    @functools.cached_property
    def out(self) -> "Console":
        """Where tables go. Rich takes a while to load, which results for other programs need not wait for."""
        from rich import console

        # Tables in a file or a pipe are not squeezed into the 80 columns that Rich takes for granted there.
        width = None if self._out_is_terminal else _PIPE_WIDTH
        # Names of classes and files may look like Rich's markup and are none.
        return console.Console(highlight=False, emoji=False, markup=False, width=width)

    @contextlib.contextmanager
    def progress(self, total: int, unit: str) -> Iterator[Callable[[str], None]]:
        """Show a progress bar while the body runs.

        Args:
            total: Number of steps.
            unit: What is counted, such as ``pictures``.

        Yields:
            A function that names the next step and advances the bar by one.
        """
        if self._bar_console is None:
            yield lambda _: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[name]}", style="dim", markup=False),
        )
        with Progress(
            *columns, console=self._bar_console, transient=True, redirect_stdout=False, redirect_stderr=False
        ) as bar:
            task = bar.add_task("", total=total, name="")
            yield lambda name: bar.update(task, advance=1, name=printable(name))

    def complain(self, message: str) -> None:
        """Print one line on standard error without tearing the progress bar."""
        if self._bar_console is not None and sys.stderr.isatty():
            from rich.text import Text

            self._bar_console.print(Text(_clean(f"kplate: {message}"), style="red"), soft_wrap=True)
        else:
            complain(message)


def prepare_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder for output and make sure that it can be written to, before any work is done.

    Raises:
        OutputError: It cannot.
    """
    if not os.fspath(path):
        raise OutputError("cannot write to a folder without a name")
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".kplate-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise OutputError(f"cannot write to the folder {printable(path)}: {reason}") from error
    return folder


def prepare_file(path: str | os.PathLike[str]) -> Path:
    """Make sure that a file can be written, before any work is done; an existing one keeps its content.

    Raises:
        OutputError: It cannot.
    """
    target = Path(path)
    if target.exists() and target.is_file():
        prepare_folder(target.parent)
    else:
        write_atomic(target, b"")
    return target


def positive(text: str) -> int:
    """Read an argument that is a whole number of at least 1."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """Read an argument that is a whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return value


def score(text: str) -> float:
    """Read an argument that is a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def input_size(text: str) -> "Size":
    """Read an argument that is px of the longer side (640) or width and height (640x384)."""
    sides = text.lower().split("x")
    if len(sides) not in (1, 2) or not all(side.isdecimal() and side.strip("0") for side in sides):
        raise argparse.ArgumentTypeError(
            f"{excerpt(text)!r} is neither a number such as 640 nor WIDTHxHEIGHT"
        )
    for side in sides:
        _refuse_too_large(side)
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def input_side(text: str) -> int:
    """Read an argument that is px of the longer side of a network's input."""
    _refuse_too_large(text)
    return positive(text)


def _refuse_too_large(side: str) -> None:
    # Here, not above: `kplate --help` need not wait for OpenCV.
    from kplate.images.letterbox import LARGEST_SIDE

    digits = side.lstrip("0")
    if digits.isdecimal() and (len(digits) > len(str(LARGEST_SIDE)) or int(digits) > LARGEST_SIDE):
        raise argparse.ArgumentTypeError(f"{excerpt(side)} px are more than the {LARGEST_SIDE} of a side")


def add_recognizer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes that reads pictures."""
    parser.add_argument(
        "--cropped", action="store_true", help="the pictures are plate crops: do not look for plates in them"
    )
    add_scene_arguments(parser)


def add_scene_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes that looks for plates in whole pictures."""
    parser.add_argument(
        "--min-score", type=score, metavar="S", help="trust a reading from this score on (0 to 1)"
    )
    parser.add_argument(
        "--thresh",
        type=score,
        metavar="S",
        help="count boxes from this score on, of all classes (0 to 1; default: the network's own for each "
        "class, 0.25 for a Darknet network)",
    )
    parser.add_argument(
        "--size",
        dest="input_size",
        type=input_size,
        metavar="N|WxH",
        help="scale pictures to N pixels along the longer side for finding, or into W x H; multiples of 32; "
        "larger finds smaller plates and takes longer (default: 416)",
    )
    parser.add_argument(
        "--closer",
        action="store_true",
        help="look again at each vehicle that shows no plate: finds small plates in large pictures",
    )
    add_run_arguments(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which networks run, and how."""
    parser.add_argument("--threads", type=positive, metavar="N", help="threads to compute with")
    parser.add_argument(
        "--weights",
        metavar="DIR",
        help="folder with the networks to use; what it does not hold is taken from the shipped ones; "
        "with --detector, the .weights file of that network",
    )
    parser.add_argument("--reader", metavar="DIR", help="folder with the reader's network alone")
    parser.add_argument(
        "--detector", metavar="CFG", help="find with a Darknet network: its .cfg (and --weights, --names)"
    )
    parser.add_argument("--names", metavar="FILE", help="names of that network's classes, one a line")
    add_engine_arguments(parser)


def add_handed_over(parser: argparse.ArgumentParser, command: str, networks: Iterable[str]) -> None:
    """Add the arguments of a command that hands the rest of its line over to a module."""
    parser.add_argument("what", choices=tuple(networks), help=f"the network to {command}")
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="...",
        help=f"its arguments: see `kplate {command} WHAT --help`",
    )


def run_module(name: str, arguments: list[str], *, needs: str, extra: str) -> int:
    """Run the ``main(arguments)`` of a module that needs an optional extra, and return its exit status.

    Args:
        name: The module.
        arguments: What follows ``kplate train reader`` and the like on the command line.
        needs: What is being done, to begin a sentence with.
        extra: The extra that brings the libraries; also the command's name.

    Raises:
        KplateError: A library that the extra brings is not installed, or the training went astray.
    """
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "kplate":
            raise
        raise KplateError(
            f"{needs} needs {missing}, which is not installed: pip install 'kplate[{extra}]'"
        ) from error
    # The module's own parser names itself after the program.
    sys.argv = [f"kplate {extra} {name.rpartition('.')[2]}", *arguments]
    try:
        return int(module.main(arguments) or 0)
    except RuntimeError as error:
        if not any(text in str(error) for text in _NO_MEMORY):
            raise
        raise KplateError(f"{needs} needs more memory than there is") from error
    except FloatingPointError as error:  # a loss that is no number any more; the message says what to do
        raise KplateError(str(error)) from error
