"""The limit of calls per second, and who goes first."""

import threading

import pytest

from remuda.cloud.api import TryLaterError
from remuda.cloud.rate import FairQueue, RateLimit, Traffic
from remuda.runtime.clock import SystemClock
from tests.fakes.clock import ManualClock
from tests.support.deadline import wait_for


def _taken(limit: RateLimit, most: int = 1000) -> int:
    for count in range(most):
        try:
            limit.take(wait_s_max=0.0)
        except TryLaterError:
            return count
    return most


def test_a_second_of_calls_goes_at_once_and_then_the_rate_holds() -> None:
    """Measured on a clock that stands still or is advanced."""
    clock = ManualClock()
    limit = RateLimit(per_s=10.0, clock=clock)

    assert _taken(limit) == 10
    clock.advance(0.3)
    assert _taken(limit) == 3
    clock.advance(100.0)
    assert _taken(limit) == 10


def test_slow_rates_let_one_call_through() -> None:
    """One per ten seconds is a rate, too."""
    clock = ManualClock()
    limit = RateLimit(per_s=0.1, clock=clock)

    assert _taken(limit) == 1
    clock.advance(9.9)
    assert _taken(limit) == 0
    clock.advance(0.2)
    assert _taken(limit) == 1


def test_refusal_says_when_and_reserves_nothing() -> None:
    """Those that were refused do not make the others wait longer."""
    clock = ManualClock()
    limit = RateLimit(per_s=1.0, clock=clock)
    limit.take(wait_s_max=0.0)

    for _ in range(3):
        with pytest.raises(TryLaterError) as caught:
            limit.take(wait_s_max=0.5)
        assert caught.value.retry_after_s == pytest.approx(1.0)


def test_waiting_call_goes_when_its_moment_comes() -> None:
    """In real time, shared by threads: twelve calls at 50 per second with none saved up."""
    clock = SystemClock()
    limit = RateLimit(per_s=50.0, clock=clock)
    _taken(limit)
    start_s = clock.monotonic_s()

    threads = [threading.Thread(target=limit.take, kwargs={"wait_s_max": 5.0}) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60.0)

    assert clock.monotonic_s() - start_s >= 10 / 50.0


def test_closing_wakes_who_waits() -> None:
    """Nobody is kept from ending."""
    clock = ManualClock()
    limit = RateLimit(per_s=0.01, clock=clock)
    limit.take(wait_s_max=0.0)
    refused: list[TryLaterError] = []

    def wait() -> None:
        try:
            limit.take(wait_s_max=1000.0)
        except TryLaterError as exc:
            refused.append(exc)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_for(lambda: any(limit._queue), 60.0, "somebody who waits")
    limit.close()
    thread.join(60.0)

    assert len(refused) == 1


def _served(queue: FairQueue[str], count: int) -> str:
    return "".join(queue.serve() for _ in range(count))


def test_a_listing_takes_the_next_turn_though_two_hundred_deletions_wait() -> None:
    """However long they have waited, and however many turns their class has had."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(200):
        queue.join(Traffic.DELETE, "d")
    _served(queue, 30)

    queue.join(Traffic.LIST, "L")

    assert _served(queue, 3) == "Ldd"


def test_a_listing_of_many_pages_starves_nobody() -> None:
    """While all wait, each class has its share; within one it is first come, first served."""
    queue: FairQueue[str] = FairQueue()
    for traffic in Traffic:
        for _ in range(100):
            queue.join(traffic, traffic[0])

    served = _served(queue, 34)

    assert {name: served.count(name) for name in "lcdo"} == {"l": 16, "c": 8, "d": 8, "o": 2}


def test_creates_and_deletions_share_evenly_however_many_threads_each_has() -> None:
    """A burst of deletions does not keep machines from being made, nor the other way round."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(4):
        queue.join(Traffic.CREATE, "c")
    for _ in range(100):
        queue.join(Traffic.DELETE, "d")

    assert _served(queue, 10).count("c") == 4


def test_who_gives_up_waiting_makes_way() -> None:
    """The next of its class, or another class, goes instead."""
    queue: FairQueue[str] = FairQueue()
    queue.join(Traffic.LIST, "L")
    queue.join(Traffic.DELETE, "d")

    queue.leave(Traffic.LIST, "L")

    assert (queue.serve(), queue.first()) == ("d", None)
    with pytest.raises(LookupError):
        queue.serve()


def test_who_waits_is_let_through_in_fair_order_at_the_rate() -> None:
    """Threads that wait for a clock moved by hand: the listing came last and goes first."""
    clock = ManualClock()
    limit = RateLimit(per_s=10.0, clock=clock)
    _taken(limit)
    gone: list[Traffic] = []

    def call(traffic: Traffic) -> None:
        limit.take(traffic, wait_s_max=100.0)
        gone.append(traffic)

    threads = []
    for count, traffic in enumerate((Traffic.DELETE, Traffic.DELETE, Traffic.LIST), start=1):
        threads.append(threading.Thread(target=call, args=(traffic,)))
        threads[-1].start()
        wait_for(lambda n=count: len(list(limit._queue)) == n, 60.0, "it waits")  # type: ignore[misc]
    for count in (1, 2, 3):
        clock.advance(0.1001)
        wait_for(lambda n=count: len(gone) == n, 60.0, "one goes")  # type: ignore[misc]

    assert gone == [Traffic.LIST, Traffic.DELETE, Traffic.DELETE]


def test_a_call_whose_time_ran_out_while_the_process_stood_still_does_not_go() -> None:
    """Its turn has come long ago by then, but so has the end of its patience."""
    clock = ManualClock()
    limit = RateLimit(per_s=10.0, clock=clock)
    _taken(limit)
    refused: list[TryLaterError] = []

    def call() -> None:
        try:
            limit.take(Traffic.CREATE, wait_s_max=5.0)
        except TryLaterError as exc:
            refused.append(exc)

    thread = threading.Thread(target=call)
    thread.start()
    wait_for(lambda: any(limit._queue), 60.0, "it waits")
    clock.advance(76.0)
    thread.join(60.0)

    assert len(refused) == 1
