"""One request under way: wait for it without polling, ask why it waits, accept or cancel it."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Final

from remuda.insight.explanation import Explanation, explain
from remuda.model import request as request_record
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import RequestId
from remuda.model.request import Request, RequestState
from remuda.store import paths
from remuda.store.api import Delete, MissingError, Session, StoreAwayError, StoreRefusedError
from requestor.accept import accept_nodes
from requestor.context import RETRY_S, RequestorContext
from requestor.errors import (
    PromiseBrokenError,
    RequestFailedError,
    RequestGoneError,
    RequestTimeoutError,
    WaitInterruptedError,
)
from requestor.nodeset import NodeSet
from requestor.watch import ZnodeWatch

log = logging.getLogger(__name__)

OnLost = Callable[[NodeSet], None]


class PendingRequest:
    """A request that exists in ZooKeeper. Thread-safe, but only one thread should accept it.

    As a context it waits until the deadline, yields the nodes, and gives them back::

        with client.request({"small": 1}, deadline_s=600) as nodes:
            ...

    Attributes:
        id: Its name in ZooKeeper.
    """

    def __init__(
        self,
        context: RequestorContext,
        request_id: RequestId,
        *,
        ephemeral: bool,
        deadline_s: float | None,
        on_lost: OnLost | None,
    ) -> None:
        self.id: Final = request_id
        self._context = context
        self._ephemeral = ephemeral
        self._on_lost = on_lost
        self._made_s = context.clock.monotonic_s()
        self._deadline_s = None if deadline_s is None else self._made_s + deadline_s
        self._watch = ZnodeWatch(context.store, paths.request(request_id))
        self._fulfilled: Request | None = None
        self._nodes: NodeSet | None = None
        self._over = False
        self._interrupted = False

    def check(self) -> bool:
        """Look once, without waiting; say whether the nodes can be accepted.

        Raises:
            RequestFailedError: If no provider can serve it; it is deleted.
            RequestGoneError: If it no longer exists.
            StoreAwayError: If ZooKeeper does not answer; look again later.
            StoreRefusedError: If ZooKeeper has begun to refuse us.
        """
        if self._fulfilled is not None:
            return True
        if self._watch.lost and self._ephemeral:
            self._end()
            if self._context.store.refusal is not None:
                raise self._context.store.refusal
            raise RequestGoneError(f"request {self.id} went with the lost ZooKeeper session")
        stored = self._watch.look()
        if stored is None:
            self._end()
            raise RequestGoneError(f"request {self.id} was deleted")
        try:
            request = request_record.decode(self.id, stored.value)
        except CorruptRecordError:
            # Somebody is writing nonsense; the next change may mend it, the deadline ends it.
            log.warning("request %s has a broken record", self.id)
            return False
        if request.state is RequestState.FAILED:
            self._fail()
        if request.state is not RequestState.FULFILLED or request.unfit is not None:
            return False
        self._fulfilled = request
        self._watch.rest()
        return True

    def check_calmly(self) -> bool:
        """Like :meth:`check`, but while ZooKeeper is away the answer is: not yet."""
        try:
            return self.check()
        except StoreAwayError:
            return False

    @property
    def rest_s(self) -> float | None:
        """Seconds until the deadline, never negative; None without one."""
        if self._deadline_s is None:
            return None
        return max(0.0, self._deadline_s - self._context.clock.monotonic_s())

    def wait(self, timeout_s: float | None = None, *, with_position: bool = True) -> None:
        """Wait until the nodes can be accepted.

        Args:
            timeout_s: At most this long; the request goes on waiting after that. None: until
                the deadline of the request, at which it is cancelled.
            with_position: Whether the reasons tell its place among all requests, which are read.

        Raises:
            RequestTimeoutError: If it is not served in time, with the reasons.
            RequestFailedError: If no provider can serve it; it is deleted.
            RequestGoneError: If it no longer exists.
            WaitInterruptedError: After :meth:`interrupt`.
            StoreAwayError: If ZooKeeper is away when the time is up.
        """
        clock = self._context.clock
        end_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
        until_s = _first(self._deadline_s, end_s)
        while True:
            if self._interrupted:
                raise WaitInterruptedError(f"request {self.id}: no longer waited for")
            try:
                if self.check():
                    return
                retry_s = None
            except StoreAwayError:
                # A reconnect wakes us; a server that is merely slow does not.
                slow = self._context.store.session is Session.CONNECTED
                retry_s = clock.monotonic_s() + RETRY_S if slow else None
            if self._watch.wait(clock, _first(until_s, retry_s)):
                continue
            if retry_s is None or (until_s is not None and until_s <= retry_s):
                self._time_out(with_position=with_position)

    def interrupt(self) -> None:
        """Make :meth:`wait` raise, now and ever after; never blocks, for any thread.

        For a signal, say: what a handler raises in the middle of :meth:`wait` may leave a lock
        taken for ever, so let a thread of yours call this instead.
        """
        self._interrupted = True
        self._watch.poke()

    def explain(self, *, with_position: bool = True) -> Explanation:
        """Return every provider's verdict, the place in the queue, and the expected time.

        Raises:
            StoreAwayError: If ZooKeeper does not answer.
        """
        return explain(
            self._context.store,
            self.id,
            now_s=self._context.clock.now_s(),
            with_position=with_position,
        )

    def accept(self) -> NodeSet:
        """Take the nodes, under locks; the request is over.

        Raises:
            RequestTimeoutError: If it is not fulfilled yet.
            PromiseBrokenError: If a node cannot be had; the request is cancelled.
            RequestGoneError: If it no longer exists.
            StoreAwayError: If ZooKeeper stays away.
        """
        if not self.check() or self._fulfilled is None:
            self._time_out(with_position=False)
            raise AssertionError("unreachable: a time-out always raises")
        session_id = self._context.store.session_id
        try:
            taken = accept_nodes(self._context, self._fulfilled)
        except PromiseBrokenError:
            self.cancel()
            raise
        self._nodes = NodeSet(
            self._context, self.id, taken, session_id=session_id, on_lost=self._on_lost
        )
        self._end()
        return self._nodes

    def cancel(self) -> None:
        """Delete the request in whatever state it is; nodes made for it serve others.

        Nothing happens if it is over already.

        Raises:
            StoreAwayError: If ZooKeeper stays away; an ephemeral request goes with the session,
                another has to be cancelled again.
        """
        if self._over:
            return
        self._end()
        try:
            self._context.commit_surely([Delete(path=paths.request(self.id))])
        except MissingError:
            return
        except StoreAwayError:
            self._over = self._ephemeral
            raise

    def on_news(self, listener: Callable[[], None]) -> None:
        """Call *listener*, which must not block, whenever :meth:`check` may say something new."""
        self._watch.on_news(listener)

    def __enter__(self) -> NodeSet:
        """Wait until the deadline and accept; when that fails, the request is cancelled."""
        with ExitStack() as undo:
            undo.callback(self.abandon)
            self.wait()
            nodes = self.accept()
            undo.pop_all()
        return nodes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the nodes back.

        Raises:
            NodesLostError: If the session was lost meanwhile and nothing else went wrong.
        """
        if self._nodes is not None:
            self._nodes.__exit__(kind, error, trace)

    @property
    def nodes(self) -> NodeSet | None:
        """What :meth:`accept` returned, or None before it."""
        return self._nodes

    @property
    def over(self) -> bool:
        """Whether it is accepted, cancelled, failed or gone."""
        return self._over

    def abandon(self) -> None:
        """Cancel, or give back what was accepted; never raises for ZooKeeper's absence."""
        try:
            if self._nodes is not None:
                self._nodes.release()
            self.cancel()
        except (StoreAwayError, StoreRefusedError) as away:
            log.warning("request %s not cancelled: %s", self.id, away)

    def _fail(self) -> None:
        explanation = explain(
            self._context.store, self.id, now_s=self._context.clock.now_s(), with_position=False
        )
        self.cancel()
        raise RequestFailedError(self.id, explanation)

    def _time_out(self, *, with_position: bool) -> None:
        waited_s = self._context.clock.monotonic_s() - self._made_s
        if self._context.store.session is not Session.CONNECTED:
            raise StoreAwayError(f"request {self.id}: ZooKeeper is away for now")
        explanation = self.explain(with_position=with_position)
        if self._deadline_s is not None and self._context.clock.monotonic_s() >= self._deadline_s:
            self.cancel()
        raise RequestTimeoutError(self.id, waited_s, explanation)

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._watch.close()
            self._context.holdings.drop(self)


def _first(one_s: float | None, other_s: float | None) -> float | None:
    if one_s is None or other_s is None:
        return one_s if other_s is None else other_s
    return min(one_s, other_s)
