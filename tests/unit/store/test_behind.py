"""The fake's server that stands still: what a launcher must reckon with, and how it asks anew."""

import pytest

from remuda.store.api import Change, Create, Put, Set, StoreAwayError, Synced
from tests.fakes.store import FakeStore, FakeZookeeper


@pytest.fixture
def zookeeper() -> FakeZookeeper:
    """Make a tree with one znode."""
    made = FakeZookeeper()
    made.connect().commit([Create(path="/a", data=b"old")])
    return made


def told(zookeeper: FakeZookeeper, store: FakeStore) -> list[bytes]:
    """Mirror the znode from now on; return what is told of it."""
    seen: list[bytes] = []

    def sink(change: Change) -> None:
        if isinstance(change, Put) and change.stored is not None and change.path == "/a":
            seen.append(change.stored.value)

    store.mirror("/a", sink)
    zookeeper.deliver()
    return seen


def test_reads_and_mirrors_are_old_until_a_fresh_read(zookeeper: FakeZookeeper) -> None:
    """Nothing tells that they are; the news comes with the fresh read at the latest."""
    store = zookeeper.connect()
    seen = told(zookeeper, store)
    store.fall_behind()
    zookeeper.connect().commit([Set(path="/a", data=b"new", version=-1), Create(path="/b")])
    zookeeper.deliver()

    plain = store.read("/a")
    before, unseen = list(seen), store.read("/b")
    fresh, other = store.read_fresh(["/a", "/b"])
    zookeeper.deliver()

    assert (plain and plain.value, unseen, before) == (b"old", None, [b"old"])
    assert (fresh and fresh.value, other is None) == (b"new", False)
    assert seen == [b"old", b"new"]


def test_a_write_of_ours_is_answered_after_all_that_came_before_it(
    zookeeper: FakeZookeeper,
) -> None:
    """As by a real follower: it passes the write on, and waits for it among all others."""
    store = zookeeper.connect()
    store.fall_behind()
    zookeeper.connect().commit([Set(path="/a", data=b"new", version=-1)])

    store.commit([Create(path="/c")])

    found = store.read("/a")
    assert found is not None
    assert found.value == b"new"


def test_one_that_does_not_answer_tells_nothing(zookeeper: FakeZookeeper) -> None:
    """Until it goes on."""
    store = zookeeper.connect()
    store.fall_behind(dumb=True)

    with pytest.raises(StoreAwayError):
        store.read_fresh(["/a"])
    store.catch_up()

    assert store.read_fresh(["/a"])[0] is not None


def test_what_had_no_answer_is_read_again_with_the_next_answer_or_when_asked(
    zookeeper: FakeZookeeper,
) -> None:
    """The connection stays all the time, so that nothing else would bring it."""
    store, other = zookeeper.connect(), zookeeper.connect()
    seen = told(zookeeper, store)
    other.commit([Set(path="/a", data=b"new", version=-1)])
    store.fall_behind(dumb=True)
    zookeeper.deliver()  # the news is heard, and the read that follows has no answer
    store.catch_up()
    zookeeper.deliver()
    assert seen == [b"old"]

    store.reread()
    zookeeper.deliver()
    assert seen == [b"old", b"new"]
    store.reread()
    zookeeper.deliver()
    assert seen == [b"old", b"new"]


def test_a_mirror_that_could_not_be_loaded_is_loaded_when_asked(zookeeper: FakeZookeeper) -> None:
    """With its watch; before, it tells nobody that it is complete."""
    store, other = zookeeper.connect(), zookeeper.connect()
    changes: list[Change] = []
    store.fall_behind(dumb=True)
    store.mirror("/a", changes.append)
    zookeeper.deliver()
    store.catch_up()
    zookeeper.deliver()
    assert changes == []

    store.reread()
    zookeeper.deliver()
    assert [type(one) for one in changes] == [Put, Synced]
    other.commit([Set(path="/a", data=b"new", version=-1)])
    zookeeper.deliver()
    assert isinstance(changes[-1], Put)


def test_a_load_whose_watch_had_no_answer_is_not_complete(zookeeper: FakeZookeeper) -> None:
    """It would be blind from then on."""
    store = zookeeper.connect()
    changes: list[Change] = []
    store.fall_behind(dumb=True)
    store.mirror("/a", changes.append)
    store.catch_up()  # the answer to the watch is lost, the rest comes
    zookeeper.deliver()
    store.reread()
    zookeeper.deliver()

    assert sum(isinstance(one, Synced) for one in changes) == 1
