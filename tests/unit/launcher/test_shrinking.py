"""Surplus: ready nodes beyond min-ready go when nobody has needed them for long."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.claim.actions import Claim
from launcher.node.actions import Condemn, Grow
from launcher.node.scale_down import TURN_S
from launcher.request.actions import Allocate
from launcher.world import World
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_request,
    doom,
    later,
    of_kind,
    think,
    world,
)

AGE_S = 600.0


def stage(ready: int, *, min_ready: int = 0, age_s: float | None = AGE_S, **label: Any) -> World:
    """Return a world with nodes that have been ready for long, the first one longest."""
    promise = {"min-ready": min_ready, "max-surplus-age": age_s, "recheck": None, **label}
    made = world(labels={"small": promise})
    for number in range(ready):
        view = add_node(made, number)
        assert view.node is not None
        view.node = replace(view.node, state_time_s=NOW.wall_s - AGE_S - ready + number)
        made.touch_node(view)
    return made


def gone(made: World, after_s: float = 0.0) -> list[int]:
    """Return which nodes are given up now."""
    return [int(action.node) for action in of_kind(think(made, later(after_s)), Condemn)]


def test_the_one_that_waited_longest_goes_first_and_one_at_a_time() -> None:
    """Requests take the longest ready first, so that it was not needed all the time."""
    made = stage(3)
    first = gone(made)
    doom(made, made.nodes.views[next(iter(made.nodes.views))])

    assert (first, gone(made, 10.0)) == ([0], [])
    made.drop_node(next(iter(made.nodes.views)))
    assert gone(made, 10.0) == [1]


def test_none_goes_before_the_last_has_waited_so_long_and_an_alarm_is_set() -> None:
    """What was made in need a moment ago may be needed again; and nobody looks in between."""
    made = stage(3)
    view = list(made.nodes.views.values())[-1]
    assert view.node is not None
    view.node = replace(view.node, state_time_s=NOW.wall_s - 100.0)
    plan = think(made)

    assert of_kind(plan, Condemn) == []
    due = [one.due_s for one in plan.alarms if one.name == "surplus small"]
    assert due == [NOW.mono_s + AGE_S - 100.0]
    assert gone(made, AGE_S - 100.0) == [0]


@pytest.mark.parametrize(("min_ready", "kept"), [(0, 0), (2, 2), (3, 3), (4, 3)])
def test_min_ready_stays_and_nothing_is_made_again(min_ready: int, kept: int) -> None:
    """Until nothing is beyond it; else nodes would come and go for ever."""
    made = stage(3, min_ready=min_ready)
    grown = 0
    for second in range(10):
        for number in gone(made, 60.0 + second):
            made.drop_node(next(one for one in made.nodes.views if int(one) == number))
        grown += len(of_kind(think(made, later(60.0 + second)), Grow)) if min_ready < 4 else 0

    assert (len(made.nodes.views), grown) == (kept, 0)


@pytest.mark.parametrize(
    ("there", "mine"),
    [
        ({"ready": 2, "room": 5}, [0]),  # it has its half again: two here are too many
        ({"ready": 1, "coming": 1, "room": 5}, [0]),  # three would do, five are ready
        ({"coming": 2, "room": 5}, []),  # not before they are ready
        ({"ready": 0, "room": 0}, []),
    ],
)
def test_after_a_fail_over_only_what_is_ready_elsewhere_counts(
    there: dict[str, int], mine: list[int]
) -> None:
    """Never are fewer than min-ready ready, of all providers together."""
    made = stage(4, min_ready=4)
    add_provider(made, "there", small=LabelStatus(**there))

    assert gone(made) == mine


def test_what_a_cloud_in_trouble_has_does_not_count() -> None:
    """It took over for it, and goes on."""
    made = stage(4, min_ready=4)
    add_provider(made, "there", small=LabelStatus(ready=4))
    told = made.peers.statuses["there"]
    made.peers.statuses["there"] = replace(told, trouble="HTTP 503")

    assert gone(made) == []


@pytest.mark.parametrize(
    ("ready", "priority", "waits"),
    [(1, 100, False), (2, 50, False), (2, 150, True), (3, 50, True)],
    ids=["fewer", "as many, preferred", "as many, less preferred", "more"],
)
def test_providers_take_turns(ready: int, priority: int, *, waits: bool) -> None:
    """Else each could give up the one that the other counts on."""
    made = stage(2)
    add_provider(made, "there", priority=priority, small=LabelStatus(ready=ready))

    assert (gone(made), gone(made, TURN_S)) == ([] if waits else [0], [0])


def test_a_share_of_min_ready_is_not_given_up_for_others_that_have_too_many() -> None:
    """They give it up: what goes here would be made again here."""
    made = stage(2, min_ready=4)
    add_provider(made, "there", small=LabelStatus(ready=5, room=5))

    assert gone(made, 10 * TURN_S) == []


def test_what_somebody_waits_for_stays() -> None:
    """It may be what the request gets in a moment."""
    made = stage(3)
    add_claim(made, add_request(made, 1, "small", "large", state=RequestState.PENDING))

    assert gone(made) == []
    assert of_kind(think(made), Claim) == []


def test_never_is_never() -> None:
    """As with all ages."""
    assert gone(stage(3, age_s=None), 1e6) == []


def test_nothing_is_given_up_before_the_others_have_spoken() -> None:
    """Whoever has just woken up does not know what they have."""
    made = stage(3)
    made.awake_since_s = NOW.mono_s

    assert gone(made) == []
    assert gone(made, made.policy.settle_s) == [0]


def test_what_is_handed_out_in_the_same_moment_is_not_surplus() -> None:
    """A plan gives no node twice."""
    made = stage(2)
    add_request(made, 1)
    plan = think(made)

    assert len(of_kind(plan, Allocate)) == 1
    assert of_kind(plan, Condemn) == []
