"""What one client still has to give back or to cancel."""

import threading
from typing import Protocol


class Holding(Protocol):
    """Something that must not stay behind."""

    def abandon(self) -> None:
        """Give it up; never raises for ZooKeeper's absence, as the session's end does the same."""


class Holdings:
    """The open ends of a client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, Holding] = {}

    def add(self, holding: Holding) -> None:
        """Remember *holding* until it is dropped."""
        with self._lock:
            self._held[id(holding)] = holding

    def drop(self, holding: Holding) -> None:
        """Forget *holding*, if it is there."""
        with self._lock:
            self._held.pop(id(holding), None)

    def __len__(self) -> int:
        """Return how many there are."""
        with self._lock:
            return len(self._held)

    def abandon_all(self) -> None:
        """Give up everything."""
        with self._lock:
            held = tuple(self._held.values())
        for holding in held:
            holding.abandon()
