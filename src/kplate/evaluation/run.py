"""Runs a recogniser over labelled pictures."""

from collections.abc import Callable, Iterator, Sequence
from os import PathLike

from kplate.errors import KplateError
from kplate.evaluation.data import Sample
from kplate.evaluation.scoring import PictureOutcome, failed_picture, score_picture
from kplate.results import Recognition


def evaluate(
    samples: Sequence[Sample],
    recognise: Callable[[str | PathLike[str]], Recognition],
    *,
    cropped: bool = False,
) -> Iterator[PictureOutcome]:
    """Read each picture and hold it against its labels, one at a time and in order.

    Args:
        samples: Labelled pictures.
        recognise: Reads the picture at a path, such as a :class:`kplate.Recognizer`.
        cropped: The pictures are plate crops.

    Yields:
        One outcome a picture; a picture that cannot be read is an outcome with its error.
    """
    for sample in samples:
        try:
            yield score_picture(sample, recognise(sample.path), cropped=cropped)
        except KplateError as error:
            yield failed_picture(sample, str(error))
