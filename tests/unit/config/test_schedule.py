"""When builds are due, whatever clocks do."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remuda.config.images import RolloutWindow, ScheduleFrom
from remuda.config.schedule import next_due_s, opens_s

HOUR_S: Final = 3_600.0
DAY_S: Final = 24 * HOUR_S
#: Of a builder that looks, s.
LOOK_S: Final = 1_200.0
BERLIN: Final = ZoneInfo("Europe/Berlin")
NIGHTLY: Final = ScheduleFrom.model_validate(
    {"cron": "30 2 * * *", "time-zone": "Europe/Berlin", "jitter": "30m"}
)
DAILY: Final = ScheduleFrom.model_validate({"max-age": "1d", "jitter": "1h"})
NAMES: Final = [f"image-{number}" for number in range(200)]

schedules = st.sampled_from(
    [
        NIGHTLY,
        DAILY,
        ScheduleFrom.model_validate({"cron": "0 * * * *", "jitter": 0}),
        ScheduleFrom.model_validate({"cron": "0 4 * * MON", "time-zone": "America/New_York"}),
        ScheduleFrom.model_validate({"max-age": "10m", "jitter": "1d"}),
    ]
)
names = st.sampled_from(NAMES)
instants = st.floats(0, 4_000_000_000)


def _berlin(*when: int) -> float:
    return datetime(*when, tzinfo=BERLIN).timestamp()  # type: ignore[misc,arg-type]


def _due(schedule: ScheduleFrom, name: str, last_s: float | None, now_s: float) -> float:
    due_s = next_due_s(schedule, name=name, last_s=last_s, now_s=now_s)
    assert due_s is not None
    return due_s


def _builds(schedule: ScheduleFrom, name: str, last_s: float, times: list[float]) -> list[float]:
    """Return when a builder that looks at *times* begins builds."""
    begun = []
    for now_s in times:
        if _due(schedule, name, last_s, now_s) <= now_s:
            last_s = now_s
            begun.append(now_s)
    return begun


def test_without_a_schedule_nothing_is_ever_due() -> None:
    """But what somebody asks for, which is not for us to say."""
    assert next_due_s(None, name="a", last_s=None, now_s=5.0) is None


def test_the_first_build_is_due_at_once() -> None:
    """Labels wait for it."""
    for schedule in (NIGHTLY, DAILY):
        assert _due(schedule, "a", None, 1_000.0) == 1_000.0


def test_nightly_builds_are_spread() -> None:
    """Each within the jitter, always at its own place."""
    begin, fires = _berlin(2027, 5, 1, 12), _berlin(2027, 5, 2, 2, 30)
    offsets = [_due(NIGHTLY, name, begin, begin) - fires for name in NAMES]

    assert all(0 <= offset < 30 * 60 for offset in offsets)
    assert offsets == [_due(NIGHTLY, name, begin, begin + HOUR_S) - fires for name in NAMES]
    for minute in range(0, 30, 3):
        assert sum(minute * 60 <= offset < (minute + 3) * 60 for offset in offsets) < 40


def test_a_maximum_age_is_kept_by_all() -> None:
    """The jitter makes it shorter, by half at most."""
    short = ScheduleFrom.model_validate({"max-age": "10m", "jitter": "1d"})
    for name in NAMES:
        assert 23 * HOUR_S < _due(DAILY, name, 1_000.0, 1_000.0) - 1_000.0 <= DAY_S
        assert 300 < _due(short, name, 1_000.0, 1_000.0) - 1_000.0 <= 600


@pytest.mark.parametrize("day", [(2027, 3, 27), (2027, 10, 30), (2027, 6, 1)])
def test_each_night_has_one_build_also_when_clocks_change(day: tuple[int, int, int]) -> None:
    """Left out or twice, the hour makes one build."""
    begin = _berlin(*day, 12)
    looks = [begin + LOOK_S * turn for turn in range(int(5 * DAY_S / LOOK_S))]
    for name in NAMES[:10]:
        begun = _builds(NIGHTLY, name, begin, looks)
        days = [datetime.fromtimestamp(at_s, BERLIN).date() for at_s in begun]

        assert len(days) == len(set(days)) == 5


@settings(max_examples=200, deadline=None)
@given(schedules, names, instants, st.floats(0, 1_000_000_000))
def test_however_many_firings_were_missed_one_build_is_due(
    schedule: ScheduleFrom, name: str, last_s: float, gone_s: float
) -> None:
    """Also after a clock that went forward by thirty years."""
    now_s = last_s + gone_s
    due_s = _due(schedule, name, last_s, now_s)
    begun_s = max(now_s, due_s)

    assert due_s > last_s
    assert _due(schedule, name, begun_s, begun_s) > begun_s


@settings(max_examples=60, deadline=None)
@given(schedules, names, instants, st.floats(0, 1_000_000_000))
def test_a_clock_that_went_back_by_years_makes_images_wait_for_their_turn_only(
    schedule: ScheduleFrom, name: str, now_s: float, ahead_s: float
) -> None:
    """They are built again in a week at the latest, though their last build is in the future."""
    last_s = now_s + ahead_s
    looks = [now_s + HOUR_S * 0.9 * turn for turn in range(int(24 * 9 / 0.9))]

    begun = _builds(schedule, name, last_s, looks)

    assert begun
    # From then on the clock is right, and nothing is special.
    assert all(_due(schedule, name, at_s, at_s) > at_s for at_s in begun)


def test_a_clock_that_went_back_makes_no_storm() -> None:
    """Two hundred images with builds from the future: they are built over the day, and once."""
    now_s = _berlin(2027, 5, 1, 12)
    looks = [now_s + LOOK_S * turn for turn in range(int(DAY_S / LOOK_S) - 1)]
    for schedule, at_once_max in ((NIGHTLY, 150), (DAILY, 40)):
        first: dict[float, int] = {}
        for name in NAMES:
            begun = _builds(schedule, name, now_s + 10 * 365 * DAY_S, looks)
            # The next one is a day later, less the jitter.
            assert all(at_s - begun[0] > 22 * HOUR_S for at_s in begun[1:])
            first[begun[0]] = first.get(begun[0], 0) + 1

        assert max(first.values()) <= at_once_max


def test_clocks_of_hosts_that_differ_a_little_make_no_second_build() -> None:
    """A build that another replica began five seconds from now has begun."""
    fires = _berlin(2027, 5, 2, 2, 30)
    for name in NAMES:
        begun_s = _due(NIGHTLY, name, fires - DAY_S, fires - DAY_S) + 1
        for behind_s in (0.5, 5.0, 3_000.0):
            assert _due(NIGHTLY, name, begun_s, begun_s - behind_s) > begun_s


def test_an_image_of_a_clock_of_its_own_is_never_due() -> None:
    """The year 12000 has no dates."""
    assert next_due_s(NIGHTLY, name="a", last_s=3e11, now_s=3e11) is None


WINDOW: Final = RolloutWindow.model_validate(
    {"opens": "0 22 * * *", "lasts": "8h", "time-zone": "Europe/Berlin"}
)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ((2027, 5, 1, 21, 59), (2027, 5, 1, 22)),
        ((2027, 5, 1, 22), (2027, 5, 1, 22)),
        ((2027, 5, 2, 3), (2027, 5, 2, 3)),
        ((2027, 5, 2, 5, 59), (2027, 5, 2, 5, 59)),
        ((2027, 5, 2, 6), (2027, 5, 2, 22)),
        ((2027, 10, 31, 4, 30), (2027, 10, 31, 4, 30)),  # 22:00 was seven and a half hours ago
        ((2027, 10, 31, 5, 30), (2027, 10, 31, 22)),  # it lasts eight hours, not until six
    ],
)
def test_when_the_window_is_open(now: tuple[int, ...], opens: tuple[int, ...]) -> None:
    """From each opening for so long; its end is outside."""
    assert opens_s(WINDOW, _berlin(*now)) == _berlin(*opens)


def test_no_window_is_always_open() -> None:
    """Then there is nothing to wait for."""
    assert opens_s(None, 7.0) == 7.0
