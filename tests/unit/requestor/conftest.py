"""A requestor and a launcher's stand-in, each with a session of its own to one fake ZooKeeper."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from remuda.store.api import StoreAwayError
from requestor.client import Client
from requestor.nodeset import NodeSet
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.support.standin import StandIn


@dataclass(slots=True)
class Bench:
    """Everything a test needs."""

    zookeeper: FakeZookeeper
    store: FakeStore
    launcher: StandIn
    client: Client
    lost: list[NodeSet] = field(default_factory=list)


def away_once(
    monkeypatch: pytest.MonkeyPatch, store: FakeStore, reading: str, *, after: int = 0
) -> None:
    """Have one call of *reading* get no answer: the one that follows *after* of them."""
    real, calls = getattr(store, reading), itertools.count()

    def read(*arguments: object) -> object:
        if next(calls) == after:
            raise StoreAwayError("the connection is lost")
        return real(*arguments)

    monkeypatch.setattr(store, reading, read)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """One client, one launcher."""
    zookeeper = FakeZookeeper()
    launcher = StandIn(zookeeper.connect())
    store = zookeeper.connect()
    lost: list[NodeSet] = []
    client = Client(store, requestor="tester@host", on_lost=lost.append, away_s=0.05, lock_s=0.05)
    store.wire.requests.clear()
    yield Bench(zookeeper, store, launcher, client, lost)
    client.close()
