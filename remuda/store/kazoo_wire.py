"""The wire to a real ZooKeeper, by way of kazoo."""

import logging
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from kazoo.exceptions import KazooException
from kazoo.protocol.states import KazooState

from remuda.runtime.clock import Clock
from remuda.store import tls
from remuda.store.access import Access, Acl
from remuda.store.addwatch import TOO_OLD, UNIMPLEMENTED, AddWatch, RemoveWatches
from remuda.store.api import (
    Create,
    ExistsError,
    MissingError,
    NoTreeError,
    Op,
    Session,
    StoreAwayError,
    StoreError,
    StoreRefusedError,
    TooLargeError,
)
from remuda.store.client import wire_client
from remuda.store.connection import Waiter, WireRequest
from remuda.store.mirror import lineage
from remuda.store.options import StoreOptions
from remuda.store.packets import (
    GetChildren,
    GetData,
    Sync,
    Transaction,
    acl_packer,
    rejection,
    transaction,
)
from remuda.store.securing import GetAcl, SetAcl
from remuda.store.wire import Children, Listener, OpDone, ReadZnode

log = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVar("A")

_SESSIONS: Final = {
    KazooState.CONNECTED: Session.CONNECTED,
    KazooState.SUSPENDED: Session.SUSPENDED,
    KazooState.LOST: Session.LOST,
}
# A path that nobody uses, to try a watch on.
_PROBE: Final = "/remuda/.probe"
_AWAY: Final = "the connection to ZooKeeper is away"
_REFUSED: Final = "ZooKeeper refused our credentials (authentication failed)"


class KazooWire:
    """One session with a real ZooKeeper. See :class:`remuda.store.wire.StoreWire`."""

    def __init__(self, options: StoreOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._root = options.chroot
        self._acl = acl_packer(Access.of(options))
        self._turn_lock = threading.RLock()
        self._turn_thread = 0
        self._once: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
        self._listener: Listener | None = None
        self._session = Session.LOST
        self._closed = False
        self._client = wire_client(
            options, clock=clock, turn=self._turn, on_notification=self._notified
        )
        self._client.add_listener(partial(self._turn, self._session_changed))

    @property
    def session(self) -> Session:
        """See Wire."""
        return self._session

    @property
    def session_id(self) -> int:
        """See Wire."""
        return (self._client._session_id or 0) if self._session is not Session.LOST else 0  # noqa: SLF001 - kazoo shows it only while connected

    @property
    def refusal(self) -> StoreRefusedError | None:
        """See Wire."""
        return StoreRefusedError(_REFUSED) if self._client.auth_failed else None

    def listen(self, listener: Listener) -> None:
        """See Wire."""
        self._listener = listener

    def start(self) -> None:
        """Begin to connect, and go on for ever."""
        self._client.start_async()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait at most *timeout_s* seconds for a connection.

        Raises:
            StoreRefusedError: If the server does not let us in, so that waiting is no use.
        """
        connected = self._client._live.wait(timeout_s)  # noqa: SLF001 - start_async returned it
        if self.refusal:
            raise self.refusal
        if connected:
            return True
        fault = self._client.fault
        if isinstance(fault, ssl.SSLError) and not isinstance(fault, ssl.SSLEOFError):
            raise StoreRefusedError(f"TLS with {self._client.peer} failed: {tls.explain(fault)}")
        return False

    def prepare(self) -> None:
        """See that the chroot is there, or create it, and that the server can watch subtrees.

        Raises:
            NoTreeError: If it is not, and is not to be created.
            StoreRefusedError: If it cannot, or does not let us in.
            StoreAwayError: If the connection went away.
        """

        def outer(_path: str) -> bytes:
            return self._acl("/")  # whatever the parts of the chroot are called

        for path in lineage(self._root) if self._root else ():
            # Who may not create in an outer part may still find it there.
            if isinstance(self._plainly(path, GetData(path)), MissingError):
                if not self._options.make_chroot:
                    servers = ",".join(self._options.hosts)
                    raise NoTreeError(f"ZooKeeper at {servers} has no {self._root}")
                made = self._plainly(path, transaction([Create(path=path)], root="", acl=outer))
                if isinstance(made, StoreError) and not isinstance(made, ExistsError):
                    raise made
        refused = self.ask(partial(self.watch_tree, _PROBE))
        if refused is not None:
            raise refused
        self.unwatch_tree(_PROBE)

    def _plainly(self, path: str, request: GetData | Transaction) -> object:
        """Return the answer to *request*, whose path is the server's."""

        def start(done: Callable[[object], None]) -> None:
            self._send(request, self._reply(path, request.deserialize, done, done))

        return self.ask(start)

    @property
    def fault(self) -> str:
        """Say why there is no connection, as far as known."""
        fault = self._client.fault
        return str(fault) if fault else "no answer"

    def get(self, path: str, done: Callable[[ReadZnode | StoreError | None], None]) -> None:
        """See Wire."""
        request = GetData(self._full(path))
        self._send(request, self._reply(path, request.deserialize, _none_if_missing(done), done))

    def children(self, path: str, done: Callable[[Children | StoreError | None], None]) -> None:
        """See Wire."""
        request = GetChildren(self._full(path))
        self._send(request, self._reply(path, request.deserialize, _none_if_missing(done), done))

    def sync(self, path: str, done: Callable[[StoreError | None], None]) -> None:
        """See Wire."""
        request = Sync(self._full(path))
        self._send(request, self._reply(path, request.deserialize, done, done))

    def commit(
        self, ops: Sequence[Op], done: Callable[[tuple[OpDone, ...] | StoreError], None]
    ) -> None:
        """See Wire."""
        try:
            request = transaction(ops, root=self._root, acl=self._acl)
        except TooLargeError as error:
            self._later(partial(done, error))
            return
        self._commit(ops[0].path, request, done)

    def watch_tree(self, root: str, done: Callable[[StoreError | None], None]) -> None:
        """See Wire."""
        request = AddWatch(self._full(root))
        self._send(request, self._reply(root, request.deserialize, done, done))

    def unwatch_tree(self, root: str) -> None:
        """See Wire."""
        request = RemoveWatches(self._full(root))
        self._send(request, self._reply(root, request.deserialize, _ignore, _ignore))

    def watch_once(
        self,
        path: str,
        fired: Callable[[], None],
        done: Callable[[ReadZnode | StoreError | None], None],
    ) -> None:
        """See Wire."""
        request = GetData(self._full(path), watch=True)

        def answered(found: ReadZnode | StoreError) -> None:
            if isinstance(found, ReadZnode):
                self._once[self._full(path)].append(fired)
            _none_if_missing(done)(found)

        self._send(request, self._reply(path, request.deserialize, answered, done))

    def get_acl(self, path: str, done: Callable[[Acl | StoreError], None]) -> None:
        """See remuda.store.securing.AclWire."""
        request = GetAcl(self._full(path))
        self._send(request, self._reply(path, request.deserialize, done, done))

    def set_acl(self, path: str, acl: Acl, done: Callable[[StoreError | None], None]) -> None:
        """See remuda.store.securing.AclWire."""
        request = SetAcl(self._full(path), acl)
        self._send(request, self._reply(path, request.deserialize, done, done))

    def ask(self, start: Callable[[Callable[[A], None]], None]) -> A:
        """See Wire."""
        if self._turn_thread == threading.get_ident():
            raise AssertionError("a callback of the store must not wait for the store")
        latch = threading.Lock()  # the cheapest thing to wait on: this is on the hot path
        latch.acquire()
        answers: list[A] = []

        def done(answer: A) -> None:
            answers.append(answer)
            latch.release()

        start(done)
        if not latch.acquire(timeout=self._options.answer_s_max):
            raise StoreAwayError(f"no answer within {self._options.answer_s_max:g} s")
        return answers[0]

    def between(self, action: Callable[[], None]) -> None:
        """See Wire."""
        with self._turn_lock:
            action()

    def close(self) -> None:
        """See Wire."""
        with self._turn_lock:
            self._closed = True
            self._session = Session.LOST
        try:
            self._client.stop()
            self._client.close()
        except KazooException as error:
            # A server that neither answers nor refuses; the process is leaving anyway.
            log.warning("store.close_incomplete cause=%s", error)

    def _reply(
        self,
        path: str,
        read: Callable[[bytes, int, int], T],
        done: Callable[[T | StoreError], None],
        failed: Callable[[StoreError], None],
    ) -> Waiter:
        def answer(code: int, raw: bytes, at: int, zxid: int) -> None:
            if code == 0:
                done(read(raw, at, zxid))
            elif code == UNIMPLEMENTED:
                done(StoreRefusedError(TOO_OLD))
            else:
                done(rejection(code, path))

        return Waiter(answer, failed, self._turn)

    def _send(self, request: WireRequest, reply: Waiter) -> None:
        if not self._client.submit(request, reply):
            self._later(partial(reply.fail, self.refusal or StoreAwayError(_AWAY)))

    def _commit(
        self,
        path: str,
        request: Transaction,
        done: Callable[[tuple[OpDone, ...] | StoreError], None],
    ) -> None:
        def answered(answer: tuple[OpDone, ...] | StoreError) -> None:
            done(answer if isinstance(answer, StoreError) else self._dated(request, answer))

        self._send(request, self._reply(path, request.deserialize, answered, done))

    def _dated(self, request: Transaction, written: tuple[OpDone, ...]) -> tuple[OpDone, ...]:
        now_ms = round(self._clock.now_s() * 1000)
        return request.dated(written, now_ms=now_ms, session_id=self.session_id)

    def _later(self, callback: Callable[[], None]) -> None:
        """Run *callback* in its turn: not on this thread, which may hold a lock that it takes."""
        handler = self._client.handler
        if handler.running:
            handler.completion_queue.put(partial(self._turn, callback))
        else:
            self._turn(callback)

    def _full(self, path: str) -> str:
        """Return the server's path."""
        return self._root + path if path != "/" else self._root or path

    def _turn(self, callback: Callable[..., None], *args: Any) -> None:
        """Run one callback at a time; what it raises is our bug and must not end the I/O thread.

        The one place of the store that catches everything.
        """
        with self._turn_lock:
            before, self._turn_thread = self._turn_thread, threading.get_ident()
            try:
                callback(*args)
            except Exception:
                log.exception("store.callback_failed callback=%r", callback)
            finally:
                self._turn_thread = before

    def _notified(self, kind: int, path: str) -> None:
        if self._closed:
            return
        for fired in self._once.pop(path, ()):
            fired()
        if self._listener is not None:
            self._listener.happened(kind, path[len(self._root) :] or "/")

    def _session_changed(self, state: str) -> None:
        if self._closed:
            return
        self._session = session = _SESSIONS[state]
        log.info("store.session state=%s session=%#x", session, self.session_id)
        if session is not Session.CONNECTED:
            # The server forgets one-shot watches with the connection: look again.
            waiting, self._once = self._once, defaultdict(list)
            for fired in [fired for group in waiting.values() for fired in group]:
                fired()
        if self._listener is not None:
            self._listener.session_changed(session)


def _none_if_missing(
    done: Callable[[T | StoreError | None], None],
) -> Callable[[T | StoreError], None]:
    """Return *done*, but told None instead of MissingError."""

    def tell(found: T | StoreError) -> None:
        done(None if isinstance(found, MissingError) else found)

    return tell


def _ignore(_answer: object) -> None:
    """Nobody waits for this."""
