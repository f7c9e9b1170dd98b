"""Lanes: who waits for a place, in which order, and what does not count against a machine."""

from dataclasses import replace

import pytest

from launcher.actions import KINDS, LANES
from launcher.events import Finished
from launcher.lanes import LANE_SIZES, PROOFS_MAX, PROOFS_MIN, Lane, machine, places
from launcher.node.actions import Condemn, MakeReady, Prove
from launcher.node.deadlines import BLIND_S_MAX, HAND_GRACE_S
from launcher.node.dying import DELETING_S
from launcher.node.events import Proved
from launcher.node.proof import Access
from launcher.node.view import NodeView
from launcher.server.actions import Address, CreateServer, DeleteLeak, DeleteServer
from launcher.server.events import Created, LeakDeleted
from launcher.world import World
from remuda.cloud.api import NotSentError, Port, Server, ServerStatus, TryLaterError
from remuda.metrics.results import Result
from remuda.model.ids import NodeId, ServerId
from remuda.model.launch import Step
from remuda.runtime.now import Now
from remuda.ssh.api import Proof
from remuda.store.api import Session
from tests.fakes.clock import ManualClock
from tests.unit.launcher.works import Works, deleted
from tests.unit.launcher.worlds import (
    NOW,
    add_node,
    know,
    later,
    of_kind,
    think,
    world,
)

ONE = NodeId(f"{1:010d}")
NODE_ACTIONS = (Address, Condemn, CreateServer, DeleteServer, MakeReady, Prove)


def active(number: int = 1, status: ServerStatus = ServerStatus.ACTIVE) -> Server:
    """Return a node's server as a listing shows it."""
    server = ServerId(f"server-{number}")
    return Server(id=server, name="n", status=status, public_ipv4=f"198.18.0.{number}")


def proving(made: World, number: int = 1) -> NodeView:
    """Return a node that is up and may be proven."""
    view = add_node(made, number, step=Step.PROVING)
    view.server.shown = active(number)
    made.touch_node(view)
    return view


def judged(made: World, view: NodeView, now: Now = NOW) -> object:
    """Return the one action on a node, or None."""
    made.touch_node(view)
    found = [one for one in of_kind(think(made, now), *NODE_ACTIONS) if one.node == view.id]
    assert len(found) <= 1
    return found[0] if found else None


def test_every_action_is_a_transaction_or_has_a_lane() -> None:
    """A new kind has to say where it runs."""
    works = Works(world())
    sent = {
        kind
        for kind, start in works.starter.table.items()
        if "submit" not in start.__func__.__code__.co_names  # type: ignore[attr-defined]
    }

    assert set(works.starter.table) - sent == set(LANES)
    assert {kind for kind, work in KINDS.items() if work.lane is None} <= sent
    assert set(LANE_SIZES) == set(Lane)


@pytest.mark.parametrize(("concurrency", "proofs"), [(0, PROOFS_MIN), (20, 20), (1000, PROOFS_MAX)])
def test_proofs_have_as_many_places_as_launches_may_be_under_way(
    concurrency: int, proofs: int
) -> None:
    """Up to a bound, and never none: machines that are there already are still proven."""
    assert places(Lane.PROOF, concurrency) == proofs


def test_a_machine_waits_for_its_proof_in_the_world_and_that_does_not_count() -> None:
    """It is not busy: what becomes of it meanwhile is judged. Its deadline moves."""
    made = world(**{"max-concurrency": 0})
    works = Works(made)
    views = [proving(made, number) for number in range(1, PROOFS_MIN + 2)]
    works.start(think(made), NOW, Prove)
    waiting = views[-1]

    assert len(works.workers.orders) == PROOFS_MIN
    assert (waiting.busy, list(made.lanes.waiting[Lane.PROOF])) == (None, [waiting.id])
    assert not isinstance(judged(made, waiting, later(1e5)), Condemn)

    action, _ = works.workers.orders[0]
    works.hear(Finished(action=action, event=Proved(node=views[0].id, proof=_well())), later(1e5))
    made.offer_places(later(1e5))
    assert made.lanes.offered[Lane.PROOF] == {waiting.id}
    works.start(think(made, later(1e5)), later(1e5), Prove)

    assert (waiting.busy, waiting.patience.waited_s) == ("prove", 1e5)


def test_a_place_that_was_not_taken_costs_a_machine_none_of_its_time() -> None:
    """Its record was being read when it was its turn; that it had waited stays true."""
    made = world(**{"max-concurrency": 0})
    works = Works(made)
    views = [proving(made, number) for number in range(1, PROOFS_MIN + 2)]
    works.start(think(made), NOW, Prove)
    waiting, (action, _) = views[-1], works.workers.orders[0]
    works.hear(Finished(action=action, event=Proved(node=views[0].id, proof=_well())), later(880.0))
    waiting.stale = True
    for _ in range(2):  # offered, and not taken
        made.offer_places(later(880.0))
        works.start(think(made, later(880.0)), later(880.0), Prove)
    waiting.stale = False

    assert (waiting.patience.waited_s, waiting.id in made.lanes.since) == (880.0, False)
    assert isinstance(judged(made, waiting, later(900.0)), Prove)
    assert isinstance(judged(made, waiting, later(890.0 + 880.0)), Condemn)


def _well() -> Proof:
    return Proof(ok=True, host_keys=("ssh-ed25519 AAAA",))


def test_a_proven_machine_becomes_ready_though_its_time_is_over() -> None:
    """The deadline is there to end what does not come to an end."""
    made = world()
    view = proving(made)
    know(view, access=Access.PROVEN)

    assert isinstance(judged(made, view, later(5000.0)), MakeReady)


@pytest.mark.parametrize("what", ["prove", "address"])
def test_a_hand_that_hangs_does_not_keep_a_machine(what: str) -> None:
    """launch-timeout ends busy nodes, too, soon after the hand's own deadline."""
    made = world()
    view = proving(made)
    view.busy = what

    assert judged(made, view, later(890.0 + HAND_GRACE_S - 0.1)) is None
    found = judged(made, view, later(890.0 + HAND_GRACE_S))
    assert isinstance(found, Condemn)
    assert found.result is Result.SSH


def test_an_alarm_rings_for_the_hand_that_may_hang() -> None:
    """Nothing else would put a busy node on the agenda."""
    made = world()
    view = proving(made)
    made.touch_node(view)

    due_s = [alarm.due_s for alarm in think(made).alarms if alarm.name == view.id]

    assert NOW.mono_s + 890.0 + HAND_GRACE_S in due_s


def test_the_late_word_of_a_hand_that_was_given_up_counts_no_more() -> None:
    """Its node is in another's hands, which must not be taken for done."""
    made = world()
    works = Works(made)
    view = proving(made)
    works.start(think(made), NOW, Prove)
    ((proof, _),) = works.workers.orders
    late = later(890.0 + HAND_GRACE_S)
    made.touch_node(view)
    works.start(think(made, late), late, Condemn)
    assert view.busy == "Condemn"

    works.hear(Finished(action=proof, event=Proved(node=view.id, proof=_well())), late)

    assert (view.busy, view.proof.passed, view.proof.last) == ("Condemn", False, None)
    assert made.lanes.running[Lane.PROOF] == 0


def test_a_late_word_does_not_end_a_later_hand_of_the_same_kind() -> None:
    """Two actions may be equal and yet not the same."""
    made = world()
    works = Works(made)
    view = proving(made)
    works.start(think(made), NOW, Prove)
    ((first, _),) = works.workers.orders
    view.busy = None
    made.busy.give_up(machine(view.id))
    made.touch_node(view)
    works.start(think(made), NOW, Prove)
    second, _ = works.workers.orders[1]
    assert first == second

    works.hear(Finished(action=first, event=Proved(node=view.id, proof=_well())), NOW)

    assert (view.busy, view.proof.passed) == ("prove", False)
    assert made.busy.leave(machine(view.id), second)


def test_the_end_of_a_leaked_server_is_heard_though_a_node_is_busy() -> None:
    """It is no node's hand; and its place in the lane is given back."""
    made = world()
    works, leak = Works(made), DeleteLeak(server=ServerId("leak"), cause="no record", node=ONE)
    proving(made).busy = "prove"
    works.starter.start(leak, NOW)
    assert made.lanes.running[Lane.DELETE] == 1

    works.hear(Finished(action=leak, event=LeakDeleted(server=leak.server, error=None)), NOW)

    assert (made.lanes.running[Lane.DELETE], list(made.busy)) == (0, [])


@pytest.mark.parametrize("step", [Step.PLANNED, Step.BOOTING])
def test_a_deadline_that_a_listing_would_tell_of_waits_for_one(step: Step) -> None:
    """After an outage the clock alone would condemn machines that run; but not for ever."""
    made = world()
    view = add_node(made, 1, step=step, server=None if step is Step.PLANNED else "")
    assert view.launch is not None
    view.launch = replace(view.launch, asked_by_s=NOW.wall_s + 1e6)
    if step is Step.PLANNED:
        view.server.send_create()
    limit_s = 590.0 if step is Step.BOOTING else 890.0
    over = later(limit_s + 1.0)

    made.cloud.complete_wall_s = NOW.wall_s + limit_s - 1.0
    assert judged(made, view, over) is None
    assert isinstance(judged(made, view, later(limit_s + BLIND_S_MAX)), Condemn)
    made.cloud.complete_wall_s = NOW.wall_s + limit_s
    assert isinstance(judged(made, view, over), Condemn)


def test_time_without_zookeeper_does_not_count_against_machines_being_made() -> None:
    """We could do nothing for them; those that are ready have no deadline."""
    made = world()
    works, clock = Works(made), ManualClock(NOW.wall_s - NOW.mono_s)
    clock.advance(NOW.mono_s)
    view, ready = proving(made, 1), add_node(made, 2)
    view.busy = "prove"
    brain = works.brain(works.starter, clock)
    brain.loop.resync_s = 1e9

    brain.ground.inbox.session(Session.SUSPENDED)
    brain.turn(wait_s_max=0.0)
    clock.advance(500.0)
    brain.ground.inbox.session(Session.CONNECTED)
    brain.turn(wait_s_max=0.0)

    assert (view.patience.waited_s, ready.patience.waited_s) == (500.0, 0.0)


def dying(made: World) -> NodeView:
    """Return a node whose server is to be deleted."""
    view = add_node(made, 1, step=Step.CONDEMNED)
    view.server.shown = active()
    return view


def test_a_deletion_is_not_repeated_before_a_listing_says_that_it_did_not_help() -> None:
    """Such as was begun after the answer; time alone says nothing."""
    made = world()
    works, view = Works(made), dying(made)
    works.hear(deleted(view, None), NOW)

    assert judged(made, view, later(1000.0)) is None
    made.cloud.listing += 1
    assert judged(made, view, later(1.0)) is None  # it may take a moment
    assert isinstance(judged(made, view, later(1000.0)), DeleteServer)
    view.server.shown = active(status=ServerStatus.DELETING)
    assert judged(made, view, later(DELETING_S - 1.0)) is None
    assert isinstance(judged(made, view, later(DELETING_S + 1000.0)), DeleteServer)


def test_a_deletion_that_was_refused_is_repeated_after_a_while() -> None:
    """No listing is needed: nothing was done."""
    made = world()
    works, view = Works(made), dying(made)
    works.hear(deleted(view, TryLaterError("HTTP 409")), NOW)

    assert judged(made, view, later(1.0)) is None
    assert isinstance(judged(made, view, later(20.0)), DeleteServer)


def test_a_deletion_that_was_held_back_was_not_asked_for() -> None:
    """It is asked for again soon."""
    made = world()
    works, view = Works(made), dying(made)
    works.hear(deleted(view, NotSentError("too late")), NOW)

    assert judged(made, view, NOW) is None
    assert isinstance(judged(made, view, later(2.0)), DeleteServer)


def test_a_create_that_was_held_back_blames_nobody() -> None:
    """Neither the pool nor the label: the cloud was not even asked."""
    made = world()
    works, view = Works(made), add_node(made, 1, step=Step.PLANNED, server=None)
    view.server.send_create()
    works.hear(Created(node=view.id, result=NotSentError("too late"), seconds=1.0), NOW)

    found = judged(made, view)
    assert isinstance(found, Condemn)
    assert found.result is None
    assert not made.cloud.no_room_until_s


def test_an_intent_that_grew_too_old_is_never_asked_for() -> None:
    """Whoever took it over may have concluded already that nothing will come of it."""
    made = world()
    view = add_node(made, 1, step=Step.PLANNED, server=None)
    made.fresh.add(view.id)

    assert isinstance(judged(made, view, later(9.0)), CreateServer)
    assert isinstance(judged(made, view, later(11.0)), Condemn)


CALLS = {
    "create": CreateServer(node=ONE),
    "delete": DeleteServer(node=ONE, server=ServerId("server-1"), floating_ip="f", confirmed=True),
    "address": Address(
        node=ONE, port=Port(id="p", server=ServerId("server-1"), ipv4="1"), untried=True
    ),
}


@pytest.mark.parametrize("trouble", ["stood still", "disconnected", "another session"])
@pytest.mark.parametrize("call", CALLS)
def test_what_was_decided_before_we_stood_still_is_not_sent_after_it(
    call: str, trouble: str
) -> None:
    """All that lies between a decision and its call is a wait in which anything may happen."""
    made = world(**{"api-timeout": 60})
    works = Works(made)
    view = add_node(made, 1, step=Step.PROVING)
    if call == "create":
        view = add_node(made, 1, step=Step.PLANNED, server=None)
    assert view.launch is not None
    asked_by_s = NOW.wall_s + 120.0
    view.launch = replace(view.launch, asked_by_s=asked_by_s)
    works.starter.start(CALLS[call], NOW)
    ((_, work),) = works.workers.orders

    def rest() -> None:
        if trouble == "stood still":
            works.clock.advance(76.0)
        elif trouble == "disconnected":
            works.store.suspend()
        else:
            works.store.suspend()
            works.store.wire.resume(expired=True)

    works.cloud.pause = rest
    event = work()

    error = getattr(event, "result", None) or getattr(event, "error", None)
    assert isinstance(error, NotSentError), event
    assert not works.cloud.orders
    assert not works.cloud.calls
