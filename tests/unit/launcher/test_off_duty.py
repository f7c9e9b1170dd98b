"""What a replica leaves to the one on duty: it judges alike, and writes nothing."""

from collections.abc import Callable

import pytest

from launcher.claim.actions import Claim
from launcher.request.actions import Decline, Release
from launcher.world import World
from remuda.model.launch import Step
from remuda.model.request import RequestState
from tests.unit.launcher.worlds import (
    add_claim,
    add_node,
    add_replica,
    add_request,
    charge,
    of_kind,
    think,
    world,
)

WRITES = (Claim, Decline, Release)


def leave_to_others(made: World, *things: str) -> None:
    """Let replicas come until none of these is ours to see to."""
    for number in range(99):
        if not any(made.peers.assigned(thing) for thing in things):
            return
        add_replica(made, "here", f"other {number}")
    raise AssertionError(things)


def failed_too_often() -> World:
    """A request that is given up."""
    made = world(**{"launch-attempts": 2})
    view = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, view)
    charge(made, view, 2, why="no luck")
    return made


def claimed_for_a_pool_that_is_gone() -> World:
    """A request that goes back to the others."""
    made = world()
    add_claim(made, add_request(made, 1, state=RequestState.PENDING), pool="gone")
    return made


def claimed_under_a_higher_limit() -> World:
    """A request that the pool can never serve any more."""
    made = world(pools={"main": {"max-servers": 1}})
    add_claim(made, add_request(made, 1, "small", "small", state=RequestState.PENDING))
    add_node(made, 1)
    return made


def too_large() -> World:
    """An open request that no pool of ours ever serves."""
    made = world(pools={"main": {"max-servers": 1}})
    add_request(made, 1, "small", "small")
    return made


def opened() -> World:
    """An open request like any other."""
    made = world()
    add_request(made, 1)
    return made


def claimed_by_an_unreadable_record() -> World:
    """A request of which nobody knows who serves it."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, view).contender = ""
    return made


@pytest.mark.parametrize(
    ("scene", "action"),
    [
        (failed_too_often, Decline),
        (claimed_for_a_pool_that_is_gone, Release),
        (claimed_under_a_higher_limit, Release),
        (too_large, Decline),
        (opened, Claim),
        (claimed_by_an_unreadable_record, Release),
    ],
)
def test_only_the_replica_on_duty_writes(scene: Callable[[], World], action: type) -> None:
    """Two that write at once reject each other, and both begin anew."""
    alone, beside = scene(), scene()
    leave_to_others(beside, "demand", *beside.queue.views)

    assert [type(one) for one in of_kind(think(alone), *WRITES)] == [action]
    assert of_kind(think(beside), *WRITES) == []


@pytest.mark.parametrize("scene", [failed_too_often, too_large])
def test_whoever_does_not_decline_knows_the_reason_all_the_same(
    scene: Callable[[], World],
) -> None:
    """It is on duty as soon as the other dies, and then says the same."""
    alone, beside = scene(), scene()
    leave_to_others(beside, "demand", *beside.queue.views)
    (request,) = beside.queue.views

    said, known = think(alone).verdicts[request], think(beside).verdicts[request]

    assert (said.ruling, said.reason) == (known.ruling, known.reason)


def other_lends(number: int) -> World:
    """Let another replica see to the request for two machines; one is ready, one is on its way."""
    made = world()
    add_replica(made, "here", f"other {number}")
    add_node(made, 1)
    add_node(made, 2, step=Step.BOOTING)
    views = [add_request(made, sequence, "small", "small") for sequence in range(1, 99)]
    theirs = next(one.id for one in views if not made.peers.assigned(one.id))
    for view in views:
        if view.id != theirs:
            made.queue.forget(view.id)
    return made


def test_a_request_whose_machines_are_not_all_ready_waits_for_no_other_replica() -> None:
    """There is nothing yet that the other could lend: who starts machines claims it at once."""
    worlds = map(other_lends, range(99))
    made = next(made for made in worlds if made.peers.assigned("demand"))

    assert [one.request for one in of_kind(think(made), Claim)] == list(made.queue.views)
