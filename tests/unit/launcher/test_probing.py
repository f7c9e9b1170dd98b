"""Looks at waiting machines lead where we know them to be, whatever requestors write."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.lanes import LISTING
from launcher.node.actions import Condemn, Probe, Prove
from launcher.node.events import Probed
from launcher.node.probing import PROBES_MAX, ProbeTarget, known, probe_target, whereabouts
from launcher.node.proof import Access
from launcher.node.view import NodeView
from launcher.node.writes import ready
from launcher.request.actions import Allocate
from launcher.request.writes import allocate
from launcher.server.actions import ListServers
from launcher.server.listing import take_listing
from launcher.world import World
from remuda.cloud.api import FloatingIp, Server, ServerStatus
from remuda.model import launch as launches
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ServerId
from remuda.model.launch import Step
from remuda.model.node import decode
from remuda.store import paths
from remuda.store.api import Set
from tests.fakes.prover import OTHER, FakeProver, Machine
from tests.unit.launcher.test_fold import NODE, Folding, launch, node
from tests.unit.launcher.works import OWNER, Works
from tests.unit.launcher.worlds import (
    HOST_KEY,
    NOW,
    add_node,
    add_request,
    know,
    of_kind,
    think,
    world,
)

OURS = "198.18.0.1"
FLOATING = "192.0.2.9"
THEIRS = "203.0.113.66"
LABEL = {"image": "debian-12", "flavor": "small"}
FORGED: dict[str, Any] = {
    "interface_ip": THEIRS,
    "public_ipv4": THEIRS,
    "connection_port": "22/tcp",
    "ssh_port": float("inf"),
    "host_keys": [OTHER],
}


def shown(address: str | None = OURS) -> Server:
    """Return what the cloud lists."""
    return Server(
        id=ServerId("server-1"), name="np1", status=ServerStatus.ACTIVE, public_ipv4=address
    )


def tags_of(node_id: NodeId) -> dict[str, str]:
    """Return the tags that we give to a node's server."""
    return tags.make(
        tags.ServerTags(owner=OWNER, node=node_id, pool=PoolName("main"), label="small")
    )


def waiting(
    made: World, *, server: Server | None, launch: dict[str, Any] | None = None
) -> NodeView:
    """Return a ready node whose record somebody has rewritten, due for a look."""
    view = add_node(made, 1, launch=launch, **FORGED)
    view.server.shown = server
    return view


def recheck(*, floating_ips: bool = False, **label: Any) -> World:
    """Return a world that looks at its waiting machines."""
    pools = {"main": {"max-servers": 10, "floating-ips": floating_ips}}
    return world(labels={"small": {"recheck": 30, **label}}, pools=pools)


def test_a_look_follows_the_cloud_and_our_own_key_not_the_record() -> None:
    """Address of the listing, port of the configuration, the key that we made."""
    made = recheck()

    found = probe_target(waiting(made, server=shown()), made.policy)

    assert ProbeTarget(address=OURS, port=22, host_keys=(HOST_KEY,)) == found


def test_a_floating_ip_of_ours_goes_before_the_listing() -> None:
    """It is what the machine was proven at."""
    made = recheck()
    view = waiting(made, server=shown())
    know(view, floating_ip=FloatingIp(id="fip-1", address=FLOATING))

    found = probe_target(view, made.policy)

    assert found is not None
    assert found.address == FLOATING


def test_without_a_key_of_ours_the_one_that_we_met_is_compared() -> None:
    """As long as we remember it; the record's would not do."""
    made = recheck()
    view = waiting(made, server=shown(), launch={"host_key": None})
    unknown = probe_target(view, made.policy)
    know(view, host_keys=("ssh-ed25519 met",))

    met = probe_target(view, made.policy)

    assert unknown is not None
    assert unknown.host_keys == ()
    assert met is not None
    assert met.host_keys == ("ssh-ed25519 met",)


def test_the_hand_looks_there_and_compares() -> None:
    """Nobody is asked at the forged address, and another key is not ours."""
    made = recheck()
    waiting(made, server=shown())
    works = Works(made)
    prover = FakeProver({OURS: Machine(host_key=OTHER)})
    works.starter.proving.prover = prover

    works.start(think(made), NOW, Probe)
    event = works.workers.orders[0][1]()

    assert prover.knocks == [OURS]
    assert isinstance(event, Probed)
    assert event.why is not None
    assert "the host key is" in event.why


def test_who_gets_the_machine_is_told_what_we_know() -> None:
    """Not what somebody wrote into its record meanwhile; the rest stays as it is."""
    made = world()
    view = waiting(made, server=shown())
    request = add_request(made, 1)

    ops = allocate(made, request, [view], now_s=NOW.wall_s)

    (record,) = [
        decode(view.id, op.data)
        for op in ops
        if isinstance(op, Set) and op.path == paths.node(view.id)
    ]
    assert record.doc["interface_ip"] == OURS
    assert record.doc["host_keys"] == [HOST_KEY]
    assert record.doc["public_ipv4"] == THEIRS


@pytest.mark.parametrize(
    ("missed", "refused"),
    [(0, False), (1, False), (2, True)],
    ids=["not listed yet", "missed once", "the cloud does not show it either"],
)
def test_the_record_alone_does_not_condemn(missed: int, *, refused: bool) -> None:
    """Before the first listing its address is the only one; what is found there counts little."""
    made = recheck()
    view = waiting(made, server=None)
    view.server.missed = missed
    works = Works(made)
    works.start(think(made), NOW, Probe)
    for _ in range(PROBES_MAX):
        works.hear(Probed(node=view.id, why="silence", begun_s=NOW.mono_s), NOW)

    assert view.look.suspect
    assert refused is (view.end.refused is not None)


@pytest.mark.parametrize(
    ("begun", "floating_ips", "given", "believed"),
    [
        ("before", True, "fip-1", False),
        ("before", True, None, False),
        ("before", False, "fip-1", False),
        ("before", False, None, True),
        ("after", True, "fip-1", True),
        ("unheard", True, "fip-1", False),
        ("unheard", False, None, True),
    ],
)
def test_a_listing_from_before_it_became_ready_may_not_tell_where_it_is(
    begun: str, given: str | None, *, floating_ips: bool, believed: bool
) -> None:
    """Another replica may have given it a floating IP after that listing, and proved it there."""
    folding = Folding(world=recheck(floating_ips=floating_ips))
    made, path = folding.world, paths.launch("here", NODE)
    folding.put(path, launch(step=Step.PROVING))
    folding.put(paths.node(NODE), node(doc={"interface_ip": FLOATING}))
    if begun == "before":
        made.busy.enter(LISTING, ListServers(number=0))
    if begun != "unheard":
        folding.put(path, launch(step=Step.DONE, floating_ip=given))
    take_listing(made, 6, [replace(shown(), tags=tags_of(NODE))], OWNER, NOW)
    view, works = made.nodes.views[NODE], Works(made)

    found = probe_target(view, made.policy)
    for _ in range(PROBES_MAX):
        works.hear(Probed(node=NODE, why="silence", begun_s=NOW.mono_s), NOW)

    assert found is not None
    assert found.address == (OURS if believed else FLOATING)
    assert ("interface_ip" in whereabouts(view, made.policy)) is believed
    assert (view.end.refused is not None) is believed


def test_who_proved_the_machine_knows_where_it_is() -> None:
    """No further listing is needed: that address was the right one."""
    made = recheck(floating_ips=True)
    view = waiting(made, server=shown())
    know(view, ready_in=made.cloud.listing + 1, access=Access.PROVEN)

    assert whereabouts(view, made.policy)["interface_ip"] == OURS


@pytest.mark.parametrize("told", [None, 7, "", [THEIRS], "slow.example.org", "9" * 9999])
def test_a_record_without_an_address_leads_nowhere(told: object) -> None:
    """The look fails with a sentence."""
    made = recheck()
    view = waiting(made, server=None)
    assert view.node is not None
    view.node.doc["interface_ip"] = told
    works = Works(made)

    works.start(think(made), NOW, Probe)
    event = works.workers.orders[0][1]()

    assert probe_target(view, made.policy) is None
    assert Probed(node=view.id, why="nobody knows its address", begun_s=NOW.mono_s) == event


@pytest.mark.parametrize("way", ["inject", "scan", "ignore"])
def test_a_machine_without_the_key_that_we_injected_is_refused(way: str) -> None:
    """Or a launch record that lost its key would have any machine believed."""
    pools = {"main": {"labels": {"small": {**LABEL, "host-keys": way}}}}
    made = world(pools=pools)
    view = add_node(made, 1, step=Step.PROVING, launch={"host_key": None})
    view.server.shown = shown()
    made.touch_node(view)

    plan = think(made)

    proven, condemned = of_kind(plan, Prove), of_kind(plan, Condemn)
    assert (way == "inject") is (proven == [])
    assert (way == "inject") is bool(condemned)
    assert all("host-keys: inject" in one.cause for one in condemned)


@pytest.mark.parametrize("way", ["inject", "scan", "ignore"])
@pytest.mark.parametrize("made_by", ["inject", "scan", "ignore", None])
def test_a_waiting_machine_whose_record_lost_its_key_is_not_believed_either(
    way: str, made_by: str | None
) -> None:
    """Its looks could compare nothing: nobody gets it. What the configuration says now counts not.

    Those that were made by scanning stay when it begins to inject, and so do those of records that
    do not say how.
    """
    made = world(pools={"main": {"labels": {"small": {**LABEL, "host-keys": way}}}})
    view = add_node(made, 1, launch={"host_key": None, "host_keys": made_by})
    view.server.shown = shown()
    made.touch_node(view)
    add_request(made, 1, "small")

    plan = think(made)

    assert (made_by == "inject") is bool(of_kind(plan, Condemn))
    assert (made_by != "inject") is bool(of_kind(plan, Allocate))


@pytest.mark.parametrize("way", ["scan", "inject"])
def test_a_machine_in_the_making_whose_record_lost_its_key_is_refused_whatever_holds_now(
    way: str,
) -> None:
    """The configuration may have changed since; it was made with a key of ours."""
    made = world(pools={"main": {"labels": {"small": {**LABEL, "host-keys": way}}}})
    lost = {"host_key": None, "host_keys": "inject"}
    view = add_node(made, 1, step=Step.PROVING, launch=lost)
    view.server.shown = shown()
    made.touch_node(view)

    assert of_kind(think(made), Condemn)


def test_who_did_not_prove_a_machine_believes_the_launch_record_before_the_users() -> None:
    """Requestors write the latter. The cloud's word goes before both, and condemns alone."""
    made = recheck()
    taken = waiting(made, server=None, launch={"host_key": None, "address": FLOATING})

    found, told = probe_target(taken, made.policy), whereabouts(taken, made.policy)
    alone = known(taken, made.policy)
    taken.server.shown = shown()
    later = probe_target(taken, made.policy)

    assert found is not None
    assert later is not None
    assert (found.address, told["interface_ip"], later.address) == (FLOATING, FLOATING, OURS)
    assert not alone
    assert known(taken, made.policy)


@pytest.mark.parametrize("address", [None, "slow.example.org", "", "198.18.0.1 x"])
def test_a_launch_record_without_an_address_is_one_of_before(address: str | None) -> None:
    """Or no address at all: the users' record is the last resort then, as it was."""
    made = recheck()
    view = waiting(made, server=None, launch={"address": address})

    found = probe_target(view, made.policy)

    assert found is not None
    assert found.address == THEIRS
    assert "interface_ip" not in whereabouts(view, made.policy)


@pytest.mark.parametrize("floating", [None, FloatingIp(id="fip-1", address=FLOATING)])
def test_who_proves_a_machine_writes_where_into_the_launch_record(
    floating: FloatingIp | None,
) -> None:
    """In the transaction that makes it ready."""
    made = world()
    view = add_node(made, 1, step=Step.PROVING)
    know(view, shown=shown(), floating_ip=floating)
    assert view.node is not None

    ops = ready(made, view, view.node, now_s=NOW.wall_s)

    (record,) = [op for op in ops if isinstance(op, Set) and "launches" in op.path]
    written = launches.decode(view.id, record.data)
    assert written.address == (OURS if floating is None else FLOATING)
