"""Holds one picture's recognition against its labels."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kplate.boxes import area
from kplate.evaluation.data import Sample
from kplate.evaluation.metrics import edit_distance
from kplate.results import Plate, Recognition

#: Share of its symbols by which a reading may differ from a label and still be a reading of that plate.
_FARTHEST: Final = 0.5


@dataclass(frozen=True, slots=True)
class TextOutcome:
    """What became of one labelled plate.

    Attributes:
        sample: The picture.
        truth: The labelled text.
        plate: The reading that belongs to the label; ``None`` where no reading resembles it.
        distance: Edit distance between the label and what was seen (all of the label without a reading).
    """

    sample: Sample
    truth: str
    plate: Plate | None
    distance: int

    @property
    def seen(self) -> str:
        """What was seen, trusted or not; empty where nothing was."""
        return (self.plate.candidate or "") if self.plate else ""

    @property
    def score(self) -> float:
        """Score of the reading; 0 without one."""
        return self.plate.score if self.plate else 0.0

    @property
    def trusted(self) -> bool:
        """Whether the reading was given as trusted."""
        return self.plate is not None and self.plate.text is not None

    @property
    def right(self) -> bool:
        """Whether what was seen is exactly the label, trusted or not."""
        return self.distance == 0


class Verdict(StrEnum):
    """What a reading is that belongs to no label."""

    KNOWN = "known"
    """A plate that is truly there (listed under ``also``)."""
    DUPLICATE = "duplicate"
    """A labelled plate, reported a second time."""
    OTHER = "other"
    """Matches no label: a plate in the background that nobody labelled, or an error. To be looked at."""


@dataclass(frozen=True, slots=True)
class OtherReading:
    """A trusted reading that belongs to no label."""

    sample: Sample
    plate: Plate
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class PictureOutcome:
    """What became of one picture.

    Attributes:
        sample: The picture.
        texts: One outcome a labelled plate.
        others: Trusted readings that belong to no label.
        electric: What was said about the labelled car; ``None`` where nothing was.
        elapsed_ms: Time for the picture in milliseconds; ``None`` where it failed.
        error: Why the picture failed; ``None`` where it did not.
    """

    sample: Sample
    texts: tuple[TextOutcome, ...]
    others: tuple[OtherReading, ...] = ()
    electric: bool | None = None
    elapsed_ms: float | None = None
    error: str | None = None


def score_picture(sample: Sample, recognition: Recognition, *, cropped: bool = False) -> PictureOutcome:
    """Hold a recognition against the picture's labels.

    Each label takes the reading nearest to it by edit distance, trusted readings first among equals, and
    each reading serves one label. In a whole picture, a reading more than half of whose symbols would have
    to change belongs to no label: then the label counts as unread and the reading, where it is trusted, as
    another one. In a plate crop there is nothing else that could have been read.

    Args:
        sample: The labelled picture.
        recognition: What was read in it.
        cropped: The picture is a plate crop.
    """
    plates = recognition.plates
    taken = _match(sample.texts, plates, farthest=1.0 if cropped else _FARTHEST)
    texts = tuple(
        TextOutcome(sample, truth, plates[taken[i]], edit_distance(truth, plates[taken[i]].candidate or ""))
        if i in taken
        else TextOutcome(sample, truth, None, len(truth))
        for i, truth in enumerate(sample.texts)
    )
    used = set(taken.values())
    others = tuple(
        OtherReading(sample, plate, _verdict(sample, plate.text))
        for index, plate in enumerate(plates)
        if index not in used and plate.text is not None
    )
    main = (
        texts[0].plate
        if texts and texts[0].plate
        else max(plates, key=lambda plate: area(plate.box), default=None)
    )
    return PictureOutcome(
        sample, texts, others, main.electric if main else None, elapsed_ms=recognition.elapsed_ms
    )


def failed_picture(sample: Sample, error: str) -> PictureOutcome:
    """The outcome of a picture that could not be read at all: every label unread."""
    return PictureOutcome(
        sample, tuple(TextOutcome(sample, truth, None, len(truth)) for truth in sample.texts), error=error
    )


def _match(texts: tuple[str, ...], plates: tuple[Plate, ...], farthest: float) -> dict[int, int]:
    """Give labels (by index) their readings (by index), nearest pairs first."""
    pairs = sorted(
        (edit_distance(text, plate.candidate or ""), plate.text is None, -plate.score, i, j)
        for i, text in enumerate(texts)
        for j, plate in enumerate(plates)
    )
    taken: dict[int, int] = {}
    for distance, _, _, i, j in pairs:
        if (
            i not in taken
            and j not in taken.values()
            and distance <= farthest * max(len(texts[i]), len(plates[j].candidate or ""))
        ):
            taken[i] = j
    return taken


def _verdict(sample: Sample, text: str) -> Verdict:
    if text in sample.also:
        return Verdict.KNOWN
    return Verdict.DUPLICATE if text in sample.texts else Verdict.OTHER
