"""Room from nodes that were made for somebody whom we gave back."""

import pytest

from launcher.node.actions import Condemn
from launcher.request import make_room
from launcher.request.demand_pass import DemandPass
from tests.unit.launcher.worlds import add_node, add_request, of_kind, think, world


def test_nodes_of_a_request_that_was_given_back_make_room() -> None:
    """Its next provider makes its own; nobody else may have them."""
    made = world(pools={"main": {"max-servers": 2}})
    given_back = add_request(made, 1, "large", "large", "large", "large")
    nodes = [add_node(made, number, allocated_to=given_back.id) for number in (1, 2)]
    view = add_request(made, 2, "large")

    (condemned,) = of_kind(think(made), Condemn)

    assert condemned.node in {node.id for node in nodes}
    assert view.id in condemned.cause


def test_they_are_looked_for_once_in_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests wait for room: the search was ten million steps for a thousand."""
    looks = []
    found = make_room._all_left_behind

    def counted(work: DemandPass) -> object:
        looks.append(work)
        return found(work)

    monkeypatch.setattr(make_room, "_all_left_behind", counted)
    made = world(pools={"main": {"max-servers": 3}})
    for number in range(1, 4):
        add_node(made, number, allocated_to=f"200-{number:010d}")
    for number in range(10, 20):
        add_request(made, number, "large")

    assert of_kind(think(made), Condemn) == []
    assert len(looks) == 1
