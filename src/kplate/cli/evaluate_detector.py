"""``kplate evaluate detector``: measure what is found in pictures whose boxes are known."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kplate.classes import CAR, DISABLED_STICKER, LICENSE_PLATE, VEHICLES
from kplate.cli.common import FAILED, Screen, prepare_file, write_json_line
from kplate.cli.evaluate_tables import plain_table
from kplate.cli.labelled_boxes import load_boxes
from kplate.cli.networks import open_detector
from kplate.closer import look_closer
from kplate.detector import Detection
from kplate.errors import KplateError
from kplate.evaluation.boxes import BoxOutcome, BoxSample, evaluate_boxes
from kplate.evaluation.boxes_report import (
    CLASS_COLUMNS,
    class_row,
    condition_rows,
    size_name,
    write_boxes_report,
    write_curve,
)
from kplate.evaluation.boxes_summary import BoxSummary, misses, needless, summarise_boxes, width_name
from kplate.files import printable
from kplate.images import Image
from kplate.results import json_line

#: Boxes below this score do not change AP50 in the second decimal.
_LEAST_SCORE: Final = 0.01
#: Arguments of `kplate evaluate` that say something about readings.
_OF_READINGS: Final = ("cropped", "also", "against", "reader", "min_score")
#: The kind of picture that curves are.
_CURVE: Final = ".svg"
_ONLY_NAMES: Final = {"vehicles": CAR, "plates": LICENSE_PLATE, "permits": DISABLED_STICKER}


def run(args: argparse.Namespace) -> int:
    """Measure; the status is 1 where a picture or a label could not be used.

    Raises:
        KplateError: The arguments contradict one another, or the labels or the network cannot be used.
    """
    for name in _OF_READINGS:
        if getattr(args, name, None):
            option = f"--{name.replace('_', '-')}"
            raise KplateError(f"{option} is about readings: it does not go with `kplate evaluate detector`")
    if args.curve and Path(args.curve).suffix.lower() != _CURVE:
        raise KplateError(f"--curve draws SVG: {printable(args.curve)} must end with {_CURVE}")
    screen = Screen(json=args.json)
    own = open_detector(args, min_score=args.thresh)
    only = [_ONLY_NAMES.get(name, name) for name in _listed(args.only)]
    unknown = [name for name in only if name not in own.labels]
    if unknown:
        raise KplateError(f"--only: the network does not find {unknown[0]!r}: {', '.join(own.labels)}")
    samples, problems = _samples(args, own.labels, only)
    for problem in problems:
        screen.complain(problem)
    if not samples:
        return FAILED
    report = prepare_file(args.report) if args.report else None
    curve = prepare_file(args.curve) if args.curve else None
    thresholds = {label: own.threshold(label) for label in _measured(samples, own.labels, only)}
    outcomes = []
    labelled = {truth.label for sample in samples for truth in sample.truths}
    # Boxes that nobody would be shown matter to average precision alone, which needs something to find.
    eager = own if labelled.isdisjoint(thresholds) else open_detector(args, min_score=_LEAST_SCORE)

    def detect(image: Image) -> list[Detection]:
        found = list(eager(image))
        if args.closer:
            sure = [item for item in found if item.score >= own.threshold(item.label)]
            found += look_closer(own, image, sure, VEHICLES, LICENSE_PLATE)
        return found

    with screen.progress(len(samples), "pictures") as advance:
        for outcome in evaluate_boxes(samples, detect, thresholds):
            outcomes.append(outcome)
            advance(outcome.sample.name)
    summary = summarise_boxes(outcomes, thresholds, own.size)
    if args.json:
        write_json_line(json_line({"data": args.folder, **summary.to_dict(), **_lists(outcomes, summary)}))
    else:
        _print(screen, summary)
    if report:
        write_boxes_report(report, outcomes, summary, title=f"What kplate finds in {_title(args)}")
    if curve:
        write_curve(curve, summary)
    for name, path in (("report", report), ("curve", curve)):
        if path and not args.json:
            print(f"{name}: {path}")
    return FAILED if summary.failed or problems else 0


def _samples(
    args: argparse.Namespace, labels: Sequence[str], only: Sequence[str]
) -> tuple[list[BoxSample], list[str]]:
    """Load the pictures of all folders, and list the labels that cannot be used."""
    splits = _listed(args.split)
    samples: list[BoxSample] = []
    problems: list[str] = []
    there: set[str] = set()
    for folder in (args.folder, *args.further):
        found, wrong, held = load_boxes(
            folder, labels, labels=args.labels, ignore=args.ignore, splits=splits, only=only
        )
        samples += found
        problems += wrong
        there |= held
    absent = [split for split in splits if split not in there]
    if absent:  # a split may be in one folder alone, but not in none
        raise KplateError(f"--split: there are no labelled pictures of the split {printable(absent[0])!r}")
    return samples, problems


def _listed(text: str | None) -> list[str]:
    """Return what an argument lists with commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _title(args: argparse.Namespace) -> str:
    return ", ".join(Path(folder).resolve().name for folder in (args.folder, *args.further))


def _measured(samples: Sequence[BoxSample], labels: Sequence[str], only: Sequence[str]) -> list[str]:
    """Return the classes to report on: those that were asked for, else those that are labelled."""
    if only:
        return [label for label in labels if label in only]
    labelled = {truth.label for sample in samples for truth in sample.truths}
    measured = [label for label in labels if label in labelled]
    if not measured:
        raise KplateError(
            "the data labels nothing that the network finds; "
            "--only CLASS counts what it finds there nevertheless"
        )
    return measured


def _lists(outcomes: Sequence[BoxOutcome], summary: BoxSummary) -> dict[str, object]:
    """Return every miss and every needless box as plain values."""
    labels = [figures.label for figures in summary.classes]
    return {
        "not_found": [
            {"file": outcome.sample.name, "class": label, "box": _rounded(truth.box)}
            for label in labels
            for outcome, truth in misses(outcomes, label)
        ],
        "needless": [
            {
                "file": outcome.sample.name,
                "class": label,
                "is": str(found.verdict),
                "score": round(found.detection.score, 4),
                "box": _rounded(found.detection.box),
            }
            for label in labels
            for outcome, found in needless(outcomes, label)
        ],
    }


def _rounded(box: Sequence[float]) -> list[float]:
    return [round(value, 1) for value in box]


def _print(screen: Screen, summary: BoxSummary) -> None:
    screen.out.print(f"{summary.pictures} pictures at {size_name(summary)}")
    classes = plain_table(*CLASS_COLUMNS)
    for figures in summary.classes:
        classes.add_row(*map(printable, class_row(figures)))
    widths = plain_table("found by width", "px", "of the input", "of the picture")
    conditions = plain_table("condition", "class", "AP50", "found", "needless boxes")
    for figures in summary.classes:
        own, picture = dict(figures.widths), dict(figures.picture_widths)
        for low in sorted({*own, *picture}):
            cells = (str(shares[low]) if low in shares else "" for shares in (own, picture))
            widths.add_row(printable(figures.label), width_name(low), *cells)
        for name, *cells_of in condition_rows(figures):
            conditions.add_row(printable(name), printable(figures.label), *cells_of)
    confusions = plain_table("label", "found as", "times")
    for true, found, times in summary.confusions:
        confusions.add_row(printable(true) or "(nothing)", printable(found) or "(not found)", str(times))
    for table in (classes, widths, conditions, confusions):
        if table.rows:
            screen.out.print()
            screen.out.print(table)
    for name, error in summary.failed:
        screen.complain(f"{name}: {error}")
