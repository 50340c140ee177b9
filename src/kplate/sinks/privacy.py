"""Telling less: plates as keyed hashes, pictures without what is no evidence."""

import dataclasses
import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kplate.errors import KplateError
from kplate.events import Event, EventPicture, EventPlate
from kplate.results import Box

if TYPE_CHECKING:
    from kplate.images import Image

#: Shortest key for hashing plates, in bytes: there are so few plates that a guessed key tells them all.
_LEAST_KEY: Final = 16
#: Cells that the longer side of a blurred picture is averaged to: too few for a plate or a face in it.
_CELLS: Final = 24
#: What looks like a plate in a sentence: plates of a watch list are quoted, too.
_PLATE: Final = r"(?:[가-힣]{2} ?)?\d{1,3} ?[가-힣] ?\d{4}"
_HIDDEN: Final = "***"
#: Room left round the evidence, as a share of its size: a box cuts off mirrors and bumpers.
_MARGIN: Final = 0.05


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is not told.

    Attributes:
        key: Plates are told as HMAC-SHA-256 under this key, and are painted over in pictures, which are
            blurred as well: they may show plates of other cars. None: plates are told as texts.
        blur: Whether everything in pictures outside the vehicle that the event is about is blurred.
    """

    key: bytes | None = dataclasses.field(default=None, repr=False)
    blur: bool = False

    def __post_init__(self) -> None:
        """Check the key.

        Raises:
            KplateError: It is too short.
        """
        if self.key is not None and len(self.key) < _LEAST_KEY:
            raise KplateError(f"the key for hashing plates needs at least {_LEAST_KEY} characters")

    def event(self, event: Event) -> Event:
        """Return the event as it may be told."""
        if self.key is None:
            return event
        plate = event.plate and self._hashed(event.plate)
        others = tuple(self._hashed(other) for other in event.others)
        told = dataclasses.replace(event, plate=plate, others=others)
        return _without_texts(event, told)

    def _hashed(self, plate: EventPlate) -> EventPlate:
        if plate.text is None or self.key is None:
            return plate
        return dataclasses.replace(plate, text=None, display=None, hash=hashed(plate.text, self.key))

    def pictures(self, event: Event, pictures: Mapping[str, "Image"]) -> dict[str, "Image"]:
        """Return the pictures as they may be kept; the given ones are left as they are.

        Args:
            event: What they belong to; its boxes say what is evidence.
            pictures: By name.
        """
        if not self.blur and self.key is None:
            return dict(pictures)
        shown = {picture.name: picture for picture in event.pictures}
        return {
            name: self._picture(event, shown.get(name, EventPicture(name)), image)
            for name, image in pictures.items()
        }

    def _picture(self, event: Event, shown: EventPicture, image: "Image") -> "Image":
        result = blurred(image)
        for box in evidence(event):
            left, top, right, bottom = _pixels(box, event, shown, image, _MARGIN)
            result[top:bottom, left:right] = image[top:bottom, left:right]
        hidden = event.others if self.key is None else (event.plate, *event.others)
        for plate in hidden:
            if plate is not None and plate.box is not None:
                left, top, right, bottom = _pixels(plate.box, event, shown, image, 2 * _MARGIN)
                if left < right and top < bottom:
                    result[top:bottom, left:right] = result[top:bottom, left:right].mean(axis=(0, 1))
        return result


def hashed(text: str, key: bytes) -> str:
    """Return the keyed hash of a plate's text: HMAC-SHA-256, hexadecimal."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def evidence(event: Event) -> list[Box]:
    """Return what an event is about, as boxes of its frame: its vehicle and its plate."""
    boxes = [event.vehicle.box if event.vehicle else None, event.plate.box if event.plate else None]
    return [box for box in boxes if box is not None]


def blurred(image: "Image") -> "Image":
    """Return a picture in which nothing can be made out but light and colour.

    Everything is averaged over a few cells first, which cannot be undone, and then smoothed.
    """
    import cv2  # here: programs that write no pictures need not load it
    import numpy as np

    height, width = image.shape[:2]
    share = _CELLS / max(height, width)
    if share >= 1:
        return np.full_like(image, image.mean(axis=(0, 1)).astype(np.uint8))
    small = cv2.resize(
        image, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _pixels(
    box: Box, event: Event, shown: EventPicture, image: "Image", margin: float
) -> tuple[int, int, int, int]:
    """Turn a box of the frame into whole pixels of a picture that shows a part of it, perhaps scaled."""
    height, width = image.shape[:2]
    frame = event.frame
    whole = (
        (0.0, 0.0, float(frame.width), float(frame.height))
        if frame
        else (0.0, 0.0, float(width), float(height))
    )
    left, top, right, bottom = shown.box or whole
    across, down = width / max(1e-6, right - left), height / max(1e-6, bottom - top)
    more_x, more_y = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    return (
        min(width, max(0, int((box[0] - more_x - left) * across))),
        min(height, max(0, int((box[1] - more_y - top) * down))),
        min(width, max(0, math.ceil((box[2] + more_x - left) * across))),
        min(height, max(0, math.ceil((box[3] + more_y - top) * down))),
    )


def _without_texts(event: Event, told: Event) -> Event:
    """Take plates out of sentences and details as well, where a rule has quoted them."""
    texts = {
        text
        for plate in (event.plate, *event.others)
        if plate is not None
        for text in (plate.text, plate.display)
        if text
    }
    quoted = re.compile("|".join([*map(re.escape, sorted(texts, key=len, reverse=True)), _PLATE]))
    reasons = tuple(
        dataclasses.replace(
            reason,
            text=quoted.sub(_HIDDEN, reason.text),
            korean=reason.korean and quoted.sub(_HIDDEN, reason.korean),
        )
        for reason in told.reasons
    )
    error = told.error and quoted.sub(_HIDDEN, told.error)
    return dataclasses.replace(told, reasons=reasons, error=error, details=_cleaned(told.details, quoted))


def _cleaned(value: Any, quoted: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return quoted.sub(_HIDDEN, value)
    if isinstance(value, Mapping):
        return {quoted.sub(_HIDDEN, str(key)): _cleaned(item, quoted) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item, quoted) for item in value]
    return value
