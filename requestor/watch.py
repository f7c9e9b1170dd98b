"""One znode, looked at again when it changes: no polling, no missed news."""

import threading
from collections.abc import Callable
from typing import Final

from remuda.runtime.clock import Clock
from remuda.store.api import Session, Store, Stored, StoreError

#: An answer that is longer on its way is asked for again.
ANSWER_S: Final = 1.0


class ZnodeWatch:
    """Looks at one znode and knows when to look again.

    Thread-safe. News come from the watch, from a reconnect (a watch may have been lost with the
    connection), and from :meth:`poke`. After the first look a change is read as soon as the watch
    tells of it, on the store's thread: whoever waits is woken with the answer, not to ask for it.

    Attributes:
        lost: The session was lost since the watch began.
    """

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self._path = path
        self._news = threading.Condition()
        self._dirty = True
        self._resting = False
        self._reading = False
        self._asking = 0
        # What was read since the last look, in a tuple as there may be no znode; empty: nothing.
        self._seen: tuple[Stored[bytes] | None, ...] = ()
        self._listeners: list[Callable[[], None]] = []
        self._unsubscribe = store.on_session(self._on_session)
        self.lost = False

    def close(self) -> None:
        """Stop listening; whoever waits is woken."""
        self.rest()
        self._unsubscribe()
        self.poke()

    def rest(self) -> None:
        """Read nothing more by itself: what has been seen is all that somebody wanted to see."""
        self._resting = True

    def look(self) -> Stored[bytes] | None:
        """Return the znode as it was read last, or read it; it is watched from there on.

        Raises:
            StoreAwayError: If the answer did not come in time; look again.
        """
        with self._news:
            self._news.wait_for(lambda: not self._reading, timeout=ANSWER_S)
            self._dirty = False
            seen, self._seen = self._seen, ()
            if seen:
                return seen[0]
            self._asking += 1
        try:
            return self._store.watch_once(self._path, self._changed)
        finally:
            with self._news:
                self._asking -= 1

    def poke(self) -> None:
        """Say that it is worth to look again; never blocks."""
        self._tell(())

    def on_news(self, listener: Callable[[], None]) -> None:
        """Call *listener* with all news; it must not block. Called at once if there are any."""
        with self._news:
            self._listeners.append(listener)
            dirty = self._dirty
        if dirty:
            listener()

    def wait(self, clock: Clock, until_s: float | None) -> bool:
        """Wait for news until *until_s* by the monotonic clock; say whether there are any."""
        with self._news:
            rest_s = None if until_s is None else max(0.0, until_s - clock.monotonic_s())
            return self._news.wait_for(lambda: self._dirty, timeout=rest_s)

    def _changed(self) -> None:
        with self._news:
            if self._reading:
                return  # its answer comes after this notification, and so it tells of the change
            # So does a look's, but when that has arrived is known only to whoever looks.
            read = self._reading = not (self._resting or self._asking)
        if read:
            self._store.watch_later(self._path, self._changed, self._read)
        else:
            self.poke()

    def _read(self, answer: Stored[bytes] | StoreError | None) -> None:
        # Without an answer the next look asks itself, and says what is wrong.
        self._tell(() if isinstance(answer, StoreError) else (answer,), answered=True)

    def _tell(self, seen: tuple[Stored[bytes] | None, ...], *, answered: bool = False) -> None:
        """Wake whoever waits, with what was read; what was read before is old now."""
        with self._news:
            self._dirty, self._seen = True, seen
            self._reading = self._reading and not answered
            self._news.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def _on_session(self, session: Session) -> None:
        if session is Session.LOST:
            self.lost = True
        if session is not Session.SUSPENDED:
            self.poke()
