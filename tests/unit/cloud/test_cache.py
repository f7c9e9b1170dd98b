"""Remembered answers."""

import threading

import pytest

from remuda.cloud.api import BadOrderError
from remuda.cloud.cache import ENTRIES_MAX, TtlCache
from tests.fakes.clock import ManualClock


def test_answer_is_remembered_for_its_time_only() -> None:
    """And per question."""
    clock = ManualClock()
    cache = TtlCache[str, int](ttl_s=60.0, clock=clock)
    answers = iter(range(10))

    assert cache.get("a", lambda: next(answers)) == 0
    assert cache.get("b", lambda: next(answers)) == 1
    clock.advance(59.0)
    assert cache.get("a", lambda: next(answers)) == 0
    clock.advance(1.0)
    assert cache.get("a", lambda: next(answers)) == 2
    cache.clear()
    assert cache.get("a", lambda: next(answers)) == 3


def test_failure_is_not_remembered() -> None:
    """The next one asks again."""
    cache = TtlCache[str, int](ttl_s=60.0, clock=ManualClock())

    def fail() -> int:
        raise BadOrderError("no")

    with pytest.raises(BadOrderError):
        cache.get("a", fail)
    assert cache.get("a", lambda: 7) == 7


def test_memory_is_bounded() -> None:
    """Whatever is asked."""
    cache = TtlCache[int, int](ttl_s=60.0, clock=ManualClock())

    for key in range(ENTRIES_MAX + 5):
        cache.get(key, lambda: 0)

    assert len(cache._entries) <= ENTRIES_MAX


def test_twenty_threads_cost_one_look_up() -> None:
    """Launches of one label come in bursts."""
    cache = TtlCache[str, int](ttl_s=60.0, clock=ManualClock())
    looked: list[int] = []

    def load() -> int:
        looked.append(1)
        return 1

    threads = [threading.Thread(target=cache.get, args=("a", load)) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60.0)

    assert len(looked) == 1
