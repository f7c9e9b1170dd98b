"""The nodes of one request: given back together, and lost together with the session."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, overload

from remuda.model.ids import RequestId
from remuda.store.api import Session, StoreAwayError, StoreRefusedError
from requestor.accept import AcceptedNode
from requestor.context import RequestorContext
from requestor.errors import NodesLostError
from requestor.nodes import LeasedNode, LeaseState
from requestor.release import release_nodes

log = logging.getLogger(__name__)


class NodeSet(Sequence[LeasedNode]):
    """The nodes of one request, in the order asked for; a context that gives them back.

    Thread-safe.
    """

    def __init__(
        self,
        context: RequestorContext,
        request_id: RequestId,
        taken: Sequence[AcceptedNode],
        *,
        session_id: int,
        on_lost: Callable[["NodeSet"], None] | None,
    ) -> None:
        self._context = context
        self._on_lost = on_lost
        self._nodes = tuple(LeasedNode(context, one) for one in taken)
        self._over = threading.Lock()
        self.request_id = request_id
        self._unsubscribe = context.store.on_session(self._on_session)
        context.holdings.add(self)
        if context.store.session_id != session_id:
            # The session ended between taking and subscribing: nobody will tell us.
            self._on_session(Session.LOST)

    @overload
    def __getitem__(self, index: int) -> LeasedNode: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[LeasedNode, ...]: ...
    def __getitem__(self, index: int | slice) -> LeasedNode | tuple[LeasedNode, ...]:
        """Return one node, or some."""
        return self._nodes[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._nodes)

    def __iter__(self) -> Iterator[LeasedNode]:
        """Return the nodes in order."""
        return iter(self._nodes)

    @property
    def lost(self) -> tuple[LeasedNode, ...]:
        """The nodes that went with the session."""
        return tuple(node for node in self._nodes if node.state is LeaseState.LOST)

    def check(self) -> None:
        """Do nothing while the session that holds the locks lives.

        Raises:
            NodesLostError: If it does not.
        """
        if self.lost:
            raise NodesLostError(tuple(node.id for node in self.lost))

    def release(self) -> None:
        """Give back all that are still ours, in one transaction. May be called again.

        Raises:
            StoreAwayError: If ZooKeeper stays away; the locks go when the session ends.
        """
        with self._over:
            ours = [node for node in self._nodes if node.valid]
            if ours:
                release_nodes(self._context, [node.taken for node in ours])
            for node in ours:
                node.mark(LeaseState.RETURNED)
        self._context.holdings.drop(self)
        self._unsubscribe()

    def abandon(self) -> None:
        """Give back what is still ours; that ZooKeeper is away is only logged."""
        try:
            self.release()
        except (StoreAwayError, StoreRefusedError) as away:
            # Not the caller's business: the end of the session unlocks them all the same.
            log.warning("nodes of %s not given back: %s", self.request_id, away)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the nodes with the stable keys of docs/cli.md."""
        return [node.facts.as_json() for node in self._nodes]

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the nodes back; say so if they were lost, unless something else went wrong.

        Raises:
            NodesLostError: If the session was lost while they were used.
        """
        self.abandon()
        if error is None:
            self.check()

    def _on_session(self, session: Session) -> None:
        if session is not Session.LOST:
            return
        for node in self._nodes:
            node.mark(LeaseState.LOST)
        if self._on_lost is not None and self.lost:
            # Not here: this is the store's thread, and the callback may do as it likes.
            threading.Thread(
                target=self._on_lost, args=(self,), name="remuda-on-lost", daemon=True
            ).start()
