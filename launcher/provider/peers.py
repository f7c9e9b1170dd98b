"""The others: replicas of ours, other providers, and every registered pool."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from remuda.membership.rendezvous import assignee
from remuda.model.component import PoolComponent, Replica
from remuda.model.ids import ReplicaId
from remuda.model.status import ProviderStatus
from remuda.store import paths


@dataclass(slots=True)
class Peers:
    """Who else is there.

    Attributes:
        me: Our replica id.
        provider: Our provider.
        replicas: The living launchers, by provider.
        pools: Registered pools of all launchers, by path of their znode.
        broken_pools: Ids of the sessions that hold the znodes of pools which cannot be read.
        statuses: What providers last told.
    """

    me: ReplicaId
    provider: str
    replicas: dict[str, dict[ReplicaId, Replica]] = field(default_factory=dict)
    pools: dict[str, PoolComponent] = field(default_factory=dict)
    broken_pools: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, ProviderStatus] = field(default_factory=dict)

    def ours(self) -> Mapping[ReplicaId, Replica]:
        """Return the living replicas of our provider."""
        return self.replicas.get(self.provider, {})

    def alive(self, replica: str) -> bool:
        """Whether a replica of our provider lives."""
        return replica in self.ours()

    def assigned(self, thing: str) -> bool:
        """Whether *thing* falls to us among the living replicas of our provider."""
        return assignee(thing, self.ours()) == self.me

    def provider_alive(self, provider: str) -> bool:
        """Whether any launcher of *provider* lives."""
        return bool(self.replicas.get(provider))

    def candidates(
        self, labels: frozenset[str], declined_by: frozenset[str]
    ) -> tuple[PoolComponent, ...]:
        """Return the registered pools that have all *labels* and have not declined."""
        able = [pool for pool in self.pools.values() if labels.issubset(pool.labels)]
        if not declined_by:
            return tuple(able)
        # Replicas have component ids of their own; what one declines all of them decline.
        gone = {(pool.provider, pool.pool) for pool in able if pool.id in declined_by}
        return tuple(pool for pool in able if (pool.provider, pool.pool) not in gone)

    def our_ids(self) -> frozenset[str]:
        """Return the component ids of our provider's pools, of all living replicas."""
        return frozenset(p.id for p in self.pools.values() if p.provider == self.provider)

    def declined_here(self, pool: str, declined_by: Collection[str]) -> bool:
        """Whether any replica of ours has declined for *pool*."""
        return bool(declined_by) and any(
            one.id in declined_by
            for one in self.pools.values()
            if one.provider == self.provider and one.pool == pool
        )

    def status(self, provider: str) -> ProviderStatus | None:
        """Return what a living provider last told, or None."""
        return self.statuses.get(provider) if self.provider_alive(provider) else None

    def traces(self, pool_ids: Collection[str], session_id: int) -> tuple[str, ...]:
        """Return the paths of our own ephemerals, as far as the mirrors tell.

        A pool of which somebody has spoiled the record is told by our session.
        """
        pools = [path for path, pool in self.pools.items() if pool.id in pool_ids]
        pools += [path for path, owner in self.broken_pools.items() if owner == session_id]
        replica = f"{paths.replicas(self.provider)}/{self.me}"
        return (*pools, replica) if self.alive(self.me) else tuple(pools)

    def registered(self) -> frozenset[str]:
        """Return the ids of all registered pools, ours and others'."""
        return frozenset(pool.id for pool in self.pools.values())

    def known_labels(self) -> frozenset[str]:
        """Return every label that some registered pool makes."""
        return frozenset(label for pool in self.pools.values() for label in pool.labels)
