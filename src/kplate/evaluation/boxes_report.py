"""The HTML report of a detector: figures, curves, and the picture of every miss and every needless box."""

from collections.abc import Sequence
from html import escape
from typing import Final

from kplate.boxes import iou_matrix
from kplate.errors import KplateError
from kplate.evaluation.boxes import BoxOutcome, Verdict
from kplate.evaluation.boxes_summary import BoxSummary, ClassFigures, misses, needless, width_name
from kplate.evaluation.metrics import Share
from kplate.evaluation.page import scene, section, table, write_page
from kplate.files import StrPath, printable, write_atomic
from kplate.images import read_image
from kplate.results import Box

#: Pictures that one list shows at most: a report of thousands would not open.
_MOST_PICTURES: Final = 150
#: Colours of the curves, after Okabe and Ito (2008).
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
#: Size of the drawn curves and their margins, in px.
_WIDTH: Final = 520
_HEIGHT: Final = 340
_LEFT: Final = 44
_BOTTOM: Final = 40
_TOP: Final = 26

#: What people are told about a needless box.
VERDICT_NAMES: Final = {
    Verdict.CONFUSED: "another thing",
    Verdict.DUPLICATE: "found twice",
    Verdict.LOOSE: "fits badly",
    Verdict.BACKGROUND: "nothing there",
}


def write_boxes_report(
    path: StrPath, outcomes: Sequence[BoxOutcome], summary: BoxSummary, *, title: str
) -> None:
    """Write the report of a detector's evaluation.

    Args:
        path: The file to write.
        outcomes: What it found in each picture.
        summary: The figures of the same outcomes.
        title: Title of the page.

    Raises:
        OutputError: The file cannot be written.
    """
    parts = [
        f"<h1>{escape(title)}</h1>\n",
        f"<p>{summary.pictures} pictures at {size_name(summary)}</p>\n",
        table(CLASS_COLUMNS, ([escape(cell) for cell in class_row(figures)] for figures in summary.classes)),
        precision_recall_svg(summary),
        section(
            "Pictures that could not be read",
            ("File", "Reason"),
            [[escape(name), escape(error)] for name, error in summary.failed],
        ),
    ]
    for figures in summary.classes:
        parts += _class_parts(outcomes, figures)
    rows = [
        [escape(true) or "(nothing)", escape(found) or "(not found)", str(times)]
        for true, found, times in summary.confusions
    ]
    parts.append(section("Confusion", ("Label", "Found as", "Times"), rows))
    write_page(path, title, parts)


def _class_parts(outcomes: Sequence[BoxOutcome], figures: ClassFigures) -> list[str]:
    label = figures.label
    wrong = list(needless(outcomes, label))
    missed = list(misses(outcomes, label))
    boxes = [
        [
            _picture(outcome, found.detection.box),
            f"{found.detection.score:.2f}",
            VERDICT_NAMES[found.verdict],
            escape(outcome.sample.name),
        ]
        for outcome, found in wrong[:_MOST_PICTURES]
    ]
    objects = [
        [
            _picture(outcome, truth.box),
            f"{truth.box[2] - truth.box[0]:.0f} px",
            escape(_nearest(outcome, truth.box, label)),
            escape(outcome.sample.name),
        ]
        for outcome, truth in missed[:_MOST_PICTURES]
    ]
    return [
        section(f"{label}: by width", ("Width in px", "Of the input", "Of the picture"), _widths(figures)),
        section(
            f"{label}: by condition",
            ("Condition", "AP50", "Found", "Needless boxes"),
            [[escape(cell) for cell in row] for row in condition_rows(figures)],
        ),
        section(f"{label}: needless boxes", ("Picture", "Score", "Is", "File"), boxes),
        _left_out(len(wrong)),
        section(f"{label}: not found", ("Picture", "Width", "Best box there", "File"), objects),
        _left_out(len(missed)),
    ]


def _left_out(total: int) -> str:
    more = total - _MOST_PICTURES
    return f"<p>and {more} more that are not shown</p>\n" if more > 0 else ""


def _nearest(outcome: BoxOutcome, box: Box, label: str) -> str:
    """Say which box comes nearest to a missed object, sure enough to be reported or not."""
    own = [found for found in outcome.detections if found.label == label]
    if not own:
        return "none"
    iou = iou_matrix([found.box for found in own], [box])[:, 0]
    best = int(iou.argmax())
    return f"score {own[best].score:.2f}, overlap {iou[best]:.2f}" if iou[best] > 0 else "none"


def _picture(outcome: BoxOutcome, box: Box) -> str:
    try:
        return scene(read_image(outcome.sample.path), box)
    except KplateError as error:
        return escape(str(error))


#: Columns of the table of classes.
CLASS_COLUMNS: Final = (
    "class",
    "AP50",
    "AP50:95",
    "found (recall)",
    "right (precision)",
    "from",
    "largest found",
    "needless boxes",
    "pictures without any",
)


def class_row(figures: ClassFigures) -> list[str]:
    """Return a class's row of the table of classes, for people."""
    precision = figures.precision
    kinds = ", ".join(
        f"{figures.verdicts[verdict]} {name}"
        for verdict, name in VERDICT_NAMES.items()
        if figures.verdicts.get(verdict)
    )
    count = figures.right.total - figures.right.count
    return [
        figures.label,
        "–" if precision is None else f"{precision.ap50:.3f}",
        "–" if precision is None else f"{precision.ap:.3f}",
        str(figures.found),
        str(figures.right),
        f"{figures.threshold:g}",
        str(figures.largest),
        f"{count} ({kinds})" if kinds else str(count),
        str(figures.clean),
    ]


def condition_rows(figures: ClassFigures) -> list[list[str]]:
    """Return a class's rows of the table of conditions, for people."""
    return [
        [
            group.name,
            "–" if group.ap50 is None else f"{group.ap50:.3f}",
            str(group.found),
            str(group.needless),
        ]
        for group in figures.conditions
    ]


def _widths(figures: ClassFigures) -> list[list[str]]:
    own, picture = dict(figures.widths), dict(figures.picture_widths)
    nothing = Share(0, 0)
    return [
        [width_name(low), *(str(shares.get(low, nothing)) for shares in (own, picture))]
        for low in sorted({*own, *picture})
    ]


def size_name(summary: BoxSummary) -> str:
    """Say what pictures were scaled to."""
    if isinstance(summary.size, int):
        return f"{summary.size} px"
    return f"{summary.size[0]} x {summary.size[1]} px"


def write_curve(path: StrPath, summary: BoxSummary) -> None:
    """Write the curves of precision over recall as an SVG picture.

    Raises:
        OutputError: The file cannot be written.
    """
    write_atomic(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{precision_recall_svg(summary)}'.encode())


def precision_recall_svg(summary: BoxSummary) -> str:
    """Draw precision over recall at an overlap of 0.5: a curve a class, and a dot for its threshold."""
    width, height = _WIDTH - _LEFT - 12, _HEIGHT - _BOTTOM - _TOP

    def place(recall: float, precision: float) -> tuple[float, float]:
        return round(_LEFT + recall * width, 1), round(_TOP + (1 - precision) * height, 1)

    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(tick, tick)
        parts.append(
            f'<path d="M{x},{_TOP} V{_TOP + height} M{_LEFT},{y} H{_LEFT + width}" stroke="#d8dee4"/>'
        )
        parts.append(_text(x, _TOP + height + 16, f"{tick:g}", "middle"))
        parts.append(_text(_LEFT - 6, y + 4, f"{tick:g}", "end"))
    parts.append(_text(_LEFT + width / 2, _HEIGHT - 6, "recall", "middle"))
    parts.append(_text(4, _TOP - 12, "precision", "start"))
    drawn = [figures for figures in summary.classes if figures.precision is not None]
    for n, figures in enumerate(drawn):
        colour = _COLOURS[n % len(_COLOURS)]
        assert figures.precision is not None
        points = [place(i / 100, float(value)) for i, value in enumerate(figures.precision.curve)]
        line = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if figures.found.value is not None and figures.right.value is not None:
            x, y = place(figures.found.value, figures.right.value)
            parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>')
        name = f"{figures.label}: AP50 {figures.precision.ap50:.3f}"
        parts.append(_text(_LEFT + 10, _TOP + height - 10 - 16 * (len(drawn) - 1 - n), name, "start", colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif"><rect width="100%" height="100%" fill="#fff"/>\n{body}</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#57606a") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="12" fill="{colour}" text-anchor="{anchor}">'
        f"{escape(printable(text))}</text>"
    )
