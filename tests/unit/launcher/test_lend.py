"""Lending: who gets the ready nodes."""

from dataclasses import replace

from launcher.claim.actions import Claim
from launcher.node.actions import Condemn, Probe
from launcher.node.end import Refusal
from launcher.node.events import Probed
from launcher.request.actions import Allocate
from launcher.request.view import RequestView
from launcher.world import World
from remuda.cloud.api import Server, ServerStatus
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from remuda.runtime.now import Now
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    ME,
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_replica,
    add_request,
    know,
    later,
    of_kind,
    think,
    world,
)


def lends(made: World, now: Now = NOW, *, everything: bool = True) -> dict[str, tuple[str, ...]]:
    """Return what a plan lends, by request."""
    plan = think(made, now, everything=everything)
    return {action.request: action.nodes for action in of_kind(plan, Allocate)}


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
        made.peers.replicas["here"].pop(ME)
        add_replica(made, "here", "one")
        add_replica(made, "here", "two")
        made.peers.me = me  # type: ignore[assignment]
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
    know(locked, contenders=locked.lock.contenders | {"somebody"})
    busy.busy = "probe"
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


def test_who_wants_new_machines_gets_them_as_soon_as_they_are_ready() -> None:
    """The change of the node alone has its request judged; nothing else would, for a minute."""
    made = world()
    view = add_request(made, 1, reuse=False)
    add_claim(made, view)
    node = add_node(
        made, 1, step=Step.PROVING, allocated_to=view.id, launch={"for_request": view.id}
    )
    made.take_agenda()
    assert node.launch is not None
    assert node.node is not None

    node.launch = replace(node.launch, step=Step.DONE)
    node.node = replace(node.node, state=NodeState.READY)
    made.touch_node(node)

    assert {view.id: (node.id,)} == lends(made, everything=False)


def careful(*, max_check_age: float | None = 60.0) -> World:
    """Return a world that looks at its small machines once more before somebody gets them."""
    labels = {"small": {"recheck": None, "max-check-age": max_check_age}}
    return world(labels=labels, pools={"main": {"max-servers": 9}})


def test_a_machine_that_was_not_looked_at_for_long_is_looked_at_first() -> None:
    """Whoever was looked at lately goes out at once; the request of the others is kept for us."""
    made = careful()
    fresh, old = add_node(made, 1), add_node(made, 2)
    fresh.look.checked_s, old.look.checked_s = NOW.mono_s - 60.0, NOW.mono_s - 61.0
    first, second = add_request(made, 1), add_request(made, 2)

    plan = think(made)

    assert [(fresh.id,)] == [a.nodes for a in of_kind(plan, Allocate) if a.request == first.id]
    assert [old.id] == [action.node for action in of_kind(plan, Probe)]
    assert [second.id] == [action.request for action in of_kind(plan, Claim)]
    assert [intent for action in of_kind(plan, Claim) for intent in action.intents] == []


def test_a_machine_that_answers_is_lent_and_one_that_does_not_is_knocked_at_again() -> None:
    """Until it is refused; nobody gets it meanwhile."""
    made = careful()
    node = add_node(made, 1)
    view = add_request(made, 1)
    add_claim(made, view)
    node.look.suspect, node.look.checked_s = True, NOW.mono_s
    made.touch_node(node)
    doubted = think(made)
    node.look.suspect = False
    made.touch_node(node)

    assert ([], [node.id]) == (
        of_kind(doubted, Allocate),
        [a.node for a in of_kind(doubted, Probe)],
    )
    assert {view.id: (node.id,)} == lends(made)


def test_a_machine_of_another_replica_is_knocked_at_by_whoever_doubts_it() -> None:
    """Its owner does not know, and would keep for ever what is never lent here."""
    made = careful()
    add_replica(made, "here", "other")
    node = add_node(made, 1, owner="other")
    node.look.suspect = True
    made.touch_node(node)
    doubted = of_kind(think(made), Probe)
    know(node, refused=Refusal(result=None, cause="no longer answers"))
    made.touch_node(node)

    assert [node.id] == [action.node for action in doubted]
    assert think(made).actions == [Condemn(node=node.id, cause="no longer answers")]


def test_by_default_nobody_waits_for_a_look() -> None:
    """It costs a round trip to the machine."""
    made = careful(max_check_age=None)
    add_node(made, 1)
    view = add_request(made, 1)

    assert [view.id] == list(lends(made))


def test_what_a_replica_of_ours_lends_is_not_claimed_by_the_one_that_starts_machines() -> None:
    """It has a moment; a plan of its own would only get in its way."""
    made, view = next(
        (made, view) for made, view in map(two_replicas, range(99)) if made.peers.assigned("demand")
    )
    later = Now(
        wall_s=NOW.wall_s + made.policy.warm_grace_s, mono_s=NOW.mono_s + made.policy.warm_grace_s
    )

    plan = think(made)

    assert of_kind(plan, Allocate, Claim) == []
    assert later.mono_s in {alarm.due_s for alarm in plan.alarms if alarm.name == view.id}
    assert [view.id] == [action.request for action in of_kind(think(made, later), Claim)]


def two_replicas(number: int) -> tuple[World, RequestView]:
    """Return a world with a ready node and a request that the other replica is to serve."""
    made = world(labels={"small": {"recheck": None}}, pools={"main": {"max-servers": 9}})
    add_replica(made, "here", f"other {number}")
    add_node(made, 1)
    views = (add_request(made, sequence) for sequence in range(1, 99))
    view = next(view for view in views if not made.peers.assigned(view.id))
    for other in set(made.queue.views) - {view.id}:
        made.queue.forget(other)
    made.take_agenda()
    return made, view


def two_of_them() -> tuple[World, Works, RequestView]:
    """Return a world with a request for two machines that nobody has ever looked at."""
    made = world(labels={"small": {"recheck": None, "max-check-age": 1}})
    for number in (1, 2):
        node = add_node(made, number)
        assert node.server.id is not None
        node.server.shown = Server(
            id=node.server.id, name="np", status=ServerStatus.ACTIVE, public_ipv4="198.18.0.1"
        )
    view = add_request(made, 1, "small", "small", state=RequestState.PENDING)
    add_claim(made, view)
    return made, Works(made), view


def test_a_hand_over_of_several_machines_does_not_go_round() -> None:
    """One look each: the first answer is too old for its label when the last one comes."""
    made, works, view = two_of_them()
    works.start(think(made), NOW, Probe)
    first, second = (action.node for action, _ in works.workers.orders)

    works.hear(Probed(node=first, why=None, begun_s=NOW.mono_s), later(0.1))
    between = think(made, later(0.1))
    works.hear(Probed(node=second, why=None, begun_s=NOW.mono_s), later(30.0))

    assert of_kind(between, Probe, Allocate) == []
    assert {view.id: {first, second}} == {
        request: set(nodes) for request, nodes in lends(made, later(30.0)).items()
    }


def test_looks_count_no_longer_when_a_machine_has_to_be_replaced() -> None:
    """Its successor may take minutes; the other one is looked at once more then."""
    made, works, _ = two_of_them()
    works.start(think(made), NOW, Probe)
    good, bad = (action.node for action, _ in works.workers.orders)
    works.hear(Probed(node=good, why=None, begun_s=NOW.mono_s), later(0.1))
    for tried_s in (0.1, 1.5):
        works.hear(Probed(node=bad, why="silence", begun_s=NOW.mono_s), later(tried_s))
    made.drop_node(bad)
    add_node(made, 3).look.checked_s = later(60.0).mono_s

    plan = think(made, later(60.0))

    assert [good] == [action.node for action in of_kind(plan, Probe)]
    assert of_kind(plan, Allocate) == []


def test_a_look_that_began_before_anybody_wanted_the_machine_is_as_old_as_it_is() -> None:
    """Only those that were made for the hand-over count."""
    made, _, view = two_of_them()
    for node in made.nodes.views.values():
        node.look.checked_s = NOW.mono_s - 2.0
    view.wanted_s = NOW.mono_s - 1.0

    assert len(of_kind(think(made), Probe)) == 2
