"""Whoever waits without a terminal hears which request it is, and why, after a few seconds."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from remuda.model.status import Ruling
from remuda.store.api import StoreAwayError
from requestor.commands.waiting import AWAY, wait_in_lines
from requestor.errors import RequestTimeoutError
from tests.support.standin import StandIn
from tests.unit.requestor.conftest import Bench

#: Nothing waits for the clock: the next thing happens when the last one was told.
SOON: Final = [0.01] * 10_000


class Told:
    """What was said; something happens after each."""

    def __init__(self, *then: Callable[[], object]) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self._then = list(then)

    def __call__(self, event: str, sentence: str, /, **facts: Any) -> None:
        """Take it."""
        self.said.append((event, sentence, facts))
        if self._then:
            self._then.pop(0)()


def test_the_reason_is_told_once_and_again_when_it_has_changed(bench: Bench) -> None:
    """With the id, by which `remuda explain` finds it."""
    bench.launcher.register("small")
    pending = bench.client.request({"small": 1})
    bench.launcher.say(pending.id, Ruling.WAITING, "the pool is full")
    beta = StandIn(bench.zookeeper.connect(), provider="beta")
    told = Told(
        lambda: beta.say(pending.id, Ruling.SERVING, "booting"),
        lambda: bench.launcher.lend(pending.id),
    )
    wait_in_lines(pending, "1 small", told, SOON)

    (event, first, facts), (_, second, _) = told.said
    assert event == "waiting"
    assert first.startswith(f"request {pending.id} waits for 1 small, ")
    assert first.endswith("alpha waits (the pool is full)")
    assert "beta serves it (booting)" in second
    assert (facts["request"], facts["why"]) == (pending.id, "alpha waits (the pool is full)")


def test_who_is_served_at_once_hears_nothing(bench: Bench) -> None:
    """The machine is the answer."""
    pending, told = bench.client.request({"small": 1}), Told()
    bench.launcher.lend(pending.id)

    wait_in_lines(pending, "1 small", told)

    assert told.said == []


def test_the_deadline_still_ends_it(bench: Bench) -> None:
    """However often it is looked at before."""
    pending = bench.client.request({"small": 1}, deadline_s=0.2)

    with pytest.raises(RequestTimeoutError):
        wait_in_lines(pending, "1 small", Told(), SOON)


def test_the_absence_of_zookeeper_ends_no_wait(bench: Bench) -> None:
    """The request is still there, and so is the session that it goes with."""
    pending = bench.client.request({"small": 1})

    def back() -> None:
        bench.store.resume()
        bench.launcher.lend(pending.id)

    told = Told(back)
    bench.store.suspend()
    wait_in_lines(pending, "1 small", told, SOON)

    assert [facts["why"] for _, _, facts in told.said] == [AWAY]


def test_at_the_deadline_its_absence_is_told(bench: Bench) -> None:
    """It is not known what has become of the request."""
    pending = bench.client.request({"small": 1}, deadline_s=0.2)
    bench.store.suspend()

    with pytest.raises(StoreAwayError):
        wait_in_lines(pending, "1 small", Told(), SOON)
