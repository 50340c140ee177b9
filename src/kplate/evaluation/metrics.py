"""Figures: edit distance, shares with their uncertainty, calibration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

#: Two-sided 95 % quantile of the normal distribution.
_Z95: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many.

    Attributes:
        count: How many.
        total: Of how many.
    """

    count: int
    total: int

    @classmethod
    def of(cls, values: Sequence[bool]) -> Self:
        """Count what is true."""
        return cls(sum(values), len(values))

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; ``None`` of nothing."""
        return self.count / self.total if self.total else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the share with its 95 % interval, rounded to 4 digits."""
        low, high = wilson_interval(self.count, self.total)
        value = self.value
        return {
            "count": self.count,
            "total": self.total,
            "share": None if value is None else round(value, 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }

    def __str__(self) -> str:
        value = self.value
        return f"{self.count} / {self.total}" + ("" if value is None else f" = {value:.1%}")


def align(truth: str, read: str) -> list[tuple[str, str]]:
    """Pair the symbols of two texts so that as few pairs as possible differ.

    Returns:
        Pairs ``(true symbol, read symbol)`` in reading order. An empty first half is a symbol that was
        read and is not there; an empty second half is one that was not read.

    Source:
        V. Levenshtein, Binary codes capable of correcting deletions, insertions and reversals, 1966.
    """
    rows, columns = len(truth) + 1, len(read) + 1
    cost = np.zeros((rows, columns), np.int64)
    cost[:, 0], cost[0, :] = np.arange(rows), np.arange(columns)
    for i in range(1, rows):
        for j in range(1, columns):
            same = truth[i - 1] == read[j - 1]
            cost[i, j] = min(cost[i - 1, j - 1] + (not same), cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    return _trace_back(truth, read, cost)


def _trace_back(truth: str, read: str, cost: NDArray[np.int64]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    i, j = len(truth), len(read)
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (truth[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((truth[i], read[j]))
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            pairs.append((truth[i], ""))
        else:
            j -= 1
            pairs.append(("", read[j]))
    return pairs[::-1]


def edit_distance(truth: str, read: str) -> int:
    """Return how many symbols must be changed, added or dropped to turn one text into the other."""
    return sum(a != b for a, b in align(truth, read))


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, 0 to 1; of nothing, (0, 1).

    Source:
        E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if not total:
        return 0.0, 1.0
    share, z2 = count / total, _Z95 * _Z95
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    # At 0 and 1 the bound is exact in theory and off by a rounding error in practice.
    return (0.0 if count == 0 else centre - half), (1.0 if count == total else centre + half)


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Readings whose score lies in one range: mean score, and how many were right."""

    low: float
    high: float
    score: float
    right: Share


def calibration_bins(scores: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[CalibrationBin]:
    """Group readings by score into ranges of equal width; empty ranges are left out."""
    values, hits = np.asarray(scores, np.float64), np.asarray(right, bool)
    place = np.minimum((values * bins).astype(int), bins - 1)
    return [
        CalibrationBin(
            index / bins,
            (index + 1) / bins,
            float(values[chosen].mean()),
            Share(int(hits[chosen].sum()), int(chosen.sum())),
        )
        for index in range(bins)
        if (chosen := place == index).any()
    ]


def expected_calibration_error(
    scores: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float | None:
    """Return by how much scores and the share of right readings differ on average; ``None`` of nothing.

    Args:
        scores: Scores, 0 to 1.
        right: Whether each reading was right.
        bins: Number of ranges of equal width.

    Source:
        C. Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    if not scores:
        return None
    return sum(
        abs(group.score - (group.right.value or 0.0)) * group.right.total / len(scores)
        for group in calibration_bins(scores, right, bins)
    )
