"""When cron expressions fire, above all where clocks change."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remuda.config.cron import first_after, longest_pause_s, parse_cron, parse_zone
from remuda.config.units import WrongValueError

DAY_S: Final = 86_400.0
#: Changes by an hour in both halves of the year, by half an hour, at midnight, none, and a day
#: that was left out.
ZONES: Final = (
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "UTC"),
    *("Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca"),
)
zones = st.sampled_from(ZONES)
#: From 1970 to 2100.
instants = st.integers(0, 4_102_444_800).map(float) | st.floats(0, 4_102_444_800)


def _local(zone: str, *when: int) -> float:
    return datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[misc,arg-type]


def _fires(cron: str, zone: str, after_s: float, count: int) -> list[str]:
    found = []
    for _ in range(count):
        next_s = first_after(cron, zone, after_s)
        assert next_s is not None
        after_s = next_s
        found.append(datetime.fromtimestamp(after_s, ZoneInfo(zone)).isoformat())
    return found


def test_a_night_without_the_hour_fires_once_the_clocks_have_gone_on() -> None:
    """On 28 March 2027 Berlin has no 02:30."""
    assert _fires("30 2 * * *", "Europe/Berlin", _local("Europe/Berlin", 2027, 3, 27, 12), 3) == [
        "2027-03-28T03:00:00+02:00",
        "2027-03-29T02:30:00+02:00",
        "2027-03-30T02:30:00+02:00",
    ]


def test_a_night_with_the_hour_twice_fires_once() -> None:
    """On 31 October 2027 Berlin has 02:30 two times."""
    assert _fires("30 2 * * *", "Europe/Berlin", _local("Europe/Berlin", 2027, 10, 30, 12), 3) == [
        "2027-10-31T02:30:00+02:00",
        "2027-11-01T02:30:00+01:00",
        "2027-11-02T02:30:00+01:00",
    ]


def test_a_search_that_begins_in_the_second_hour_does_not_go_back() -> None:
    """The wall clock shows 02:10 again, but 02:30 has been."""
    begin = datetime(2027, 10, 31, 2, 10, fold=1, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()

    assert _fires("30 2 * * *", "Europe/Berlin", begin, 1) == ["2027-11-01T02:30:00+01:00"]


def test_every_hour_is_every_hour() -> None:
    """What fires each hour does so in both of the two."""
    begin = _local("Europe/Berlin", 2027, 10, 31, 1, 30)

    assert _fires("0 * * * *", "Europe/Berlin", begin, 3) == [
        "2027-10-31T02:00:00+02:00",
        "2027-10-31T02:00:00+01:00",
        "2027-10-31T03:00:00+01:00",
    ]


def test_the_instant_itself_is_not_after_it() -> None:
    """A build that began to the second is not due again; one a moment earlier is."""
    at_s = _local("UTC", 2027, 5, 1, 3)

    assert first_after("0 3 * * *", "UTC", at_s) == at_s + DAY_S
    assert first_after("0 3 * * *", "UTC", at_s - 0.001) == at_s
    assert first_after("0 3 * * *", "UTC", at_s + 0.001) == at_s + DAY_S


@settings(max_examples=300, deadline=None)
@given(
    zones,
    instants,
    st.integers(0, 59),
    st.sampled_from(["*", "*/2", "0", "1", "2", "23", "0-3", "1,2"]),
    st.sampled_from(["* * *", "1 * *", "* * MON", "L * *", "29 2 *"]),
)
@example("Pacific/Apia", _local("UTC", 2011, 12, 29, 12), 30, "2", "* * *")
@example("America/Havana", _local("UTC", 2027, 3, 13, 12), 0, "0", "* * *")
def test_time_goes_forward_and_the_clock_shows_what_was_asked_for(
    zone: str, instant_s: float, minute: int, hours: str, days: str
) -> None:
    """But right after hours that were left out."""
    found_s = first_after(f"{minute} {hours} {days}", zone, instant_s)

    assert found_s is not None
    assert found_s > instant_s
    here = datetime.fromtimestamp(found_s, ZoneInfo(zone))
    if here.minute != minute:
        # What is shown there instead of the minute asked for is the first after a gap.
        before = datetime.fromtimestamp(found_s - 60, ZoneInfo(zone))
        assert here.utcoffset() != before.utcoffset()


@settings(max_examples=200, deadline=None)
@given(zones, instants)
def test_each_day_has_one_night(zone: str, instant_s: float) -> None:
    """Whatever the clocks do, nightly firings are a day apart, or an hour more or less."""
    one_s = first_after("30 2 * * *", zone, instant_s)
    assert one_s is not None
    other_s = first_after("30 2 * * *", zone, one_s)
    assert other_s is not None

    assert one_s - instant_s <= 25 * 3_600
    assert 22 * 3_600 <= other_s - one_s <= 26 * 3_600


def test_beyond_all_dates_nothing_fires() -> None:
    """Records of others may hold any time."""
    for instant_s in (-1.0, 1e12, 1e300, float("inf"), float("nan")):
        assert first_after("0 3 * * *", "UTC", instant_s) is None


@pytest.mark.parametrize(
    "good", ["30 2 * * *", "*/15 * * * *", "0 4 * * MON-FRI", "0 0 29 2 *", "0 0 L * *"]
)
def test_what_is_a_cron_expression(good: str) -> None:
    """Names of days and the last day of the month included."""
    assert parse_cron(good) == good


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a cron expression: it has five fields"),
        ("@daily", "is not a cron expression: it has five fields"),
        ("0 30 2 * * *", "is not a cron expression: it has five fields"),
        ("* " * 150, "is not a cron expression: it has five fields"),
        ("61 2 * * *", "is not a cron expression, or never fires: bad minute"),
        ("0 2 * * FOO", "is not a cron expression, or never fires: bad day-of-week"),
        ("0 2 ² * *", "is not a cron expression, or never fires: bad day-of-month"),
        ("0/0 2 * * *", "is not a cron expression, or never fires: bad minute"),
        ("0 0 30 2 *", "is not a cron expression, or never fires: bad day-of-month"),
        ("0 0 31 4,6 *", "is not a cron expression, or never fires: bad day-of-month"),
    ],
)
def test_what_is_not(text: str, why: str) -> None:
    """With a hint at what would be."""
    with pytest.raises(WrongValueError) as caught:
        parse_cron(text)

    assert str(caught.value) == why
    assert "30 2 * * *" in caught.value.hint


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text("0123456789*/,-#LWMONJAN²", min_size=1, max_size=6), min_size=5, max_size=5)
)
def test_any_text_is_one_or_is_refused(fields: list[str]) -> None:
    """What is let pass can be asked for its times."""
    text = " ".join(fields)
    try:
        parse_cron(text)
    except WrongValueError:
        return
    assert longest_pause_s(text, "Europe/Berlin") >= 0


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berlni", "did you mean 'Europe/Berlin'?"),
        ("Europe", "did you mean"),
        ("../../etc/passwd", "write for example"),
        ("/etc/localtime", ""),
        ("localtime", "write for example"),
        ("", "write for example"),
        ("Mars/Olympus Mons\0", ""),
        ("x" * 5_000, "write for example"),
    ],
)
def test_what_is_no_time_zone(name: str, hint: str) -> None:
    """Nor a file that somebody might be told of."""
    with pytest.raises(WrongValueError) as caught:
        parse_zone(name)

    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("cron", "zone", "hours"),
    [
        ("30 2 * * *", "UTC", 24),
        ("30 2 * * *", "Europe/Berlin", 25),
        ("0 4 * * MON", "UTC", 7 * 24),
        ("0 4 * * MON-FRI", "UTC", 3 * 24),
        ("0 4 1 * *", "UTC", 31 * 24),
        ("*/30 * * * *", "UTC", 0.5),
    ],
)
def test_the_longest_pause(cron: str, zone: str, hours: float) -> None:
    """Weekends, long months and changes of the clocks count."""
    assert longest_pause_s(cron, zone) == hours * 3_600


def test_the_longest_pause_of_what_fires_often_on_few_days() -> None:
    """More firings than anybody counts lie between two pauses; these are told by the days."""
    pause_s = longest_pause_s("* * * * MON", "UTC")

    assert 4 * DAY_S < pause_s <= timedelta(days=6).total_seconds()


def test_an_instant_within_a_minute_is_no_problem() -> None:
    """Cron knows minutes only."""
    at_s = datetime(2027, 1, 1, 0, 0, 30, 500, tzinfo=UTC).timestamp()

    assert first_after("* * * * *", "UTC", at_s) == at_s - 30.0005 + 60
