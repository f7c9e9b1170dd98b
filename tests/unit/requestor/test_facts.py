"""What users are told of a machine, out of a record that anybody may have written."""

import pytest

from remuda.insight.facts import facts_of
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState


@pytest.mark.parametrize(
    ("told", "port"),
    [
        (2222, 2222),
        (22.0, 22),
        ("22/tcp", 22),
        (float("inf"), 22),
        (float("nan"), 22),
        (10**400, 22),
        (-1, 22),
        (0, 22),
        (65536, 22),
        (True, 22),
        (None, 22),
    ],
)
def test_a_port_is_one_or_the_usual_one(told: object, port: int) -> None:
    """No number and no text in its place ends a command."""
    node = Node(
        id=NodeId("0000000001"),
        state=NodeState.READY,
        labels=("small",),
        provider="here",
        pool="main",
        state_time_s=0.0,
        doc={"connection_port": told},
    )

    assert port == facts_of(node).port
