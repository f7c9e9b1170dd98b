"""The configuration of one provider, compiled to what the judgements need."""

from collections.abc import Mapping
from dataclasses import dataclass

from remuda.config.model import Config, Label, Pool, PoolLabel, Provider

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds of a pool; None: none."""

    instances: int | None = None
    cores: int | None = None
    ram_mib: int | None = None
    volumes: int | None = None
    volume_gib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """One pool."""

    name: str
    priority: int
    limits: Limits
    labels: frozenset[str]
    config: Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything configured that a judgement may ask for.

    Attributes:
        pools: By name, preferred first.
        making: How each pool makes a label.
        labels: What the labels promise.
        pinned: The id of the installation is in the configuration, not only in ZooKeeper.
    """

    provider: str
    config: Provider
    pools: Mapping[str, PoolPolicy]
    making: Mapping[Key, PoolLabel]
    labels: Mapping[str, Label]
    pinned: bool = False
    max_hold_age_s: float | None = None
    #: A provider that is not the first choice waits this long per rank before it steps in.
    warm_grace_s: float = 0.25
    cold_grace_s: float = 1.0
    #: After this, smaller requests no longer overtake a waiting one that needs the room.
    patience_s: float = 30.0
    #: Launches that fail in a row before the breaker of a label in a pool opens.
    breaker_failures: int = 3
    breaker_base_s: float = 30.0
    breaker_max_s: float = 600.0
    #: A waiting request gets a verdict in the store after this; most are served before.
    verdict_after_s: float = 1.0
    #: After waking up, min-ready waits so long for launchers that start at the same moment.
    settle_s: float = 1.5

    @property
    def gives_floating_ips(self) -> bool:
        """Whether any pool gives its nodes floating IPs."""
        return any(pool.config.floating_ips for pool in self.pools.values())

    def addresses(self, pool: str) -> bool:
        """Whether a pool gives its nodes floating IPs, or is unknown by now: it may have."""
        known = self.pools.get(pool)
        return known is None or known.config.floating_ips

    def pools_for(self, labels: tuple[str, ...]) -> tuple[PoolPolicy, ...]:
        """Return the open pools that can make all of *labels*, preferred first."""
        wanted = frozenset(labels)
        return tuple(pool for pool in self.pools.values() if wanted <= pool.labels)


def compile_policy(config: Config, provider: str) -> Policy:
    """Return the policy of *provider*.

    Raises:
        KeyError: If the configuration has no such provider.
    """
    one = config.providers[provider]
    pools = [_pool(name, pool, one) for name, pool in one.pools.items()]
    return Policy(
        provider=provider,
        config=one,
        pools={pool.name: pool for pool in sorted(pools, key=lambda p: (p.priority, p.name))},
        making={
            (name, label): how
            for name, pool in one.pools.items()
            for label, how in pool.labels.items()
        },
        labels=config.labels,
        pinned=config.installation is not None,
        max_hold_age_s=config.max_hold_age,
    )


def _pool(name: str, pool: Pool, provider: Provider) -> PoolPolicy:
    return PoolPolicy(
        name=name,
        priority=provider.priority if pool.priority is None else pool.priority,
        limits=Limits(
            instances=pool.max_servers,
            cores=pool.max_cores,
            ram_mib=pool.max_ram,
            volumes=pool.max_volumes,
            volume_gib=None if pool.max_volume_size is None else pool.max_volume_size // 1024,
        ),
        labels=frozenset(pool.labels),
        config=pool,
    )
