"""Taking over the ready nodes of a launcher that died: they are as good as ours."""

from launcher.node.actions import Adopt, Grow
from launcher.node.view import NodeView
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world


def test_none_is_made_instead_of_those_being_taken_over() -> None:
    """They are free all the while: only the record of who works on them is being written."""
    made = world(labels={"small": {"min-ready": 2, "recheck": None}})
    works = Works(made)
    views: list[NodeView] = [add_node(made, number, owner="dead") for number in (1, 2)]
    first = think(made)
    assert {view.id for view in views} == {one.node for one in of_kind(first, Adopt)}
    for action in of_kind(first, Adopt):
        works.starter.start(action, NOW)

    assert of_kind(think(made), Grow) == []
    assert not any(view.allocatable for view in views)
