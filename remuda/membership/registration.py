"""Being seen: the ephemeral znodes that say that a process lives, and what it does."""

import os
import socket
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from remuda import __version__
from remuda.model.component import Replica, encode_replica
from remuda.model.ids import ReplicaId
from remuda.store.api import Create, Delete, Done, Op, Store, StoreError


def new_replica_id() -> ReplicaId:
    """Return an id that no process had before."""
    return ReplicaId(f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """This process, as one of the replicas in a folder of ZooKeeper.

    Attributes:
        started_s: Wall clock at its start, seconds since the epoch.
        url: Its status endpoint, or None.
    """

    id: ReplicaId
    started_s: float
    url: str | None = None

    def ephemeral(self, folder: str) -> Create:
        """Return what puts it among the replicas in *folder*."""
        replica = Replica(
            id=self.id,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_s=self.started_s,
            url=self.url,
        )
        return Create(path=f"{folder}/{self.id}", data=encode_replica(replica), ephemeral=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What others are to see of us.

    Attributes:
        replica: Stays as long as the session does.
        offers: Tell what we do: replaced whenever others are wanted.
    """

    replica: Create
    offers: tuple[Create, ...] = ()


@dataclass(slots=True)
class Registration:
    """Keeps our ephemeral znodes.

    Attributes:
        registered: Called (on the store's thread) with the outcome of each registration.
    """

    store: Store
    registered: Callable[[StoreError | None], None]
    _offers: tuple[str, ...] = ()
    _there: bool = False
    _doubtful: bool = False
    _writing: bool = False
    _wanted: Presence | None = None

    def register(self, wanted: Presence, found: Sequence[str] | None = None) -> None:
        """Create our ephemerals in the present session, or replace the offers of before.

        After a failure nothing is written until a call tells what is there: a registration of
        unknown outcome may have left ephemerals that we do not know by name.

        Args:
            wanted: What is to be seen. Of several calls in a row the last one counts.
            found: All ephemerals of ours that are there; None: those that we know.
        """
        self._wanted = wanted
        if self._writing or (self._doubtful and found is None):
            return
        if found is not None:
            self._offers, self._there = tuple(found), False
        ops: list[Op] = [Delete(path=path) for path in sorted(self._offers)]
        if not self._there:
            ops.append(wanted.replica)
        count = len(ops)
        ops += wanted.offers
        if not ops:
            self.registered(None)  # it is all there
            return
        self._writing = True
        self.store.commit_later(ops, lambda result: self._written(wanted, result, count))

    def _written(
        self, wanted: Presence, result: tuple[Done, ...] | StoreError, others: int
    ) -> None:
        self._writing = False
        if isinstance(result, StoreError):
            # What is there now, the mirrors tell.
            self._offers, self._there, self._doubtful = (), False, True
            self.registered(result)
            return
        self._offers, self._there = tuple(one.path for one in result[others:]), True
        self._doubtful = False
        if self._wanted is not None and self._wanted != wanted:
            self.register(self._wanted)
        else:
            self.registered(None)

    def lost(self) -> None:
        """Forget what went with the session."""
        self._offers, self._there, self._doubtful = (), False, False

    def agrees(self, found: Collection[str]) -> bool:
        """Whether our ephemerals that others see are those that we made, as far as we know."""
        if self._writing or self._wanted is None or self._doubtful:
            return True  # what is under way, or failed, is seen to already
        # After a lost session nothing is there, whatever an answer from before it says.
        return self._there and {*self._offers, self._wanted.replica.path} == set(found)
