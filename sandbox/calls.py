"""Counting the API calls, by service and operation."""

from __future__ import annotations

from collections import Counter
from typing import Any


class CallCounts:
    """How often each operation was called since the last reset, and how it was answered."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str]] = Counter()
        self._statuses: Counter[tuple[str, str, str]] = Counter()

    def count(self, service: str, operation: str) -> None:
        """Note that a call arrived."""
        self._calls[service, operation] += 1

    def answered(self, service: str, operation: str, outcome: str) -> None:
        """Note its outcome: a status, or ``dropped``, or ``lost``."""
        self._statuses[service, operation, outcome] += 1

    def reset(self) -> None:
        """Forget all counts."""
        self._calls.clear()
        self._statuses.clear()

    def doc(self) -> dict[str, Any]:
        """Return the counts as ``{service: {operation: {"calls": n, "outcomes": {...}}}}``."""
        doc: dict[str, Any] = {}
        for (service, operation), calls in sorted(self._calls.items()):
            outcomes = {
                outcome: n
                for (s, o, outcome), n in sorted(self._statuses.items())
                if (s, o) == (service, operation)
            }
            doc.setdefault(service, {})[operation] = {"calls": calls, "outcomes": outcomes}
        return doc
