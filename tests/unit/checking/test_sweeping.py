"""``remuda cloud sweep``: what is shown, and what is written for the launcher."""

import json
from dataclasses import replace

import pytest

from launcher.checking.sweeping import check_effect, left_sheet, look, our_owner, permit
from launcher.provider.fold import take_fact
from launcher.server.strays import CLOUD_SKEW_S
from remuda.cli.errors import MistakeError
from remuda.cli.output import plain
from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NODE_ID_BLOCK, NodeId, PoolName, ServerId
from remuda.model.permit import LIFE_S, decode_permit, encode_permit, new_permit
from remuda.model.status import ProviderStatus, encode_status
from remuda.store import paths
from remuda.store.api import Create, Put, Set
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.works import OWNER
from tests.unit.launcher.worlds import world

STOPPED = ProviderStatus(provider="here", sweep="3 servers carry our tag")


def tagged(cloud: FakeCloud, number: int, owner: tags.Owner = OWNER) -> ServerId:
    """Make a server with tags."""
    node = NodeId(f"{3_000_000_000 + number}")
    ours = tags.ServerTags(owner=owner, node=node, pool=PoolName("main"), label="small")
    return cloud.add_stranger(name=f"np{node}", tags=tags.make(ours))


@pytest.fixture
def cloud() -> FakeCloud:
    """A cloud."""
    return FakeCloud(ManualClock())


@pytest.fixture
def store(cloud: FakeCloud) -> FakeStore:
    """A ZooKeeper with one node of ours, and one whose launch record is lost."""
    made = FakeZookeeper(cloud.clock).connect()
    made.ensure(paths.launches("here"), paths.NODES, paths.STATUSES)
    made.commit(
        [
            Create(path=paths.INSTALLATION, data=b"us"),
            Create(path=paths.launch("here", NodeId("3000000001")), data=b"{}"),
            Create(path=paths.node(NodeId("3000000003")), data=b"{}"),
            Create(path=paths.node(NodeId("3000000002"))),
            Create(path=paths.status("here"), data=encode_status(STOPPED)),
        ]
    )
    return made


def test_servers_without_a_record_are_shown(cloud: FakeCloud, store: FakeStore) -> None:
    """None of others, none with a record; and why the launcher does not delete them."""
    cloud.add_stranger()
    tagged(cloud, 4, tags.Owner(installation="other", provider=OWNER.provider))
    known, lost, kept = (tagged(cloud, number) for number in (1, 2, 3))

    left = look(store, cloud, our_owner(store, "here"))

    assert [one.id for one in left.servers] == [lost, kept]
    assert known not in [one.id for one in left.servers]
    assert left.kept == ("3000000003",)
    text = plain(left_sheet(left, now_s=cloud.clock.now_s() + 90.0))
    assert "np3000000002" in text
    assert "the sweep is stopped: 3 servers carry our tag" in text


def test_an_old_view_shows_no_twins_new_servers(cloud: FakeCloud) -> None:
    """What an operator confirms is asked for anew, after the listing."""
    zookeeper = FakeZookeeper()
    store, other = zookeeper.connect(), zookeeper.connect()
    other.ensure(paths.launches("here"), paths.NODES)
    other.commit([Create(path=paths.INSTALLATION, data=b"us")])
    store.fall_behind()
    other.commit([Create(path=paths.launch("here", NodeId("3000000001")), data=b"{}")])
    tagged(cloud, 1)

    assert look(store, cloud, OWNER).servers == ()


def test_a_permission_without_effect_is_a_mistake(cloud: FakeCloud, store: FakeStore) -> None:
    """Of servers that this store cannot have known: a launcher wants the id pinned as well."""
    store.ensure(paths.NODE_COUNTER)
    tagged(cloud, 2)
    undrawn = tagged(cloud, NODE_ID_BLOCK + 1)

    known = look(store, cloud, OWNER)
    check_effect(replace(known, unknown=()), OWNER, pinned=False)
    with pytest.raises(MistakeError, match="write installation: us at the top level") as refused:
        check_effect(known, OWNER, pinned=False)
    check_effect(known, OWNER, pinned=True)

    assert known.unknown == (undrawn,)
    assert refused.value.exit_code == 2


def test_servers_older_than_the_id_that_they_carry_are_not_from_here() -> None:
    """As after a change of the id; whether a number was drawn says nothing then."""
    clock = ManualClock()
    cloud, store = FakeCloud(clock), FakeZookeeper(clock).connect()
    tagged(cloud, 1)
    clock.advance(CLOUD_SKEW_S + 1.0)
    store.ensure(paths.launches("here"), paths.NODES, paths.NODE_COUNTER)
    store.commit([Create(path=paths.INSTALLATION, data=b"us")])
    tagged(cloud, 2)

    left = look(store, cloud, our_owner(store, "here"))

    assert left.unknown == (left.servers[0].id,)


@pytest.mark.parametrize("raw", [None, b"", b"\xff\xfe", b"a b", b"x" * 64, b"remuda-cloud-check"])
def test_an_installation_without_an_id_is_a_mistake(raw: bytes | None) -> None:
    """One sentence."""
    store = FakeZookeeper().connect()
    store.ensure(paths.REMUDA)
    if raw is not None:
        store.commit([Create(path=paths.INSTALLATION, data=raw)])

    with pytest.raises(MistakeError, match="no id of an installation"):
        our_owner(store, "here")


def test_another_installation_than_is_demanded_is_a_mistake(store: FakeStore) -> None:
    """The wrong ZooKeeper says of the right one's servers that they do not exist."""
    assert our_owner(store, "here", "us").installation == "us"
    with pytest.raises(MistakeError, match=r"says installation: them, .* is 'us'"):
        our_owner(store, "here", "them")


def test_the_launcher_reads_the_permission(store: FakeStore) -> None:
    """Also one that replaces another; one that cannot be read permits nothing."""
    made = world()
    path = paths.sweep_permit("here")
    permit(store, "here", [ServerId("a")], now_s=1.0)
    permit(store, "here", [ServerId("b"), ServerId("c")], now_s=2.0)
    found = store.read(path)
    assert found is not None

    take_fact(made, Put(path=path, stored=found))
    given = made.cloud.permit
    store.commit([Set(path=path, data=b"{}", version=-1)])
    with pytest.raises(CorruptRecordError):
        take_fact(made, Put(path=path, stored=store.read(path)))

    assert given is not None
    assert given.permit.servers == {"b", "c"}
    assert (given.permit.until_s, given.version) == (2.0 + LIFE_S, 1)
    assert made.cloud.permit is None


@pytest.mark.parametrize(
    "change",
    [
        {"servers": "abc"},
        {"servers": ["../os-keypairs/x"]},
        {"servers": [""]},
        {"servers": [1]},
        {"until_s": "soon"},
        {"until_s": float("inf")},
        {"until_s": float("nan")},
        {"schema": 2},
        {"servers": ["a"] * 5001},
    ],
)
def test_a_false_permission_is_none(change: dict[str, object]) -> None:
    """Types, bounds and ids."""
    good = json.loads(encode_permit(new_permit([ServerId("a")], now_s=1.0)))

    with pytest.raises(CorruptRecordError):
        decode_permit("/p", json.dumps({**good, **change}).encode())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({tags.NODE_ID: "../x"}, "its tags name no node: '../x'"),
        ({tags.NODE_ID: "x\x1b[31m" + "y" * 200}, r"its tags name no node: 'x\x1b[31m"),
        ({tags.NODE_ID: ""}, "its tags name no node: ''"),
        ({tags.POOL: ""}, "its tags are not complete: pool or label is missing"),
    ],
)
def test_servers_whose_node_tag_is_none_are_shown_but_not_offered(
    cloud: FakeCloud, store: FakeStore, change: dict[str, str], why: str
) -> None:
    """Nobody can tell whether a record speaks for them; their owner has to be asked."""
    ours = tags.ServerTags(
        owner=OWNER, node=NodeId("3000000002"), pool=PoolName("main"), label="small"
    )
    odd = cloud.add_stranger(name="odd", tags=tags.make(ours) | change)
    other = tags.Owner(installation="other", provider=OWNER.provider)
    cloud.add_stranger(name="theirs", tags={tags.INSTALLATION: other.installation})

    left = look(store, cloud, OWNER)
    sheet = left_sheet(left, now_s=cloud.clock.now_s())

    assert (left.servers, [one.id for one in left.nameless]) == ((), [odd])
    (row,) = (line for line in plain(sheet).splitlines() if line.startswith(odd))
    assert why in row
    assert "no launcher deletes what stays" in plain(sheet)
    assert "theirs" not in plain(sheet)
    (shown,) = sheet.data["nameless"]
    assert (shown["server"], sheet.data["servers"]) == (odd, [])
    assert shown["why"].startswith(why)


def test_only_what_may_be_deleted_is_confirmed(cloud: FakeCloud, store: FakeStore) -> None:
    """With one of each, the permission is for one."""
    lost = tagged(cloud, 2)
    odd = cloud.add_stranger(
        tags={tags.INSTALLATION: OWNER.installation, tags.PROVIDER: OWNER.provider}
    )

    left = look(store, cloud, OWNER)

    assert [one.id for one in left.servers] == [lost]
    assert [one.id for one in left.nameless] == [odd]
    text = plain(left_sheet(left, now_s=cloud.clock.now_s()))
    assert "every server that carries our tag has a record" not in text
