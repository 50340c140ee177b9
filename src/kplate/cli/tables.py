"""Results as text for people: a table on a terminal, tab-separated columns in a pipe."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kplate.files import printable
from kplate.plates.grammar import display
from kplate.results import Plate, Recognition

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

#: Title and width of the table's columns, in terminal cells: together they fit the 80 of a plain terminal. A
#: Hangul syllable takes two.
_COLUMNS: Final = (
    ("found", 9),
    ("text", 17),
    ("score", 5),
    ("kind", 16),
    ("use", 12),
    ("electric", 8),
    ("car", 3),
)
_YES_NO: Final = {True: "yes", False: "no", None: ""}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was found, as text."""

    what: str
    index: int
    score: str
    text: str = ""
    candidate: str = ""
    kind: str = ""
    use: str = ""
    electric: str = ""
    vehicle: str = ""


def rows_of(result: Recognition) -> Iterator[Row]:
    """Yield what was found: plates first, then vehicles, permits and what else a custom network knows."""
    for index, plate in enumerate(result.plates):
        yield _plate_row(index, plate)
    for index, vehicle in enumerate(result.vehicles):
        yield Row("vehicle", index, f"{vehicle.score:.2f}", kind=printable(vehicle.label or ""))
    for index, permit in enumerate(result.permits):
        yield Row("permit", index, f"{permit.score:.2f}", vehicle=_index(permit.vehicle))
    for index, other in enumerate(result.others or ()):
        yield Row("other", index, f"{other.score:.2f}", kind=printable(other.label))


class ResultTable:
    """Prints results as they come, so that they line up as one table."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._headed = False

    def show(self, result: Recognition, name: str | None = None) -> None:
        """Print one picture's results.

        Args:
            result: The results.
            name: What the picture is called, if that is not its file's name.
        """
        # Here, not above: a pipe gets no table, and need not wait for Rich to load.
        from rich.table import Table
        from rich.text import Text

        title = Text(printable(name or result.file or "picture"), style="bold")
        title.append(f"  {result.width}×{result.height}, {result.elapsed_ms:.0f} ms", style="dim")
        self._console.print(title, soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=not self._headed)
        for name, width in _COLUMNS:
            table.add_column(name, width=width, no_wrap=True, header_style="dim")
        for row in rows_of(result):
            table.add_row(
                f"  {row.what}",
                self._text(row),
                row.score,
                Text(row.kind),
                row.use,
                row.electric,
                row.vehicle,
            )
        if not table.rows:
            table.add_row("  nothing")
        self._console.print(table)
        self._headed = True

    @staticmethod
    def _text(row: Row) -> "Text":
        """A trusted text stands out; what is only a guess stands in brackets."""
        from rich.text import Text

        if row.what != "plate":
            return Text(f"{row.index}", style="dim")
        if row.text:
            return Text(display(row.text), style="bold green")
        return Text(f"({display(row.candidate)}?)" if row.candidate else "unread", style="yellow")


def tab_separated(result: Recognition) -> str:
    """Return one line for each thing found.

    Its columns are file, what, number, text, candidate, score, kind, use, electric and vehicle. File names
    with tabs or line breaks come escaped, so that a line is always a line. A picture in which nothing was
    found has one line that says so.
    """
    file = printable(result.file or "")
    lines = [
        "\t".join(
            (
                file,
                row.what,
                str(row.index),
                row.text,
                row.candidate,
                row.score,
                row.kind,
                row.use,
                row.electric,
                row.vehicle,
            )
        )
        for row in rows_of(result)
    ]
    return "\n".join(lines or [f"{file}\tnothing"])


def _plate_row(index: int, plate: Plate) -> Row:
    return Row(
        "plate",
        index,
        f"{plate.score:.2f}",
        plate.text or "",
        plate.candidate or "",
        str(plate.kind or ""),
        str(plate.use or ""),
        _YES_NO[plate.electric],
        _index(plate.vehicle),
    )


def _index(value: int | None) -> str:
    return "" if value is None else str(value)
