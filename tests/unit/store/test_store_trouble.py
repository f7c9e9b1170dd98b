"""Answers that get lost at the worst moment; the fake tells them when to."""

import pytest

from remuda.store.api import Create, Dirty, Put, Set, StoreAwayError
from remuda.store.core import WireStore
from remuda.store.locks import acquire
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper


@pytest.fixture
def zookeeper() -> FakeZookeeper:
    """Make a tree."""
    return FakeZookeeper(ManualClock())


@pytest.fixture
def store(zookeeper: FakeZookeeper) -> FakeStore:
    """Connect, with something to lock."""
    store = zookeeper.connect()
    store.ensure("/r")
    return store


def test_a_contender_whose_creation_was_not_answered_is_removed(
    zookeeper: FakeZookeeper, store: FakeStore
) -> None:
    """It stands, and its session lives: nobody could ever have the lock."""
    store.ensure("/r/lock")
    store.away_after_next_commit()

    with pytest.raises(StoreAwayError):
        acquire(store, "/r/lock")

    zookeeper.deliver()
    assert store.children("/r/lock") == ()
    acquire(store, "/r/lock").release()


def test_a_contender_that_cannot_be_removed_now_is_removed_later(
    zookeeper: FakeZookeeper, store: FakeStore
) -> None:
    """However often the connection goes in between."""
    lease = acquire(store, "/r/lock")
    other = zookeeper.connect()
    store.suspend()
    lease.release()
    store.resume()
    store.suspend()
    zookeeper.deliver()
    assert len(other.children("/r/lock")) == 1

    store.resume()
    zookeeper.deliver()

    assert other.children("/r/lock") == ()


def test_an_unanswered_write_of_ours_is_read(zookeeper: FakeZookeeper, store: FakeStore) -> None:
    """Its echo was held for a reply that never came."""
    heard: list[object] = []
    store.mirror("/r", heard.append)
    zookeeper.deliver()
    heard.clear()
    store.away_after_next_commit()

    with pytest.raises(StoreAwayError):
        store.commit([Set(path="/r", data=b"1", version=0)])
    zookeeper.deliver()

    found = store.read("/r")
    assert heard == [Dirty(path="/r"), Put(path="/r", stored=found)]
    assert found is not None
    assert found.value == b"1"


def test_the_fake_makes_callbacks_only_when_told(zookeeper: FakeZookeeper) -> None:
    """Step by step, sessions in the order of their connecting."""
    one, other = zookeeper.connect(), zookeeper.connect()
    order: list[str] = []

    def commit(store: WireStore, name: str) -> None:
        store.commit_later([Create(path=f"/{name}")], lambda _answer: order.append(name))

    commit(other, "first")
    commit(one, "second")
    assert (order, zookeeper.tree.paths()) == ([], ("/", "/first", "/second"))

    assert zookeeper.deliver(max_steps=1) == 1
    assert order == ["second"]
    assert zookeeper.deliver() == 1
    assert order == ["second", "first"]


def test_times_are_those_of_the_clock_given() -> None:
    """So that ages in a simulation are the simulation's."""
    clock = ManualClock(now_s=1000.0)
    store = FakeZookeeper(clock).connect()
    store.commit([Create(path="/a")])
    clock.advance(5.0)
    store.commit([Set(path="/a", data=b"", version=0)])

    found = store.read("/a")

    assert found is not None
    assert (found.created_s, found.modified_s) == (1000.0, 1005.0)
