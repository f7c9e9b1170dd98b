"""Machines for builders: made where they were asked for, and charged to who asked."""

import pytest

from launcher import transactions
from launcher.actions import Claim, Decline
from remuda.model.ids import RequestId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.request import RequestState, decode
from remuda.store.api import Op, Set
from tests.unit.launcher.imaged import imaged
from tests.unit.launcher.worlds import add_pool, add_request, of_kind, think


@pytest.mark.parametrize("pin", ["here", "there"])
def test_a_builders_machine_is_made_where_it_was_asked_for_and_nowhere_else(pin: str) -> None:
    """What it is to boot lies there; and who is away makes it later."""
    made = imaged()
    ask = ImageAsk(use=ImageUse.MAKE)
    label = image_label("noble", ImageUse.MAKE)
    add_request(made, 1, label, priority="900", reuse=False, provider=pin, image=ask)

    assert bool(of_kind(think(made), Claim)) is (pin == "here")
    assert of_kind(think(made), Decline) == []


def test_what_a_builder_cannot_have_where_it_asks_fails_at_once() -> None:
    """Other providers leave its request alone, and would never decline it."""
    made = imaged()
    add_pool(made, "there", "main", "small")
    ask, label = ImageAsk(use=ImageUse.MAKE), image_label("noble", ImageUse.MAKE)
    theirs = add_request(made, 1, label, reuse=False, provider="here", image=ask)
    users = add_request(made, 2, "small", provider="here")

    states = [_state_after(transactions.decline(made, one, now_s=1.0)) for one in (theirs, users)]
    assert states == [RequestState.FAILED, RequestState.REQUESTED]


def _state_after(ops: list[Op]) -> RequestState:
    (written,) = [op for op in ops if isinstance(op, Set)]
    return decode(RequestId("200-0000000001"), written.data).state
