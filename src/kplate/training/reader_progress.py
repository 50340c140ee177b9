"""A progress bar for people at a terminal; nothing in a pipe."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from kplate.files import printable


class Progress:
    """Shows how far a run has come, where somebody looks.

    Args:
        shown: Whether this process is the one that shows it.
    """

    def __init__(self, shown: bool = True) -> None:
        self._bar: Bar | None = None
        if shown and sys.stderr.isatty():
            columns = (BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn(),
                       TextColumn("{task.description}", markup=False))  # fmt: skip
            console = Console(stderr=True, highlight=False, emoji=False)
            self._bar = Bar(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, progress: float, step: int, values: dict[str, float]) -> None:
        """Show the share of the budget that is spent, and the latest step's figures."""
        if self._bar:
            text = f"step {step}, symbols right {values['symbols_right']:.1%}"
            self._bar.update(self._task, completed=progress, description=text)

    def note(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar:
            self._bar.console.print(printable(line), markup=False)
