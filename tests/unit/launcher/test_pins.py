"""Pins: a request that prefers a provider is that one's alone, as long as it may serve it."""

import pytest

from launcher.actions import Release
from remuda.model.launch import Step
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_request,
    of_kind,
    think,
    world,
)


@pytest.mark.parametrize("pin", [None, "there", "here"])
def test_nobody_is_left_to_a_provider_that_leaves_them_to_us(pin: str | None) -> None:
    """Who is pinned to us gets no machine elsewhere, however ready; they would go to and fro."""
    made = world()
    late_s = NOW.mono_s - made.policy.patience_s - 1.0
    slow = add_request(made, 1, state=RequestState.PENDING, provider=pin, seen_s=late_s)
    add_claim(made, slow)
    add_node(made, 1, step=Step.BOOTING)
    soon = add_request(made, 2, state=RequestState.PENDING, provider=pin)
    add_claim(made, soon)
    add_node(made, 2, step=Step.BOOTING)
    add_provider(made, "there", small=LabelStatus(ready=3))

    found = [action.request for action in of_kind(think(made), Release)]

    assert ([] if pin == "here" else [slow.id]) == found


def test_a_pinned_claim_without_prospects_is_kept() -> None:
    """The others would leave it to us all the same."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING, provider="here")
    add_claim(made, view)
    made.cloud.trouble = "HTTP 503"
    add_provider(made, "there", small=LabelStatus(room=3))

    assert of_kind(think(made), Release) == []
