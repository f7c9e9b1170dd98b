"""Being seen: the ephemeral znodes that say which launcher runs which pools."""

import os
import socket
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from launcher.policy import Policy
from remuda import __version__
from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.model.component import (
    PoolComponent,
    Replica,
    encode_pool,
    encode_replica,
    pool_component_id,
)
from remuda.model.ids import ReplicaId
from remuda.model.installation import decode_installation
from remuda.store import paths
from remuda.store.api import Create, Delete, Done, ExistsError, Op, Store, StoreError


def tree(provider: str) -> tuple[str, ...]:
    """Return everything that a launcher takes for granted, but for the counter of nodes."""
    return (
        paths.REQUESTS,
        paths.REQUEST_LOCKS,
        paths.NODES,
        paths.POOL_COMPONENTS,
        paths.STATUSES,
        paths.launches(provider),
        paths.claims(provider),
        paths.ledger(provider),
        paths.replicas(provider),
        paths.verdicts(provider),
        paths.failures(provider),
        paths.status(provider),
    )


def new_replica_id() -> ReplicaId:
    """Return an id that no launcher had before."""
    return ReplicaId(f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")


class InstallationError(Exception):
    """ZooKeeper's id of the installation is not the one that it should be: a human must decide."""


def _checked(raw: bytes, pinned: str | None) -> str:
    """Return the id that ZooKeeper holds.

    Raises:
        InstallationError: If it is none, or not the one that is demanded.
    """
    try:
        found = decode_installation(paths.INSTALLATION, raw)
    except CorruptRecordError as exc:
        raise InstallationError(
            f"{exc}: write the id back that your servers carry in their metadata, as"
            f" {tags.INSTALLATION}, or delete that znode to begin as a new installation"
        ) from exc
    check_pinned(found, pinned)
    return found


def check_pinned(found: str, pinned: str | None) -> None:
    """Refuse a ZooKeeper that holds another id than the configuration demands.

    Raises:
        InstallationError: If it does.
    """
    if pinned is not None and found != pinned:
        raise InstallationError(
            f"the configuration says installation: {pinned}, but {paths.INSTALLATION} in this"
            f" ZooKeeper is {found!r}: if this is the right ZooKeeper, write installation: {found},"
            " else correct zookeeper: hosts; nothing was changed"
        )


@dataclass(slots=True)
class Registry:
    """Keeps our ephemeral znodes.

    Attributes:
        registered: Called (on the store's thread) with the outcome of each registration.
        pool_ids: Component id of each pool: new at every start of the process.
    """

    store: Store
    replica: ReplicaId
    started_s: float
    registered: Callable[[StoreError | None], None]
    url: str | None = None
    pool_ids: dict[str, str] = field(default_factory=dict)
    _components: list[str] = field(default_factory=list)
    _there: bool = False
    _doubtful: bool = False
    _writing: bool = False
    _wanted: Policy | None = None
    _fqdn: str = field(default_factory=socket.getfqdn)

    def prepare(self, policy: Policy, pinned: str | None = None) -> str:
        """Make what must be there, and return the id of the installation.

        Args:
            policy: Says whose tree.
            pinned: The id that the configuration demands.

        Raises:
            StoreError: If ZooKeeper does not let us.
            InstallationError: If the id there is none, or another than is demanded.
        """
        # Before anything is made: it may be another's ZooKeeper.
        self.store.ensure(paths.REMUDA)
        installation = self._installation(pinned)
        self.store.ensure(*tree(policy.provider), paths.NODE_COUNTER)
        return installation

    def _installation(self, pinned: str | None) -> str:
        found = self.store.read(paths.INSTALLATION)
        if found is None:
            name = pinned or uuid.uuid4().hex[:12]
            with suppress(ExistsError):  # a replica that starts at the same moment
                self.store.commit([Create(path=paths.INSTALLATION, data=name.encode())])
            found = self.store.read(paths.INSTALLATION)
        return _checked(b"" if found is None else found.value, pinned)

    def register(self, policy: Policy, found: Sequence[str] | None = None) -> None:
        """Create our ephemerals in the present session, or replace those of an older policy.

        After a failure nothing is written until a call tells what is there: a registration of
        unknown outcome may have left ephemerals that we do not know by name.

        Args:
            policy: Says which pools there are. Of several calls in a row the last one counts.
            found: All ephemerals of ours that are there; None: those that we know.
        """
        self._wanted = policy
        if self._writing or (self._doubtful and found is None):
            return
        if found is not None:
            self._components, self._there = list(found), False
        self._writing = True
        for name in policy.pools:
            self.pool_ids.setdefault(
                name, pool_component_id(self._fqdn, policy.provider, name, uuid.uuid4().hex)
            )
        ops: list[Op] = [Delete(path=path) for path in sorted(self._components)]
        if not self._there:
            ops.append(self._replica_op(policy.provider))
        count = len(ops)
        ops += [
            Create(
                path=f"{paths.POOL_COMPONENTS}/{socket.gethostname()}",
                data=encode_pool(self._component(policy, name)),
                ephemeral=True,
                sequence=True,
            )
            for name in policy.pools
        ]
        self.store.commit_later(ops, lambda result: self._written(policy, result, count))

    def _written(self, policy: Policy, result: tuple[Done, ...] | StoreError, others: int) -> None:
        self._writing = False
        if isinstance(result, StoreError):
            # What is there now, the mirrors tell.
            self._components, self._there, self._doubtful = [], False, True
            self.registered(result)
            return
        self._components, self._there = [one.path for one in result[others:]], True
        self._doubtful = False
        if self._wanted is not None and self._wanted is not policy:
            self.register(self._wanted)
        else:
            self.registered(None)

    def lost(self) -> None:
        """Forget what went with the session."""
        self._components, self._there, self._doubtful = [], False, False

    def agrees(self, found: Collection[str]) -> bool:
        """Whether our ephemerals that others see are those that we made, as far as we know."""
        if self._writing or self._wanted is None or not self._there:
            return True  # what is under way, or failed, is seen to already
        return {*self._components, self._replica_path(self._wanted.provider)} == set(found)

    def _replica_op(self, provider: str) -> Create:
        replica = Replica(
            id=self.replica,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_s=self.started_s,
            url=self.url,
        )
        path = self._replica_path(provider)
        return Create(path=path, data=encode_replica(replica), ephemeral=True)

    def _replica_path(self, provider: str) -> str:
        return f"{paths.replicas(provider)}/{self.replica}"

    def _component(self, policy: Policy, name: str) -> PoolComponent:
        pool = policy.pools[name]
        return PoolComponent(
            id=self.pool_ids[name],
            hostname=socket.gethostname(),
            provider=policy.provider,
            pool=name,
            labels=tuple(sorted(pool.labels)),
            priority=pool.priority,
            version=__version__,
        )
