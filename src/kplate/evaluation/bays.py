"""Compares the events of bays with what truly happened: who came and went when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kplate.events import Event, EventType

#: Seconds that an event may be early or late.
TOLERANCE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Miss:
    """Something that was told wrongly or not at all.

    Attributes:
        what: ``arrived`` or ``left``.
        bay: Name of the bay.
        time: When it happened, or was told, in seconds.
        told: It was told but did not happen; otherwise it happened and was not told.
    """

    what: str
    bay: str
    time: float
    told: bool

    def __str__(self) -> str:
        problem = "told but not so" if self.told else "not told"
        return f"{self.what} {self.bay} at {self.time:.1f} s: {problem}"


@dataclass(frozen=True, slots=True)
class BaysReport:
    """How well events tell what happened.

    Attributes:
        arrivals: How many there were.
        departures: Likewise.
        misses: What was told wrongly or not at all.
        delays: Seconds between what happened and its event, of those that were told rightly.
        plates: Visits whose plate was read rightly, of those that ended or settled.
        visits: How many visits there were, with those that had begun before.
        wrong_plates: Visits whose plate was told wrongly.
        permits: Visits of which it was told rightly whether a permit is seen, of those seen from the front
            in a bay for disabled people.
        permit_visits: How many of these there were.
    """

    arrivals: int
    departures: int
    misses: tuple[Miss, ...]
    delays: tuple[float, ...]
    plates: int
    visits: int
    wrong_plates: int
    permits: int
    permit_visits: int

    @property
    def perfect(self) -> bool:
        """Whether every arrival and departure was told in time, and nothing else."""
        return not self.misses


def compare_bays(labels: Mapping[str, Any], events: Sequence[Event]) -> BaysReport:
    """Compare events with the labels of a clip.

    Args:
        labels: What :meth:`kplate.synth.car_park.CarPark.labels` says.
        events: What was told, with the times of the frames.
    """
    visits = labels["visits"]
    misses: list[Miss] = []
    delays: list[float] = []
    counts = []
    for what in (EventType.ARRIVED, EventType.LEFT):
        truths = [(visit["bay"], visit[str(what)]) for visit in visits if visit[str(what)] is not None]
        told = [(_bay(event), _time(event)) for event in events if event.type is what]
        counts.append(len(truths))
        found = _matched(truths, told)
        delays += [told[there][1] - truths[here][1] for here, there in found.items()]
        misses += [Miss(str(what), *truth, False) for n, truth in enumerate(truths) if n not in found]
        misses += [Miss(str(what), *one, True) for n, one in enumerate(told) if n not in found.values()]
    texts = [(visit, _last_text(visit, events)) for visit in visits]
    permits = [visit for visit in visits if visit.get("disabled") and not visit["rear"]]
    return BaysReport(
        arrivals=counts[0],
        departures=counts[1],
        misses=tuple(sorted(misses, key=lambda miss: miss.time)),
        delays=tuple(delays),
        plates=sum(text == visit["text"] for visit, text in texts),
        visits=len(visits),
        wrong_plates=sum(text not in (None, visit["text"]) for visit, text in texts),
        permits=sum(_permit(visit, events) == visit["permit"] for visit in permits),
        permit_visits=len(permits),
    )


def _matched(truths: Sequence[tuple[str, float]], told: Sequence[tuple[str, float]]) -> dict[int, int]:
    """Pair each truth with the first event of its bay within the tolerance."""
    found: dict[int, int] = {}
    for here, (bay, time) in enumerate(truths):
        for there, (other, when) in enumerate(told):
            if bay == other and abs(when - time) <= TOLERANCE and there not in found.values():
                found[here] = there
                break
    return found


def _during(visit: Mapping[str, Any], events: Sequence[Event]) -> list[Event]:
    """Return the events of a visit."""
    first = -1.0 if visit["arrived"] is None else visit["arrived"] - TOLERANCE
    last = float("inf") if visit["left"] is None else visit["left"] + TOLERANCE
    return [event for event in events if _bay(event) == visit["bay"] and first <= _time(event) <= last]


def _last_text(visit: Mapping[str, Any], events: Sequence[Event]) -> str | None:
    texts = [event.plate.text for event in _during(visit, events) if event.plate is not None]
    return texts[-1] if texts else None


def _permit(visit: Mapping[str, Any], events: Sequence[Event]) -> bool:
    return any(event.permit for event in _during(visit, events))


def _bay(event: Event) -> str:
    return "" if event.bay is None else event.bay.id


def _time(event: Event) -> float:
    return 0.0 if event.frame is None else event.frame.time
