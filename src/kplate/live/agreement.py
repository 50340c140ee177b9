"""Agreement between frames: what a car's plate says, by votes of its readings.

A reading's vote weighs as much as it is sure, and less where the plate is small in the picture. Each
character is voted on by itself, so that a blurred frame that has six of seven characters right still helps;
but only a text that was itself read and trusted can win, and only if other readings say the same.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from kplate.live.model import Frame
from kplate.results import Box, Plate

#: A plate of this many px across is large enough that its vote counts in full; a smaller one's counts less.
_FULL_WIDTH: Final = 80.0
_LEAST_SIZE: Final = 0.2
#: Trusted readings that must agree, their least weight together, and the least share of the votes that each
#: character must have: while the car may still come nearer, and when no more readings are to be expected.
_EARLY: Final = (3, 2.0, 0.75)
_LATE: Final = (2, 0.0, 0.55)
#: Likewise where one reading was trusted and others say the same with less certainty: so many in all, and no
#: other text was read as often.
_ALONE: Final = (1, 1.5, 0.5)
_ALONE_READINGS: Final = 3
#: Texts that are kept for a car at most; a plate that nobody can read may be read anew in every frame.
_MOST_TEXTS: Final = 24
#: Of these, how many keep their best frame: frames are large.
_MOST_FRAMES: Final = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reading and where it comes from.

    Attributes:
        frame: The frame that was read.
        plate: What was read.
        vehicle_box: Where its car was in that frame; None where only the plate was found.
    """

    frame: Frame
    plate: Plate
    vehicle_box: Box | None

    @property
    def quality(self) -> float:
        """How well it shows the plate: sure and large."""
        return self.plate.score * _size(self.plate)


@dataclass(slots=True)
class _Tally:
    """Votes for one text."""

    count: int = 0  # readings, trusted or not
    readings: int = 0  # trusted ones
    weight: float = 0.0
    surest: float = 0.0
    kinds: defaultdict[str | None, float] = field(default_factory=lambda: defaultdict(float))
    electric: defaultdict[bool, float] = field(default_factory=lambda: defaultdict(float))
    best: Evidence | None = None

    def merge(self, other: "_Tally") -> None:
        """Add the votes of another tally for the same text."""
        self.count += other.count
        self.readings += other.readings
        self.weight += other.weight
        self.surest = max(self.surest, other.surest)
        for kind, weight in other.kinds.items():
            self.kinds[kind] += weight
        for value, weight in other.electric.items():
            self.electric[value] += weight
        if other.best and (self.best is None or other.best.quality > self.best.quality):
            self.best = other.best


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the readings agree on.

    Attributes:
        text: The text.
        readings: How many trusted readings say so; where it is only one, how many say so at all.
        score: How sure it is: the surest of them, times the share of votes of the weakest character.
        kind: The look that most of them saw.
        electric: Whether it is of an electric vehicle's kind, likewise; None where no reading knew.
        best: The reading that shows the plate best.
    """

    text: str
    readings: int
    score: float
    kind: str | None
    electric: bool | None
    best: Evidence


class Ballot:
    """Collects the readings of one car's plate."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}
        #: Length of a text -> for each place, the votes for each character.
        self._places: dict[int, list[defaultdict[str, float]]] = {}
        self._lengths: defaultdict[int, float] = defaultdict(float)

    def __len__(self) -> int:
        """Return how many trusted readings there were."""
        return sum(tally.readings for tally in self._tallies.values())

    def add(self, evidence: Evidence) -> None:
        """Count a reading; one of nothing counts for nothing."""
        plate = evidence.plate
        text = plate.candidate
        if not text or plate.score <= 0:
            return
        weight = plate.score * _size(plate)
        self._vote(text, plate.characters, weight)
        tally = self._tallies.setdefault(text, _Tally())
        tally.count += 1
        tally.weight += weight
        if plate.trusted:
            tally.readings += 1
            tally.surest = max(tally.surest, plate.score)
            tally.kinds[plate.kind] += weight
            if plate.electric is not None:
                tally.electric[plate.electric] += weight
            if tally.best is None or evidence.quality > tally.best.quality:
                tally.best = evidence
        self._forget()

    def leader(self) -> str | None:
        """Return the trusted text with the most weight so far, agreed on or not."""
        trusted = [(tally.weight, text) for text, tally in self._tallies.items() if tally.readings]
        return max(trusted)[1] if trusted else None

    def verdict(self, *, late: bool = False) -> Verdict | None:
        """Return what the readings agree on, or None.

        Args:
            late: No more readings are to be expected: two that agree are enough.
        """
        if not late:
            return self._agreed(*_EARLY)
        often = sorted(tally.count for tally in self._tallies.values())[-2:]
        least = max(_ALONE_READINGS, often[0] + 1 if len(often) == 2 else 0)
        return self._agreed(*_LATE) or self._agreed(*_ALONE, least)

    def _agreed(self, trusted: int, weight: float, share: float, count: int = 0) -> Verdict | None:
        """Return the text with the largest share of the votes, if it and its readings are good enough."""
        ranked = [
            (self._share(text), tally.weight, text)
            for text, tally in self._tallies.items()
            if tally.readings >= trusted
            and tally.weight >= weight
            and tally.count >= count
            and tally.best is not None
        ]
        best, _, text = max(ranked, default=(0.0, 0.0, ""))
        return self.of(text) if text and best >= share else None

    def of(self, text: str) -> Verdict | None:
        """Return the verdict for a text, whatever the others say; None where no trusted reading says so."""
        tally = self._tallies.get(text)
        if tally is None or tally.best is None:
            return None
        kind = max(tally.kinds, key=lambda kind: tally.kinds[kind])
        electric = max(tally.electric, key=lambda value: tally.electric[value]) if tally.electric else None
        score = tally.surest * self._share(text)
        readings = tally.readings if tally.readings > 1 else tally.count
        return Verdict(text, readings, score, kind, electric, tally.best)

    def merge(self, other: "Ballot") -> None:
        """Take over the votes of another ballot: both cars were one."""
        for length, places in other._places.items():
            self._lengths[length] += other._lengths[length]
            own = self._places.setdefault(length, [defaultdict(float) for _ in range(length)])
            for mine, theirs in zip(own, places, strict=True):
                for symbol, weight in theirs.items():
                    mine[symbol] += weight
        for text, tally in other._tallies.items():
            self._tallies.setdefault(text, _Tally()).merge(tally)
        self._forget()

    def _vote(self, text: str, characters: tuple[float, ...], weight: float) -> None:
        places = self._places.setdefault(len(text), [defaultdict(float) for _ in text])
        self._lengths[len(text)] += weight
        for place, symbol, sure in zip(places, text, characters, strict=False):
            place[symbol] += weight * sure

    def _share(self, text: str) -> float:
        """Return the share of votes of a text's weakest character, times that of texts of its length."""
        shares = (
            place[symbol] / max(sum(place.values()), 1e-9)
            for place, symbol in zip(self._places[len(text)], text, strict=True)
        )
        total = sum(self._lengths.values())
        return min(shares) * self._lengths[len(text)] / max(total, 1e-9)

    def _forget(self) -> None:
        """Drop the weakest texts and the frames of those that lag behind."""
        if len(self._tallies) > _MOST_TEXTS:
            self._tallies.pop(min(self._tallies, key=lambda text: self._tallies[text].weight))
        framed = [tally for tally in self._tallies.values() if tally.best is not None]
        for tally in sorted(framed, key=lambda tally: -tally.weight)[_MOST_FRAMES:]:
            tally.best = None


def _size(plate: Plate) -> float:
    """Return how much a plate's size lets its reading count."""
    top_left, top_right = plate.corners[0], plate.corners[1]
    width = math.dist(top_left, top_right)
    return min(1.0, max(_LEAST_SIZE, width / _FULL_WIDTH))


def differing(first: str, second: str) -> int:
    """Return how many characters must be changed, added or removed to turn one text into the other."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]
