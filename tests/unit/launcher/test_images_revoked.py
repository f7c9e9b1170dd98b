"""What was revoked is not handed out any more, whatever else happens in the same turn."""

import pytest

from launcher.node.actions import Condemn
from launcher.request.actions import Allocate
from remuda.model.request import RequestState
from tests.unit.launcher.imaged import booted, imaged, own, store_build
from tests.unit.launcher.worlds import add_claim, add_node, add_request, of_kind, think


@pytest.mark.parametrize("own_machine", [False, True])
def test_what_is_revoked_by_now_is_not_handed_out_before_it_is_given_up(
    *, own_machine: bool
) -> None:
    """Ready machines go out first in each plan: a user may have freed it just now."""
    made = imaged()
    view = add_request(made, 1, reuse=not own_machine, state=RequestState.PENDING)
    add_claim(made, view)
    node = own(made, 1, view, booted(1)) if own_machine else add_node(made, 1, launch=booted(1))
    assert [one.request for one in of_kind(think(made), Allocate)] == [view.id]

    store_build(made, 1, revoked=True)
    made.touch_node(node)  # as the mirror does
    plan = think(made)

    assert of_kind(plan, Allocate) == []
    assert [one.node for one in of_kind(plan, Condemn)] == [node.id]
