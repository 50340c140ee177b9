"""The HTML report: one file that holds the figures and the picture of every wrong reading."""

from collections.abc import Sequence
from html import escape
from typing import Final

from kplate.errors import KplateError
from kplate.evaluation.comparison import Comparison
from kplate.evaluation.data import Sample
from kplate.evaluation.metrics import Share
from kplate.evaluation.page import part, scene, section, table, write_page
from kplate.evaluation.scoring import PictureOutcome, TextOutcome, Verdict
from kplate.evaluation.summary import Group, Summary, kind_of, other_readings, summarise, wrong_texts
from kplate.evaluation.trust import trust_curve, trust_svg
from kplate.files import StrPath
from kplate.images import read_image
from kplate.results import Box, Plate

#: Confusions that the report lists.
_LISTED_CONFUSIONS: Final = 40


def write_report(
    path: StrPath,
    outcomes: Sequence[PictureOutcome],
    *,
    title: str,
    cropped: bool = False,
    comparison: Comparison | None = None,
) -> None:
    """Write the report of an evaluation: self-contained, readable without a network.

    Args:
        path: The file to write.
        outcomes: What became of each picture.
        title: Title of the page.
        cropped: The pictures are plate crops.
        comparison: How another network does on the same pictures; the outcomes are the first network's.

    Raises:
        OutputError: The file cannot be written.
    """
    summary = summarise(outcomes)
    parts = [
        f"<h1>{escape(title)}</h1>",
        _figures(summary),
        _failed(summary),
        _trust(outcomes),
        _comparison(comparison, cropped),
        _wrong("Trusted and wrong", [t for t in wrong_texts(outcomes) if t.trusted], cropped),
        _others("Trusted readings that match no label: to be looked at", outcomes, Verdict.OTHER),
        _others("Reported twice", outcomes, Verdict.DUPLICATE),
        _wrong(
            "Not trusted and wrong, or not found",
            [t for t in wrong_texts(outcomes) if not t.trusted],
            cropped,
        ),
        _wrong_colour(outcomes),
        _groups("kind", summary.kinds),
        _groups("condition", summary.conditions),
        _confusions(summary),
        _symbols(summary),
        _calibration(summary),
    ]
    write_page(path, title, parts)


def figure_rows(summary: Summary) -> list[tuple[str, str]]:
    """Return the headline figures as rows of name and value, for people."""
    rows = [
        ("Labelled plates", str(summary.seen.total)),
        ("Read exactly (best reading)", _with_interval(summary.seen)),
        ("Read exactly (trusted text)", _with_interval(summary.trusted_right)),
        ("Trusted readings of them", str(summary.trusted)),
        ("– wrong", _with_interval(summary.trusted_wrong)),
        ("Trusted readings that match no label", str(summary.others[Verdict.OTHER])),
        ("Trusted readings of further known plates", str(summary.others[Verdict.KNOWN])),
        ("Plates reported twice", str(summary.others[Verdict.DUPLICATE])),
        ("Character error rate", _number(summary.cer, "{:.2%}")),
        ("Calibration error of the score", _number(summary.ece, "{:.3f}")),
        ("Time a picture, median / 90 % under", f"{_ms(summary.median_ms)} / {_ms(summary.p90_ms)}"),
    ]
    if summary.electric.total:
        unanswered = f" ({summary.electric_unanswered} unanswered)" if summary.electric_unanswered else ""
        rows.append(("Electric or not, right", f"{summary.electric}{unanswered}"))
    if summary.failed:
        rows.append(("Pictures that could not be read", str(len(summary.failed))))
    return rows


def _with_interval(share: Share) -> str:
    figures = share.to_dict()
    return f"{share} (95 %: {figures['low']:.1%} – {figures['high']:.1%})" if share.total else str(share)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _ms(value: float | None) -> str:
    return _number(value, "{:.1f} ms")


def _figures(summary: Summary) -> str:
    return table((), ([escape(name), escape(value)] for name, value in figure_rows(summary)))


def _failed(summary: Summary) -> str:
    rows = [[escape(name), escape(error)] for name, error in summary.failed]
    return section("Pictures that could not be read", ("File", "Reason"), rows)


def _trust(outcomes: Sequence[PictureOutcome]) -> str:
    points = trust_curve(outcomes)
    rows = [[f"{p.threshold:g}", str(p.trusted), _with_interval(p.wrong)] for p in points]
    figures = table(("Trusted from", "Trusted", "Wrong of them"), rows)
    return f"<h2>Trusted and rejected</h2>\n{trust_svg(points)}{figures}"


def _comparison(comparison: Comparison | None, cropped: bool) -> str:
    """Show the figures of a comparison, and every plate that the networks read differently."""
    if comparison is None:
        return ""
    rows = []
    for first, second in comparison.differing:
        seen = first if first.plate else second
        box = seen.plate.box if seen.plate and not cropped else None
        readings = [
            f"{_marked(text.seen, text.truth) or _nothing()}<br>{text.score:.3f}"
            f"{'' if text.trusted else ', not trusted'}"
            for text in (first, second)
        ]
        rows.append(
            [_picture(first.sample, box, cropped), escape(first.truth), *readings, escape(first.sample.name)]
        )
    figures = table((), ([escape(name), escape(value)] for name, value in comparison.rows()))
    columns = ("Picture", "Label", "First", "Second", "File")
    return f"<h2>Against the other network</h2>\n{figures}{section('Read differently', columns, rows)}"


def _wrong(heading: str, texts: Sequence[TextOutcome], cropped: bool) -> str:
    rows = []
    for text in texts:
        box = text.plate.box if text.plate and not cropped else None
        rows.append(
            [
                _picture(text.sample, box, cropped),
                f'<div class="text">{_marked(text.truth, text.seen)}<br>'
                f"{_marked(text.seen, text.truth) or _nothing()}</div>",
                f"{text.score:.3f}" if text.plate else _nothing(),
                escape(kind_of(text)),
                escape(text.sample.name),
            ]
        )
    return section(heading, ("Picture", "Label, reading", "Score", "Kind", "File"), rows)


def _others(heading: str, outcomes: Sequence[PictureOutcome], verdict: Verdict) -> str:
    rows = [
        [
            _picture(other.sample, other.plate.box, cropped=False),
            f'<div class="text">{escape(other.plate.text or "")}</div>'
            f"labels: {escape(', '.join(other.sample.texts))}",
            f"{other.plate.score:.3f}",
            escape(other.plate.kind or "–"),
            escape(other.sample.name),
        ]
        for other in other_readings(outcomes, verdict)
    ]
    return section(heading, ("Picture", "Reading", "Score", "Kind", "File"), rows)


def _wrong_colour(outcomes: Sequence[PictureOutcome]) -> str:
    rows = []
    for outcome in outcomes:
        if outcome.sample.electric is None or outcome.electric == outcome.sample.electric:
            continue
        plate: Plate | None = next((text.plate for text in outcome.texts if text.plate), None)
        said = {True: "electric", False: "not electric", None: "nothing"}
        rows.append(
            [
                _picture(outcome.sample, plate.box if plate else None, cropped=False),
                said[outcome.sample.electric],
                said[outcome.electric],
                escape(plate.kind or "–") if plate else _nothing(),
                escape(outcome.sample.name),
            ]
        )
    return section("Electric or not: wrong", ("Picture", "Is", "Said", "Kind read", "File"), rows)


def _groups(name: str, groups: Sequence[Group]) -> str:
    rows = [
        [escape(group.name), str(group.seen), str(group.trusted_right), str(group.trusted_wrong)]
        for group in groups
    ]
    columns = (name.capitalize(), "Best reading exact", "Trusted exact", "Trusted and wrong")
    return section(f"By {name}", columns, rows)


def _confusions(summary: Summary) -> str:
    rows = [
        [escape(true) or "(nothing)", escape(read) or "(nothing)", str(times)]
        for true, read, times in summary.confusions[:_LISTED_CONFUSIONS]
    ]
    return section("Confusions", ("Label", "Read as", "Times"), rows)


def _symbols(summary: Summary) -> str:
    rows = [
        [
            escape(row.symbol),
            str(row.right),
            escape(", ".join(f"{read or 'nothing'} ×{times}" for read, times in row.confusions)),
        ]
        for row in summary.symbols
    ]
    return section("By symbol", ("Symbol", "Right", "Read as"), rows)


def _calibration(summary: Summary) -> str:
    rows = [
        [f"{group.low:.1f} – {group.high:.1f}", f"{group.score:.3f}", str(group.right)]
        for group in summary.calibration
    ]
    return section("Calibration", ("Score", "Mean score", "Right"), rows)


def _marked(text: str, other: str) -> str:
    """Return the text with what differs from the other one marked, position by position."""
    return "".join(
        escape(symbol) if other[i : i + 1] == symbol else f"<mark>{escape(symbol)}</mark>"
        for i, symbol in enumerate(text)
    )


def _nothing() -> str:
    return '<span class="none">nothing</span>'


def _picture(sample: Sample, box: Box | None, cropped: bool) -> str:
    """Return the picture of a reading as HTML: the plate, and unless it is a crop the whole picture below."""
    try:
        image = read_image(sample.path)
    except KplateError as error:
        return escape(str(error))
    return part(image) if cropped else scene(image, box)
