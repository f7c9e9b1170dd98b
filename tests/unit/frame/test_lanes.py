"""Lanes: places go to those that have waited longest."""

from enum import StrEnum

from remuda.frame.lanes import Lanes


class Lane(StrEnum):
    """One that is waited for, and one that is not."""

    SLOW = "slow"
    QUICK = "quick"


PLACES = 3


def full() -> Lanes[Lane, str]:
    """Return lanes of which the slow one is full."""
    lanes: Lanes[Lane, str] = Lanes((Lane.SLOW,))
    for number in range(PLACES):
        lanes.enter(Lane.SLOW, f"busy{number}", 0.0)
    return lanes


def offer(lanes: Lanes[Lane, str]) -> set[str]:
    """Return who is offered a place."""
    return lanes.offer(lambda _: PLACES)


def test_places_go_to_those_that_have_waited_longest() -> None:
    """Nobody overtakes, and who does not want the place any more makes way."""
    lanes = full()
    for seconds, who in enumerate(("one", "two", "three")):
        assert not lanes.admits(Lane.SLOW, who, PLACES)
        lanes.wait(Lane.SLOW, who, float(seconds))
    lanes.leave(Lane.SLOW)

    overtakes = lanes.admits(Lane.SLOW, "three", PLACES)
    first = offer(lanes)
    left = lanes.retract(20.0)  # the first did not take it
    second = offer(lanes)

    assert (overtakes, first, left, second) == (False, {"one"}, {"one": 20.0}, {"two"})
    assert lanes.admits(Lane.SLOW, "two", PLACES)
    assert lanes.enter(Lane.SLOW, "two", 31.0) == 30.0
    assert (lanes.retract(31.0), offer(lanes)) == ({}, set())
    assert "one" not in lanes.since


def test_nobody_waits_for_a_lane_that_is_not_waited_for() -> None:
    """Its threads are many enough, or what finds none is decided anew."""
    lanes = full()
    for _ in range(2 * PLACES):
        lanes.enter(Lane.QUICK, None, 0.0)

    assert lanes.admits(Lane.QUICK, None, PLACES)
    assert lanes.running[Lane.QUICK] == 2 * PLACES
