"""What contradicts itself in a world is found, each kind of it; a sound world has none."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from launcher.contradictions import contradictions
from launcher.lanes import LISTING, Lane, machine
from launcher.node.actions import Prove
from launcher.node.end import Deletion
from launcher.node.index import Usage
from launcher.node.view import PROBE, NodeView
from launcher.request.view import MayGet
from launcher.server.actions import CreateServer, ListServers
from launcher.world import World
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from tests.unit.launcher.worlds import add_claim, add_node, add_request, asked, doom, know, world

FREE, ALONE, BOOTING = NodeId("0000000001"), NodeId("0000000002"), NodeId("0000000003")
CREATED, HELD, PROMISED = NodeId("0000000004"), NodeId("0000000006"), NodeId("0000000007")
KEY = ("main", "small")


def sound() -> World:
    """Return a world that has something in every index."""
    made = world(pools={"main": {"floating-ips": True}, "side": {}})
    claimed = add_request(made, 1, "small", state=RequestState.PENDING)
    add_claim(made, claimed)
    add_request(made, 2, "small", "large")
    add_node(made, 1)
    add_node(made, 2, step=Step.PROVING, launch={"for_request": claimed.id})
    noted = {"on_account_of": claimed.id, "proof_step": "login"}
    add_node(made, 3, step=Step.BOOTING, launch=noted)
    create = CreateServer(node=asked(made, 4).id)
    made.busy.enter(machine(CREATED), create)
    made.lanes.enter(Lane.CREATE, CREATED, 0.0)
    doom(made, add_node(made, 5, pool="side", label="large"))
    add_node(made, 6, state=NodeState.HOLD)
    add_node(made, 7, allocated_to=claimed.id)
    made.busy.enter(LISTING, ListServers(number=6))
    made.lanes.enter(Lane.LIST, None, 0.0)
    return made


def views(made: World) -> set[NodeId]:
    """Return all nodes: those of a launcher that reads their records."""
    return set(made.nodes.views)


def node(made: World, node_id: NodeId = FREE) -> NodeView:
    """Return the view of a node."""
    return made.nodes.views[node_id]


def first(made: World) -> RequestId:
    """Return the request that is claimed."""
    return next(iter(made.queue.claims))


def test_a_sound_world_has_none() -> None:
    """Else all that follows would prove nothing."""
    made = sound()
    made.rescues.add("other")

    assert not contradictions(made)
    assert not contradictions(made, views(made))


def _wrong_count(made: World) -> None:
    made.nodes.states[(*KEY, "ready")] -= 1


def _wrong_order(made: World) -> None:
    first, second = made.queue.waiting.keys()
    one, other = made.queue.waiting[first], made.queue.waiting[second]
    made.queue.waiting[first], made.queue.waiting[second] = other, one


def _wrong_label(made: World) -> None:
    made.queue.by_label["large"].clear()


def _wrong_may_get(made: World) -> None:
    made.queue.views[first(made)].may_get = MayGet.MATCHING


def _spoiled(made: World) -> None:
    node(made).spoiled = True


def _dying(made: World) -> None:
    know(node(made), deletion=Deletion())


def _promised(made: World) -> None:
    view = node(made)
    assert view.node is not None
    view.node = replace(view.node, allocated_to=RequestId("200-1"))


def _gone(made: World) -> None:
    node(made).node_gone = True


def _gone_in_a_version(made: World) -> None:
    view = node(made)
    view.node, view.node_gone = None, True


def _no_version(made: World) -> None:
    node(made).launch_version = -1


def _locked(made: World) -> None:
    made.nodes.locks[HELD] = frozenset({"somebody"})


def _unborn(made: World) -> None:
    made.unborn.add(FREE)


def _handing_out(made: World) -> None:
    made.queue.views[first(made)].busy = "allocate"


def _handed_out(made: World) -> None:
    node(made, HELD).busy = "allocate"


def _still_handing_out(made: World) -> None:
    made.allocating[first(made)] = made.queue.views[first(made)]


def _idle_hand(made: World) -> None:
    made.busy._by.pop(machine(CREATED))


def _unmarked_hand(made: World) -> None:
    made.nodes.views[CREATED].busy = None


def _hand_elsewhere(made: World) -> None:
    made.busy.enter(LISTING, CreateServer(node=CREATED))


def _hand_on_nothing(made: World) -> None:
    made.busy.enter(machine(NodeId("9")), Prove(node=NodeId("9")))
    made.lanes.enter(Lane.PROOF, NodeId("9"), 0.0)


def _wait_for_ever(made: World) -> None:
    made.lanes.since[FREE] = 0.0


def _offer_and_wait(made: World) -> None:
    made.lanes.wait(Lane.PROOF, FREE, 0.0)
    made.lanes.offered[Lane.PROOF].add(FREE)


def _forget_request(made: World) -> None:
    made.queue.unread.add(first(made))


def _shrink(made: World) -> None:
    made.growing = -1


def _knock_of_nobody(made: World) -> None:
    node(made, HELD).busy = PROBE


PLANTED: list[tuple[str, Callable[[World], object]]] = [
    ("free of main/small: the index says", lambda made: made.nodes.free[KEY].clear()),
    ("coming of main/small: the index says 8", lambda made: made.nodes.coming.update({KEY: 5})),
    ("allocated of ", lambda made: made.nodes.allocated.clear()),
    ("usage of main", lambda made: made.nodes.usage["main"].add(Usage(volumes=1))),
    ("states of main/small/ready", _wrong_count),
    ("by_server of server-1", lambda made: made.nodes.by_server.pop(ServerId("server-1"))),
    ("held of main", lambda made: made.nodes.held["main"].clear()),
    ("being_made: the index says", lambda made: made.nodes.being_made.remove(BOOTING)),
    ("dedicated of ", lambda made: made.nodes.dedicated.clear()),
    ("on_account of ", lambda made: made.nodes.on_account.clear()),
    ("awaiting: the index says", lambda made: made.awaiting.remove(BOOTING)),
    ("portless: the index says", lambda made: made.portless.remove(BOOTING)),
    ("slow: the index says", lambda made: made.slow.remove(BOOTING)),
    ("spoiled: the index says", _spoiled),
    ("waiting: the index says", _wrong_order),
    ("by_label of large", _wrong_label),
    ("needed of main/small", lambda made: made.queue.needed.clear()),
    ("may_get of ", _wrong_may_get),
    ("free, but dying", _dying),
    ("free, but promised", _promised),
    ("free, but nothing is known", lambda made: made.nodes.views.pop(FREE)),
    ("there is a record, and there is none", _gone),
    ("its record is gone, and in version 1", _gone_in_a_version),
    ("its launch record has no version", _no_version),
    ("locked by [], and the mirror has told of ['somebody']", _locked),
    ("read, and not read yet", _forget_request),
    ("both its records are known, and not read yet", _unborn),
    ("-1 transactions", _shrink),
    ("out is not under way", _handing_out),
    ("out is under way", _still_handing_out),
    ("no transaction that does so", _handed_out),
    ("busy with create, and under way is None", _idle_hand),
    ("busy with None, and under way is create", _unmarked_hand),
    ("busy with probe, and under way is None", _knock_of_nobody),
    ("CreateServer keeps listing busy", _hand_elsewhere),
    ("Prove is under way, and it is not known", _hand_on_nothing),
    ("lane list: 0 are in it, and 1 at work", lambda made: made.lanes.leave(Lane.LIST)),
    ("has been offered one", _offer_and_wait),
    ("and waits in none", _wait_for_ever),
]


@pytest.mark.parametrize(("told", "plant"), PLANTED, ids=[told for told, _ in PLANTED])
def test_what_is_planted_is_found(told: str, plant: Callable[[World], object]) -> None:
    """Each index that differs from its records, and all that cannot be true together."""
    made = sound()
    plant(made)

    assert [each for each in contradictions(made) if told in each]


def test_nodes_that_are_not_read_are_found() -> None:
    """The mirror reads the records of our nodes alone: one that is forgotten is never heard of."""
    made = sound()
    made.fresh.add(NodeId("9"))
    found = contradictions(made, views(made) - {FREE})

    assert [each for each in found if each.startswith("node 9: made by this process")]
    assert [each for each in found if "it is not among our nodes" in each]


def test_looking_changes_nothing() -> None:
    """It recounts with views of its own."""
    made = sound()
    made.take_agenda()
    node(made, HELD).spoiled = True
    contradictions(made)

    assert made.agenda.empty
    assert node(made, HELD).spoiled
