"""What a request waits for in vain: too little room for all of it, held nodes, a mistaken quota."""

from collections.abc import Callable
from typing import Any

import pytest

from launcher.node.end import Deletion
from launcher.provider.learning import learn_no_room, learn_success
from launcher.request.actions import Decline, WriteVerdict
from launcher.world import World
from remuda.cloud.api import CloudError, NoRoomError, Quota, TryLaterError
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_request,
    add_stray,
    know,
    later,
    of_kind,
    think,
    world,
)

REFUSAL = NoRoomError("HTTP 403: Quota exceeded: Requested 1, but already used 2 of 2 instances")


def reason(made: World) -> str:
    """Return what is said of the first request."""
    return think(made).verdicts[next(iter(made.queue.views))].reason


def holding(made: World, *numbers: int) -> None:
    """Let somebody hold nodes."""
    for number in numbers:
        add_node(made, number, state=NodeState.HOLD)


@pytest.mark.parametrize(
    ("limits", "quota", "used", "words"),
    [
        ({"max-servers": 3}, None, 1, "pool main has 1 of 3 instances in use, 3 more needed"),
        ({"max-servers": 3}, None, 2, "pool main has 2 of 3 instances in use, 3 more needed"),
        ({}, Quota(cores_max=3), 1, "the cloud's quota has 1 of 3 cores in use, 3 more needed"),
        (
            {},
            Quota(instances_max=4, instances_used=2),
            0,
            "the cloud's quota has 2 of 4 instances in use (2 of them not by us), 3 more needed",
        ),
    ],
)
def test_the_numbers_are_those_of_the_whole_request(
    limits: dict[str, int], quota: Quota | None, used: int, words: str
) -> None:
    """What it would take itself is not in use: "3 of 3" would be a riddle."""
    made = world(pools={"main": limits})
    made.cloud.quota = quota
    for number in range(used):
        add_node(made, number, allocated_to="200-0000000009")
    add_request(made, 1, "small", "small", "small")

    assert reason(made) == words


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ((7,), "1 more needed; held: 0000000007 (remuda release 0000000007 ends it)"),
        ((9, 7, 8), "held: 0000000007, 0000000008, 0000000009 (remuda release 0000000007 ends it)"),
        ((4, 9, 7, 8, 5), "held: 0000000004, 0000000005, 0000000007 and 2 more (remuda release"),
    ],
)
def test_what_somebody_holds_in_its_way_is_named(held: tuple[int, ...], words: str) -> None:
    """With the command that ends it; the number decides as well."""
    made = world(pools={"main": {"max-servers": len(held)}})
    holding(made, *held)
    view = add_request(made, 1)

    verdict = think(made).verdicts[view.id]

    assert words in verdict.reason
    assert verdict.numbers["held"] == len(held)


@pytest.mark.parametrize("taken", [True, False])
def test_it_is_named_for_claimed_requests_and_for_those_of_others_too(*, taken: bool) -> None:
    """Whoever serves the request, or would."""
    made = world(pools={"main": {"max-servers": 1}})
    add_provider(made, "there")
    holding(made, 7)
    view = add_request(made, 1, state=RequestState.PENDING)
    if not taken:
        add_claim(made, view)

    assert "(remuda release 0000000007 ends it)" in reason(made)


def test_holds_of_another_pool_are_not_to_blame() -> None:
    """Its limits are its own; and what is being deleted is held no more."""
    made = world(pools={"main": {"max-servers": 1}, "side": {"max-servers": 1}})
    know(add_node(made, 1, state=NodeState.HOLD), deletion=Deletion())
    made.touch_node(next(iter(made.nodes.views.values())))
    add_node(made, 2, pool="side", state=NodeState.HOLD)
    add_request(made, 1, seen_s=NOW.mono_s - 5.0)

    assert "held" not in reason(made)


def refused(made: World, error: CloudError = REFUSAL, *, times: int = 3) -> None:
    """Have the cloud refuse again, as often as pauses end."""
    for number in range(times):
        made.cloud.no_room_until_s.clear()
        learn_no_room(made, "main", error, later(float(number)))


def stage(*, reuse: bool = True, since_s: float = 60.0, ready: int = 2, **wants: Any) -> World:
    """Return a world in which a request for three nodes waits for its third one."""
    made = world(pools={"main": {"ignore-provider-quota": True}})
    view = add_request(
        made, 1, "small", "small", "small", state=RequestState.PENDING, reuse=reuse, **wants
    )
    add_claim(made, view, since_s=NOW.mono_s - since_s)
    for number in range(ready):
        own = {"for_request": view.id}
        add_node(
            made,
            number,
            launch={} if reuse else own,
            allocated_to=None if reuse else view.id,
        )
    return made


@pytest.mark.parametrize("reuse", [True, False])
def test_a_request_that_the_cloud_never_gives_all_its_nodes_is_declined(*, reuse: bool) -> None:
    """It would wait for room that it takes up itself, whatever the account's quota says."""
    made = stage(reuse=reuse)
    refused(made)
    plan = think(made, later(3.0))
    (verdict,) = plan.verdicts.values()

    assert [type(one) for one in of_kind(plan, WriteVerdict, Decline)] == [WriteVerdict, Decline]
    assert verdict.reason == (
        "the cloud gives no more than 2 of its 3 nodes, and nothing else of ours is there; "
        f"the cloud refused for lack of room ({REFUSAL})"
    )


def patient(made: World) -> None:
    """Let the claim be young."""
    made.queue.claims[next(iter(made.queue.views))].since_s = NOW.mono_s


def busy(made: World) -> None:
    """Let somebody have a machine, which he gives back one day."""
    know(
        add_node(made, 9, label="large", state=NodeState.IN_USE), contenders=frozenset({"its user"})
    )


def stray(made: World) -> None:
    """Let a server without a record take up room until it is swept."""
    add_stray(made, 1)


def foreign(made: World) -> None:
    """Let others have servers in the account."""
    made.cloud.foreign = 1


def coming(made: World) -> None:
    """Let another one be under way."""
    add_node(made, 9, step=Step.BOOTING)


def served(made: World) -> None:
    """Let one have come meanwhile."""
    learn_success(made, next(iter(made.nodes.views.values())), later(3.0))
    made.cloud.no_room_until_s["main"] = NOW.mono_s + 60.0


@pytest.mark.parametrize("but", [patient, busy, stray, foreign, coming, served])
def test_it_waits_on_while_room_may_come(but: Callable[[World], None]) -> None:
    """Nobody is declined for what ends by itself."""
    made = stage()
    refused(made)
    but(made)

    assert of_kind(think(made, later(3.0)), Decline) == []


def test_it_waits_on_if_it_has_nothing_or_nothing_was_refused() -> None:
    """A cloud without any room may have some tomorrow; one that is busy says nothing of room."""
    empty, throttled, once = stage(ready=0), stage(), stage()
    refused(empty)
    refused(throttled, TryLaterError("HTTP 429", retry_after_s=5.0))
    refused(once, times=2)

    assert [of_kind(think(one, later(3.0)), Decline) for one in (empty, throttled, once)] == [
        [],
        [],
        [],
    ]


def test_whoever_declines_last_says_that_all_others_have() -> None:
    """That no single pool could serve it would be wrong: one could, and would not."""
    made = world()
    add_provider(made, "there", odd=LabelStatus(room=1))
    add_request(made, 1, "odd", declined_by=("id-there-main",))

    assert reason(made) == "every pool that makes its labels has declined"


def test_what_is_being_looked_up_counts_for_nothing_yet() -> None:
    """Nobody knows how much room it will take; what is known to be lacking is said."""
    made = world(pools={"main": {"max-servers": 4}})
    add_node(made, 1, step=Step.BOOTING)
    add_node(made, 2, step=Step.BOOTING)
    add_node(made, 4, state=NodeState.IN_USE)
    add_node(made, 5, state=NodeState.IN_USE)
    del made.cloud.recipes["main", "small"]
    add_request(made, 3, "large", "small", "small", "small")  # two of these are coming

    assert reason(made) == "pool main has 4 of 4 instances in use, 1 more needed"
