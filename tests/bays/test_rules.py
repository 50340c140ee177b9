from datetime import datetime

import pytest

from kplate.bays.confusables import confusion, near_match
from kplate.bays.geometry import Ground, crosses_itself
from kplate.bays.limits import KOREA, LIMITS, counted
from kplate.bays.model import BayKind

SLOW_PLUG_IN = LIMITS[BayKind.CHARGING_SLOW][0]


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-03-02 09:00", 8, 8),
        ("2026-03-02 19:00", 12, 6),  # 19 to 7: the six hours of the night do not count
        ("2026-03-02 02:00", 5, 1),
        ("2026-03-02 23:00", 49, 37),
        ("2026-03-02 00:00", 6, 0),
    ],
)
def test_the_night_does_not_count_for_plug_in_hybrids(start: str, hours: float, expected: float):
    since = datetime.fromisoformat(start).replace(tzinfo=KOREA)
    assert counted(SLOW_PLUG_IN, since, hours * 3600) == expected * 3600


def test_the_limits_of_the_law():
    assert [limit.seconds / 3600 for limit in LIMITS[BayKind.CHARGING_FAST]] == [1]
    assert [(limit.seconds / 3600, limit.plug_in) for limit in LIMITS[BayKind.CHARGING_SLOW]] == [
        (7, True),
        (14, False),
    ]


@pytest.mark.parametrize(("first", "second"), ["무모", "가거", "오호", "마하", "두도", "38", "12"])
def test_what_is_taken_for_one_another(first: str, second: str):
    assert confusion(first, second)
    assert confusion(first, second) == confusion(second, first)


@pytest.mark.parametrize(("first", "second"), ["가나", "무마", "공국", "14", "3가", "호하"])
def test_what_is_not(first: str, second: str):
    assert confusion(first, second) is None


def test_near_matches_differ_in_one_confusable_character():
    listed = frozenset({"12무3456", "123무3456"})
    near = near_match("12모3456", listed)
    assert near is not None
    assert near[0] == "12무3456"
    assert near_match("12무3456", listed) is None  # that is no near match but the plate itself
    assert near_match("12모3458", listed) is None
    assert near_match("12무3457", listed) is None


def test_shares_of_a_foot_within_a_bay():
    ground = Ground([((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))], 1000, 500)
    assert ground.share(0, (100, 250, 300, 500)) == pytest.approx(1, abs=0.02)
    assert ground.share(0, (400, 250, 600, 500)) == pytest.approx(0.5, abs=0.02)
    assert ground.share(0, (100, 0, 300, 250)) == pytest.approx(0, abs=0.02)
    assert ground.share(0, (2000, 0, 2100, 250)) == pytest.approx(0, abs=0.02)


def test_polygons_that_cross_themselves():
    assert crosses_itself([(0, 0), (1, 1), (1, 0), (0, 1)])
    assert not crosses_itself([(0, 0), (1, 0), (0.5, 0.5), (1, 1), (0, 1)])
