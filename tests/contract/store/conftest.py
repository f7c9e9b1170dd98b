"""The same tests for the real server and for the fake: rigs that make the same trouble."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

import pytest
from kazoo.client import KazooClient

from remuda.store.api import Change, Session, StoreError
from remuda.store.core import WireStore
from remuda.store.embedded import EmbeddedServer
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.support.deadline import wait_for
from tests.support.zookeeper import connected, missing, running_server

DEADLINE_S = 200.0
_NOWHERE = "127.0.0.1:1"


class Rig(Protocol):
    """A ZooKeeper, and the trouble that it may have."""

    def connect(self) -> WireStore:
        """Return a store with a session of its own."""

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Let things happen until *condition* holds."""

    def suspend(self, store: WireStore) -> None:
        """Take the connection away until resume or expire."""

    def resume(self, store: WireStore) -> None:
        """Give the connection back, and the same session."""

    def expire(self, store: WireStore) -> None:
        """End the session, and give a connection with a new one."""


class FakeRig:
    """Everything in memory."""

    def __init__(self) -> None:
        self._zookeeper = FakeZookeeper()

    def connect(self) -> FakeStore:
        """See Rig."""
        return self._zookeeper.connect()

    def until(self, condition: Callable[[], object], what: str) -> None:
        """See Rig."""

        def delivered() -> object:
            self._zookeeper.deliver()
            return condition()

        wait_for(delivered, DEADLINE_S, what)

    def suspend(self, store: WireStore) -> None:
        """See Rig."""
        assert isinstance(store, FakeStore)
        store.suspend()
        self._zookeeper.deliver()

    def resume(self, store: WireStore) -> None:
        """See Rig."""
        assert isinstance(store, FakeStore)
        store.resume()
        self._zookeeper.deliver()

    def expire(self, store: WireStore) -> None:
        """See Rig."""
        assert isinstance(store, FakeStore)
        store.expire()
        self._zookeeper.deliver()

    def close(self) -> None:
        """Nothing is left open."""


class RealRig:
    """A real server; each test has a chroot of its own."""

    def __init__(self, server: EmbeddedServer, chroot: str) -> None:
        self._server = server
        self._chroot = chroot
        self._stores: list[WireStore] = []

    def connect(self) -> WireStore:
        """See Rig."""
        store = connected(self._server, chroot=self._chroot)
        self._stores.append(store)
        return store

    def until(self, condition: Callable[[], object], what: str) -> None:
        """See Rig."""
        wait_for(condition, DEADLINE_S, what)

    def suspend(self, store: WireStore) -> None:
        """See Rig."""
        client = kazoo_of(store)
        client.set_hosts(_NOWHERE)
        # On a machine that stood still for long it has gone by itself meanwhile.
        with suppress(OSError):
            client._connection._socket.shutdown(2)
        self.until(lambda: store.session is Session.SUSPENDED, "the suspension")

    def resume(self, store: WireStore) -> None:
        """See Rig."""
        kazoo_of(store).set_hosts(self._server.hosts[0])
        self.until(lambda: store.session is Session.CONNECTED, "the connection")

    def expire(self, store: WireStore) -> None:
        """See Rig. Another client takes the session over and ends it."""
        before = store.session_id
        client = kazoo_of(store)
        if store.session is Session.CONNECTED:
            self.suspend(store)
        thief = KazooClient(
            hosts=self._server.hosts[0], client_id=(client._session_id, client._session_passwd)
        )
        thief.start()
        thief.stop()
        thief.close()
        client.set_hosts(self._server.hosts[0])
        self.until(
            lambda: store.session is Session.CONNECTED and store.session_id != before,
            "a new session",
        )

    def close(self) -> None:
        """Close every store."""
        for store in self._stores:
            store.close()


def kazoo_of(store: WireStore) -> KazooClient:
    """Return the kazoo client inside a real store."""
    return store._wire._client


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """Run one real server for all tests that do not harm it."""
    if why := missing():
        pytest.skip(why)
    with running_server() as running:
        yield running


_chroots = itertools.count()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.zk)])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Give the fake, then the real thing."""
    if request.param == "fake":
        made: FakeRig | RealRig = FakeRig()
    else:
        chroot = f"/test/{next(_chroots)}"
        made = RealRig(request.getfixturevalue("server"), chroot)
    yield made
    made.close()


class Heard:
    """A sink that remembers, and the content that a consumer would now believe in."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(self, change: Change) -> None:
        """Take a change."""
        self.changes.append(change)

    def clear(self) -> None:
        """Forget."""
        self.changes.clear()


class Answers:
    """What commit_later and read_later said."""

    def __init__(self) -> None:
        self.got: list[object] = []

    def __call__(self, answer: object) -> None:
        """Take an answer."""
        self.got.append(answer)

    @property
    def errors(self) -> list[StoreError]:
        """Return those that are errors."""
        return [answer for answer in self.got if isinstance(answer, StoreError)]


def count_reads(store: WireStore) -> list[str]:
    """Return a list that grows by the path of each read from now on."""
    reads: list[str] = []
    wire = store._wire
    get, children = wire.get, wire.children

    def counted_get(path: str, done: Callable[..., None]) -> None:
        reads.append(path)
        get(path, done)

    def counted_children(path: str, done: Callable[..., None]) -> None:
        reads.append(path)
        children(path, done)

    wire.get, wire.children = counted_get, counted_children
    return reads
