"""A server killed again and again under two busy writers: what the mirrors believe in the end."""

import random
import threading

import pytest

from remuda.store.api import Create, Session
from tests.contract.store.conftest import DEADLINE_S, Answers
from tests.contract.store.test_mirror import content, dirty, loaded_from, truth
from tests.support.deadline import wait_for
from tests.support.someops import some_ops
from tests.support.zookeeper import connected, missing, running_server

pytestmark = [
    pytest.mark.zk,
    pytest.mark.chaos,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
KILLS = 4


@pytest.mark.parametrize("seed", [1, 2])
def test_mirrors_tell_the_truth_after_any_number_of_crashes(seed: int) -> None:
    """Nothing stays dirty, nothing is missing, every commit was answered once."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    with running_server() as server:
        stores = [connected(server) for _ in range(2)]
        stores[0].ensure("/r")
        sinks = [loaded_from(store) for store in stores]
        answers = Answers()
        sent = 0
        pause = threading.Event()
        for _ in range(KILLS):
            for _ in range(150):
                dice.choice(stores).commit_later(some_ops(dice, sent, names="pqrst"), answers)
                sent += 1
                pause.wait(dice.random() * 0.004)
            server.kill()
            for _ in range(20):
                dice.choice(stores).commit_later(some_ops(dice, sent, names="pqrst"), answers)
                sent += 1
            server.start()

        def calm() -> bool:
            return all(store.session is Session.CONNECTED for store in stores)

        wait_for(calm, DEADLINE_S, "the connections")
        wait_for(lambda: len(answers.got) == sent, DEADLINE_S, "all answers")
        stores[0].commit([Create(path="/r/end")])
        for sink in sinks:
            wait_for(
                lambda sink=sink: content(sink) == truth(stores[0], "/r") and not dirty(sink),
                DEADLINE_S,
                f"the truth (seed {seed})",
            )
        assert len(answers.got) == sent
        for store in stores:
            store.close()
