"""Answers of the cloud that stay true for a while, such as which image a name means."""

import threading
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from remuda.runtime.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: More different questions than this are not asked by any sane configuration.
ENTRIES_MAX: Final = 512


class TtlCache(Generic[K, V]):
    """Remembers answers for a time; failures are never remembered.

    Only one look-up runs at a time: twenty launches of one label shall cost one call, not twenty.
    """

    def __init__(self, *, ttl_s: float, clock: Clock) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[K, tuple[float, V]] = {}

    def get(self, key: K, load: Callable[[], V]) -> V:
        """Return the remembered answer, or the one of *load*, whose errors pass through."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and self._clock.monotonic_s() < entry[0]:
                return entry[1]
            value = load()
            if len(self._entries) >= ENTRIES_MAX:
                self._entries.clear()
            self._entries[key] = (self._clock.monotonic_s() + self._ttl_s, value)
            return value

    def clear(self) -> None:
        """Forget everything: the cloud has shown that it changed."""
        with self._lock:
            self._entries.clear()
