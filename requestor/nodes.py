"""Nodes in our hands: used under locks, given back or held, and lost with the session."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self, overload

from remuda.insight.facts import NodeFacts, facts_of
from remuda.model.holdwish import HoldWish, wish_fields, wish_of
from remuda.model.ids import NodeId, RequestId
from remuda.model.jobreport import job_report
from remuda.redaction import redact_text
from remuda.store.api import Session, StoreAwayError, StoreRefusedError
from requestor.accept import AcceptedNode
from requestor.capturing import (
    ANSWER_S,
    CaptureWatch,
    capture_ask,
    capture_node,
    outcome_of,
)
from requestor.context import RequestorContext
from requestor.errors import CaptureTimeoutError, NodesLostError, RequestorError
from requestor.holding import Wished, check_time, wait_for_answer
from requestor.noting import note_on_node
from requestor.release import hold_node, release_nodes
from requestor.reporting import report_node

log = logging.getLogger(__name__)


class LeaseState(StrEnum):
    """What has become of our lock on one node."""

    OURS = "ours"
    RETURNED = "returned"  # used and unlocked: its launcher deletes it
    HELD = "held"  # kept for a person
    LOST = "lost"  # the session is over: its launcher deletes it


class LeasedNode:
    """One machine under our lock. Thread-safe.

    Attributes:
        facts: Address, port, user, host keys and all else that the record says.
    """

    def __init__(self, context: RequestorContext, taken: AcceptedNode) -> None:
        self._context = context
        self._taken = taken
        # Of the state alone: the store's thread takes it, too, and must not wait for an answer.
        self._lock = threading.Lock()
        # Held while something is written of this node, one after the other.
        self._writing = threading.Lock()
        self._state = LeaseState.OURS
        self.facts: Final[NodeFacts] = facts_of(taken.node)

    def __repr__(self) -> str:
        """Return what helps in a debugger."""
        return f"<{self.id} {self.facts.label} at {self.facts.address} {self._state}>"

    @property
    def id(self) -> NodeId:
        """Id of the node."""
        return self.facts.id

    @property
    def label(self) -> str:
        """What was asked for."""
        return self.facts.label

    @property
    def address(self) -> str:
        """Where to connect to; empty if the record has none."""
        return self.facts.address or ""

    @property
    def port(self) -> int:
        """Port of the login."""
        return self.facts.port

    @property
    def user(self) -> str:
        """Login user; ``root`` if the record has none."""
        return self.facts.user or "root"

    @property
    def host_keys(self) -> tuple[str, ...]:
        """Acceptable host keys, ``<type> <base64>``."""
        return self.facts.host_keys

    @property
    def provider(self) -> str:
        """Who made it."""
        return self.facts.provider or ""

    @property
    def pool(self) -> str:
        """Which of its pools."""
        return self.facts.pool or ""

    @property
    def state(self) -> LeaseState:
        """What has become of our lock on it."""
        return self._state

    @property
    def valid(self) -> bool:
        """Whether it is ours to use."""
        return self._state is LeaseState.OURS

    @property
    def taken(self) -> AcceptedNode:
        """Record, version and lock, for who gives it back."""
        return self._taken

    def check(self) -> None:
        """Do nothing while it is ours.

        Raises:
            NodesLostError: If it went with the session.
            RequestorError: If it was given back or held.
        """
        if self._state is LeaseState.LOST:
            raise NodesLostError((self.id,))
        if self._state is not LeaseState.OURS:
            raise RequestorError(f"node {self.id} is {self._state}")

    def release(self) -> None:
        """Give it back now; nothing happens if it is not ours any more.

        Raises:
            StoreAwayError: If ZooKeeper stays away; the lock goes when the session ends.
        """
        with self._writing:
            if self.valid:
                release_nodes(self._context, [self._taken])
                self.mark(LeaseState.RETURNED)

    def hold(self, reason: str, *, owner: str, seconds: float | None = None) -> None:
        """Keep the machine for a person, unlocked, after we are gone.

        Args:
            reason: Why, for people.
            owner: For whom.
            seconds: Deleted after this; None: when the operator's limit says so.

        Raises:
            InvalidOptionsError: If *seconds* is no time.
            NodesLostError: If it went with the session.
            RequestorError: If it is not ours any more.
            StoreAwayError: If ZooKeeper stays away.
        """
        with self._writing:
            self.check()
            hold_node(self._context, self._taken, reason=reason, owner=owner, seconds=seconds)
            self.mark(LeaseState.HELD)

    def keep(self, reason: str, *, owner: str, seconds: float | None = None) -> None:
        """Have the machine kept for a person once we give it back, and wait for the answer.

        Unlike :meth:`hold` it stays ours meanwhile, and the launcher's limits are asked first.

        Args:
            reason: Why, for people.
            owner: For whom.
            seconds: How long, from when we let it go; None: as the configuration says.

        Raises:
            InvalidOptionsError: If *seconds* is no time.
            HoldRefusedError: If it breaks a rule, or its launcher does not answer.
            NodesLostError: If it went with the session.
            RequestorError: If it is not ours any more.
            StoreAwayError: If ZooKeeper stays away.
        """
        context, taken = self._context, self._taken
        for_s = check_time(seconds)
        wish = HoldWish(
            token=context.new_token(),
            owner=owner,
            reason=reason,
            at_s=context.clock.now_s(),
            for_s=for_s,
            contender=taken.contender.rpartition("/")[2],
        )
        with self._writing:
            self.check()
            self._taken = note_on_node(
                context, taken, wish_fields(wish), lambda node: wish_of(node) == wish
            )
        wished = Wished(node=self._taken.node, wish=wish)
        wait_for_answer(context.store, context.clock, wished, check=self.check)

    def report(self, *, ok: bool, why: str = "", fetched_bytes: int | None = None) -> None:
        """Say how the work on it went, before it is given back or held.

        Operators see by it which labels, providers and images jobs fail on. The first word that a
        launcher sees is counted, once at most; where nothing is said, nothing is known.

        Args:
            ok: Whether it went well, as far as the machine may have to do with it.
            why: For people; cut to one line of 300 characters.
            fetched_bytes: What the machine received over its network meanwhile, if you know: what
                its /proc/net/dev says afterwards, less what it said before. By it operators see
                what an image saves.

        Raises:
            NodesLostError: If it went with the session.
            RequestorError: If it is not ours any more.
            StoreAwayError: If ZooKeeper stays away.
        """
        with self._writing:
            self.check()
            said = job_report(
                ok=ok,
                why=redact_text(why),
                at_s=self._context.clock.now_s(),
                fetched_bytes=fetched_bytes,
            )
            self._taken = report_node(self._context, self._taken, said)

    def capture(self, image: str, *, wait: bool = True, timeout_s: float | None = None) -> str:
        """Have an image made of the machine, under a name that the configuration allows for it.

        The machine is made quiet and stopped by that, and is of no more use; the node stays ours
        until it is given back. Give it back only once there is a snapshot.

        Args:
            image: Its name, one of ``images:`` with ``capture``.
            wait: Until there is a snapshot. False: only until the launcher has answered, or could
                have.
            timeout_s: Wait no longer; None: as long as it takes.

        Returns:
            The build, ``<image>/<number>``; empty if nobody has begun it and we do not wait.

        Raises:
            InvalidOptionsError: If no image can be called so.
            CaptureFailedError: If it is refused, or has failed.
            CaptureTimeoutError: If it is not there in time.
            NodesLostError: If the node went with the session.
            RequestorError: If it is not ours any more.
            StoreAwayError: If ZooKeeper stays away.
        """
        context = self._context
        with self._writing:
            self.check()
            ask = capture_ask(
                image,
                token=context.new_token(),
                contender=self._taken.contender,
                at_s=context.clock.now_s(),
            )
            self._taken = capture_node(context, self._taken, ask)
        watch = CaptureWatch(
            context.store, context.clock, provider=self.provider, node=self.id, ask=ask
        )
        if not wait:
            timeout_s = ANSWER_S
        ends_s = None if timeout_s is None else context.clock.monotonic_s() + timeout_s
        fate = watch.wait(
            until_s=ends_s, away_s=context.away_s, answered=not wait, check=self.check
        )
        if wait and fate.open:
            raise CaptureTimeoutError(
                f"there is no snapshot of node {self.id} after {timeout_s:g} s: {fate.why}"
            )
        return outcome_of(self.id, image, fate)

    def mark(self, state: LeaseState) -> None:
        """Note what happened to it elsewhere; a state other than ours is final."""
        with self._lock:
            if self._state is LeaseState.OURS:
                self._state = state


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
