"""What somebody should look at: reasons for a review, never verdicts.

A camera sees a plate and a windscreen. It does not see who is aboard, what hangs behind tinted glass or which
engine a car with a white plate has: the reasons say so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kplate.bays.confusables import near_match
from kplate.bays.limits import Limit, counted, limits_of
from kplate.bays.model import CHARGING, Bay, BayKind, Bays
from kplate.bays.occupant import Occupant
from kplate.events import Reason
from kplate.plates.grammar import display


@dataclass(frozen=True, slots=True)
class Review:
    """A reason to look at a bay.

    Attributes:
        reason: The reason, in English and Korean.
        details: Its figures, for programs.
    """

    reason: Reason
    details: Mapping[str, Any] = field(default_factory=dict)


NO_PERMIT: Final = Reason(
    "no-permit-seen",
    "No permit was seen in a bay for disabled people. It may lie behind glare, tinted glass or a wiper, and "
    "no camera sees it that looks at the rear of the car.",
    "장애인 전용 주차구역에서 주차표지가 보이지 않았습니다. 반사광, 짙은 선팅, 와이퍼에 가려졌을 수 있으며, "
    "차량 뒤쪽을 찍는 카메라에는 보이지 않습니다.",
)
_NOT_ELECTRIC: Final = Reason(
    "not-electric",
    "The plate in a charging bay is none of an electric car's. A plug-in hybrid has a white plate and may "
    "charge here; so may electric taxis, electric cars registered before June 2017 and costly electric "
    "company cars.",
    "충전구역에 있는 차량의 번호판이 전기차 전용 번호판이 아닙니다. 플러그인 하이브리드는 흰색 번호판이며 "
    "이곳에서 충전할 수 있습니다. 전기 택시, 2017년 6월 이전에 등록된 전기차, 법인용 고가 전기차도 "
    "마찬가지입니다.",
)
_UNREAD: Final = Reason(
    "plate-unread",
    "The plate of the car in a reserved bay could not be read, so that it cannot be looked up in the list.",
    "지정 주차구역에 있는 차량의 번호판을 읽지 못해 목록과 대조할 수 없습니다.",
)


def reviews(bay: Bay, occupant: Occupant, seconds: float, bays: Bays) -> Iterator[Review]:
    """Yield the reasons to look at a bay that have not been given yet.

    Args:
        bay: The bay.
        occupant: What stands there.
        seconds: For how long it has stood there.
        bays: The watch list and the timing.
    """
    for review in _all(bay, occupant, seconds, bays):
        if review.reason.code not in occupant.told:
            yield review


def _all(bay: Bay, occupant: Occupant, seconds: float, bays: Bays) -> Iterator[Review]:
    yield from _watch_list(occupant, bays.watch_list)
    yield from _time(bay, occupant, seconds)
    plate = occupant.plate
    if bay.kind is BayKind.RESERVED and occupant.text is not None:
        yield from _reserved(bay, occupant.text)
    if seconds < bays.timing.review:
        return
    if bay.kind is BayKind.DISABLED and not occupant.permit:
        yield Review(NO_PERMIT)
    if bay.kind in CHARGING and plate is not None and plate.electric is False:
        yield Review(_NOT_ELECTRIC, {"plate_kind": plate.kind})
    if bay.kind is BayKind.RESERVED and occupant.text is None:
        yield Review(_UNREAD)


def _watch_list(occupant: Occupant, listed: frozenset[str]) -> Iterator[Review]:
    text = occupant.text
    if text is None or not listed:
        return
    if text in listed:
        reason = Reason(
            "watch-list",
            f"The plate {display(text)} is on the watch list.",
            f"번호판 {display(text)}은(는) 주의 차량 목록에 있습니다.",
        )
        yield Review(reason, {"match": "exact", "listed": text})
        return
    near = near_match(text, listed)
    if near is not None:
        other, why = near
        reason = Reason(
            "watch-list-near",
            f"The plate was read as {display(text)}; {display(other)} is on the watch list and differs in "
            f"one character that is easily mistaken ({why}).",
            f"번호판이 {display(text)}(으)로 읽혔습니다. 주의 차량 목록의 {display(other)}과(와) 혼동하기 "
            "쉬운 한 글자만 다릅니다.",
        )
        yield Review(reason, {"match": "near", "listed": other})


def _reserved(bay: Bay, text: str) -> Iterator[Review]:
    if text in bay.plates:
        return
    near = near_match(text, bay.plates)
    if near is not None:
        other, why = near
        reason = Reason(
            "not-listed-near",
            f"The plate was read as {display(text)}, which is not listed here; {display(other)} is, and "
            f"differs in one character that is easily mistaken ({why}).",
            f"번호판이 {display(text)}(으)로 읽혔으며 이 구역의 목록에 없습니다. 목록의 "
            f"{display(other)}과(와) 혼동하기 쉬운 한 글자만 다릅니다.",
        )
        yield Review(reason, {"match": "near", "listed": other})
        return
    reason = Reason(
        "not-listed",
        f"The plate {display(text)} is not on the list of this reserved bay.",
        f"번호판 {display(text)}은(는) 이 지정 주차구역의 목록에 없습니다.",
    )
    yield Review(reason, {"match": "none"})


def _time(bay: Bay, occupant: Occupant, seconds: float) -> Iterator[Review]:
    plate = occupant.plate
    for limit in limits_of(bay):
        if limit.plug_in and (plate is None or plate.electric is not False):
            continue
        stay = counted(limit, occupant.since_wall, seconds)
        if stay > limit.seconds:
            yield Review(
                _over_time(limit, occupant.found), {"limit_s": limit.seconds, "counted_s": round(stay, 1)}
            )


def _over_time(limit: Limit, at_least: bool) -> Reason:
    english, korean = _spoken(limit.seconds)
    begun = " It was there before kplate began to watch, and may have been for longer." if at_least else ""
    begun_korean = " 감시를 시작하기 전부터 있었으므로 더 오래 있었을 수 있습니다." if at_least else ""
    if limit.plug_in:
        return Reason(
            "over-time-plug-in",
            f"The car has stood at a slow charger for more than {english}, the limit for plug-in hybrids; "
            f"its plate is not an electric car's. The hours from 0 to 6 were not counted.{begun}",
            f"완속 충전구역에 {korean}(플러그인 하이브리드 기준, 0시~6시 제외)을 넘겨 있습니다. 전기차 전용 "
            f"번호판이 아닙니다.{begun_korean}",
        )
    return Reason(
        "over-time",
        f"The car has stood there for more than {english}.{begun}",
        f"주차 시간이 {korean}을 넘었습니다.{begun_korean}",
    )


def _spoken(seconds: float) -> tuple[str, str]:
    """Return a time in English and in Korean."""
    for length, english, korean in ((3600.0, "hour", "시간"), (60.0, "minute", "분"), (1.0, "second", "초")):
        if seconds >= length and seconds % length == 0:
            count = round(seconds / length)
            return f"{count} {english}{'' if count == 1 else 's'}", f"{count}{korean}"
    return f"{seconds:g} seconds", f"{seconds:g}초"
