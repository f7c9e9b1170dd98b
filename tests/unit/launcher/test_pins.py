"""Pins: a request that prefers a provider is that one's alone, as long as it may serve it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from launcher.claim.actions import Claim
from launcher.request.actions import Allocate, Decline, Release
from launcher.world import World
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus, ProviderStatus
from tests.unit.launcher.worlds import (
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


@pytest.mark.parametrize("pin", [None, "there", "here"])
def test_nobody_is_left_to_a_provider_that_leaves_them_to_us(pin: str | None) -> None:
    """Who is pinned to us gets no machine elsewhere, however ready; they would go to and fro."""
    made = world()
    late_s = NOW.mono_s - made.policy.patience_s - 1.0
    slow = add_request(made, 1, state=RequestState.PENDING, provider=pin)
    add_claim(made, slow, since_s=late_s)
    add_node(made, 1, step=Step.BOOTING)
    soon = add_request(made, 2, state=RequestState.PENDING, provider=pin)
    add_claim(made, soon)
    add_node(made, 2, step=Step.BOOTING)
    add_provider(made, "there", small=LabelStatus(ready=3))

    found = [action.request for action in of_kind(think(made), Release)]

    assert ([] if pin == "here" else [slow.id]) == found


@pytest.mark.parametrize(("pin", "kept"), [("here", True), (None, False)])
def test_a_pinned_claim_waits_for_room(pin: str | None, *, kept: bool) -> None:
    """The others would leave it to us all the same."""
    made = world(pools={"main": {"max-servers": 1}})
    know(
        add_node(made, 1, label="large", state=NodeState.IN_USE), contenders=frozenset({"its user"})
    )
    view = add_request(made, 1, state=RequestState.PENDING, provider=pin)
    add_claim(made, view)
    add_provider(made, "there", small=LabelStatus(room=3))

    assert (of_kind(think(made), Release) == []) is kept


def in_trouble(made: World) -> None:
    """Let our cloud be away."""
    made.cloud.trouble = "HTTP 503"


def without_image(made: World) -> None:
    """Let the label be one that cannot be made."""
    made.cloud.broken["main", "small"] = "no image"


@pytest.mark.parametrize("cannot", [in_trouble, without_image])
def test_who_cannot_serve_what_is_pinned_to_it_leaves_it_to_others(
    cannot: Callable[[World], None],
) -> None:
    """Once: it does not take the request again while that lasts."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING, provider="here")
    add_claim(made, view)
    cannot(made)
    add_provider(made, "there", small=LabelStatus(room=3))
    released = of_kind(think(made), Release)
    del made.queue.claims[view.id]
    view.request = replace(view.request, state=RequestState.REQUESTED)
    made.touch_request(view)

    assert [view.id] == [action.request for action in released]
    assert of_kind(think(made), Claim, Decline) == []


@pytest.mark.parametrize(
    ("there", "status", "holds"),
    [
        ({}, {"small": LabelStatus()}, True),
        ({}, None, True),
        ({"paused": True}, {"small": LabelStatus(room=3)}, False),
        ({"labels": ("large",)}, {"large": LabelStatus(room=3)}, False),
        ({}, {"small": LabelStatus(room=3), "trouble": "HTTP 503"}, False),
        ({}, {"small": LabelStatus(ready=1), "trouble": "HTTP 503"}, True),
        ({}, {"small": LabelStatus(broken="no image")}, False),
        ({}, {"small": LabelStatus(broken="no image", ready=1)}, True),
    ],
    ids=["full", "silent", "paused", "other labels", "away", "away but ready", "broken", "no more"],
)
@pytest.mark.parametrize("ready", [True, False])
def test_others_serve_it_if_that_one_cannot(
    there: dict[str, Any],
    status: dict[str, Any] | None,
    holds: bool,  # noqa: FBT001
    ready: bool,  # noqa: FBT001
) -> None:
    """One rule for who lends and for who makes machines."""
    made = world()
    add_replica(made, "there", "replica of there")
    labels = there.get("labels", ("small",))
    add_pool(made, "there", "main", *labels, paused=there.get("paused", False))
    if status is not None:
        made.peers.statuses["there"] = ProviderStatus(
            provider="there",
            priority=100,
            trouble=status.get("trouble"),
            labels={name: one for name, one in status.items() if name != "trouble"},
        )
    if ready:
        add_node(made, 1)
    view = add_request(made, 1, provider="there", seen_s=NOW.mono_s - 10.0)

    plan = think(made)

    assert [Allocate if ready else Claim] * (not holds) == [
        type(action) for action in of_kind(plan, Allocate, Claim)
    ]
    assert "prefers there" in plan.verdicts[view.id].reason if holds else True


def test_what_another_has_taken_it_keeps_when_the_cloud_is_back() -> None:
    """Else requests would go to and fro with every hiccup."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING, provider="there")
    add_claim(made, view)
    add_node(made, 1, step=Step.BOOTING)
    add_provider(made, "there", small=LabelStatus(room=3))

    assert of_kind(think(made), Release) == []
