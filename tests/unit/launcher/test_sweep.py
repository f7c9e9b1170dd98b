"""Which servers without a record may be deleted, and what keeps all others."""

from dataclasses import replace

import pytest

from launcher.node.budget import Budget
from launcher.provider.actions import DropPermit
from launcher.provider.cloud import Permitted
from launcher.provider.status import our_status
from launcher.server.actions import DeleteLeak, DeleteServer
from launcher.server.listing import take_listing
from launcher.server.state import ServerState
from launcher.server.sweep import leaks
from launcher.world import World
from remuda.cloud.api import Quota, Server, ServerStatus
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ServerId
from remuda.model.launch import Step
from remuda.model.permit import Permit
from remuda.runtime.now import Now
from tests.fakes.cloud import LARGE
from tests.unit.launcher.works import OWNER
from tests.unit.launcher.worlds import (
    NOW,
    add_node,
    add_replica,
    add_stray,
    doom,
    later,
    of_kind,
    think,
    world,
)

BUILDING, ACTIVE, ERROR = ServerStatus.BUILDING, ServerStatus.ACTIVE, ServerStatus.ERROR


def server(node: str, name: str = "s1", *, owner: tags.Owner = OWNER) -> Server:
    """Return a server as a listing shows it, made for a node."""
    ours = tags.ServerTags(owner=owner, node=NodeId(node), pool=PoolName("main"), label="small")
    return Server(id=ServerId(name), name="np", status=ACTIVE, tags=tags.make(ours))


def swept(made: World, now: Now = NOW) -> list[ServerId]:
    """Return the servers that a plan deletes as leaks."""
    return [one.server for one in of_kind(think(made, now), DeleteLeak)]


@pytest.mark.parametrize(
    ("status", "seen_s", "sightings", "goes"),
    [
        (BUILDING, 20.0, 2, True),
        (ERROR, 20.0, 2, True),
        (BUILDING, 19.0, 30, False),
        (BUILDING, 600.0, 1, False),
        (ACTIVE, 299.0, 100, False),
        (ACTIVE, 300.0, 2, True),
        (ServerStatus.STOPPED, 299.0, 100, False),
        (ServerStatus.UNKNOWN, 299.0, 100, False),
    ],
)
def test_a_leak_is_seen_for_a_while_and_for_minutes_if_it_may_be_in_use(
    status: ServerStatus, seen_s: float, sightings: int, *, goes: bool
) -> None:
    """A server may be listed before its record is known here."""
    made = world()
    stray = add_stray(made, 1, status=status, seen_s=seen_s, sightings=sightings)

    assert swept(made) == [stray] * goes


def test_nothing_is_swept_soon_after_the_start() -> None:
    """Whatever the listings show: who has just begun knows little."""
    made = world()
    stray = add_stray(made, 1)
    made.awake_since_s = NOW.mono_s - 119.0

    assert swept(made) == []
    assert swept(made, later(1.0)) == [stray]


def test_one_replica_sweeps_and_each_of_them_knows_why_it_is_stopped() -> None:
    """The one that publishes our status may be another than the one that sweeps."""
    made = world()
    for number in range(3):
        add_stray(made, number)
    for number in range(20):
        add_replica(made, "here", f"other {number}")
    assert not made.peers.assigned("sweep")

    assert swept(made) == []
    assert think(made).brake is not None


@pytest.mark.parametrize(
    ("nodes", "strays", "goes"),
    [(0, 1, 1), (0, 2, 0), (3, 3, 3), (3, 4, 0), (10, 5, 5), (10, 6, 0), (40, 8, 8), (40, 9, 0)],
)
def test_many_leaks_at_once_look_like_a_lost_store(nodes: int, strays: int, goes: int) -> None:
    """Counted from the nodes that have records here, not from what carries our tag."""
    made = world(pools={"main": {"max-servers": 100}})
    for number in range(nodes):
        add_node(made, number)
    for number in range(strays):
        add_stray(made, number)

    why = think(made).brake

    assert len(swept(made)) == goes
    assert (why is None) is (goes == strays)
    if why is not None:
        assert "right ZooKeeper" in why
        assert "remuda cloud sweep here" in why
        made.cloud.brake = why
        assert our_status(made, NOW).sweep == why


@pytest.mark.parametrize("case", ["older than the id", "never drawn", "no number"])
def test_a_server_that_this_store_cannot_have_known_stays(case: str) -> None:
    """After a restore of older data, or a change of the id, others' servers look like leaks."""
    made = world()
    for number in range(10):
        add_node(made, number)
    stray = add_stray(made, 1, created_s=NOW.wall_s - 900.0)
    made.installation_s = NOW.wall_s - 901.0
    assert swept(made) == [stray]

    if case == "older than the id":
        made.installation_s = NOW.wall_s - 839.0
    elif case == "never drawn":
        made.drawn = -1
    else:
        known = made.cloud.strays[stray]
        made.cloud.strays[stray] = replace(known, node=NodeId("../x"))

    assert swept(made) == []
    assert "cannot have been made" in str(think(made).brake)


def test_nothing_is_swept_or_deleted_while_the_installation_is_in_doubt() -> None:
    """The reason is told; also what an operator permits has to wait."""
    made = world()
    stray = add_stray(made, 1)
    doom(made, add_node(made, 1))
    permit(made, stray)
    made.halted = "another id"

    plan = think(made)

    assert of_kind(plan, DeleteServer, DeleteLeak) == []
    assert (plan.brake, our_status(made, NOW).trouble) == ("another id", "another id")
    shortage = Budget.of(made, NOW).shortage(("main", "small"))
    assert shortage is not None
    assert shortage.reason == "another id"


def permit(made: World, *servers: ServerId, seconds: float = 900.0) -> None:
    """Let an operator permit their deletion."""
    made.cloud.permit = Permitted(
        permit=Permit(servers=frozenset(servers), until_s=NOW.wall_s + seconds),
        version=4,
        listing=made.cloud.listing - 1,
    )


def test_an_operator_may_permit_what_the_brake_stops() -> None:
    """By name, and only what is a stray still; all others stay."""
    made = world()
    known = add_node(made, 1)
    strays = [add_stray(made, number, status=ACTIVE, seen_s=21.0) for number in range(1, 5)]
    assert known.server.id is not None

    permit(made, *strays[:2], known.server.id, ServerId("of a stranger"))

    assert swept(made) == strays[:2]


@pytest.mark.parametrize("pinned", [False, True])
def test_a_permission_for_what_this_store_cannot_have_known_wants_the_id_pinned(
    *, pinned: bool
) -> None:
    """Else two forged records, the id and the permission, would have another's servers deleted."""
    made = world()
    made.policy = replace(made.policy, pinned=pinned)
    ours = add_stray(made, 1)
    others = [add_stray(made, 2, created_s=NOW.wall_s - 900.0), add_stray(made, 1001)]
    made.installation_s = NOW.wall_s - 800.0

    permit(made, ours, *others)

    assert set(swept(made)) == {ours, *(others if pinned else ())}


def test_a_permission_without_effect_is_removed() -> None:
    """It would lie there until the servers are gone, for whoever pins the id meanwhile."""
    made = world()
    permit(made, add_stray(made, 1001))

    assert of_kind(think(made), DropPermit) == [DropPermit(version=4)]


def test_a_permission_ends_with_what_it_was_for() -> None:
    """Or with its time; it is removed once, and permits nothing afterwards."""
    made = world()
    strays = [add_stray(made, number) for number in range(3)]
    permit(made, *strays)
    assert of_kind(think(made), DropPermit) == []

    late = think(made, later(900.0))
    made.cloud.strays.clear()
    empty = think(made)

    assert of_kind(late, DeleteLeak) == []
    assert of_kind(late, DropPermit) == of_kind(empty, DropPermit) == [DropPermit(version=4)]


def test_a_permission_waits_for_a_listing_of_its_own_time() -> None:
    """After a reconnect there are no strays for a moment."""
    made = world()
    permit(made, ServerId("stray-1"))
    assert made.cloud.permit is not None
    made.cloud.permit = replace(made.cloud.permit, listing=made.cloud.listing)

    assert of_kind(think(made), DropPermit) == []


def test_strays_take_up_room_until_they_are_known_as_nodes() -> None:
    """Else what is leaked would be replaced, again and again."""
    made = world(pools={"main": {"max-servers": 3, "max-cores": 6}})
    made.cloud.quota = Quota(instances_max=20, instances_used=2)
    made.cloud.quota_ours = (2, 0, 0)
    add_node(made, 1)
    stray = add_stray(made, 1, flavor=LARGE)

    used = Budget.of(made, NOW)
    status = our_status(made, NOW)

    assert (used.used["main"].instances, used.used["main"].cores) == (2, 5)
    assert used.total.instances == 2
    assert status.pools["main"].instances == 2
    assert status.quota["instances"] == (2, 20)
    node = made.cloud.strays[stray].node
    add_node(made, int(node or 0), server=stray)
    assert Budget.of(made, NOW).used["main"].instances == 2


def test_a_server_whose_record_cannot_be_read_takes_up_room_and_stays() -> None:
    """Until it can be read, and is a node's like any other."""
    made, one = world(), server("0000000001", "server-1")
    made.nodes.unreadable.add(NodeId("0000000001"))
    for number in range(6, 12):
        take_listing(made, number, [one], OWNER, later(100.0 * number))
    unread = (Budget.of(made, NOW).used["main"].instances, swept(made, later(1200.0)))
    made.nodes.unreadable.clear()
    add_node(made, 1)

    assert unread == (1, [])
    assert Budget.of(made, NOW).used["main"].instances == 1
    assert made.cloud.strays == {}


def test_rubbish_over_the_record_of_a_node_that_we_know_hides_no_server() -> None:
    """Its machine would be held for lost."""
    made, one = world(), server("0000000001", "server-1")
    view = add_node(made, 1)
    made.nodes.unreadable.add(view.id)

    take_listing(made, 6, [one], OWNER, NOW)

    assert (view.server.shown, view.server.missed) == (one, 0)


def test_a_record_is_not_believed_whose_server_it_is() -> None:
    """The listing decides: by our tags and the node's number."""
    made = world()
    view = add_node(made, 1, server="named by the record")
    view.server.state = ServerState.HINTED

    take_listing(made, 6, [server("0000000002", "named by the record")], OWNER, NOW)
    unseen = (view.server.id, view.server.surely_ours, view.server.shown)
    take_listing(made, 7, [server("0000000001", "real")], OWNER, NOW)

    assert unseen == ("named by the record", False, None)
    assert (view.server.id, view.server.surely_ours) == ("real", True)
    assert made.cloud.strays == {}


@pytest.mark.parametrize("order", [1, -1])
def test_a_second_server_of_a_node_goes_after_the_node(order: int) -> None:
    """Which of the two is in use the record may say wrongly: neither is swept meanwhile."""
    made = world()
    view = add_node(made, 1, server="first")
    view.server.state = ServerState.HINTED
    both = [server("0000000001", "first"), server("0000000001", "second")][::order]
    for number in range(6, 12):
        take_listing(made, number, both, OWNER, later(100.0 * number))

    kept = swept(made, later(1200.0))
    made.drop_node(view.id)

    assert (view.server.id, view.server.surely_ours) == ("first", True)
    assert list(made.cloud.strays) == ["second"]
    assert kept == []
    assert Budget.of(made, NOW).used["main"].instances == 1


def test_a_server_that_only_the_record_names_is_asked_about_first() -> None:
    """And what else the record says of it, too; what was never its server loses no ports."""
    made = world()
    view = add_node(made, 1, step=Step.CONDEMNED, launch={"floating_ip": "f"})
    view.server.state = ServerState.HINTED

    (asked,) = of_kind(think(made), DeleteServer)
    view.server.accept_delete(4)

    assert (asked.confirmed, asked.floating_ip, asked.hinted_ip) == (False, None, "f")
    made.touch_node(view)
    assert [one.server for one in think(made).actions if type(one).__name__ == "RemoveRecords"] == [
        None
    ]


def test_a_stranger_of_our_name_is_no_stray() -> None:
    """Another installation's, and another provider's."""
    made = world()
    for owner in (
        tags.Owner(installation="other", provider=ProviderName("here")),
        tags.Owner(installation="us", provider=ProviderName("there")),
    ):
        take_listing(made, 6, [server("3000000001", owner=owner)], OWNER, NOW)
        assert made.cloud.strays == {}
    assert leaks(made, NOW) == ([], None)
