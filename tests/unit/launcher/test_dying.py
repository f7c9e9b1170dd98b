"""When a launch record says "condemned": whose word that is, and what holds its machine."""

from dataclasses import replace

import pytest

from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.world import World
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from tests.unit.launcher.test_lifecycle import Change, judged, ours_unsent, setting
from tests.unit.launcher.worlds import add_node, add_request, know, world


def as_it_was(_made: World, view: NodeView) -> None:
    """Only the launch record says that it is condemned: somebody else has written that."""
    assert view.node is not None
    view.node = replace(view.node, state=NodeState.READY)


def in_use(_made: World, view: NodeView) -> None:
    """The same of a node that is being worked on."""
    assert view.node is not None
    view.node = replace(view.node, state=NodeState.IN_USE)
    know(view, contenders=frozenset({"user"}))


def held(_made: World, view: NodeView) -> None:
    """The same of a node that is kept for a person."""
    assert view.node is not None
    view.node = replace(view.node, state=NodeState.HOLD)


def promised(made: World, view: NodeView) -> None:
    """The same of a node that its request has not taken yet."""
    request = add_request(made, 1, state=RequestState.FULFILLED)
    assert view.node is not None
    view.node = replace(view.node, state=NodeState.READY, allocated_to=request.id)


def halted(made: World, _view: NodeView) -> None:
    """ZooKeeper seems to be another's."""
    made.halted = "the id has changed"


def halted_unsent(made: World, view: NodeView) -> None:
    """The same before anything was asked for."""
    ours_unsent(made, view)
    halted(made, view)


CASES: list[tuple[str, Step, Change, type | None]] = [
    ("condemned by the record alone", Step.CONDEMNED, as_it_was, Condemn),
    ("condemned by the record alone, in use", Step.CONDEMNED, in_use, None),
    ("condemned by the record alone, held", Step.CONDEMNED, held, None),
    ("condemned by the record alone, promised", Step.CONDEMNED, promised, None),
    (
        "condemned, but somebody holds it",
        Step.CONDEMNED,
        setting(contenders=frozenset({"user"})),
        None,
    ),
    ("dying, the installation changed", Step.CONDEMNED, halted, None),
    ("to be asked for, the installation changed", Step.PLANNED, halted_unsent, None),
]


@pytest.mark.parametrize(
    ("step", "change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_nothing_is_deleted_for_a_record_alone(
    step: Step, change: Change, expected: type | None
) -> None:
    """What its users' record says, and who holds its lock, counts more."""
    made = world()
    view = add_node(made, 1, step=step)
    change(made, view)

    action = judged(made, view)

    assert expected is (None if action is None else type(action))
