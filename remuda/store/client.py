"""Kazoo's client with a gate before its queue, made from our options."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.protocol.states import KeeperState
from kazoo.retry import KazooRetry

from remuda.runtime.clock import Clock
from remuda.secret import Secret
from remuda.store.connection import BatchingConnection, PollHandler, Waiter, WireRequest
from remuda.store.options import StoreOptions, StoreSasl, StoreTls

_BATCH_BYTES: Final = 65536
_CONNECTED: Final = frozenset({KeeperState.CONNECTED, KeeperState.CONNECTED_RO})
# Soon enough after a leader election (a few hundred ms), rare enough for a dead ensemble.
_RETRY_S_FIRST: Final = 0.1
_RETRY_S_MAX: Final = 2.0
# A handshake with a server that has just started takes the better part of it.
_CONNECT_S_MIN: Final = 1.0


class WireClient(KazooClient):  # type: ignore[misc]
    """A kazoo client on a :class:`BatchingConnection`, with a gate before its queue.

    The gate is shut whenever the connection is not up, so that nothing is queued for a later
    connection; kazoo alone would keep such requests, or lose them for ever with a dead session.

    Attributes:
        clock: Tells how long the server has been silent.
        turn: Runs a callback: set by the owner, which serialises them.
        on_notification: Gets type and path of every notification.
        auth_failed: Whether the server refused our credentials; kazoo gives up then.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        turn: Callable[..., None],
        on_notification: Callable[[int, str], None],
        tls: StoreTls | None = None,
        sasl: StoreSasl | None = None,
        connect_s: float,
        **kwargs: Any,
    ) -> None:
        self._gate = threading.Lock()
        self._open = False
        self._promised = False
        self.auth_failed = False
        self.clock = clock
        self.turn = turn
        self.on_notification = on_notification
        handler = PollHandler(tls=tls, connect_s=connect_s, clock=clock)
        super().__init__(handler=handler, use_ssl=tls is not None, **kwargs)
        self._connection = BatchingConnection(
            self, self._conn_retry.copy(), logger=self.logger, sasl_options=_sasl_options(sasl)
        )

    @property
    def fault(self) -> OSError | None:
        """The last error on the socket, None while it works."""
        fault: OSError | None = self._connection.fault
        return fault

    @property
    def peer(self) -> str:
        """The server that we talk to, or tried to last: ``host:port``."""
        peer: str = self._connection.peer
        return peer

    def submit(self, request: WireRequest, reply: Waiter) -> bool:
        """Queue *request* for sending; false if the connection is away: nothing will come.

        Whoever finds that nobody has promised to look at the queue sends it, on this thread.
        """
        with self._gate:
            if not self._open:
                return False
            self._queue.append((request, reply))
            mine, self._promised = not self._promised, True
        if mine:
            self._connection.send_from_here()
        return True

    def promise(self) -> None:
        """Promise to look at the queue soon: nobody else needs to. I/O thread only."""
        with self._gate:
            self._promised = True

    def next_batch(self) -> list[tuple[Any, Any]]:
        """Take requests up to a batch's size; if there are none, the promise is kept."""
        batch: list[tuple[Any, Any]] = []
        size = 0
        with self._gate:
            while self._open and self._queue and size < _BATCH_BYTES:
                pair = self._queue.popleft()
                batch.append(pair)
                size += len(getattr(pair[0], "body", b""))
            if not batch:
                self._promised = False
        return batch

    def _session_callback(self, state: Any) -> None:
        """Shut the gate before kazoo fails what is pending; open it for a new connection."""
        connected = state in _CONNECTED
        self.auth_failed = self.auth_failed or state == KeeperState.AUTH_FAILED
        if not connected:
            self._connection.keep_to_itself()
        with self._gate:
            self._open = connected
            if connected:
                self._promised = False
        super()._session_callback(state)


def _sasl_options(sasl: StoreSasl | None) -> dict[str, str] | None:
    """Return what kazoo passes on to pure-sasl."""
    if sasl is None:
        return None
    password = Secret(sasl.password).reveal()  # pure-sasl makes bytes of its str()
    return {"mechanism": "DIGEST-MD5", "username": sasl.username, "password": password}


def wire_client(
    options: StoreOptions, *, clock: Clock, **callbacks: Callable[..., None]
) -> WireClient:
    """Return a client that is not started; *callbacks* are those of WireClient."""
    quiet = logging.getLogger("remuda.store.kazoo")
    # Kazoo warns at every attempt to reconnect; we say once what we wait for.
    quiet.setLevel(logging.ERROR)
    return WireClient(
        hosts=",".join(options.hosts),
        timeout=options.session_s,
        connection_retry=KazooRetry(max_tries=-1, delay=_RETRY_S_FIRST, max_delay=_RETRY_S_MAX),
        auth_data=set(options.credentials),
        tls=options.tls,
        sasl=options.sasl,
        # One that does not answer must leave the others time before the session ends.
        connect_s=max(_CONNECT_S_MIN, options.session_s / len(options.hosts)),
        logger=quiet,
        clock=clock,
        **callbacks,
    )
