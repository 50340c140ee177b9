"""Tables of ``kplate evaluate``: the trade of a threshold, and two networks side by side."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kplate.evaluation import Comparison, Group, PictureOutcome, TextOutcome, trust_curve
from kplate.files import printable

#: Thresholds that are printed; the report and the JSON have more.
_PRINTED: Final = frozenset({0.0, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99})
#: Differing plates that are printed; the report and the JSON have them all.
_LISTED: Final = 40


def plain_table(*columns: str) -> Table:
    """Return a table without lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name)
    return table


def group_table(name: str, groups: Sequence[Group]) -> Table:
    """Return the table of what groups of plates came to."""
    table = plain_table(name, "best reading exact", "trusted exact", "trusted, wrong")
    for group in groups:
        table.add_row(
            printable(group.name), str(group.seen), str(group.trusted_right), str(group.trusted_wrong)
        )
    return table


def print_trust(console: Console, outcomes: Sequence[PictureOutcome]) -> None:
    """Print how many readings a threshold trusts, and how many of them are wrong."""
    table = plain_table("trusted from", "trusted", "wrong of them")
    for point in trust_curve(outcomes):
        if point.threshold in _PRINTED:
            table.add_row(f"{point.threshold:g}", str(point.trusted), str(point.wrong))
    console.print()
    console.print(table)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the figures of a comparison, and the plates that the networks read differently."""
    figures = plain_table("against the other network", "plates")
    for name, value in comparison.rows():
        figures.add_row(Text(name), Text(value))
    plates = plain_table("read differently", "label", "first", "second")
    for first, second in comparison.differing[:_LISTED]:
        plates.add_row(
            printable(first.sample.name), printable(first.truth), _reading(first), _reading(second)
        )
    console.print()
    console.print(figures)
    if plates.rows:
        console.print()
        console.print(plates)
    if len(comparison.differing) > _LISTED:
        console.print(f"... and {len(comparison.differing) - _LISTED} more")


def _reading(text: TextOutcome) -> Text:
    """Show a reading: in brackets where it is not trusted, coloured by whether it is right."""
    seen = text.seen or "nothing"
    shown = seen if text.trusted else f"({seen})"
    return Text(f"{shown} {text.score:.3f}", style="green" if text.right else "red")
