"""Waiting for the session's return."""

import threading

from remuda.store.api import Session, Store


class Sessions:
    """Lets threads wait until ZooKeeper is back. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._stop = store.on_session(self._on_session)

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the session is connected, at most *timeout_s* seconds; say whether it is.

        Raises:
            StoreRefusedError: If it never will be.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._store.session is Session.CONNECTED or self._store.refusal,
                timeout=max(0.0, timeout_s),
            )
        if self._store.refusal is not None:
            raise self._store.refusal
        return self._store.session is Session.CONNECTED

    def close(self) -> None:
        """Stop listening."""
        self._stop()

    def _on_session(self, _session: Session) -> None:
        with self._changed:
            self._changed.notify_all()
