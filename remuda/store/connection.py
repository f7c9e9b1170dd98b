"""Kazoo's connection with batches, answers without a change of thread, and watches of subtrees.

Kazoo 2.11 keeps the session for us: hosts, TLS, authentication, pings, time-outs, reconnects.
What it does per request is replaced, as it costs more than everything above it: it wakes its
I/O thread by one byte per request through a socket pair that holds some 270 of them (whoever
asks for more *on* that thread waits for itself), creates an epoll object per read and per write,
sends each request with a system call of its own, reads each reply with two, and hands each
result to another thread. Here whoever asks also sends, without waking anybody; what is asked for
on the I/O thread is sent in batches; replies are read in batches, and callbacks run at once on
the I/O thread, one after the other, in the order of the stream.

One thread sends at a time, and it sends whatever is queued (see ``WireClient.submit``). Only the
I/O thread ever waits for the socket: what a full socket does not take from another thread, and
all that goes through TLS (OpenSSL takes no reader beside a writer), is left to it.

The parts of kazoo that are overridden have underscores; ``tests/contract/store`` holds them. What
they save is measured (docs/adr/0023).
"""

import select
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from kazoo.exceptions import AuthFailedError, ConnectionDropped, SessionClosedRequireSaslError
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.connection import AUTH_XID, ConnectionHandler
from kazoo.protocol.serialization import Auth, ReplyHeader

from remuda.runtime.clock import Clock
from remuda.store.addwatch import notification
from remuda.store.api import StoreAwayError, StoreError
from remuda.store.options import StoreTls
from remuda.store.tls import open_socket

_HEADER: Final = struct.Struct("!iii")
_REPLY_HEADER: Final = struct.Struct("!iqi")
_LENGTH: Final = struct.Struct("!i")
_CHUNK_BYTES: Final = 65536
# The largest answer is a list of names; 64 MiB are two million of them.
_ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
_XID_MAX: Final = 0x7FFFFFFF
_NOT_YET: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class WireRequest(Protocol):
    """A request of ours, see remuda.store.packets."""

    @property
    def type(self) -> int:
        """ZooKeeper's number of the operation (ZooDefs.OpCode)."""

    def serialize(self) -> bytes:
        """Return the body."""


class ConnectionClient(Protocol):
    """What the connection needs of its client, which is a kazoo client, too.

    Attributes:
        clock: Tells how long the server has been silent.
        turn: Runs a callback, one at a time.
        on_notification: Gets type and path of every notification.
        last_zxid: The last transaction that we have heard of.
    """

    clock: Clock
    turn: Callable[..., None]
    on_notification: Callable[[int, str], None]
    last_zxid: int
    # Kazoo's own: what has been sent and not answered, and who watches what through kazoo.
    _pending: deque[Any]
    _data_watchers: Container[str]
    _child_watchers: Container[str]

    def promise(self) -> None:
        """Promise to look at the queue soon: nobody else needs to. I/O thread only."""

    def next_batch(self) -> list[tuple[Any, Any]]:
        """Take requests up to a batch's size; if there are none, the promise is kept."""


class Waiter:
    """Who waits for an answer: gets the error code and the bytes, or an exception."""

    __slots__ = ("_answer", "_fail", "_turn")

    def __init__(
        self,
        answer: Callable[[int, bytes, int, int], None],
        fail: Callable[[StoreError], None],
        turn: Callable[..., None],
    ) -> None:
        self._answer = answer
        self._fail = fail
        self._turn = turn

    def answer(self, code: int, raw: bytes, at: int, zxid: int) -> None:
        """Take the answer: ZooKeeper's error *code* or 0, the body at *at* of *raw*, its zxid."""
        self._turn(self._answer, code, raw, at, zxid)

    def fail(self, error: StoreError) -> None:
        """Take that there will be no answer."""
        self._turn(self._fail, error)

    def set_exception(self, error: Exception) -> None:
        """Take what kazoo says when there will be no answer: the connection is gone."""
        self.fail(StoreAwayError(f"no answer from ZooKeeper: {error!r}"))


class PollHandler(SequentialThreadingHandler):  # type: ignore[misc]
    """Kazoo's threads, with a poll(2) that is set up once instead of an epoll object per call.

    Args:
        tls: How a connection is secured; None: not at all.
        connect_s: How long a server may take until a connection to it can be used.
        clock: Tells how much of that is left.
    """

    def __init__(self, *, tls: StoreTls | None, connect_s: float, clock: Clock) -> None:
        super().__init__()
        self._tls = tls
        self._connect_s = connect_s
        self._clock = clock
        self._polled: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self._poller = select.poll()

    def create_connection(
        self, address: tuple[str, int], hostname: str | None = None, **_kazoo: Any
    ) -> socket.socket:
        """Connect in our way; what kazoo would do about TLS is too little. I/O thread only."""
        host = hostname or address[0]
        return open_socket(address, host, self._tls, timeout_s=self._connect_s, clock=self._clock)

    def select(
        self, rlist: list[Any], wlist: list[Any], _xlist: list[Any], timeout: float | None = None
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Wait until one of the sockets can be read or written; errors count as both.

        I/O thread only.
        """
        wanted = (tuple(s.fileno() for s in rlist), tuple(s.fileno() for s in wlist))
        if wanted != self._polled:
            self._polled, self._poller = wanted, select.poll()
            for number in wanted[0]:
                self._poller.register(number, select.POLLIN)
            for number in wanted[1]:
                self._poller.register(number, select.POLLOUT)
        found = {
            one
            for one, _ in self._poller.poll(None if timeout is None else max(0.0, timeout * 1000.0))
        }
        return (
            [sock for sock, number in zip(rlist, wanted[0], strict=True) if number in found],
            [sock for sock, number in zip(wlist, wanted[1], strict=True) if number in found],
            [],
        )


class BatchingConnection(ConnectionHandler):  # type: ignore[misc]
    """The I/O thread.

    Attributes:
        fault: The last error on the socket, None after a success; tells TLS from network.
        peer: The server that we talk to, or tried to: ``host:port``.
    """

    client: ConnectionClient
    _xid: int

    def __init__(self, client: ConnectionClient, *args: Any, **kwargs: Any) -> None:
        super().__init__(client, *args, **kwargs)
        self.fault: OSError | None = None
        self.peer = ""
        self._inbound = bytearray()
        self._at = 0
        self._heard_s = 0.0
        # Guards what follows, the numbering of requests, and who writes to the socket.
        self._sending = threading.Lock()
        self._unsent = b""
        self._shared = False

    @contextmanager
    def _socket_error_handling(self) -> Iterator[None]:
        """Translate as kazoo does, but remember the cause."""
        try:
            yield
        except OSError as error:
            self.fault = error
            raise ConnectionDropped(f"socket connection error: {error}") from error

    def _connect(self, host: str, hostip: str, port: int) -> Any:
        """Start a connection with nothing left of the one before."""
        self._inbound.clear()
        self._at = 0
        self._unsent = b""
        self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            timeouts = super()._connect(host, hostip, port)
        except SessionClosedRequireSaslError as error:
            # How newer servers say that the proof was wrong; kazoo knows the older ways only.
            raise AuthFailedError("the server does not take our proof") from error
        self._heard_s = self.client.clock.monotonic_s()
        self.fault = None
        with self._sending:
            # Not before: while it authenticates, kazoo takes the next reply for its own.
            self._shared = not isinstance(self._socket, ssl.SSLSocket)
        return timeouts

    def _authenticate_with_sasl(self, host: str, timeout: float) -> None:
        """Authenticate as kazoo does, but take a lost connection for what it is: try again.

        Kazoo takes it for a refusal and gives up for ever. The servers that we can use (3.6) say
        that they refuse before they hang up.
        """
        try:
            super()._authenticate_with_sasl(host, timeout)
        except AuthFailedError as error:
            if not isinstance(error.__cause__, ConnectionDropped | OSError):
                raise
            self.fault = ConnectionResetError("the server hung up while we authenticated")
            raise ConnectionDropped(str(self.fault)) from error

    def keep_to_itself(self) -> None:
        """Let no other thread send any more: the connection is going. I/O thread only."""
        with self._sending:
            self._shared = False

    def _read_header(self, timeout: float) -> tuple[ReplyHeader, bytes, int]:
        """Return the next packet: its header, all of it, and where its body begins."""
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, timeout))
        packet = self._read(length, timeout)
        return ReplyHeader(*_REPLY_HEADER.unpack_from(packet)), packet, _REPLY_HEADER.size

    def _read(self, length: int, timeout: float) -> bytes:
        """Return *length* bytes, reading ahead what the socket has; *timeout* is for all of it."""
        if not 0 <= length <= _ANSWER_BYTES_MAX:
            raise ConnectionDropped(f"an answer of {length} bytes")
        if len(self._inbound) - self._at < length:
            self._fetch(length, timeout)
        end = self._at + length
        taken = bytes(self._inbound[self._at : end])
        self._at = end
        if end == len(self._inbound):
            self._inbound.clear()
            self._at = 0
        return taken

    def _fetch(self, length: int, timeout: float) -> None:
        """Read until *length* bytes are there, however few come at a time."""
        end_s = self.client.clock.monotonic_s() + timeout
        while len(self._inbound) - self._at < length:
            self._fill(max(0.0, end_s - self.client.clock.monotonic_s()))

    def _fill(self, timeout: float) -> None:
        """Read once from the socket, waiting at most *timeout* seconds."""
        with self._socket_error_handling():
            try:
                chunk = self._socket.recv(_CHUNK_BYTES)
            except _NOT_YET:
                if not self.handler.select([self._socket], [], [], timeout)[0]:
                    raise self.handler.timeout_exception("socket time-out during read") from None
                return
        if not chunk:
            raise ConnectionDropped("the server closed the connection")
        self._heard_s = self.client.clock.monotonic_s()
        if self._at:
            del self._inbound[: self._at]
            self._at = 0
        self._inbound += chunk

    def _whole_reply_waits(self) -> bool:
        """Return whether a whole packet, or an unknown part of one inside TLS, has been read."""
        waiting = len(self._inbound) - self._at
        if waiting >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._inbound, self._at)
            if waiting >= _LENGTH.size + length:
                return True
        # Decrypted bytes are invisible to poll(2), so they must be taken now.
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def send_from_here(self) -> None:
        """Send the queue without waiting, on any thread; the I/O thread does what cannot be."""
        if self._sending.acquire(blocking=False):
            try:
                done = self._shared and self._send_at_once()
            finally:
                self._sending.release()
            if done:
                return
        self._write_sock.send(b"\0")

    def _send_at_once(self) -> bool:
        """Return whether the socket took all of the queue; with the lock."""
        try:
            while self._unsent or self._pack_batch():
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except OSError:
            # Full, or broken: then the I/O thread meets the same error and ends the connection.
            return False
        return True

    def _write(self, msg: bytes | bytearray, timeout: float) -> None:
        """Send all of *msg*, after what another thread could not send. I/O thread only."""
        with self._sending:
            self._unsent += msg
            self._flush(timeout)

    def _flush(self, timeout: float) -> None:
        """Send what is packed; try before asking whether it is possible. With the lock."""
        with self._socket_error_handling():
            while self._unsent:
                try:
                    self._unsent = self._unsent[self._socket.send(self._unsent) :]
                except _NOT_YET:
                    if not self.handler.select([], [self._socket], [], timeout)[1]:
                        raise self.handler.timeout_exception(
                            "socket time-out during write"
                        ) from None

    def _read_socket(self, read_timeout: float) -> Any:
        """Take every packet that has arrived, then send what the callbacks asked for."""
        self.client.promise()
        while True:
            response = super()._read_socket(read_timeout)
            if response is not None or not self._whole_reply_waits():
                break
        self._send_waiting(read_timeout)
        return response

    def _send_request(self, read_timeout: float, connect_timeout: float) -> None:
        """Send what is waiting; kazoo calls this when its thread was woken.

        Kazoo takes any request for a ping, and looks for the answers to pings alone: who goes
        on sending would never find out that nobody answers.
        """
        if self.client.clock.monotonic_s() - self._heard_s > read_timeout:
            raise ConnectionDropped("the server has been silent for too long")
        self._read_sock.recv(_CHUNK_BYTES)
        self.client.promise()
        self._send_waiting(connect_timeout)

    def _send_waiting(self, timeout: float) -> None:
        """Send the queue in batches until it is empty. I/O thread only."""
        with self._sending:
            self._flush(timeout)
            while self._pack_batch():
                self._flush(timeout)

    def _pack_batch(self) -> bool:
        """Pack what is queued, up to a batch, and return whether there was any; with the lock."""
        batch = self.client.next_batch()
        self._unsent += b"".join([self._packed(request, reply) for request, reply in batch])
        return bool(batch)

    def _packed(self, request: Any, reply: Any) -> bytes:
        """Return one request as bytes, and expect its reply."""
        if request.type == Auth.type:
            xid = AUTH_XID
        else:
            xid = self._xid = (self._xid % _XID_MAX) + 1
        body: bytes = request.serialize()
        # Before it is sent: if sending fails, kazoo fails whatever is pending.
        self.client._pending.append((request, reply, xid))  # noqa: SLF001 - kazoo's own ledger
        return _HEADER.pack(len(body) + 8, xid, request.type) + body

    def _read_response(self, header: Any, buffer: bytes, offset: int) -> Any:
        """Give a reply to the one who asked; requests of kazoo's own go kazoo's way."""
        pending = self.client._pending  # noqa: SLF001 - kazoo's own ledger
        _request, reply, xid = pending[0]
        if not isinstance(reply, Waiter):
            return super()._read_response(header, buffer, offset)
        pending.popleft()
        if header.xid != xid:
            reply.set_exception(ConnectionDropped("replies came out of order"))
            raise ConnectionDropped(f"expected the reply to {xid}, got {header.xid}")
        if header.zxid > 0:
            self.client.last_zxid = header.zxid
        reply.answer(header.err, buffer, offset, header.zxid)
        return None

    def _read_watch_event(self, buffer: bytes, offset: int) -> None:
        """Tell our listener; watches set through kazoo itself still work."""
        kind, path = notification(buffer, offset)
        client = self.client
        if path in client._data_watchers or path in client._child_watchers:  # noqa: SLF001
            super()._read_watch_event(buffer, offset)
        client.turn(client.on_notification, kind, path)
