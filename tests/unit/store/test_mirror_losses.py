"""What a mirror believes when connections go in the middle of anything: never old, never stuck."""

import random

import pytest

from remuda.store.api import Create, Session, Set
from tests.contract.store.conftest import Answers
from tests.contract.store.test_mirror import Heard, content, dirty, truth
from tests.fakes.beliefs import misbeliefs
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.support.someops import some_ops


def test_a_read_that_a_loss_ended_is_answered_by_the_reload() -> None:
    """Changed while it was being read, told, and the second read lost: nothing stays dirty."""
    zookeeper = FakeZookeeper()
    ours, theirs = zookeeper.connect(), zookeeper.connect()
    theirs.commit([Create(path="/r"), Create(path="/r/p")])
    heard = Heard()
    ours.mirror("/r", heard)
    zookeeper.deliver()
    for data in (b"1", b"2"):
        theirs.commit([Set(path="/r/p", data=data, version=-1)])
    ours.wire.deliver_one()  # the first news: it is being read
    ours.wire.deliver_one()  # the second: it has to be read again
    ours.wire.deliver_one()  # the answer, and the second question
    assert dirty(heard) == {"/r/p"}

    ours.suspend()
    ours.resume()
    zookeeper.deliver()

    assert content(heard) == truth(theirs, "/r")
    assert not dirty(heard)


def _trouble(dice: random.Random, store: FakeStore) -> None:
    """Lose the connection, and get it back at once or some steps later."""
    if dice.random() < 0.3:
        store.expire()
    elif store.session is Session.CONNECTED:
        store.suspend()
    else:
        store.resume()


@pytest.mark.parametrize("seed", range(300))
def test_any_order_of_news_answers_and_losses_ends_at_the_truth(seed: int) -> None:
    """Each session hears when it will; connections go between any two of its callbacks."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    zookeeper = FakeZookeeper()
    stores = [zookeeper.connect() for _ in range(2)]
    stores[0].commit([Create(path="/r")])
    sinks = [Heard() for _ in stores]
    for store, heard in zip(stores, sinks, strict=True):
        store.mirror("/r", heard)
    answers = Answers()
    sent = 0
    for step in range(200):
        what = dice.random()
        if what < 0.35:
            dice.choice(stores).commit_later(some_ops(dice, step, names="pqr"), answers)
            sent += 1
        elif what < 0.95:
            dice.choice(stores).wire.deliver_one()
        else:
            _trouble(dice, dice.choice(stores))

    for store in stores:
        if store.session is not Session.CONNECTED:
            store.resume()
    zookeeper.deliver()

    expected = truth(stores[0], "/r")
    for heard in sinks:
        assert content(heard) == expected
        assert not dirty(heard)
    assert [misbeliefs(store, zookeeper.tree) for store in stores] == [[], []]
    assert len(answers.got) == sent
