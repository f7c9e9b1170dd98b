"""Where the sandbox gets its time from."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A wall clock, in seconds since the epoch; injected so that tests can turn it."""

    def now_s(self) -> float:
        """Return the time."""


class SystemClock:
    """The clock of this machine."""

    def now_s(self) -> float:
        """Return the time."""
        return time.time()


class SkewedClock:
    """A clock that is wrong by as much as it is told.

    Attributes:
        offset_s: How far it is ahead.
    """

    def __init__(self, right: Clock, offset_s: float = 0.0) -> None:
        self._right = right
        self.offset_s = offset_s

    def now_s(self) -> float:
        """Return the wrong time."""
        return self._right.now_s() + self.offset_s


def iso(at_s: float) -> str:
    """Write *at_s* as Nova, Glance and Neutron do: ``2026-01-31T23:59:59Z``."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_micro(at_s: float) -> str:
    """Write *at_s* with microseconds, as Keystone does for tokens and Nova for ``launched_at``."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def from_iso(text: str) -> float:
    """Read an ISO 8601 time; one without a zone is UTC, as in OpenStack.

    Raises:
        ValueError: If *text* is no such time.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
