"""The cloud hands: what they tell of calls that fail."""

from dataclasses import dataclass, field

import pytest

from launcher.server.actions import DeleteLeak, DeleteServer
from launcher.server.events import LeakDeleted, LeakSpared
from remuda.cloud.api import CloudError, GoneError, TryLaterError
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ServerId
from remuda.store import paths
from remuda.store.api import Create, Set
from remuda.store.api import Delete as RemoveRecord
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.store import FakeZookeeper
from tests.unit.launcher.works import OWNER, cloud_hands

NODE, SERVER = NodeId("3000000001"), ServerId("server")
#: The first that a fake cloud makes.
LEAK = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize("error", [GoneError("HTTP 404"), TryLaterError("HTTP 503")])
def test_a_server_whose_address_cannot_be_released_is_not_taken_for_deleted(
    error: CloudError,
) -> None:
    """Nobody asked for its deletion, so whoever judges the node must know."""
    clock = ManualClock()
    cloud = FakeCloud(clock)
    store = FakeZookeeper(clock).connect()
    hands = cloud_hands(cloud, store, clock)
    cloud.fail("remove_floating_ips", error)

    failed = hands.delete(DeleteServer(node=NODE, server=SERVER, confirmed=True, search=True))
    again = hands.delete(DeleteServer(node=NODE, server=SERVER, confirmed=True, search=True))

    assert (failed.error, failed.released, cloud.calls["delete_server"]) == (error, False, 1)
    assert (again.error, again.released) == (None, True)


@dataclass
class Stage:
    """Hands, the cloud that they reach into, and what is in ZooKeeper."""

    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        """Make an installation without records."""
        self.cloud = FakeCloud(self.clock)
        self.zookeeper = FakeZookeeper(self.clock)
        self.other = self.zookeeper.connect()
        self.store = self.zookeeper.connect()
        self.hands = cloud_hands(self.cloud, self.store, self.clock)
        self.other.ensure(paths.launches("here"), paths.NODES)
        self.other.commit([Create(path=paths.INSTALLATION, data=b"us")])

    def server(self, node: str = NODE, owner: tags.Owner = OWNER) -> ServerId:
        """Make a server with our tags."""
        ours = tags.ServerTags(owner=owner, node=NodeId(node), pool=PoolName("p"), label="l")
        return self.cloud.add_stranger(tags=tags.make(ours))

    def sweep(self, server: ServerId, node: str = NODE) -> LeakDeleted | LeakSpared:
        """Delete it as a leak."""
        return self.hands.delete_leak(DeleteLeak(server=server, node=NodeId(node), cause="test"))


@pytest.mark.parametrize(
    ("server", "mistaken"),
    [
        ("ours", False),
        ("another node's", True),
        ("another installation's", True),
        ("without tags", True),
        ("gone", False),
        ("../os-keypairs/key", True),
    ],
)
def test_a_record_deletes_nothing_that_the_cloud_does_not_call_its_own(
    server: str, *, mistaken: bool
) -> None:
    """Any server id may be written there; also its address stays."""
    stage = Stage()
    other = tags.Owner(installation="other", provider=OWNER.provider)
    there = {
        "ours": stage.server(),
        "another node's": stage.server("3000000009"),
        "another installation's": stage.server(owner=other),
        "without tags": stage.cloud.add_stranger(),
    }
    named = there.get(server, ServerId(server))

    done = stage.hands.delete(DeleteServer(node=NODE, server=named, hinted_ip="f", search=True))
    stage.clock.advance(60.0)

    assert (done.mistaken, done.accepted, done.error) == (mistaken, not mistaken, None)
    assert set(there.values()) - set(stage.cloud.truth()) == (
        {named} if server == "ours" else set()
    )
    assert stage.cloud.calls["remove_floating_ips"] == (not mistaken)


def test_a_look_that_fails_deletes_nothing() -> None:
    """Whose it is stays unknown: later, once more."""
    stage = Stage()
    stage.cloud.fail("get_server", TryLaterError("HTTP 503"))

    done = stage.hands.delete(DeleteServer(node=NODE, server=stage.server()))

    assert (done.accepted, done.mistaken) == (False, False)
    assert stage.cloud.calls["delete_server"] == 0


@pytest.mark.parametrize("record", [paths.launch("here", NODE), paths.node(NODE)])
def test_a_leak_is_spared_whose_record_we_have_not_heard_of(record: str) -> None:
    """Our server of ZooKeeper stands still, and a twin has made a node meanwhile."""
    stage = Stage()
    stage.store.fall_behind()
    stage.other.commit([Create(path=record, data=b"{}")])
    server = stage.server()

    done = stage.sweep(server)

    assert isinstance(done, LeakSpared)
    assert "record" in done.why
    assert stage.cloud.calls["delete_server"] == 0


@pytest.mark.parametrize("trouble", ["dumb", "away", "lost", "another id", "no id", "no number"])
def test_without_a_fresh_answer_nothing_is_swept(trouble: str) -> None:
    """Nor if ZooKeeper is another's by now, or nobody can have a record of it."""
    stage = Stage()
    node = NODE if trouble != "no number" else "../../installation"
    server = stage.server(node)
    if trouble == "dumb":
        stage.store.fall_behind(dumb=True)
    elif trouble == "away":
        stage.store.suspend()
    elif trouble == "lost":
        stage.store.refuse()
    elif trouble == "another id":
        stage.other.commit([Set(path=paths.INSTALLATION, data=b"them", version=-1)])
    elif trouble == "no id":
        stage.other.commit([RemoveRecord(path=paths.INSTALLATION)])

    assert isinstance(stage.sweep(server, node), LeakSpared)
    assert stage.cloud.calls["delete_server"] == 0


def test_a_leak_without_any_record_goes() -> None:
    """Also if a client's lock has made its node anew, empty."""
    stage = Stage()
    stage.other.commit([Create(path=paths.node(NODE))])

    assert stage.sweep(stage.server()) == LeakDeleted(server=ServerId(LEAK), error=None)
    assert stage.cloud.calls["delete_server"] == 1
