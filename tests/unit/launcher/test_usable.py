"""Ready nodes that a request can never get count for nothing: not in bids, pins, or verdicts."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.claim.actions import Claim
from launcher.provider.publishing import outline
from launcher.provider.status import our_status
from launcher.request.actions import Allocate, Release
from launcher.request.bids import bids, ready_there
from launcher.world import World
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import (
    LabelStatus,
    PoolStatus,
    ProviderStatus,
    decode_status,
    encode_status,
)
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_pool,
    add_provider,
    add_request,
    know,
    of_kind,
    think,
    world,
)

SHARED = {"pools": {"main": {"max-servers": 5}, "side": {"max-servers": 5}}}


def away(made: World, **status: Any) -> None:
    """Let another provider have nodes ready, and its cloud be away."""
    add_provider(made, "there", priority=1, small=LabelStatus(ready=3))
    told = made.peers.statuses["there"]
    made.peers.statuses["there"] = replace(told, trouble="HTTP 503", **status)


@pytest.mark.parametrize(("reuse", "actions"), [(True, []), (False, [Claim])])
@pytest.mark.parametrize("since_s", [0.0, 10.0])
def test_who_wants_new_machines_does_not_wait_for_a_cloud_that_is_away(
    *, reuse: bool, actions: list[type], since_s: float
) -> None:
    """What is ready there serves others, but not a request that wants none of it."""
    made = world()
    away(made)
    add_request(made, 1, reuse=reuse, provider="there", seen_s=NOW.mono_s - since_s)

    assert actions == [type(one) for one in of_kind(think(made), Claim, Allocate)]


def test_who_wants_new_machines_is_not_given_back_to_whoever_has_only_ready_ones() -> None:
    """It would come back, for ever."""
    made = world(pools={"main": {"max-servers": 1}})
    know(
        add_node(made, 1, label="large", state=NodeState.IN_USE), contenders=frozenset({"its user"})
    )
    view = add_request(made, 1, state=RequestState.PENDING, reuse=False)
    add_claim(made, view)
    add_provider(made, "there", small=LabelStatus(ready=3, coming=3))

    assert of_kind(think(made), Release) == []
    assert not bids(made, view, our_status(made, NOW))[0].hopeful


def test_its_verdict_counts_only_what_was_made_for_it() -> None:
    """Three are ready, one of them is its own."""
    made = world()
    add_node(made, 4)
    view = add_request(made, 1, "small", "small", state=RequestState.PENDING, reuse=False)
    add_claim(made, view)
    add_node(made, 1)
    for number, state in ((2, NodeState.READY), (3, NodeState.BUILDING)):
        own = {"for_request": view.id}
        add_node(made, number, state=state, allocated_to=view.id, launch=own)

    assert think(made).verdicts[view.id].numbers["ready"] == 1


def test_nodes_of_several_pools_are_never_one_requests() -> None:
    """All nodes of a request come from one pool; a declined or paused one gives none."""
    made = world(**SHARED)
    for number, pool in ((1, "main"), (2, "side")):
        add_node(made, number, pool=pool)
    one, two = add_request(made, 1, "small"), add_request(made, 2, "small", "small")
    status = our_status(made, NOW)

    assert status.labels["small"].ready == 2
    assert [bids(made, view, status)[0].ready for view in (one, two)] == [True, False]


@pytest.mark.parametrize(
    ("side", "declined", "ready"),
    [({}, (), True), ({"paused": True}, (), False), ({}, ("id-there-side",), False)],
    ids=["open", "paused", "declined"],
)
def test_nodes_of_a_pool_that_does_not_serve_it_do_not_count(
    side: dict[str, Any], declined: tuple[str, ...], *, ready: bool
) -> None:
    """The others of the provider may have room all the same."""
    made = world()
    add_provider(made, "there", small=LabelStatus(ready=1, room=1))
    add_pool(made, "there", "side", "small", **side)
    made.peers.statuses["there"] = replace(
        made.peers.statuses["there"],
        pools={
            "main": PoolStatus(labels={"small": LabelStatus(room=1)}),
            "side": PoolStatus(labels={"small": LabelStatus(ready=1)}),
        },
    )
    view = add_request(made, 1, declined_by=declined)
    found = {one.provider: one for one in bids(made, view, our_status(made, NOW))}

    assert (found["there"].ready, "there" in ready_there(made, view)) == (ready, ready)
    assert found["there"].hopeful


def test_pools_that_share_a_label_are_told_each_by_itself() -> None:
    """A label that one pool makes is told once: the provider's standing is the pool's."""
    shared, alone = (our_status(world(**pools), NOW) for pools in (SHARED, {}))
    other = replace(shared, pools={**shared.pools, "side": PoolStatus()})

    assert alone.pools["main"].labels == {}
    assert set(shared.pools["side"].labels) == {"small", "large"}
    assert decode_status("here", encode_status(shared)) == shared
    assert outline(other) != outline(shared)
    assert ProviderStatus(provider="x").standing("none", "none") == LabelStatus()
