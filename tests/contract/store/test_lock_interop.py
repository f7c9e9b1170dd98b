"""Our locks beside kazoo's, and beside a stand-in for the one of Jenkins' plugin."""

import threading
import uuid
from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout

from remuda.store.core import WireStore
from remuda.store.embedded import EmbeddedServer
from remuda.store.locks import LockTakenError, acquire
from tests.contract.store.conftest import DEADLINE_S
from tests.support.deadline import wait_for
from tests.support.zookeeper import connected

pytestmark = pytest.mark.zk
LOCK = "/interop/node/lock"


class JenkinsLock:
    """The algorithm of the plugin's KazooLock, in our own words (wire format, section 3.4).

    It lists the children once, insists that each ends in "_" and digits, and waits for each
    lower-numbered one to vanish.
    """

    def __init__(self, client: KazooClient, directory: str) -> None:
        self._client = client
        self._directory = directory
        self._path = ""

    def acquire(self, *, wait_s: float) -> None:
        """Take the lock; the time is per predecessor."""
        if not self._client.exists(self._directory):
            self._client.create(self._directory, b"jenkins_7")
        self._path = self._client.create(
            f"{self._directory}/{uuid.uuid4()}__lock__", b"jenkins_7", ephemeral=True, sequence=True
        )
        mine = self._number(self._path)
        for name in self._client.get_children(self._directory):
            if self._number(name) < mine:
                gone = threading.Event()
                path = f"{self._directory}/{name}"
                if self._client.exists(path, watch=lambda _event, gone=gone: gone.set()):
                    assert gone.wait(wait_s), f"{name} is still there"

    def release(self) -> None:
        """Give the lock back."""
        self._client.delete(self._path)

    def _number(self, name: str) -> int:
        _, mark, digits = name.rpartition("_")
        assert mark, f"{name} would make the plugin throw"
        return int(digits)


@pytest.fixture
def client(server: EmbeddedServer) -> Iterator[KazooClient]:
    """Connect as they do."""
    kazoo = KazooClient(server.hosts[0])
    kazoo.start()
    kazoo.ensure_path("/interop/node")
    yield kazoo
    kazoo.delete("/interop", recursive=True)
    kazoo.stop()
    kazoo.close()


@pytest.fixture
def ours(server: EmbeddedServer) -> Iterator[WireStore]:
    """Connect as we do."""
    store = connected(server)
    yield store
    store.close()


def test_kazoo_holds_and_we_are_refused(client: KazooClient, ours: WireStore) -> None:
    """The holder is recognised by its name."""
    theirs = client.Lock(LOCK, "zuul")
    assert theirs.acquire()

    with pytest.raises(LockTakenError):
        acquire(ours, LOCK)

    theirs.release()
    acquire(ours, LOCK).release()


def test_we_hold_and_kazoo_is_refused(client: KazooClient, ours: WireStore) -> None:
    """At once, or after its time; kazoo reads our data as a contender's."""
    theirs = client.Lock(LOCK, "zuul")

    with acquire(ours, LOCK, b"remuda"):
        assert client.Lock(LOCK).contenders() == ["remuda"]
        assert not theirs.acquire(blocking=False)
        with pytest.raises(LockTimeout):
            client.Lock(LOCK).acquire(timeout=0.1)

    assert theirs.acquire(timeout=DEADLINE_S)
    theirs.release()


def test_kazoo_waits_for_us_and_we_for_kazoo(client: KazooClient, ours: WireStore) -> None:
    """Each is woken by the other's release."""
    lease = acquire(ours, LOCK)
    got = threading.Event()
    theirs = client.Lock(LOCK, "zuul")

    def wait_for_us() -> None:
        theirs.acquire(timeout=DEADLINE_S)
        got.set()

    waiter = threading.Thread(target=wait_for_us, daemon=True)
    waiter.start()
    wait_for(lambda: len(ours.children(LOCK)) == 2, DEADLINE_S, "kazoo's contender")
    lease.release()
    wait_for(got, DEADLINE_S, "kazoo's turn")
    timer = threading.Timer(0.05, theirs.release)
    timer.start()

    with acquire(ours, LOCK, wait_s=DEADLINE_S) as again:
        assert again.valid

    timer.join()


def test_jenkins_and_we_exclude_each_other(client: KazooClient, ours: WireStore) -> None:
    """In both orders; our names pass its check."""
    theirs = JenkinsLock(client, LOCK)
    theirs.acquire(wait_s=DEADLINE_S)
    with pytest.raises(LockTakenError):
        acquire(ours, LOCK)
    theirs.release()

    lease = acquire(ours, LOCK)
    timer = threading.Timer(0.05, lease.release)
    timer.start()
    theirs.acquire(wait_s=DEADLINE_S)

    assert not lease.valid
    theirs.release()
    timer.join()
