"""Sums outcomes up: one value with every figure, and its tables."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kplate.evaluation.metrics import (
    CalibrationBin,
    Share,
    align,
    calibration_bins,
    expected_calibration_error,
)
from kplate.evaluation.scoring import OtherReading, PictureOutcome, TextOutcome, Verdict
from kplate.plates.grammar import parse


@dataclass(frozen=True, slots=True)
class Group:
    """Figures of one group of labelled plates, such as one kind or one condition."""

    name: str
    seen: Share
    trusted_right: Share
    trusted_wrong: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures without the name as plain values, ready for JSON."""
        return {
            "candidate": self.seen.to_dict(),
            "trusted": self.trusted_right.to_dict(),
            "trusted_wrong": self.trusted_wrong,
        }


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """How often one symbol of the labels was read rightly, and what else it was read as, commonest first.

    An empty symbol among the confusions stands for one that was not read.
    """

    symbol: str
    right: Share
    confusions: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Every figure of an evaluation.

    Attributes:
        pictures: Labelled pictures.
        failed: Pictures that could not be read at all, with the reason.
        seen: Labelled plates whose best reading is exactly the label, whether trusted or not ("candidate").
        trusted_right: Labelled plates whose trusted text is exactly the label.
        trusted: Labelled plates that have a trusted reading.
        trusted_wrong: Trusted readings of labelled plates that are not the label, of all trusted ones.
        cer: Character error rate: edit distance over the number of labelled symbols.
        others: Trusted readings that belong to no label, by verdict.
        electric: Labelled cars whose plate colour was judged rightly.
        electric_unanswered: Labelled cars of which nothing was said.
        median_ms: Median time a picture in milliseconds.
        p90_ms: Time that 90 % of the pictures stay under, in milliseconds.
        ece: Expected calibration error of the score.
        kinds: Figures by kind of plate.
        conditions: Figures by what pictures were taken in, of those that say so.
        symbols: Figures by symbol.
        confusions: ``(true, read, times)``, commonest first; an empty symbol is one not there or not read.
        calibration: Readings grouped by score.
    """

    pictures: int
    failed: tuple[tuple[str, str], ...]
    seen: Share
    trusted_right: Share
    trusted: Share
    trusted_wrong: Share
    cer: float | None
    others: dict[Verdict, int]
    electric: Share
    electric_unanswered: int
    median_ms: float | None
    p90_ms: float | None
    ece: float | None
    kinds: tuple[Group, ...]
    conditions: tuple[Group, ...]
    symbols: tuple[SymbolRow, ...]
    confusions: tuple[tuple[str, str, int], ...]
    calibration: tuple[CalibrationBin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return {
            "pictures": self.pictures,
            "failed": [{"file": name, "error": error} for name, error in self.failed],
            "exact": {"candidate": self.seen.to_dict(), "trusted": self.trusted_right.to_dict()},
            "trusted": self.trusted.to_dict(),
            "trusted_wrong": self.trusted_wrong.to_dict(),
            "other_readings": {str(verdict): count for verdict, count in self.others.items()},
            "cer": _rounded(self.cer),
            "electric": {**self.electric.to_dict(), "unanswered": self.electric_unanswered},
            "median_ms": _rounded(self.median_ms, 1),
            "p90_ms": _rounded(self.p90_ms, 1),
            "ece": _rounded(self.ece),
            "kinds": [{"kind": group.name, **group.to_dict()} for group in self.kinds],
            "conditions": [{"condition": group.name, **group.to_dict()} for group in self.conditions],
            "symbols": [
                {"symbol": row.symbol, **row.right.to_dict(), "read_as": dict(row.confusions)}
                for row in self.symbols
            ],
            "confusions": [
                {"true": true, "read": read, "times": times} for true, read, times in self.confusions
            ],
        }


def summarise(outcomes: Sequence[PictureOutcome]) -> Summary:
    """Sum the outcomes of pictures up."""
    texts = [text for outcome in outcomes for text in outcome.texts]
    times = [outcome.elapsed_ms for outcome in outcomes if outcome.elapsed_ms is not None]
    judged = [outcome for outcome in outcomes if outcome.sample.electric is not None]
    read = [text for text in texts if text.plate is not None]
    scores, right = [text.score for text in read], [text.right for text in read]
    symbols = sum(len(text.truth) for text in texts)
    verdicts = Counter(other.verdict for outcome in outcomes for other in outcome.others)
    pairs = Counter(pair for text in texts for pair in align(text.truth, text.seen))
    return Summary(
        pictures=len(outcomes),
        failed=tuple((outcome.sample.name, outcome.error) for outcome in outcomes if outcome.error),
        seen=Share.of([text.right for text in texts]),
        trusted_right=Share.of([text.right and text.trusted for text in texts]),
        trusted=Share.of([text.trusted for text in texts]),
        trusted_wrong=Share.of([not text.right for text in texts if text.trusted]),
        cer=sum(text.distance for text in texts) / symbols if symbols else None,
        others={verdict: verdicts[verdict] for verdict in Verdict},
        electric=Share.of([outcome.electric == outcome.sample.electric for outcome in judged]),
        electric_unanswered=sum(outcome.electric is None for outcome in judged),
        median_ms=statistics.median(times) if times else None,
        p90_ms=float(np.percentile(times, 90)) if times else None,
        ece=expected_calibration_error(scores, right),
        kinds=_grouped(texts, kind_of),
        conditions=_grouped(
            [text for text in texts if text.sample.condition], lambda text: text.sample.condition or ""
        ),
        symbols=_by_symbol(pairs),
        confusions=tuple((a, b, times) for (a, b), times in pairs.most_common() if a != b),
        calibration=tuple(calibration_bins(scores, right)) if scores else (),
    )


def wrong_texts(outcomes: Sequence[PictureOutcome]) -> list[TextOutcome]:
    """Return the labelled plates whose best reading is not the label: trusted ones first, surest first."""
    wrong = [text for outcome in outcomes for text in outcome.texts if not text.right]
    return sorted(wrong, key=lambda text: (not text.trusted, -text.score))


def other_readings(outcomes: Sequence[PictureOutcome], verdict: Verdict) -> list[OtherReading]:
    """Return the trusted readings that belong to no label and have this verdict."""
    return [other for outcome in outcomes for other in outcome.others if other.verdict == verdict]


def kind_of(text: TextOutcome) -> str:
    """Return the group that a label counts under: its kind, else the pattern of its text."""
    registration = parse(text.truth)
    return text.sample.kind or (registration.pattern if registration else "no plate's text")


def _grouped(texts: Sequence[TextOutcome], name: Callable[[TextOutcome], str]) -> tuple[Group, ...]:
    groups: dict[str, list[TextOutcome]] = defaultdict(list)
    for text in texts:
        groups[name(text)].append(text)
    return tuple(
        Group(
            name,
            Share.of([text.right for text in members]),
            Share.of([text.right and text.trusted for text in members]),
            sum(text.trusted and not text.right for text in members),
        )
        for name, members in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    )


def _by_symbol(pairs: Counter[tuple[str, str]]) -> tuple[SymbolRow, ...]:
    rows = []
    for symbol in sorted({true for true, _ in pairs if true}):
        read = Counter({b: times for (a, b), times in pairs.items() if a == symbol})
        total, right = sum(read.values()), read.pop(symbol, 0)
        rows.append(SymbolRow(symbol, Share(right, total), tuple(read.most_common())))
    return tuple(rows)


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
