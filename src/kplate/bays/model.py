"""What a file of bays says: cameras, their bays, and what is to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kplate.errors import KplateError
from kplate.results import Point

#: Where mistakes of the whole file come in the order of lines.
_LAST: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in a file of bays.

    Attributes:
        text: What, as a sentence without its full stop.
        line: Where, from 1; None where it concerns the whole file.
    """

    text: str
    line: int | None = None


class BaysError(KplateError):
    """A file of bays cannot be used.

    Attributes:
        file: The file as the caller named it.
        mistakes: All that is wrong with it, in the order of the lines.
    """

    def __init__(self, file: str, mistakes: Sequence[Mistake]) -> None:
        """Say what is wrong.

        Args:
            file: The file as it can be printed.
            mistakes: At least one.
        """
        self.file = file
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line or _LAST))
        more = len(self.mistakes) - 1
        rest = f" (and {more} more: see `kplate bays check`)" if more else ""
        super().__init__(self.describe(self.mistakes[0]) + rest)

    def describe(self, mistake: Mistake) -> str:
        """Return a mistake with its file and line."""
        where = "" if mistake.line is None else f", line {mistake.line}"
        return f"{self.file}{where}: {mistake.text}"


class BayKind(StrEnum):
    """What a bay is for."""

    ORDINARY = "ordinary"
    """Anyone."""
    DISABLED = "disabled"
    """Vehicles with a permit for disabled people."""
    CHARGING_FAST = "charging_fast"
    """Electric vehicles at a fast charger."""
    CHARGING_SLOW = "charging_slow"
    """Electric vehicles at a slow charger."""
    RESERVED = "reserved"
    """Vehicles whose plates are listed."""


CHARGING: Final = frozenset({BayKind.CHARGING_FAST, BayKind.CHARGING_SLOW})


@dataclass(frozen=True, slots=True)
class Bay:
    """A parking bay as one camera sees it.

    Attributes:
        name: Its name, unlike that of any other bay of the file.
        polygon: Its ground in the picture, as shares (0..1) of the picture's width and height.
        kind: What it is for.
        limit: Longest stay in seconds; None for what the law says of its kind.
        plates: Canonical texts of the plates that may park there; for reserved bays.
    """

    name: str
    polygon: tuple[Point, ...]
    kind: BayKind = BayKind.ORDINARY
    limit: float | None = None
    plates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BayCamera:
    """A camera and the bays in its picture.

    Attributes:
        name: Its name.
        bays: Its bays.
        source: Where its pictures come from, if the file says so; may hold credentials.
    """

    name: str
    bays: tuple[Bay, ...]
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something must be so before it counts, in seconds.

    Attributes:
        arrived: A vehicle has stood still in a bay: it has arrived.
        left: The vehicle is not to be seen any more, although the bay is: it has left.
        review: A vehicle has stood there: whoever has a permit or a right to be there has had time to show
            it, or to drive on. Evidence of parking is usually two pictures a minute apart.
    """

    arrived: float = 1.5
    left: float = 0.6
    review: float = 60.0


@dataclass(frozen=True, slots=True)
class Bays:
    """What a file of bays says.

    Attributes:
        cameras: The cameras; at least one.
        watch_list: Canonical texts of plates that raise a review in whichever bay they park.
        timing: How long something must be so before it counts.
        file: The file as the caller named it; None where there is none.
    """

    cameras: tuple[BayCamera, ...]
    watch_list: frozenset[str] = frozenset()
    timing: Timing = field(default_factory=Timing)
    file: str | None = None

    def camera(self, name: str | None = None) -> BayCamera:
        """Return a camera by its name; with None the only one.

        Raises:
            BaysError: There is none of that name, or several and none was named.
        """
        names = ", ".join(camera.name for camera in self.cameras)
        if name is None:
            if len(self.cameras) > 1:
                raise BaysError(self.file or "bays", [Mistake(f"say which camera it is: {names}")])
            return self.cameras[0]
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise BaysError(
            self.file or "bays", [Mistake(f"there is no camera {name!r}; the cameras are: {names}")]
        )
