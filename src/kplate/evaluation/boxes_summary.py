"""Sums up what a detector found: one value with every figure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from kplate.boxes import area
from kplate.evaluation.average_precision import Precision, average_precision
from kplate.evaluation.boxes import BoxOutcome, FoundBox, LabelledBox, Verdict
from kplate.evaluation.metrics import Share
from kplate.images.letterbox import Size

#: Limits of the groups of widths, in px.
WIDTHS: Final = (0, 8, 12, 16, 20, 32, 64, 128)
#: What a confused or missed thing, or a box on nothing, is paired with.
NOTHING: Final = ""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of one class. All but average precision hold at the threshold.

    Attributes:
        label: The class.
        threshold: Score from which its boxes are reported.
        precision: Average precision; None where nothing is labelled.
        found: Labelled objects that were found.
        right: Reported boxes that are right, of those that count either way.
        verdicts: Reported boxes by what they are.
        clean: Pictures without a needless box of this class, of those in which it is labelled.
        largest: Pictures whose largest labelled object was found.
        widths: Found objects by width in px of the network's input: lower limit, share.
        picture_widths: The same by width in px of the picture.
        conditions: Found objects, and needless boxes, by what the picture was taken in.
    """

    label: str
    threshold: float
    precision: Precision | None
    found: Share
    right: Share
    verdicts: Mapping[Verdict, int]
    clean: Share
    largest: Share
    widths: tuple[tuple[int, Share], ...]
    picture_widths: tuple[tuple[int, Share], ...]
    conditions: tuple["ConditionFigures", ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        precision = self.precision
        return {
            "threshold": self.threshold,
            "objects": self.found.total,
            "ap50": None if precision is None else round(precision.ap50, 4),
            "ap50_95": None if precision is None else round(precision.ap, 4),
            "recall": self.found.to_dict(),
            "precision": self.right.to_dict(),
            "boxes": {str(verdict): self.verdicts.get(verdict, 0) for verdict in Verdict},
            "pictures_without_needless_box": self.clean.to_dict(),
            "largest_found": self.largest.to_dict(),
            "recall_by_width_in_input": [{"from": low, **share.to_dict()} for low, share in self.widths],
            "recall_by_width_in_picture": [
                {"from": low, **share.to_dict()} for low, share in self.picture_widths
            ],
            "conditions": [group.to_dict() for group in self.conditions],
            "curve": None
            if precision is None
            else [
                {
                    "recall": round(n / 100, 2),
                    "precision": round(float(value), 4),
                    "score": round(float(score), 4),
                }
                for n, (value, score) in enumerate(zip(precision.curve, precision.scores, strict=True))
            ],
        }


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """Figures of one class in the pictures of one condition."""

    name: str
    ap50: float | None
    found: Share
    needless: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "condition": self.name,
            "ap50": None if self.ap50 is None else round(self.ap50, 4),
            "recall": self.found.to_dict(),
            "needless_boxes": self.needless,
        }


@dataclass(frozen=True, slots=True)
class BoxSummary:
    """Every figure of an evaluation of a detector.

    Attributes:
        pictures: Labelled pictures.
        size: What the detector scaled them to.
        failed: Pictures that could not be read, with the reason.
        classes: Figures of each class.
        confusions: ``(true, found, times)``, commonest first; an empty class is one not found or not there.
    """

    pictures: int
    size: Size
    failed: tuple[tuple[str, str], ...]
    classes: tuple[ClassFigures, ...]
    confusions: tuple[tuple[str, str, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return {
            "pictures": self.pictures,
            "size": self.size,
            "failed": [{"file": name, "error": error} for name, error in self.failed],
            "classes": {figures.label: figures.to_dict() for figures in self.classes},
            "confusions": [
                {"true": true or None, "found": found or None, "times": times}
                for true, found, times in self.confusions
            ],
        }


def summarise_boxes(
    outcomes: Sequence[BoxOutcome], thresholds: Mapping[str, float], size: Size
) -> BoxSummary:
    """Sum up what a detector found.

    Args:
        outcomes: What it found in each picture.
        thresholds: Score from which a box of a class is reported, for the classes to report on.
        size: What pictures were scaled to.

    Raises:
        KplateError: The library that counts average precision is not installed.
    """
    labels = list(thresholds)
    precision = average_precision(outcomes, labels)
    groups = {name: average_precision(members, labels) for name, members in _conditions(outcomes)}
    return BoxSummary(
        len(outcomes),
        size,
        tuple((outcome.sample.name, outcome.error) for outcome in outcomes if outcome.error),
        tuple(
            _figures(
                outcomes,
                label,
                thresholds[label],
                precision[label],
                {name: values[label] for name, values in groups.items()},
                size,
            )
            for label in labels
        ),
        _confusions(outcomes, labels),
    )


def misses(outcomes: Sequence[BoxOutcome], label: str) -> Iterator[tuple[BoxOutcome, LabelledBox]]:
    """Yield the labelled objects of a class that were not found."""
    for outcome in outcomes:
        hits = outcome.hits
        for n, truth in enumerate(outcome.sample.truths):
            if truth.label == label and n not in hits:
                yield outcome, truth


def needless(outcomes: Sequence[BoxOutcome], label: str) -> Iterator[tuple[BoxOutcome, FoundBox]]:
    """Yield the reported boxes of a class that are not right, surest first."""
    wrong = [
        (outcome, found)
        for outcome in outcomes
        for found in outcome.found
        if found.detection.label == label and _is_needless(found)
    ]
    yield from sorted(wrong, key=lambda pair: -pair[1].detection.score)


def _is_needless(found: FoundBox) -> bool:
    return found.verdict not in (Verdict.RIGHT, Verdict.IGNORED)


def _figures(
    outcomes: Sequence[BoxOutcome],
    label: str,
    threshold: float,
    precision: Precision | None,
    groups: Mapping[str, Precision | None],
    size: Size,
) -> ClassFigures:
    truths = [
        (outcome, n, truth)
        for outcome in outcomes
        for n, truth in enumerate(outcome.sample.truths)
        if truth.label == label
    ]
    hit = [n in outcome.hits for outcome, n, _ in truths]
    widths = [truth.box[2] - truth.box[0] for _, _, truth in truths]
    scaled = [
        width * outcome.sample.scale(size) for width, (outcome, _, _) in zip(widths, truths, strict=True)
    ]
    boxes = [n for outcome in outcomes for n in outcome.found if n.detection.label == label]
    verdicts = Counter(found.verdict for found in boxes)
    labelled = [outcome for outcome in outcomes if label not in outcome.sample.unlabelled]
    return ClassFigures(
        label,
        threshold,
        precision,
        Share.of(hit),
        Share(verdicts[Verdict.RIGHT], len(boxes) - verdicts[Verdict.IGNORED]),
        verdicts,
        Share.of([not any(needless([outcome], label)) for outcome in labelled]),
        Share.of([hit for outcome in outcomes for hit in _largest(outcome, label)]),
        _by_width(scaled, hit),
        _by_width(widths, hit),
        tuple(
            ConditionFigures(
                name,
                None if (value := groups[name]) is None else value.ap50,
                Share.of([right for (it, _, _), right in zip(truths, hit, strict=True) if _in(it, name)]),
                sum(1 for _ in needless(members, label)),
            )
            for name, members in _conditions(outcomes)
        ),
    )


def _in(outcome: BoxOutcome, condition: str) -> bool:
    return outcome.sample.condition == condition


def _largest(outcome: BoxOutcome, label: str) -> list[bool]:
    """Whether the largest object of a class was found; nothing where there is none."""
    own = [n for n, truth in enumerate(outcome.sample.truths) if truth.label == label]
    if not own:
        return []
    return [max(own, key=lambda n: area(outcome.sample.truths[n].box)) in outcome.hits]


def _conditions(outcomes: Sequence[BoxOutcome]) -> list[tuple[str, list[BoxOutcome]]]:
    groups: dict[str, list[BoxOutcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.sample.condition:
            groups[outcome.sample.condition].append(outcome)
    return sorted(groups.items())


def _by_width(widths: Sequence[float], hit: Sequence[bool]) -> tuple[tuple[int, Share], ...]:
    """Group objects by width; groups without any are left out."""
    rows = []
    for low, high in pairwise((*WIDTHS, float("inf"))):
        inside = [found for width, found in zip(widths, hit, strict=True) if low <= width < high]
        if inside:
            rows.append((int(low), Share.of(inside)))
    return tuple(rows)


def _confusions(outcomes: Sequence[BoxOutcome], labels: Sequence[str]) -> tuple[tuple[str, str, int], ...]:
    """Count what each labelled thing was found as, and what boxes on nothing were."""
    pairs: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        truths = outcome.sample.truths
        seen: dict[int, str] = {}
        for found in outcome.found:
            if found.truth is not None:
                seen.setdefault(found.truth, found.detection.label)
            elif _is_needless(found):
                pairs[NOTHING, found.detection.label] += 1
        for n, truth in enumerate(truths):
            if truth.label in labels:
                pairs[truth.label, seen.get(n, NOTHING)] += 1
    return tuple((true, found, times) for (true, found), times in pairs.most_common())


def width_name(low: int) -> str:
    """Return the name of the group of widths that begins here."""
    high = next((limit for limit in WIDTHS if limit > low), None)
    return f"{low}+" if high is None else f"{low}–{high}"
