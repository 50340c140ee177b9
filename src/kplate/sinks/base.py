"""What a sink is, and how the sinks of a run share the picture that they get."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kplate.events import Event

if TYPE_CHECKING:
    from kplate.images import Image

#: Takes one sentence for people, without credentials.
Log = Callable[[str], None]


class Sink(Protocol):
    """Where events go."""

    def write(self, event: Event, pictures: Mapping[str, "Image"] | None = None) -> None:
        """Take an event.

        Args:
            event: What happened.
            pictures: Pictures of it by their names, uint8, H x W x 3, BGR. ``event.pictures`` says which part
                of the frame each of them shows; those that are not named there show the whole frame.
        """
        ...

    def close(self) -> None:
        """Bring everything that was taken to its place and end; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on its way, encoded once for all sinks.

    Attributes:
        name: What it shows, such as ``vehicle``.
        key: Its name in a store of pictures, such as ``2026-03-01/gate/0195…-vehicle.jpg``.
        data: JPEG.
    """

    name: str
    key: str
    data: bytes


class Output(Protocol):
    """One place among those of :func:`kplate.sinks.open_sinks`; it may fail without harm to the others.

    Attributes:
        name: How people call it, without credentials.
        wants_pictures: Whether it does anything with pictures.
    """

    name: str
    wants_pictures: bool

    def write(self, event: Event, pictures: tuple[Picture, ...]) -> None:
        """Take an event.

        Raises:
            KplateError: It cannot be written; nothing of it was.
        """
        ...

    def close(self) -> None:
        """End."""
        ...
