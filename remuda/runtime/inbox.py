"""The daemon's only ear, its only lock and its only place to wait."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from remuda.store.api import Change, Session, Synced

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class News(Generic[E]):
    """What came in since the last look.

    Attributes:
        session: The session's newest state, if it changed.
        changes: Changes of ZooKeeper, the last one of each path, oldest first.
        events: What hands returned, in order.
        woken: Somebody only wants a look (signal, reload).
    """

    session: tuple[Session, ...]
    changes: tuple[Change, ...]
    events: tuple[E, ...]
    woken: bool


class Inbox(Generic[E]):
    """Collects news from any thread until the brain drains it.

    Bounded: changes by the number of mirrored paths (a newer one replaces the older), events by
    the number of actions under way.
    """

    def __init__(self) -> None:
        self._cond = threading.Condition()
        self._session: deque[Session] = deque(maxlen=16)
        self._changes: dict[str, Change] = {}
        self._events: deque[E] = deque()
        self._woken = False

    def session(self, state: Session) -> None:
        """Tell a change of the session: no mirror is complete until it says so again."""
        with self._cond:
            for key in [key for key in self._changes if key.startswith("=")]:
                del self._changes[key]
            self._session.append(state)
            self._cond.notify()

    def change(self, change: Change) -> None:
        """Tell a change of a mirrored path."""
        key = f"={change.root}" if isinstance(change, Synced) else change.path
        with self._cond:
            # To the end of the line, so that Synced still comes after what it speaks of.
            self._changes.pop(key, None)
            self._changes[key] = change
            self._cond.notify()

    def event(self, event: E) -> None:
        """Hand back what an action did."""
        with self._cond:
            self._events.append(event)
            self._cond.notify()

    def wake(self) -> None:
        """Ask for a look, with nothing to tell."""
        with self._cond:
            self._woken = True
            self._cond.notify()

    def drain(self, *, wait_s_max: float | None) -> News[E]:
        """Wait for news, at most *wait_s_max* seconds (None: for ever), and take all there is."""
        with self._cond:
            self._cond.wait_for(self._any, timeout=wait_s_max)
            news = News(
                session=tuple(self._session),
                changes=tuple(self._changes.values()),
                events=tuple(self._events),
                woken=self._woken,
            )
            self._session.clear()
            self._changes = {}
            self._events.clear()
            self._woken = False
            return news

    def _any(self) -> bool:
        return bool(self._changes or self._events or self._session or self._woken)
