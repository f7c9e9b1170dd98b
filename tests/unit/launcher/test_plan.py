"""The two parts of a plan: what somebody waits for at this moment, and everything else."""

from launcher.claim.actions import Claim
from launcher.decide import go_on, hand_out
from launcher.request.actions import Allocate
from launcher.world import Agenda
from remuda.model.ids import NodeId, RequestId
from tests.unit.launcher.worlds import NOW, add_node, add_request, of_kind, world


def test_ready_nodes_go_out_before_anything_else_is_judged() -> None:
    """The first part hands out and nothing more; the second one adds the rest to it."""
    made = world()
    add_node(made, 1)
    allocated, claimed = add_request(made, 1, "small"), add_request(made, 2, "large")
    agenda = Agenda(everything=True)

    plan = hand_out(made, agenda, NOW)
    first = list(plan.actions)
    go_on(made, agenda, NOW, plan)

    assert [allocated.id] == [action.request for action in of_kind(plan, Allocate)]
    assert first == of_kind(plan, Allocate) == plan.actions[:1]
    assert [claimed.id] == [action.request for action in of_kind(plan, Claim)]


def test_what_is_under_way_when_the_plan_goes_on_is_not_done_twice() -> None:
    """The brain has started the first part: the request and its node are busy."""
    made = world()
    node, view = add_node(made, 1), add_request(made, 1, "small")
    agenda = Agenda(everything=True)
    plan = hand_out(made, agenda, NOW)
    begun = list(plan.actions)
    node.busy = view.busy = "allocate"
    made.touch_node(node)

    agenda.add(made.take_agenda())
    go_on(made, agenda, NOW, plan)

    assert [action for action in plan.actions[len(begun) :] if view.id in repr(action)] == []


def test_an_agenda_takes_in_another() -> None:
    """Nothing of either is forgotten."""
    mine = Agenda(nodes={NodeId("1")}, labels={"small"}, everything=False)

    mine.add(Agenda(nodes={NodeId("2")}, requests={RequestId("r")}, supply=True, everything=False))

    whole = Agenda(
        nodes={NodeId("1"), NodeId("2")},
        requests={RequestId("r")},
        labels={"small"},
        supply=True,
        everything=False,
    )
    assert mine == whole
