"""The limit of calls per second."""

import threading

import pytest

from remuda.cloud.api import TryLaterError
from remuda.cloud.rate import RateLimit
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
        each.join(5.0)

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
    wait_for(lambda: limit._due_s > 150.0, 5.0, "the reservation")
    limit.close()
    thread.join(5.0)

    assert len(refused) == 1
