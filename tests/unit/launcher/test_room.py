"""Room for claimed requests after a limit became lower: none keeps the others waiting for ever."""

import pytest

from launcher.claim.actions import Claim
from launcher.node.actions import Condemn
from launcher.node.end import Deletion
from launcher.request.actions import Decline, Release
from launcher.request.view import RequestView
from launcher.world import World
from remuda.cloud.api import Quota
from remuda.model.launch import Step
from remuda.model.request import RequestEvent, RequestState
from remuda.model.status import LabelStatus
from remuda.runtime.now import Now
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_replica,
    add_request,
    know,
    of_kind,
    think,
    world,
)

LATE = Now(wall_s=NOW.wall_s + 31.0, mono_s=NOW.mono_s + 31.0)


def claimed(made: World, number: int, *labels: str, reuse: bool = True) -> RequestView:
    """Add a request that we have claimed."""
    view = add_request(made, number, *labels, reuse=reuse, state=RequestState.PENDING)
    add_claim(made, view)
    return view


def deadlock() -> tuple[World, RequestView, RequestView]:
    """Two requests of two nodes each, of which each has one, and room for three."""
    made = world(pools={"main": {"max-servers": 3}})
    first, second = claimed(made, 1, "small", "small"), claimed(made, 2, "large", "large")
    add_node(made, 1)
    add_node(made, 2, label="large")
    busy = add_node(made, 3, allocated_to="200-0000000099")
    know(busy, contenders=frozenset({"its user"}))
    made.touch_node(busy)
    return made, first, second


def released(made: World, now: Now = LATE) -> list[str]:
    """Return what a plan gives back."""
    return [action.request for action in of_kind(think(made, now), Release)]


def test_of_two_claims_that_wait_for_each_others_room_the_later_gives_way() -> None:
    """It may still end by itself for a while; then its node becomes idle, and makes room."""
    made, first, second = deadlock()
    patient, late = released(made, NOW), released(made)
    made.queue.claims.pop(second.id)
    second.request = second.request.after(RequestEvent.RELEASED, now_s=1.0)
    made.touch_request(second)

    assert ([], [second.id]) == (patient, late)
    (condemn,) = of_kind(think(made, LATE), Condemn)
    assert first.id in condemn.cause
    assert made.nodes.views[condemn.node].key == ("main", "large")


def test_nothing_is_given_back_while_a_node_is_going() -> None:
    """Its room will do."""
    made, _, _ = deadlock()
    know(add_node(made, 4, step=Step.CONDEMNED), deletion=Deletion())
    made.touch_node(made.nodes.views[next(reversed(made.nodes.views))])

    assert released(made) == []


def test_only_the_one_on_duty_gives_a_claim_back() -> None:
    """Two that decide at once could give two back."""
    made, _, _ = deadlock()
    for number in range(20):
        add_replica(made, "here", f"other {number}")

    assert made.peers.assigned("demand") is False
    assert released(made) == []


def test_a_machine_made_for_a_request_that_was_given_back_makes_room() -> None:
    """Nobody else may have it, and its request waits behind the one that needs the room."""
    made = world(pools={"main": {"max-servers": 2}})
    claimed(made, 1, "large", "large")
    add_node(made, 2, label="large")
    behind = add_request(made, 2, "small", "small", reuse=False)
    node = add_node(made, 1, allocated_to=behind.id, launch={"for_request": behind.id})

    assert [node.id] == [action.node for action in of_kind(think(made), Condemn)]


@pytest.mark.parametrize(("most", "going"), [(3, ["0000000002"]), (4, [])])
def test_an_idle_machine_of_another_pool_makes_room_in_the_quota(
    most: int, going: list[str]
) -> None:
    """It has a label that the request wants, but is of no use in the pool that serves it."""
    only = {"small": {"image": "debian-12", "flavor": "small"}}
    made = world(pools={"main": {}, "side": {"labels": only}})
    made.cloud.quota = Quota(instances_max=most)
    add_request(made, 1, "small", "large", "small")
    add_node(made, 1, label="large")
    add_node(made, 2, pool="side")

    plan = think(made)

    assert going == [action.node for action in of_kind(plan, Condemn)]
    assert (going == []) is bool(of_kind(plan, Claim))


@pytest.mark.parametrize("state", [RequestState.FULFILLED, RequestState.PENDING])
def test_a_machine_that_its_request_will_use_stays(state: RequestState) -> None:
    """It was given to it, or will be."""
    made = world(pools={"main": {"max-servers": 1}})
    claimed(made, 1, "large")
    owner = add_request(made, 2, reuse=False, state=state)
    add_node(made, 1, allocated_to=owner.id, launch={"for_request": owner.id})
    if state is RequestState.PENDING:
        add_claim(made, owner)

    assert of_kind(think(made), Condemn) == []


@pytest.mark.parametrize(
    ("pool", "labels"), [("closed", ("small",)), ("main", ("small", "tiny")), ("main", ("tiny",))]
)
def test_a_claim_that_its_pool_can_serve_no_more_is_given_back(
    pool: str, labels: tuple[str, ...]
) -> None:
    """The operator took the pool away, or the label out of it: no image would ever be found."""
    made = world()
    view = add_request(made, 1, *labels, state=RequestState.PENDING)
    add_claim(made, view, pool=pool)

    assert released(made, NOW) == [view.id]


def test_a_claim_that_fits_no_more_is_given_back_and_then_declined() -> None:
    """The operator made the pool smaller: it would wait for ever."""
    made = world(pools={"main": {"max-servers": 1}})
    add_provider(made, "there", small=LabelStatus())
    add_node(made, 1)
    view = claimed(made, 1, "small", "small")

    given_back = released(made, NOW)
    made.queue.claims.pop(view.id)
    view.request = view.request.after(RequestEvent.RELEASED, now_s=1.0)
    made.touch_request(view)

    assert [view.id] == given_back
    assert [view.id] == [action.request for action in of_kind(think(made), Decline)]
