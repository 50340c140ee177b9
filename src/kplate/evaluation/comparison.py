"""Two networks on the same pictures, plate by plate."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kplate.evaluation.scoring import PictureOutcome, TextOutcome


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two networks make of the same labelled plates.

    Attributes:
        both_right: Plates whose best reading is exact with both.
        only_first: Plates that only the first reads exactly.
        only_second: Plates that only the second reads exactly.
        both_wrong: Plates that neither reads exactly.
        differing: The plates on which best readings or trust differ, the first network's outcome first.
    """

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    differing: tuple[tuple[TextOutcome, TextOutcome], ...]

    @property
    def chance(self) -> float:
        """How likely equally good networks differ this much by chance: the exact test of McNemar, two-sided.

        Source:
            Q. McNemar, Note on the sampling error of the difference between correlated proportions or
            percentages, 1947.
        """
        count = self.only_first + self.only_second
        fewer = min(self.only_first, self.only_second)
        tail = sum(math.comb(count, i) for i in range(fewer + 1))
        ways: int = 2**count
        return min(1.0, 2 * tail / ways)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield the figures as rows of name and value, for people."""
        yield "Read exactly by both", str(self.both_right)
        yield "Only by the first", str(self.only_first)
        yield "Only by the second", str(self.only_second)
        yield "By neither", str(self.both_wrong)
        yield "Chance of such a difference between equals", f"{self.chance:.2g}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "both_right": self.both_right,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "both_wrong": self.both_wrong,
            "chance": round(self.chance, 4),
            "differing": [
                {
                    "file": first.sample.name,
                    "label": first.truth,
                    "first": _reading(first),
                    "second": _reading(second),
                }
                for first, second in self.differing
            ],
        }


def compare(first: Sequence[PictureOutcome], second: Sequence[PictureOutcome]) -> Comparison:
    """Hold the outcomes of two networks on the same samples against each other.

    Raises:
        ValueError: They are of different samples.
    """
    pairs = [
        pair
        for one, other in zip(first, second, strict=True)
        for pair in zip(one.texts, other.texts, strict=True)
    ]
    if any((a.sample.path, a.truth) != (b.sample.path, b.truth) for a, b in pairs):
        raise ValueError("the outcomes are of different samples")
    rights = [(a.right, b.right) for a, b in pairs]
    differing = [(a, b) for a, b in pairs if (a.seen, a.trusted) != (b.seen, b.trusted)]
    return Comparison(
        both_right=rights.count((True, True)),
        only_first=rights.count((True, False)),
        only_second=rights.count((False, True)),
        both_wrong=rights.count((False, False)),
        # Where only one is right comes first, then where both are wrong in other ways, then mere trust.
        differing=tuple(sorted(differing, key=lambda p: (p[0].right == p[1].right, p[0].right))),
    )


def _reading(outcome: TextOutcome) -> dict[str, Any]:
    return {
        "text": outcome.seen or None,
        "right": outcome.right,
        "trusted": outcome.trusted,
        "score": round(outcome.score, 4),
    }
