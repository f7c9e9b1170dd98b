"""Floating IPs: one look at ports for all, one call to give, one to take back."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.lanes import PORTS
from launcher.node.actions import Prove
from launcher.node.view import NodeView
from launcher.provider.actions import Tidy
from launcher.server.actions import Address, DeleteLeak, DeleteServer, FindPorts
from launcher.world import World
from remuda.cloud.api import FloatingIp, Port, Server, ServerStatus
from remuda.model.launch import Step
from remuda.runtime.now import Now
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_node,
    add_stray,
    doom,
    know,
    later,
    of_kind,
    policy,
    think,
    world,
)

GIVEN = FloatingIp(id="fip", address="203.0.113.1")
GIVES: dict[str, dict[str, Any]] = {"main": {"max-servers": 10, "floating-ips": True}}


def floating(**pool: Any) -> World:
    """Return a world with one pool that gives floating IPs, and one that does not."""
    plain = {"max-servers": 10}
    return world(pools={"main": {**plain, "floating-ips": True, **pool}, "plain": plain})


def running(made: World, number: int, **fields: Any) -> NodeView:
    """Add a node whose machine runs and was not given an address yet."""
    view = add_node(made, number, step=Step.PROVING, **fields)
    return seen(made, view)


def seen(made: World, view: NodeView, **fields: Any) -> NodeView:
    """Let the listing show the node's machine, running."""
    assert view.server.id is not None
    view.server.shown = Server(
        id=view.server.id,
        name="np",
        status=ServerStatus.ACTIVE,
        **{"public_ipv4": "10.0.0.5", **fields},
    )
    made.touch_node(view)
    return view


def port(view: NodeView) -> Port:
    """Return the port of a node."""
    assert view.server.id is not None
    return Port(id=f"port of {view.id}", server=view.server.id, ipv4="10.0.0.5")


def looks(made: World, now: Now = NOW) -> list[FindPorts]:
    """Return the looks at ports that are to be begun."""
    found: list[FindPorts] = of_kind(think(made, now), FindPorts)
    return found


def test_one_look_serves_all_that_run_or_boot() -> None:
    """Machines that boot have a port already: the next listing needs no look."""
    made = floating()
    running(made, 1)
    running(made, 2)
    add_node(made, 3, step=Step.BOOTING)
    running(made, 4, pool="plain")
    add_node(made, 5, step=Step.PLANNED, server=None)
    known = running(made, 6)
    known.server.port = port(known)
    made.touch_node(known)

    (look,) = looks(made)

    assert look.servers == ("server-1", "server-2", "server-3")


@pytest.mark.parametrize(
    "change",
    [
        lambda made, view: seen(made, view, floating_ipv4="203.0.113.1"),
        lambda _made, view: know(view, floating_ip=GIVEN),
        lambda _made, view: know(view, shown=None),
        lambda _made, view: know(view, retry_s=NOW.mono_s + 1.0),
        lambda made, _view: made.busy.enter(PORTS, FindPorts(servers=())),
        lambda made, _view: setattr(made.cloud, "ports_due_s", NOW.mono_s + 1.0),
    ],
    ids=["shown", "given", "not seen yet", "refused just now", "under way", "just looked"],
)
def test_nothing_is_looked_for_without_need(change: Any) -> None:
    """What the listing shows or we know needs no call; and one look at a time, once a period."""
    made = floating()
    view = running(made, 1)
    change(made, view)
    made.touch_node(view)

    assert looks(made) == []


def test_no_look_while_machines_only_boot() -> None:
    """It would often come too early."""
    made = floating()
    add_node(made, 1, step=Step.BOOTING)

    assert looks(made) == []


def test_next_look_waits_for_its_time() -> None:
    """The alarm rings by itself."""
    made = floating()
    running(made, 1)
    made.cloud.ports_due_s = NOW.mono_s + 3.0

    assert ("cloud", "ports", NOW.mono_s + 3.0) in [
        (alarm.kind, alarm.name, alarm.due_s) for alarm in think(made).alarms
    ]
    assert len(looks(made, later(3.0))) == 1


@pytest.mark.parametrize("untried", [True, False])
def test_running_machine_with_a_port_is_given_an_address(untried: bool) -> None:  # noqa: FBT001
    """Only who made it and has not asked may do without a look."""
    made = floating()
    view = running(made, 1)
    know(view, port=port(view), untried=untried)
    made.touch_node(view)

    assert of_kind(think(made), Address, Prove) == [
        Address(node=view.id, port=port(view), untried=untried)
    ]


@pytest.mark.parametrize("shown", [True, False])
def test_machine_with_its_address_is_proven(shown: bool) -> None:  # noqa: FBT001
    """Whether we gave it, or the replica did from which we took it over."""
    made = floating()
    view = running(made, 1)
    if shown:
        seen(made, view, public_ipv4="203.0.113.1", floating_ipv4="203.0.113.1")
    else:
        know(view, floating_ip=GIVEN)
        made.touch_node(view)

    assert of_kind(think(made), Address, Prove, FindPorts) == [Prove(node=view.id)]


def test_plain_pool_gives_nothing() -> None:
    """The address that the cloud shows will do."""
    made = floating()
    view = running(made, 1, pool="plain")

    assert of_kind(think(made), Address, Prove, FindPorts) == [Prove(node=view.id)]


@pytest.mark.parametrize(
    ("fields", "launch", "expected"),
    [
        ({"floating_ip": GIVEN}, {}, {"floating_ip": "fip"}),
        ({"floating_ip": GIVEN}, {"floating_ip": "other"}, {"floating_ip": "fip"}),
        ({}, {"floating_ip": "fip"}, {"hinted_ip": "fip"}),
        ({"floating_ip": GIVEN, "released": True}, {}, {}),
        ({"released": True}, {}, {}),
        ({"untried": True}, {}, {}),
        ({}, {}, {"search": True}),
    ],
    ids=[
        "given",
        "whatever is written",
        "by the record",
        "released",
        "released, unknown",
        "untried",
        "who knows",
    ],
)
def test_deletion_takes_the_address_back(
    fields: dict[str, Any], launch: dict[str, Any], expected: dict[str, Any]
) -> None:
    """By its id if that is known, by a look if there may be one, and only once."""
    made = floating()
    view = running(made, 1, launch=launch)
    know(view, **fields)
    doom(made, view)

    assert view.server.id is not None
    assert of_kind(think(made), DeleteServer) == [
        DeleteServer(node=view.id, server=view.server.id, confirmed=True, **expected)
    ]


def test_deletion_in_a_plain_pool_costs_no_look() -> None:
    """But an address given under an older configuration goes all the same."""
    made = floating()
    for number, given in ((1, None), (2, GIVEN)):
        view = running(made, number, pool="plain")
        know(view, floating_ip=given)
        doom(made, view)

    found = of_kind(think(made), DeleteServer)

    assert [(one.floating_ip, one.search) for one in found] == [(None, False), ("fip", False)]


@pytest.mark.parametrize("gives", [True, False])
def test_leaked_server_loses_its_address_too(gives: bool) -> None:  # noqa: FBT001
    """If any pool gives addresses."""
    made = floating(**{"floating-ips": gives})
    add_stray(made, 1)

    assert [one.search for one in of_kind(think(made), DeleteLeak)] == [gives]


@pytest.mark.parametrize("untried", [True, False])
def test_a_shown_address_is_taken_back_whatever_the_pool_gives(untried: bool) -> None:  # noqa: FBT001
    """The pool has stopped giving them; whose it is a look must tell."""
    made = floating()
    view = running(made, 1, pool="plain")
    seen(made, view, floating_ipv4="203.0.113.1")
    know(view, untried=untried)
    doom(made, view)

    assert [one.search for one in of_kind(think(made), DeleteServer)] == [True]


def swept(made: World) -> bool:
    """Say whether a round of tidying looks for idle floating IPs."""
    works = Works(made)
    works.starter.start(Tidy(), NOW)
    (_, work) = works.workers.orders[0]
    work()
    return works.cloud.calls["list_leftovers"] > 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _made, _view: None, False),
        (lambda made, view: seen(made, view, floating_ipv4="203.0.113.1"), True),
        (lambda _made, view: know(view, floating_ip=GIVEN), True),
        (lambda _made, view: setattr(view, "launch", replace(view.launch, floating_ip="x")), True),
        (lambda made, _view: made.adopt_policy(policy(pools=GIVES)), True),
    ],
    ids=["never", "shown", "given", "by the record", "before the reload"],
)
def test_idle_ones_are_swept_after_the_last_pool_stopped_giving_them(
    change: Any,
    expected: bool,  # noqa: FBT001
) -> None:
    """Also when the node is long gone; who never had any pays for no look."""
    made = world()
    view = running(made, 1)
    change(made, view)
    made.touch_node(view)
    made.adopt_policy(policy())
    made.drop_node(view.id)
    add_stray(made, 1)

    assert [one.search for one in of_kind(think(made), DeleteLeak)] == [expected]
    assert swept(made) is expected


def test_sweep_of_idle_ones_can_be_turned_off() -> None:
    """Whatever pools give."""
    assert swept(world(pools=GIVES))
    assert not swept(world(pools=GIVES, **{"clean-floating-ips": False}))


def test_index_of_nodes_without_a_port_knows_who_needs_one() -> None:
    """Every plan goes through it: two thousand plain nodes must not be in its way."""
    made = floating()
    view, plain = running(made, 1), running(made, 2, pool="plain")
    before = set(made.portless)
    made.adopt_policy(policy(pools={"plain": GIVES["main"], "main": {"max-servers": 10}}))

    assert (before, made.portless) == ({view.id}, {plain.id})


def test_a_node_on_its_way_is_looked_after_no_longer_than_needed() -> None:
    """The index of nodes without a port follows every change."""
    made = floating()
    view = running(made, 1)
    assert made.portless == {view.id}

    view.server.port = port(view)
    made.touch_node(view)
    assert made.portless == set()

    view.server.port = None
    made.touch_node(view)
    made.drop_node(view.id)
    assert made.portless == set()
