"""Alarms: each rings once, at the earliest time that was asked for."""

from remuda.frame.alarms import Alarms


def test_an_alarm_rings_once_when_its_time_has_come() -> None:
    """In order of time; the next one says how long to wait."""
    alarms = Alarms()
    alarms.set("node", "b", 2.0)
    alarms.set("node", "a", 1.0)

    early, first_s = alarms.ring(0.5), alarms.next_s()
    rung, last_s = alarms.ring(2.0), alarms.next_s()

    assert (early, first_s) == ([], 1.0)
    assert (rung, last_s) == ([("node", "a"), ("node", "b")], float("inf"))
    assert alarms.ring(9.0) == []


def test_the_earlier_of_two_times_counts() -> None:
    """A later one changes nothing; a sooner one replaces it, and the old one is not heard."""
    alarms = Alarms()
    alarms.set("node", "a", 5.0)
    alarms.set("node", "a", 7.0)
    alarms.set("node", "a", 3.0)
    alarms.set("request", "a", 4.0)

    assert alarms.next_s() == 3.0
    assert alarms.ring(3.0) == [("node", "a")]
    assert alarms.next_s() == 4.0
    assert alarms.ring(9.0) == [("request", "a")]
