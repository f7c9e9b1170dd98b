"""All that a daemon's thread is told arrives here; it waits and takes a lock nowhere else."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from remuda.store.api import Change, Dirty, Put, Session, Synced

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class News(Generic[E]):
    """What came in since the last look.

    Attributes:
        session: The session's newest state, if it changed.
        changes: Changes of ZooKeeper, the last one of each path, oldest first.
        events: What hands returned, in order.
    """

    session: tuple[Session, ...]
    changes: tuple[Change, ...]
    events: tuple[E, ...]


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
        self._news = False

    def session(self, state: Session) -> None:
        """Tell a change of the session: no mirror is complete until it says so again."""
        with self._cond:
            for key in [key for key in self._changes if key.startswith("=")]:
                del self._changes[key]
            self._session.append(state)
            self._tell()

    def change(self, change: Change) -> None:
        """Tell a change of a mirrored path.

        That something is being read (Dirty) is no reason to wake up: what it says follows, and
        a turn in between would only delay it. Nor is what we wrote ourselves, as whoever wrote it
        gets an answer. It is there when anything else wakes the brain.
        """
        key = f"={change.root}" if isinstance(change, Synced) else change.path
        with self._cond:
            # To the end of the line, so that Synced still comes after what it speaks of.
            self._changes.pop(key, None)
            self._changes[key] = change
            if not (isinstance(change, Dirty) or (isinstance(change, Put) and change.own)):
                self._tell()

    def event(self, event: E, *, urgent: bool = True) -> None:
        """Hand back what an action did; unless that is *urgent* it is no reason to wake up."""
        with self._cond:
            self._events.append(event)
            if urgent:
                self._tell()

    def wake(self) -> None:
        """Ask for a look, with nothing to tell."""
        with self._cond:
            self._tell()

    def drain(self, *, wait_s_max: float | None) -> News[E]:
        """Wait for news, at most *wait_s_max* seconds (None: for ever), and take all there is."""
        with self._cond:
            self._cond.wait_for(lambda: self._news, timeout=wait_s_max)
            news = News(
                session=tuple(self._session),
                changes=tuple(self._changes.values()),
                events=tuple(self._events),
            )
            self._session.clear()
            self._changes = {}
            self._events.clear()
            self._news = False
            return news

    def _tell(self) -> None:
        """Wake the brain; with the lock held."""
        self._news = True
        self._cond.notify()
