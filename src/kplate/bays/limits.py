"""How long vehicles may stay in bays by law, as data with their sources, and how that time is counted."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import Final

from kplate.bays.model import Bay, BayKind

#: Korea's time; it has no summer time.
KOREA: Final = timezone(timedelta(hours=9), "KST")


@dataclass(frozen=True, slots=True)
class Limit:
    """A longest stay.

    Attributes:
        seconds: How long.
        plug_in: It concerns plug-in hybrids alone, which have white plates like cars with engines.
        from_hour: From this hour on (Korean time) the time does not count; None where all of it does.
        to_hour: Up to this hour.
    """

    seconds: float
    plug_in: bool = False
    from_hour: int | None = None
    to_hour: int | None = None


#: Charging bays: the Enforcement Decree of the Act on Promotion of the Development and Distribution of
#: Environment-Friendly Automobiles (친환경자동차법 시행령), article 18-8, and the notice
#: 환경친화적 자동차의 요건 등에 관한 규정: 1 h at fast chargers, 14 h at slow ones. From 2026-02-05 on,
#: 7 h at slow ones for plug-in hybrids, without the hours from 0 to 6 (press release of the city of
#: Chuncheon, 2026-02-04). The limit at slow chargers does not hold in residential estates of fewer than 100
#: households: set a bay's own `limit` there.
#: Bays for disabled people have no longest stay.
LIMITS: Final[dict[BayKind, tuple[Limit, ...]]] = {
    BayKind.CHARGING_FAST: (Limit(3600.0),),
    BayKind.CHARGING_SLOW: (
        Limit(7 * 3600.0, plug_in=True, from_hour=0, to_hour=6),
        Limit(14 * 3600.0),
    ),
}


def limits_of(bay: Bay) -> tuple[Limit, ...]:
    """Return the limits of a bay: its own, or else those of the law."""
    return LIMITS.get(bay.kind, ()) if bay.limit is None else (Limit(bay.limit),)


def counted(limit: Limit, since: datetime, seconds: float) -> float:
    """Return how much of a stay counts towards a limit, in seconds.

    Args:
        limit: The limit.
        since: When the stay began, with a time zone.
        seconds: How long it has lasted.
    """
    if limit.from_hour is None or limit.to_hour is None:
        return seconds
    start = since.astimezone(KOREA)
    end = start + timedelta(seconds=seconds)
    free = 0.0
    day = start.date()
    while day <= end.date():
        first = datetime.combine(day, time(limit.from_hour), KOREA)
        last = datetime.combine(day, time(limit.to_hour), KOREA)
        free += max(0.0, (min(end, last) - max(start, first)).total_seconds())
        day += timedelta(days=1)
    return seconds - free
