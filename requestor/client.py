"""The client: one ZooKeeper session that asks for nodes."""

import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from remuda.archive.writer import Archived
from remuda.model import request as request_record
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, RequestId
from remuda.model.imageask import ImageAsk
from remuda.runtime.clock import Clock, SystemClock
from remuda.store import paths
from remuda.store.api import Create, MissingError, Session, Store
from requestor.context import RequestorContext, default_requestor
from requestor.errors import NotOursError, RequestorError
from requestor.nodes import LeasedNode
from requestor.owning import request_owner
from requestor.pending import OnLost, PendingRequest
from requestor.request_options import Labels, RequestOptions, labels_of, priority_of, token_of
from requestor.sessions import Sessions


class Client:
    """Asks for nodes over one ZooKeeper session. Thread-safe.

    A context that cancels what still waits and gives back what is still held.

    Args:
        store: The session; see :func:`requestor.connect` for one by address.
        requestor: Who asks, for people and statistics; default ``user@host``.
        on_lost: Called, on a thread of its own, with nodes whose session was lost: their
            launchers delete them.
        owns_store: Close the store with the client.
        away_s: How long calls wait for ZooKeeper to come back.
        lock_s: How long to wait for a node's lock that somebody else still has.
        use_data: Goes into the ``user_data`` of nodes in use, for whoever looks at them.
        clock: The time.
    """

    def __init__(
        self,
        store: Store,
        *,
        requestor: str | None = None,
        on_lost: OnLost | None = None,
        owns_store: bool = False,
        away_s: float = 30.0,
        lock_s: float = 30.0,
        use_data: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._context = RequestorContext(
            store=store,
            sessions=Sessions(store),
            clock=clock or SystemClock(),
            requestor=requestor or default_requestor(),
            new_token=lambda: uuid.uuid4().hex,
            away_s=away_s,
            lock_s=lock_s,
            use_data=use_data or {},
        )
        self._on_lost = on_lost
        self._owns_store = owns_store
        self._closed = False

    @property
    def store(self) -> Store:
        """The session that everything goes over."""
        return self._context.store

    def request(
        self,
        labels: Labels,
        *,
        priority: int | str = "normal",
        relative_priority: int = 0,
        provider: str | None = None,
        reuse: bool = True,
        requestor: str | None = None,
        tenant: str | None = None,
        deadline_s: float | None = None,
        ephemeral: bool = True,
        data: dict[str, Any] | None = None,
        image: ImageAsk | None = None,
        opens: NodeId | None = None,
    ) -> PendingRequest:
        """Ask for nodes: all of them or none, from one provider.

        Args:
            labels: ``{"small": 2, "big": 1}``, ``["small", "small", "big"]`` or ``"small"``.
            priority: high (100), normal (200), low (300) or a number, lower is served first.
            relative_priority: Order within one priority, lower first.
            provider: Preferred provider.
            reuse: False: only machines made for this request.
            requestor: Instead of the client's.
            tenant: For whom; a name in the records of request and nodes. No limits depend on it.
            deadline_s: Cancelled when it is not served after this many seconds.
            ephemeral: False: it outlives our session; somebody must accept or delete it.
            data: Anything that JSON can say, for whoever looks at the request.
            image: What a builder asks of its machine.
            opens: The node whose take-home image the machine is to boot.

        Raises:
            InvalidOptionsError: If it makes no sense.
            RequestorError: If the client is closed.
            StoreAwayError: If ZooKeeper stays away; an ephemeral request dies with the session.
        """
        options = RequestOptions(
            labels=labels_of(labels),
            priority=priority_of(priority),
            relative_priority=relative_priority,
            provider=provider,
            reuse=reuse,
            requestor=requestor or self._context.requestor,
            tenant=tenant,
            deadline_s=deadline_s,
            ephemeral=ephemeral,
            data=data or {},
            image=image,
            opens=opens,
        )
        return self._enlist(self._create(options), ephemeral=ephemeral, deadline_s=deadline_s)

    def attach(
        self, request_id: str, *, deadline_s: float | None = None, force: bool = False
    ) -> PendingRequest:
        """Take up a request that was made before, by us or another process of our name.

        Args:
            request_id: Its name.
            deadline_s: Cancelled when it is not served after this many seconds.
            force: Even if it is somebody else's.

        Raises:
            NotOursError: If it is, and that was not meant.
            StoreAwayError: If ZooKeeper does not answer.
        """
        name = RequestId(request_id)
        if not force:
            self._refuse_strangers(name)
        return self._enlist(name, ephemeral=False, deadline_s=deadline_s)

    def _refuse_strangers(self, request_id: RequestId) -> None:
        stored = self._context.store.read(paths.request(request_id))
        try:
            found = None if stored is None else request_record.decode(request_id, stored.value)
        except CorruptRecordError:
            return  # nothing can be accepted as long as it is so
        owner = None if found is None else request_owner(found, me=self._context.requestor)
        if owner is not None:
            raise NotOursError(request_id, owner, self._context.requestor)

    def report(
        self,
        node: LeasedNode,
        *,
        ok: bool,
        why: str = "",
        fetched_bytes: int | None = None,
        archived: Archived | None = None,
    ) -> None:
        """Say how the work on a node of ours went; see :meth:`LeasedNode.report`."""
        node.report(ok=ok, why=why, fetched_bytes=fetched_bytes, archived=archived)

    def capture(
        self, node: LeasedNode, image: str, *, wait: bool = True, timeout_s: float | None = None
    ) -> str:
        """Have an image made of a node of ours; see :meth:`LeasedNode.capture`."""
        return node.capture(image, wait=wait, timeout_s=timeout_s)

    def close(self) -> None:
        """Cancel what still waits, give back what is still held, and end an owned session.

        Does not raise when ZooKeeper is away: the end of the session has the same effect.
        """
        self._closed = True
        try:
            if not self._owns_store or self._context.store.session is Session.CONNECTED:
                self._context.holdings.abandon_all()
        finally:
            self._context.sessions.close()
            if self._owns_store:
                self._context.store.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def _enlist(
        self, request_id: RequestId, *, ephemeral: bool, deadline_s: float | None
    ) -> PendingRequest:
        pending = PendingRequest(
            self._context,
            request_id,
            ephemeral=ephemeral,
            deadline_s=deadline_s,
            on_lost=self._on_lost,
        )
        if ephemeral:
            self._context.holdings.add(pending)
        return pending

    def _create(self, options: RequestOptions) -> RequestId:
        if self._closed:
            raise RequestorError("the client is closed")
        token = self._context.new_token()
        op = Create(
            path=paths.request(RequestId(f"{options.priority:03d}-")),
            data=options.record(now_s=self._context.clock.now_s(), token=token),
            ephemeral=options.ephemeral,
            sequence=True,
        )
        asked = False

        def attempt() -> RequestId:
            nonlocal asked
            if asked and (found := self._find(token)) is not None:
                return found
            asked = True
            return self._commit(op)

        return self._context.surely(attempt)

    def _commit(self, op: Create) -> RequestId:
        store = self._context.store
        try:
            (done,) = store.commit([op])
        except MissingError:  # a tree that nobody has used yet
            store.ensure(paths.REQUESTS)
            try:
                (done,) = store.commit([op])
            except MissingError as exc:
                raise RequestorError(f"{paths.REQUESTS} vanishes all the time") from exc
        return RequestId(done.path.rpartition("/")[2])

    def _find(self, token: str) -> RequestId | None:
        """Return the request that a create with a lost reply has made after all, if any."""
        names = self._context.store.children(paths.REQUESTS)
        found = self._context.store.read_many([f"{paths.REQUESTS}/{name}" for name in names])
        for name, stored in zip(names, found, strict=True):
            if stored is None or token.encode() not in stored.value:
                continue
            try:
                if token_of(request_record.decode(RequestId(name), stored.value)) == token:
                    return RequestId(name)
            except CorruptRecordError:
                continue
        return None
