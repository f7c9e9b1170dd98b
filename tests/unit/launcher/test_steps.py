"""What both records of a node become at its steps."""

import pytest

from launcher.node.steps import condemned
from remuda.model.launch import Step
from remuda.model.node import NodeState
from tests.unit.launcher.worlds import add_node, world


@pytest.mark.parametrize("state", [NodeState.USED, NodeState.DELETING])
def test_the_word_of_a_user_who_is_done_stays(state: NodeState) -> None:
    """That nobody wants the node, its record says already."""
    view = add_node(world(), 1, state=state)

    both = condemned(view, "used", failed=None, now_s=9.0)

    assert (both.launch.step, both.node) == (Step.CONDEMNED, None)


def test_what_is_condemned_says_so_to_its_users() -> None:
    """And a long reason is cut."""
    view = add_node(world(), 1)

    both = condemned(view, "x" * 1000, failed="timeout", now_s=9.0)

    assert both.node is not None
    assert (both.node.state, len(both.launch.why or "")) == (NodeState.DELETING, 500)
    assert both.launch.failed == "timeout"
