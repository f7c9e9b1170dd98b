"""The session's changes, told to whoever waits or holds something."""

import threading
from collections.abc import Callable

from remuda.store.api import Session, Store

Listener = Callable[[Session], None]


class Sessions:
    """Fans out the one session's changes, and lets threads wait for its return.

    Thread-safe. Listeners are called on the store's callback thread and must not block.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._listeners: dict[int, Listener] = {}
        self._numbers = 0
        store.on_session(self._on_session)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* on every change until the returned function is called."""
        with self._changed:
            self._numbers += 1
            number = self._numbers
            self._listeners[number] = listener

        def unsubscribe() -> None:
            with self._changed:
                self._listeners.pop(number, None)

        return unsubscribe

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the session is connected, at most *timeout_s* seconds; say whether it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._store.session is Session.CONNECTED, timeout=max(0.0, timeout_s)
            )

    def _on_session(self, session: Session) -> None:
        with self._changed:
            listeners = tuple(self._listeners.values())
            self._changed.notify_all()
        for listener in listeners:
            listener(session)
