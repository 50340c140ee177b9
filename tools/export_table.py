"""Exports the shipped networks to all formats that can be made here and measures each on real pictures.

Example:
    python tools/export_table.py --plates korean_plates_eval --scenes korean_scenes_eval --out exported
"""

import argparse
import functools
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from kplate import Detector, Reader, Recognizer, evaluation, weights
from kplate.export.run import NEEDS, Exported, Order, export

#: Of readings: exact whether trusted or not, trusted and exact, trusted and wrong.
COLUMNS = (
    "format",
    "precision",
    "detector, refiner, locator, reader: MB",
    "boxes that agree (least IoU): detector's; refiner's; corners; texts",
    "plates: best, trusted, wrong",
    "scenes: best, trusted, wrong",
)


def main() -> None:
    """Export, measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plates", required=True, help="labelled plate crops")
    parser.add_argument("--scenes", required=True, help="labelled photographs")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--formats", nargs="+", choices=weights.FORMATS, default=list(weights.FORMATS))
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |")
    print("|" + " --- |" * len(COLUMNS))
    for form in options.formats:
        if not all(find_spec(module) for module in NEEDS[form][0]):
            print(f"{form}: its libraries are not installed")
            continue
        for precision in weights.PRECISIONS:
            with TemporaryDirectory() as beside:
                made: dict[str, Exported] = {}
                for what in ("detector", "reader"):
                    folder = Path(beside) / what
                    folder.mkdir()
                    made |= export(Order(what, options.out, format=form, precision=precision), folder)
            print(_row(form, precision, made, options.plates, options.scenes), flush=True)


def _row(form: str, precision: str, made: dict[str, Exported], plates: str, scenes: str) -> str:
    recognizer = Recognizer(
        detector=Detector(made["detector"].manifest_path, threads=1),
        reader=Reader(made["reader"].manifest_path, threads=1),
    )
    cells = [form, precision, ", ".join(f"{made[task].size / 1e6:.2f}" for task in weights.TASKS)]
    reports = [made[task].report for task in weights.TASKS]
    least = [f" ({report.overlap:.3f})" if report.overlap is not None else "" for report in reports]
    pairs = zip(reports, least, strict=True)
    cells.append("; ".join(f"{report.agreed} of {report.compared}{more}" for report, more in pairs))
    for data, cropped in ((plates, True), (scenes, False)):
        samples = evaluation.load_samples(data)
        read = functools.partial(recognizer, cropped=cropped)
        summary = evaluation.summarise(list(evaluation.evaluate(samples, read, cropped=cropped)))
        wrong = summary.to_dict()["trusted_wrong"]["count"]
        cells.append(f"{summary.seen.count}, {summary.trusted_right.count}, {wrong}")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
