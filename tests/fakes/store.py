"""A ZooKeeper in memory: one tree, several sessions, time and failures under the test's control.

Above the wire runs the real store (remuda.store.core), so that mirrors, own writes and locks
behave as in production. A request takes effect at once; its reply, and the notifications that it
causes, wait in the sessions' streams until ``deliver()``. A blocking call delivers its own
session's stream up to its reply, as a real one does on its I/O thread.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from remuda.runtime.clock import Clock, SystemClock
from remuda.store.api import Op, Session, StoreAwayError, StoreError, StoreRefusedError
from remuda.store.core import WireStore
from remuda.store.wire import Children, Listener, OpDone, ReadZnode
from tests.fakes.store_tree import Tree

A = TypeVar("A")

SESSION_ID_FIRST = 0x10000


class FakeZookeeper:
    """The shared tree and its sessions; everything happens on the threads of the callers.

    Attributes:
        tree: What is stored, for assertions.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.tree = Tree(clock or SystemClock())
        self._wires: list[FakeWire] = []
        self._ids = iter(range(SESSION_ID_FIRST, SESSION_ID_FIRST * 2))
        # Held while a request takes effect, never while a callback runs.
        self.at_work = threading.RLock()

    def connect(self) -> "FakeStore":
        """Return a store with a new, connected session."""
        wire = FakeWire(self)
        self._wires.append(wire)
        return FakeStore(wire)

    def deliver(self, *, max_steps: int = 1_000_000) -> int:
        """Hand out what waits, one per session in turn, until nothing does; return how much.

        For another order, see :meth:`waiting`.
        """
        steps = 0
        while waiting := self.waiting():
            for wire in waiting:
                if steps == max_steps:
                    return steps
                steps += wire.deliver_one()
        return steps

    def waiting(self) -> "list[FakeWire]":
        """Return the sessions that have something to hear; call their ``deliver_one``."""
        return [wire for wire in self._wires if wire.has_news]

    def next_id(self) -> int:
        """Return the id of a new session."""
        return next(self._ids)

    def commit(self, ops: Sequence[Op], session_id: int) -> tuple[OpDone, ...] | StoreError:
        """Do all of *ops* or none, and notify whoever watches."""
        with self.at_work:
            answer, events = self.tree.commit(ops, session_id)
            self._notify(events)
        return answer

    def end_session(self, session_id: int) -> None:
        """Remove the ephemeral znodes of a session, as the server does when it expires."""
        with self.at_work:
            self._notify(self.tree.end_session(session_id))

    def _notify(self, events: Sequence[tuple[int, str]]) -> None:
        for event, path in events:
            for wire in self._wires:
                wire.notify(event, path)


class FakeWire:
    """One session's connection to the tree. See remuda.store.wire."""

    def __init__(self, zookeeper: FakeZookeeper) -> None:
        self._zookeeper = zookeeper
        self._stream: deque[tuple[Callable[[], None], Callable[[], None] | None]] = deque()
        self._roots: list[str] = []
        self._once: dict[str, list[Callable[[], None]]] = {}
        self._listener: Listener | None = None
        self._turn = threading.RLock()
        self._in_callback = 0
        self._script: deque[str] = deque()
        self._behind: Tree | None = None
        self._missed: list[tuple[int, str]] = []
        self._dumb = False
        self.session = Session.CONNECTED
        self.session_id = zookeeper.next_id()
        self.refusal: StoreRefusedError | None = None
        self.requests: Counter[str] = Counter()

    # -- the wire ----------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """See Wire."""
        self._listener = listener

    def get(self, path: str, done: Callable[[ReadZnode | StoreError | None], None]) -> None:
        """See Wire."""
        self._request("get", done, lambda: self._tree.get(path))

    def children(self, path: str, done: Callable[[Children | StoreError | None], None]) -> None:
        """See Wire."""
        self._request("children", done, lambda: self._tree.children(path))

    def sync(self, path: str, done: Callable[[StoreError | None], None]) -> None:  # noqa: ARG002
        """See Wire."""
        self._request("sync", done, self.catch_up)

    def commit(
        self, ops: Sequence[Op], done: Callable[[tuple[OpDone, ...] | StoreError], None]
    ) -> None:
        """See Wire."""
        if not self._dumb:
            # A server answers a write only when it has made all that were made before it.
            self.catch_up()
        if self.session is Session.CONNECTED and self._script:
            when = self._script.popleft()
            if when == "after":
                self._zookeeper.commit(ops, self.session_id)
            self._answer(done, StoreAwayError(f"scripted: lost {when} doing it"))
            return
        self._request("commit", done, lambda: self._zookeeper.commit(ops, self.session_id))

    def watch_tree(self, root: str, done: Callable[[StoreError | None], None]) -> None:
        """See Wire."""
        self._request("watch_tree", done, lambda: self._roots.append(root))

    def unwatch_tree(self, root: str) -> None:
        """See Wire."""
        self._roots = [other for other in self._roots if other != root]

    def watch_once(
        self,
        path: str,
        fired: Callable[[], None],
        done: Callable[[ReadZnode | StoreError | None], None],
    ) -> None:
        """See Wire."""

        def look() -> ReadZnode | None:
            node = self._tree.get(path)
            if node is not None:
                self._once.setdefault(path, []).append(fired)
            return node

        self._request("watch_once", done, look)

    def ask(self, start: Callable[[Callable[[A], None]], None]) -> A:
        """See Wire."""
        if self._in_callback == threading.get_ident():
            raise AssertionError("a callback of the store must not wait for the store")
        answers: list[A] = []
        start(answers.append)
        while not answers:
            with self._turn:
                stuck = not self.deliver_one() and not answers
            if stuck:
                raise StoreAwayError("nothing in the stream, and no answer")
        return answers[0]

    def between(self, action: Callable[[], None]) -> None:
        """See Wire."""
        with self._turn:
            action()

    def close(self) -> None:
        """See Wire."""
        if self.session is not Session.LOST:
            self._drop_connection()
            self._stream.clear()
            self.session = Session.LOST
            self._zookeeper.end_session(self.session_id)
            self.session_id = 0

    def _request(
        self, kind: str, done: Callable[[A | StoreError], None], do: Callable[[], A]
    ) -> None:
        if self.session is not Session.CONNECTED or self._dumb:
            away: StoreError = self.refusal or StoreAwayError("the fake connection is away")
            self._answer(done, away)
            return
        with self._zookeeper.at_work:
            self.requests[kind] += 1
            self._answer(done, do())

    def _answer(self, done: Callable[[A], None], answer: A) -> None:
        lost: Callable[[], None] = partial(done, StoreAwayError("the fake connection went"))  # type: ignore[arg-type]
        self._stream.append((partial(done, answer), lost))

    # -- the server's side -------------------------------------------------------------------

    def notify(self, event: int, path: str) -> None:
        """Put the news of a change into the stream if this session watches it."""
        if self._behind is not None:
            self._missed.append((event, path))
            return
        once = self._once.pop(path, ())
        covered = any(
            path == root or path.startswith(root.rstrip("/") + "/") for root in self._roots
        )
        if self.session is Session.CONNECTED and (once or covered):
            self._stream.append((partial(self._notified, event, path, once), None))

    def _notified(self, event: int, path: str, once: Sequence[Callable[[], None]]) -> None:
        for fired in once:
            fired()
        if self._listener is not None:
            self._listener.happened(event, path)

    @property
    def has_news(self) -> bool:
        """Return whether something waits to be delivered."""
        return bool(self._stream)

    def deliver_one(self) -> bool:
        """Make the next callback; return whether there was one."""
        with self._turn:
            if not self._stream:
                return False
            callback, _ = self._stream.popleft()
            before, self._in_callback = self._in_callback, threading.get_ident()
            try:
                callback()
            finally:
                self._in_callback = before
        return True

    # -- trouble -----------------------------------------------------------------------------

    def script(self, when: str) -> None:
        """Make the next commit end in StoreAwayError, "before" or "after" doing it."""
        self._script.append(when)

    def fall_behind(self, *, dumb: bool = False) -> None:
        """Be connected to a server that hears of nothing new, until a sync or a write of ours.

        Args:
            dumb: Nor does it answer; only :meth:`catch_up` ends that, or another connection.
        """
        with self._zookeeper.at_work:
            self._dumb = dumb
            if self._behind is None:
                self._behind = self._zookeeper.tree.copy()

    def catch_up(self) -> None:
        """Hear everything that happened meanwhile."""
        with self._zookeeper.at_work:
            self._behind, self._dumb = None, False
            missed, self._missed = self._missed, []
            for event, path in missed:
                self.notify(event, path)

    @property
    def is_behind(self) -> bool:
        """Return whether its server hears of nothing new."""
        return self._behind is not None

    @property
    def _tree(self) -> Tree:
        return self._zookeeper.tree if self._behind is None else self._behind

    def suspend(self) -> None:
        """Lose the connection: what waits to be answered will never be."""
        if self.session is Session.CONNECTED:
            self._drop_connection()
            self._become(Session.SUSPENDED)

    def resume(self, *, expired: bool) -> None:
        """Get the connection back, with the same session or with a new one."""
        if expired and self.session is not Session.LOST:
            self._zookeeper.end_session(self.session_id)
            self._drop_connection()
            self._become(Session.LOST)
        if self.session is Session.LOST:
            self.session_id = self._zookeeper.next_id()
        self._become(Session.CONNECTED)

    def refuse(self) -> None:
        """Lose the session, and every hope of another."""
        self.refusal = StoreRefusedError("the fake server refuses us")
        self._drop_connection()
        self._become(Session.LOST)

    def _drop_connection(self) -> None:
        stream, self._stream = self._stream, deque()
        # News is lost with the connection; who asked is told that there will be no answer.
        self._stream.extend((lost, lost) for _, lost in stream if lost is not None)
        waiting, self._once = self._once, {}
        self._stream.extend((fired, fired) for group in waiting.values() for fired in group)
        self._roots = []
        self._behind, self._missed, self._dumb = None, [], False

    def _become(self, session: Session) -> None:
        self.session = session
        if self._listener is not None:
            tell = partial(self._listener.session_changed, session)
            self._stream.append((tell, tell))


class FakeStore(WireStore):
    """The store over a :class:`FakeWire`, with handles to make trouble."""

    def __init__(self, wire: FakeWire) -> None:
        self.wire = wire
        super().__init__(wire)

    def fall_behind(self, *, dumb: bool = False) -> None:
        """Be connected to a server that stands still; *dumb*: it does not even answer."""
        self.wire.fall_behind(dumb=dumb)

    def catch_up(self) -> None:
        """Let that server go on."""
        self.wire.catch_up()

    def suspend(self) -> None:
        """Lose the connection; everything asked for is answered with StoreAwayError."""
        self.wire.suspend()

    def resume(self) -> None:
        """Get the connection and the same session back."""
        self.wire.resume(expired=False)

    def expire(self) -> None:
        """Lose the session with its ephemeral znodes, and get a new one."""
        self.wire.resume(expired=True)

    def refuse(self) -> None:
        """Lose the session for ever: the server does not take our credential any more."""
        self.wire.refuse()

    def away_before_next_commit(self) -> None:
        """Make the next commit end in StoreAwayError without having happened."""
        self.wire.script("before")

    def away_after_next_commit(self) -> None:
        """Make the next commit happen, and end in StoreAwayError."""
        self.wire.script("after")
