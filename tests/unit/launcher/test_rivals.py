"""Who wants the same room: builders, requests that were given back, and other providers."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.claim.actions import Claim, DropClaim
from launcher.claim.view import ClaimView
from launcher.lanes import request
from launcher.node.actions import Condemn, Grow
from launcher.provider.status import ROOM_MAX, our_status
from launcher.request.actions import Decline, Release
from launcher.request.view import RequestView
from launcher.world import World
from remuda.cloud.api import Quota
from remuda.model.ids import NodeId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from remuda.runtime.now import Now
from tests.unit.launcher.imaged import asking, imaged
from tests.unit.launcher.worlds import (
    FLAVORS,
    NOW,
    add_claim,
    add_node,
    add_pool,
    add_provider,
    add_replica,
    add_request,
    know,
    of_kind,
    think,
    world,
)

MAKE = image_label("noble", ImageUse.MAKE)
LATE = Now(wall_s=NOW.wall_s + 31.0, mono_s=NOW.mono_s + 31.0)
BOTH = {name: {"image": "debian-12", "flavor": name} for name in ("small", "large")}


def full_of_builders(step: Step = Step.BOOTING) -> tuple[World, RequestView, ClaimView]:
    """Return a full pool with one machine for a builder, and a user's request."""
    made = imaged(pools={"main": {"max-servers": 1}})
    builders = asking(made, ImageUse.MAKE, state=RequestState.PENDING)
    claim = add_claim(made, builders)
    of_builder(made, builders, step)
    add_request(made, 1)
    return made, builders, claim


def of_builder(made: World, builders: RequestView, step: Step) -> None:
    """Add a machine that was made for a builder."""
    node = add_node(
        made,
        1,
        step=step,
        allocated_to=builders.id,
        launch={"label": MAKE, "for_request": builders.id},
    )
    assert node.node is not None
    node.node = replace(node.node, labels=(MAKE,))
    made.touch_node(node)


def given_up(made: World) -> tuple[list[NodeId], list[str]]:
    """Return the machines and the claims that a plan gives up."""
    plan = think(made)
    machines = [one.node for one in of_kind(plan, Condemn)]
    return machines, [one.request for one in of_kind(plan, Release)]


def test_a_builders_machine_in_the_making_goes_first() -> None:
    """Its request stays, in line behind those of users."""
    made, builders, _ = full_of_builders()

    assert given_up(made) == ([NodeId("0000000001")], [builders.id])


def test_a_builder_keeps_what_is_finished() -> None:
    """It is about to be handed out, and minutes would be lost with it."""
    made, _, _ = full_of_builders(Step.DONE)

    assert given_up(made) == ([], [])


def test_a_builders_claim_that_is_being_written_is_left_alone() -> None:
    """What becomes of it is not known before the answer."""
    made, builders, _ = full_of_builders()
    made.busy.enter(request(builders.id), DropClaim(request=builders.id))

    assert given_up(made) == ([], [])


def test_a_machine_is_taken_from_the_builder_that_has_one_in_the_making() -> None:
    """Another builder's request that has none yet gives no room."""
    made, builders, _ = full_of_builders()
    claims = made.queue.claims
    ask = ImageAsk(use=ImageUse.MAKE)
    bare = add_request(
        made, 80, MAKE, priority="900", reuse=False, image=ask, state=RequestState.PENDING
    )
    made.queue.claims = {bare.id: add_claim(made, bare), **claims}

    assert given_up(made) == ([NodeId("0000000001")], [builders.id])


def in_use(made: World, number: int, pool: str = "main") -> None:
    """Add a machine that somebody uses."""
    busy = add_node(made, number, pool=pool, allocated_to="200-0000000099")
    know(busy, contenders=frozenset({"its user"}))
    made.touch_node(busy)


def starved(made: World, number: int, pool: str) -> RequestView:
    """Add a claimed request for two machines: one is there, and somebody has the other's room."""
    view = add_request(made, number, "small", "small", state=RequestState.PENDING)
    add_claim(made, view, pool=pool)
    add_node(made, number, pool=pool)
    in_use(made, 50 + number, pool)
    return view


def test_claims_that_wait_for_room_in_different_pools_keep_what_they_have() -> None:
    """To give one of them back would help nobody."""
    pools = {name: {"max-servers": 2, "labels": BOTH} for name in ("one", "other")}
    made = world(pools=pools)
    starved(made, 1, "one")
    starved(made, 2, "other")
    apart = of_kind(think(made, LATE), Release)
    rival = add_request(made, 3, "large", "large", state=RequestState.PENDING)
    add_claim(made, rival, pool="one")

    assert apart == []
    assert [one.request for one in of_kind(think(made, LATE), Release)] == [rival.id]


@pytest.mark.parametrize(
    ("pool", "state", "going"),
    [
        ("main", NodeState.READY, True),
        ("side", NodeState.READY, False),
        ("main", NodeState.BUILDING, False),
    ],
)
def test_a_machine_made_for_a_request_that_we_gave_back_makes_room_where_it_is_needed(
    pool: str,
    state: NodeState,
    going: bool,  # noqa: FBT001
) -> None:
    """It goes only from the pool that is full, and only when it is finished."""
    made = world(pools={"main": {"max-servers": 2}, "side": {"labels": BOTH}})
    claimed = add_request(made, 1, "large", "large", state=RequestState.PENDING)
    add_claim(made, claimed)
    add_node(made, 1, label="large")
    in_use(made, 2)
    behind = add_request(made, 2, "small", "small", reuse=False)
    step = Step.DONE if state is NodeState.READY else Step.PROVING
    given_back = {"for_request": behind.id}
    node = add_node(
        made, 3, step=step, pool=pool, state=state, allocated_to=behind.id, launch=given_back
    )

    assert (node.id in {one.node for one in of_kind(think(made), Condemn)}) is going


def test_room_that_users_wait_for_is_not_given_to_builders() -> None:
    """Theirs would fit, but the user's two would wait for it."""
    made = imaged(pools={"main": {"max-servers": 2}})
    in_use(made, 1)
    add_request(made, 1, "small", "small")
    builders = asking(made, ImageUse.MAKE)
    crowded = think(made)
    made.queue.forget(next(iter(made.queue.views)))

    assert of_kind(crowded, Claim) == []
    assert crowded.verdicts[builders.id].reason == "requests of users wait for the room"
    assert [one.request for one in of_kind(think(made), Claim)] == [builders.id]


def test_the_last_room_is_used_on_account_of_the_first_in_line() -> None:
    """If that launch fails, it counts against nobody else."""
    made = world(pools={"main": {"max-servers": 2}})
    in_use(made, 1)
    first, second = (add_request(made, n, state=RequestState.PENDING) for n in (2, 3))
    add_claim(made, second)
    add_claim(made, first)
    (grow,) = of_kind(think(made), Grow)

    assert [one.on_account_of for one in grow.intents] == [first.id]


def test_what_is_not_known_yet_is_not_too_much() -> None:
    """A label whose flavor is being looked up may fit: nobody is declined for it."""
    made = world(pools={"main": {"max-cores": FLAVORS["small"].cores}})
    view = add_request(made, 1, "large")
    recipe = made.cloud.recipes.pop(("main", "large"))
    unknown = of_kind(think(made), Decline)
    made.cloud.recipes["main", "large"] = recipe

    assert unknown == []
    assert [one.request for one in of_kind(think(made), Decline)] == [view.id]


@pytest.mark.parametrize(
    "closed", [{"pools": {"main": {"max-servers": 0}}}, {"max-concurrency": 0}]
)
def test_a_closed_pool_declines_at_once(closed: dict[str, Any]) -> None:
    """Others may serve it, and nobody waits for us."""
    made = world(**closed)
    view = add_request(made, 1)
    plan = think(made)

    assert [one.request for one in of_kind(plan, Decline)] == [view.id]
    assert plan.verdicts[view.id].reason == "pool main is closed"


def test_a_provider_that_tells_nothing_of_itself_is_not_waited_for() -> None:
    """Another program's launcher, however well placed, comes after whoever has room."""
    made = world()
    add_pool(made, "nodepool", "main", "small", priority=1)
    view = add_request(made, 1)

    assert [one.request for one in of_kind(think(made), Claim)] == [view.id]


def test_more_room_than_matters_is_told_as_so_much() -> None:
    """Nobody's choice depends on it, and the status would change with every launch."""
    made = world(pools={"main": {}}, **{"max-concurrency": 1000})
    endless = our_status(made, NOW).labels["small"].room
    made.cloud.quota = Quota(instances_max=7)

    assert endless == ROOM_MAX
    assert our_status(made, NOW).labels["small"].room == 7


def ready_kept(made: World) -> int:
    """Return how many machines a plan starts for min-ready."""
    return sum(len(one.intents) for one in of_kind(think(made), Grow))


def kept_with(trouble: str | None, *, told: bool) -> int:
    """Return our part of four ready machines, beside another provider."""
    made = world(labels={"small": {"recheck": None, "min-ready": 4}})
    add_replica(made, "there", "theirs")
    add_pool(made, "there", "main", "small")
    if told:
        add_provider(made, "there", small=LabelStatus(room=9))
        status = made.peers.statuses["there"]
        made.peers.statuses["there"] = replace(status, trouble=trouble)
    return ready_kept(made)


def test_a_provider_that_has_just_started_is_trusted_with_its_share_of_min_ready() -> None:
    """It tells how it stands in a moment; what we made for it meanwhile would be too many."""
    assert kept_with(None, told=False) == 2
    assert kept_with(None, told=True) == 2


def test_the_share_of_a_provider_in_trouble_falls_to_the_others() -> None:
    """Whatever room it says it has: its cloud is away."""
    assert kept_with("the cloud is away", told=True) == 4
