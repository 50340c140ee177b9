"""``kplate evaluate``: measure on labelled pictures."""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from kplate import evaluation
from kplate.cli import evaluate_detector
from kplate.cli.common import FAILED, Screen, add_recognizer_arguments, prepare_file, write_json_line
from kplate.cli.evaluate_tables import group_table, plain_table, print_comparison, print_trust
from kplate.cli.networks import open_recognizer, recognizer_with
from kplate.errors import KplateError
from kplate.evaluation.report import figure_rows
from kplate.evaluation.scoring import PictureOutcome, Verdict
from kplate.evaluation.summary import Summary, kind_of, other_readings, wrong_texts
from kplate.files import printable
from kplate.results import json_line

if TYPE_CHECKING:
    from kplate import Recognizer

#: Options may stand between ``detector`` and the data.
MIXED: Final = True
#: What ``--against`` calls the networks that ship with kplate.
SHIPPED: Final = "shipped"
#: Arguments that say something about boxes.
_OF_BOXES: Final = ("labels", "ignore", "split", "only", "curve", "no_refine")
#: Confusions that are printed; the report and the JSON have them all.
_LISTED_CONFUSIONS: Final = 12


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=("reader", "detector"),
        help="measure the reader alone, on plate crops: as --cropped; or the detector, on labelled boxes",
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        help="labelled pictures: with a labels.jsonl, or each named by its text (12가3456_1.jpg)",
    )
    parser.add_argument("further", nargs="*", metavar="FOLDER", help="detector: more labelled pictures")
    parser.add_argument(
        "--report", metavar="FILE", help="write an HTML report with the picture of every wrong reading"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument(
        "--also",
        metavar="FILE",
        help='JSON Lines {"file", "texts"} of further plates that truly are in the pictures: '
        "reading them is no error",
    )
    parser.add_argument(
        "--against",
        metavar="DIR",
        help="compare with the networks of another folder, plate by plate ('shipped' for the shipped ones)",
    )
    boxes = parser.add_argument_group("of the detector")
    boxes.add_argument(
        "--labels",
        metavar="FILE",
        help="boxes from this file; korean_scenes_eval: kplate's own for that folder",
    )
    boxes.add_argument(
        "--ignore",
        metavar="FILE",
        help="boxes in this file are neither right nor wrong; openimages_plates_unlabelled, "
        "vehicles_unlabelled: what nobody labelled there, set down by kplate",
    )
    boxes.add_argument("--split", metavar="S", help="only pictures of this split; several with commas")
    boxes.add_argument(
        "--only",
        metavar="CLASS",
        help="only vehicles, plates or permits, several with commas; where none are labelled, there are none",
    )
    boxes.add_argument("--curve", metavar="FILE", help="draw precision over recall: FILE.svg")
    boxes.add_argument(
        "--no-refine", action="store_true", help="what the detector's own network finds, without its refiner"
    )
    add_recognizer_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure; the status is 1 where a picture could not be read."""
    if args.what == "detector":
        return evaluate_detector.run(args)
    for name in _OF_BOXES:
        if getattr(args, name):
            raise KplateError(
                f"--{name.replace('_', '-')} is about boxes: it goes with `kplate evaluate detector`"
            )
    if args.further:
        raise KplateError("readings are measured on one folder at a time")
    screen = Screen(json=args.json)
    cropped = args.cropped or args.what == "reader"
    recognizer = open_recognizer(args)
    script = recognizer.reader.script
    further = evaluation.load_also(args.also, script) if args.also else None
    samples = evaluation.load_samples(args.folder, further, script)
    report = prepare_file(args.report) if args.report else None
    other = (
        recognizer_with(None if args.against == SHIPPED else args.against, None, args)
        if args.against
        else None
    )
    outcomes = _outcomes(screen, samples, recognizer, cropped)
    comparison = None
    if other:
        comparison = evaluation.compare(outcomes, _outcomes(screen, samples, other, cropped))
    summary = evaluation.summarise(outcomes)
    if args.json:
        write_json_line(json_line({"data": args.folder, **_figures(summary, outcomes, comparison)}))
    else:
        _print(screen, summary, outcomes)
        print_trust(screen.out, outcomes)
        if comparison:
            print_comparison(screen.out, comparison)
    if report:
        title = f"kplate on {Path(args.folder).resolve().name}"
        evaluation.write_report(report, outcomes, title=title, cropped=cropped, comparison=comparison)
        if not args.json:
            print(f"report: {report}")
    return FAILED if summary.failed else 0


def _outcomes(
    screen: Screen, samples: Sequence[evaluation.Sample], recognizer: "Recognizer", cropped: bool
) -> list[PictureOutcome]:
    outcomes = []
    recognise = functools.partial(recognizer, cropped=cropped)
    with screen.progress(len(samples), "pictures") as advance:
        for outcome in evaluation.evaluate(samples, recognise, cropped=cropped):
            outcomes.append(outcome)
            advance(outcome.sample.name)
    return outcomes


def _figures(
    summary: Summary, outcomes: Sequence[PictureOutcome], comparison: evaluation.Comparison | None
) -> dict[str, object]:
    """Return every figure as plain values."""
    figures: dict[str, object] = {
        **summary.to_dict(),
        "trust": [point.to_dict() for point in evaluation.trust_curve(outcomes)],
        "wrong": _wrong(outcomes),
    }
    return figures | ({"against": comparison.to_dict()} if comparison else {})


def _print(screen: Screen, summary: Summary, outcomes: Sequence[PictureOutcome]) -> None:
    figures = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in figure_rows(summary):
        figures.add_row(Text(name), Text(value))
    kinds, conditions = group_table("kind", summary.kinds), group_table("condition", summary.conditions)
    confusions = ", ".join(
        f"{true or 'nothing'}→{read or 'nothing'} ×{times}"
        for true, read, times in summary.confusions[:_LISTED_CONFUSIONS]
    )
    worst = plain_table("trusted and wrong", "label", "reading", "score")
    for text in wrong_texts(outcomes):
        if text.trusted:
            worst.add_row(printable(text.sample.name), printable(text.truth), text.seen, f"{text.score:.3f}")
    for other in other_readings(outcomes, Verdict.OTHER):
        worst.add_row(
            printable(other.sample.name), "(matches no label)", other.plate.text, f"{other.plate.score:.3f}"
        )
    for part in (figures, kinds, conditions, worst):
        if part.rows:
            screen.out.print(part)
            screen.out.print()
    if confusions:
        screen.out.print(Text(f"confusions: {confusions}"), soft_wrap=True)
    for name, error in summary.failed:
        screen.complain(f"{name}: {error}")


def _wrong(outcomes: Sequence[PictureOutcome]) -> list[dict[str, object]]:
    """Return every reading to look at, as plain values."""
    wrong: list[dict[str, object]] = [
        {
            "file": text.sample.name,
            "label": text.truth,
            "reading": text.seen or None,
            "trusted": text.trusted,
            "score": round(text.score, 4),
            "kind": kind_of(text),
        }
        for text in wrong_texts(outcomes)
    ]
    wrong += [
        {
            "file": other.sample.name,
            "label": None,
            "reading": other.plate.text,
            "trusted": True,
            "score": round(other.plate.score, 4),
            "kind": other.plate.kind,
        }
        for other in other_readings(outcomes, Verdict.OTHER)
    ]
    return wrong
