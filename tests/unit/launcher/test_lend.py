"""Lending: who gets the ready nodes."""

from launcher.actions import Lend
from launcher.world import Now, World
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from tests.unit.launcher.worlds import (
    ME,
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_replica,
    add_request,
    of_kind,
    think,
    world,
)


def lends(made: World, now: Now = NOW, *, everything: bool = True) -> dict[str, tuple[str, ...]]:
    """Return what a plan lends, by request."""
    plan = think(made, now, everything=everything)
    return {action.request: action.nodes for action in of_kind(plan, Lend)}


def test_a_covered_request_is_fulfilled_with_the_longest_ready_nodes_in_its_order() -> None:
    """Nodes are named in the order of the labels, repeats included."""
    made = world()
    small, large = add_node(made, 1), add_node(made, 2, label="large")
    second = add_node(made, 3)
    view = add_request(made, 1, "small", "large", "small")

    assert {view.id: (small.id, large.id, second.id)} == lends(made)


def test_all_or_nothing() -> None:
    """A request that is covered in part gets nothing."""
    made = world()
    add_node(made, 1)
    add_request(made, 1, "small", "small")

    assert lends(made) == {}


def test_service_order_is_priority_then_relative_priority_then_submission() -> None:
    """One node, four requests: the first in service order gets it."""
    made = world()
    node = add_node(made, 1)
    add_request(made, 1, priority="300")
    add_request(made, 2, relative_priority=3)
    first = add_request(made, 4, relative_priority=1)
    add_request(made, 5, relative_priority=1)

    assert {first.id: (node.id,)} == lends(made)


def test_no_node_is_lent_twice_in_one_plan() -> None:
    """Two requests, two nodes: each gets its own."""
    made = world()
    one, two = add_node(made, 1), add_node(made, 2)
    first, second = add_request(made, 1), add_request(made, 2)

    assert {first.id: (one.id,), second.id: (two.id,)} == lends(made)


def test_nodes_wait_for_a_claimed_request_that_lacks_others() -> None:
    """A later request does not take what a claimed one has together so far."""
    made = world()
    add_node(made, 1)
    claimed = add_request(made, 1, "small", "large", state=RequestState.PENDING)
    add_claim(made, claimed)
    add_request(made, 2, "small")

    assert lends(made) == {}


def test_reservations_hold_when_only_the_later_request_changed() -> None:
    """The agenda names the newcomer alone; the claimed one is looked at all the same."""
    made = world()
    add_node(made, 1)
    claimed = add_request(made, 1, "small", "large", state=RequestState.PENDING)
    add_claim(made, claimed)
    made.take_agenda()
    add_request(made, 2, "small")

    assert lends(made, everything=False) == {}


def test_who_wants_new_machines_gets_only_those_made_for_it() -> None:
    """``reuse: false`` takes no free node, but its own as soon as all are ready."""
    made = world()
    add_node(made, 1)
    view = add_request(made, 1, reuse=False, state=RequestState.PENDING)
    add_claim(made, view)
    before = lends(made)
    own = add_node(made, 2, allocated_to=view.id, launch={"for_request": view.id})

    assert before == {}
    assert {view.id: (own.id,)} == lends(made)


def test_a_request_pinned_elsewhere_is_left_alone_while_that_provider_can() -> None:
    """The pin ends when the preferred provider has declined."""
    made = world()
    add_provider(made, "there", small=LabelStatus(ready=0))
    node = add_node(made, 1)
    add_request(made, 1, provider="there")
    declined = add_request(made, 2, provider="there", declined_by=("id-there-main",))

    assert {declined.id: (node.id,)} == lends(made)


def test_a_better_placed_provider_with_ready_nodes_goes_first_for_a_moment() -> None:
    """After its grace time we step in."""
    made = world()
    add_provider(made, "there", priority=1, small=LabelStatus(ready=1))
    node = add_node(made, 1)
    view = add_request(made, 1)
    later = Now(wall_s=NOW.wall_s + 0.3, mono_s=NOW.mono_s + 0.3)

    assert lends(made) == {}
    assert {view.id: (node.id,)} == lends(made, later)


def test_a_replica_on_duty_lends_and_the_other_sets_nothing_in_motion() -> None:
    """Of two replicas exactly one lends each node, whoever looks."""
    plans = []
    for me in ("one", "two"):
        made = world()
        made.neighbours.replicas["here"].pop(ME)
        add_replica(made, "here", "one")
        add_replica(made, "here", "two")
        made.neighbours.me = me  # type: ignore[assignment]
        add_node(made, 1)
        add_node(made, 2)
        for number in (1, 2):
            add_request(made, number)
        plans.append(lends(made))

    one, two = plans
    assert len(one) + len(two) == 2
    assert not set(one) & set(two)
    assert len({node for plan in plans for nodes in plan.values() for node in nodes}) == 2


def test_what_is_locked_held_busy_or_stale_is_not_lent() -> None:
    """Only a node that is surely free goes out."""
    made = world()
    locked, busy, stale = (add_node(made, number) for number in (1, 2, 3))
    locked.contenders.add("somebody")
    busy.busy = "knock"
    stale.stale = True
    for view in (locked, busy, stale):
        made.touch_node(view)
    add_node(made, 4, state=NodeState.HOLD)
    add_node(made, 5, allocated_to="200-0000000099")
    add_request(made, 1)

    assert lends(made) == {}


def test_a_pending_request_without_our_claim_belongs_to_another_provider() -> None:
    """It is served by whoever has taken it."""
    made = world()
    add_node(made, 1)
    add_request(made, 1, state=RequestState.PENDING)

    assert lends(made) == {}


def test_a_claim_whose_lock_went_with_our_session_is_not_lent_on() -> None:
    """It has to be taken over first."""
    made = world()
    add_node(made, 1)
    view = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, view).contender = "/nodepool/requests-lock/x/of-an-older-session"

    assert lends(made) == {}
