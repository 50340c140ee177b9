"""The HTML report: one file that holds the figures and the picture of every wrong reading."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import cv2
import numpy as np

from kplate.errors import KplateError
from kplate.evaluation.comparison import Comparison
from kplate.evaluation.data import Sample
from kplate.evaluation.metrics import Share
from kplate.evaluation.scoring import PictureOutcome, TextOutcome, Verdict
from kplate.evaluation.summary import Summary, kind_of, other_readings, summarise, wrong_texts
from kplate.evaluation.trust import trust_curve, trust_svg
from kplate.files import StrPath, write_atomic
from kplate.images import Image, read_image
from kplate.results import Box, Plate

#: Width of an embedded whole picture and height of an embedded plate, in pixels.
_SCENE_WIDTH: Final = 400
_PLATE_HEIGHT: Final = 96
#: Widest an embedded plate may become, in pixels.
_PLATE_WIDTH: Final = 480
#: Share of its size by which a plate's box is grown before it is cut out.
_MARGIN: Final = 0.25
_JPEG_QUALITY: Final = 85
#: Confusions that the report lists.
_LISTED_CONFUSIONS: Final = 40

_STYLE: Final = """
body { font: 15px/1.5 system-ui, "Apple SD Gothic Neo", "Noto Sans KR", sans-serif; margin: 2rem auto;
  max-width: 1100px; padding: 0 1rem; color: #1b1f24; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; } caption { text-align: left; color: #57606a; }
th, td { border-bottom: 1px solid #d0d7de; padding: .3rem .8rem .3rem 0; text-align: left;
  vertical-align: middle; } th { font-weight: 600; }
img { max-width: 100%; border-radius: 3px; display: block; }
.text { font-size: 1.35rem; white-space: nowrap; letter-spacing: .04em; }
mark { background: #ffd0cc; } .none { color: #57606a; }
"""


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
        _kinds(summary),
        _confusions(summary),
        _symbols(summary),
        _calibration(summary),
    ]
    page = (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n"
        f"<body>\n{''.join(part for part in parts if part)}</body>\n</html>\n"
    )
    write_atomic(path, page.encode())


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
    return _table((), ([escape(name), escape(value)] for name, value in figure_rows(summary)))


def _failed(summary: Summary) -> str:
    rows = [[escape(name), escape(error)] for name, error in summary.failed]
    return _section("Pictures that could not be read", ("File", "Reason"), rows)


def _trust(outcomes: Sequence[PictureOutcome]) -> str:
    points = trust_curve(outcomes)
    rows = [[f"{p.threshold:g}", str(p.trusted), _with_interval(p.wrong)] for p in points]
    table = _table(("Trusted from", "Trusted", "Wrong of them"), rows)
    return f"<h2>Trusted and rejected</h2>\n{trust_svg(points)}{table}"


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
    figures = _table((), ([escape(name), escape(value)] for name, value in comparison.rows()))
    columns = ("Picture", "Label", "First", "Second", "File")
    return f"<h2>Against the other network</h2>\n{figures}{_section('Read differently', columns, rows)}"


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
    return _section(heading, ("Picture", "Label, reading", "Score", "Kind", "File"), rows)


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
    return _section(heading, ("Picture", "Reading", "Score", "Kind", "File"), rows)


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
    return _section("Electric or not: wrong", ("Picture", "Is", "Said", "Kind read", "File"), rows)


def _kinds(summary: Summary) -> str:
    rows = [
        [escape(group.name), str(group.seen), str(group.trusted_right), str(group.trusted_wrong)]
        for group in summary.kinds
    ]
    return _section("By kind", ("Kind", "Best reading exact", "Trusted exact", "Trusted and wrong"), rows)


def _confusions(summary: Summary) -> str:
    rows = [
        [escape(true) or "(nothing)", escape(read) or "(nothing)", str(times)]
        for true, read, times in summary.confusions[:_LISTED_CONFUSIONS]
    ]
    return _section("Confusions", ("Label", "Read as", "Times"), rows)


def _symbols(summary: Summary) -> str:
    rows = [
        [
            escape(row.symbol),
            str(row.right),
            escape(", ".join(f"{read or 'nothing'} ×{times}" for read, times in row.confusions)),
        ]
        for row in summary.symbols
    ]
    return _section("By symbol", ("Symbol", "Right", "Read as"), rows)


def _calibration(summary: Summary) -> str:
    rows = [
        [f"{group.low:.1f} – {group.high:.1f}", f"{group.score:.3f}", str(group.right)]
        for group in summary.calibration
    ]
    return _section("Calibration", ("Score", "Mean score", "Right"), rows)


def _section(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<h2>{escape(heading)} ({len(rows)})</h2>\n{_table(columns, rows)}" if rows else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in columns)}</tr>\n" if columns else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table>\n{head}{body}</table>\n"


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
    if cropped:
        return _embed(_fit(image, _PLATE_WIDTH, _PLATE_HEIGHT))
    scene = _fit(image, _SCENE_WIDTH, image.shape[0])
    if box is None:
        return _embed(scene)
    scale = scene.shape[1] / image.shape[1]
    x1, y1, x2, y2 = (round(value * scale) for value in box)
    marked = cv2.rectangle(scene.copy(), (x1, y1), (x2, y2), (40, 40, 230), 2)
    return _embed(_fit(_cut(image, box), _PLATE_WIDTH, _PLATE_HEIGHT)) + _embed(np.asarray(marked, np.uint8))


def _cut(image: Image, box: Box) -> Image:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) * _MARGIN, (y2 - y1) * _MARGIN
    left, top = max(0, int(x1 - dx)), max(0, int(y1 - dy))
    return image[
        top : max(top + 1, min(height, int(y2 + dy))), left : max(left + 1, min(width, int(x2 + dx)))
    ]


def _fit(image: Image, width: int, height: int) -> Image:
    """Scale a picture to the largest size inside the given one, in pixels."""
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8
    )


def _embed(image: Image) -> str:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode("ascii")}">'
