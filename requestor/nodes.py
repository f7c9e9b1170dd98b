"""Nodes in our hands: used under locks, given back or held, and lost with the session."""

import logging
import threading
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.fetch import FetchPath
from remuda.archive.trees import TreeEntry
from remuda.archive.writer import Archived
from remuda.insight.facts import NodeFacts, facts_of
from remuda.model.holdwish import HoldWish, wish_fields, wish_of
from remuda.model.ids import NodeId
from remuda.model.jobreport import job_report
from remuda.redaction import redact_text
from remuda.ssh.api import Login
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
from requestor.fetching import BOUNDS, fetch_from, fetch_paths
from requestor.holding import Wished, check_time, wait_for_answer
from requestor.noting import note_on_node
from requestor.release import hold_node, release_nodes
from requestor.reporting import archive_told, report_node

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

    def report(
        self,
        *,
        ok: bool,
        why: str = "",
        fetched_bytes: int | None = None,
        archived: Archived | None = None,
    ) -> None:
        """Say how the work on it went, before it is given back or held.

        Operators see by it which labels, providers and images jobs fail on. The first word that a
        launcher sees is counted, once at most; where nothing is said, nothing is known.

        Args:
            ok: Whether it went well, as far as the machine may have to do with it.
            why: For people; cut to one line of 300 characters.
            fetched_bytes: What the machine received over its network meanwhile, if you know: what
                its /proc/net/dev says afterwards, less what it said before. By it operators see
                what an image saves.
            archived: What became of the archive of what the work left (``Archive.finish``), counted
                once at most, too. It may be told later, by a second report that says the rest anew.

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
                archived=None if archived is None else archive_told(archived),
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

    def fetch(
        self,
        paths: Iterable[str | FetchPath],
        *,
        key_file: str | None = None,
        bounds: ArchiveBounds = BOUNDS,
        insecure: bool = False,
    ) -> Iterator[TreeEntry]:
        """Yield files of the machine, over an SSH session that lasts as long as this is iterated.

        One stream, however many files; the machine needs ``tar``, and no credential. Read each
        file's pieces before the next entry is asked for. Names, links and all else are what the
        machine says: let an :class:`remuda.archive.writer.Archive` store them.

        Args:
            paths: Files and folders; relative ones, to the user's home.
            key_file: Private key for the login; None asks the agent.
            bounds: The bytes and files of each path, the time of all.
            insecure: Log in even if no host key of the machine is known.

        Raises:
            InvalidOptionsError: *paths* cannot be.
            TreeError: While it is iterated: it breaks off, or is beyond a bound.
            SshError: Likewise: there is no way in.
        """
        wanted = fetch_paths(paths)
        login = Login(
            address=self.address,
            port=self.port,
            user=self.user,
            key_file=key_file,
            host_keys=self.host_keys,
        )
        clock = self._context.clock
        return fetch_from(login, wanted, bounds=bounds, insecure=insecure, clock=clock)

    def mark(self, state: LeaseState) -> None:
        """Note what happened to it elsewhere; a state other than ours is final."""
        with self._lock:
            if self._state is LeaseState.OURS:
                self._state = state
