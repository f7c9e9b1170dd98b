"""One znode, looked at again when it changes: no polling, no missed news."""

import threading
from collections.abc import Callable

from remuda.runtime.clock import Clock
from remuda.store.api import Session, Store, Stored


class Eye:
    """Looks at one znode and knows when to look again.

    Thread-safe. News come from the watch, from a reconnect (a watch may have been lost with the
    connection), and from :meth:`poke`.

    Attributes:
        lost: The session was lost since the eye was opened.
    """

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self._path = path
        self._news = threading.Condition()
        self._dirty = True
        self._listeners: list[Callable[[], None]] = []
        self._unsubscribe = store.on_session(self._on_session)
        self.lost = False

    def close(self) -> None:
        """Stop listening; whoever waits is woken."""
        self._unsubscribe()
        self.poke()

    def look(self) -> Stored[bytes] | None:
        """Read the znode and watch it from here on.

        Raises:
            StoreAwayError: If the answer did not come in time; look again.
        """
        with self._news:
            self._dirty = False
        return self._store.watch_once(self._path, self.poke)

    def poke(self) -> None:
        """Say that it is worth to look again; never blocks."""
        with self._news:
            self._dirty = True
            self._news.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

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

    def _on_session(self, session: Session) -> None:
        if session is Session.LOST:
            self.lost = True
        if session is not Session.SUSPENDED:
            self.poke()
