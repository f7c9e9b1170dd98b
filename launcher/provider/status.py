"""How we stand: the status that our provider tells the others, computed from the world."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from launcher.image.first_use import looked_up, unmade
from launcher.node.budget import Budget, account_use
from launcher.node.index import Usage
from launcher.node.progress import late
from launcher.node.view import NodeView
from launcher.policy import Key
from launcher.server.usage import pool_usage, total_usage
from launcher.world import World
from remuda.model.imageask import labelled_image
from remuda.model.status import LabelStatus, PoolStatus, ProviderStatus
from remuda.runtime.now import Now

#: Machines that are late, by pool and label.
Late = Mapping[Key, Sequence[NodeView]]
#: More room than this makes no difference to anybody's choice.
ROOM_MAX = 50


def _in_pool(world: World, budget: Budget, key: Key, slow: Sequence[NodeView]) -> LabelStatus:
    """Return how one pool of ours stands with a label; some of its machines are too *slow*."""
    free, needed = len(world.nodes.free.get(key, ())), world.queue.needed[key]
    coming = max(0, world.nodes.coming[key] - len(slow))
    boot_s = world.cloud.boot_s.get(key)
    return LabelStatus(
        ready=max(0, free - needed),
        coming=max(0, min(coming, free + coming - needed)),
        room=_room(budget, key),
        boot_s=None if boot_s is None else round(boot_s, 1),
        broken=_trouble(world, budget.now, key, slow),
        failures=world.cloud.breaker(key).failures,
        kept=unmade(world, budget.now, key) is None,
    )


def _together(pools: Collection[LabelStatus]) -> LabelStatus:
    """Return the status of a label in all our pools."""
    troubles = [one.broken for one in pools]
    return LabelStatus(
        ready=sum(one.ready for one in pools),
        coming=sum(one.coming for one in pools),
        room=sum(one.room for one in pools),
        boot_s=min((one.boot_s for one in pools if one.boot_s is not None), default=None),
        broken=troubles[0] if troubles and all(troubles) else None,
        failures=max((one.failures for one in pools), default=0),
        kept=any(one.kept for one in pools),
    )


@dataclass(frozen=True, slots=True)
class _OfLabel:
    """The status of one label: in each pool that makes it, and in all of them."""

    pools: Mapping[str, LabelStatus]
    together: LabelStatus


def _of_label(world: World, budget: Budget, label: str, slow: Late) -> _OfLabel:
    keys = [(pool.name, label) for pool in world.policy.pools.values() if label in pool.labels]
    pools = {key[0]: _in_pool(world, budget, key, slow.get(key, ())) for key in keys}
    return _OfLabel(pools, _together(tuple(pools.values())))


def _trouble(world: World, now: Now, key: Key, slow: Sequence[NodeView]) -> str | None:
    """Return why one pool is not to be counted on: launches are held back, or do not come."""
    breaker, made_of = world.cloud.breaker(key), looked_up(world, now, key)
    if made_of in world.cloud.broken:
        return world.cloud.broken[made_of]
    if made_of in world.cloud.refusals:
        return f"the cloud refused it: {world.cloud.refusals[made_of].why}"
    if breaker.failures >= world.policy.breaker_failures:
        return f"{breaker.failures} launches in a row failed: {breaker.why}"
    if slow:
        words = {one.launch.proof_words for one in slow if one.launch and one.launch.proof_words}
        why = f": {min(words)}" if words else ""
        return f"{len(slow)} machines run, but let nobody in{why}"
    return None


def _room(budget: Budget, key: Key) -> int:
    """Return how many nodes of *key* may be started now, at most ROOM_MAX; found by halving."""
    if budget.shortage(key) is not None:
        return 0
    if not budget.full_after(key, ROOM_MAX - 1):
        return ROOM_MAX
    return bisect_left(range(ROOM_MAX), True, key=lambda n: budget.full_after(key, n))  # noqa: FBT003 - what is looked for


@dataclass(slots=True)
class OwnStatus:
    """Our status as far as a plan asks for it: each label is looked at once at the most."""

    world: World
    now: Now
    _budget: Budget | None = None
    _late: Late | None = None
    _labels: dict[str, _OfLabel] = field(default_factory=dict)
    _status: ProviderStatus | None = None

    @property
    def late(self) -> Late:
        """The machines that are late, by pool and label."""
        self._late = late(self.world, self.now) if self._late is None else self._late
        return self._late

    def of(self, labels: Iterable[str]) -> ProviderStatus:
        """Return our status with the entries of *labels*."""
        new = [label for label in labels if label not in self._labels]
        for label in new:
            self._budget = self._budget or Budget.of(self.world, self.now)
            self._labels[label] = _of_label(self.world, self._budget, label, self.late)
        if new or self._status is None:
            self._status = _status(self.world, self._labels)
        return self._status


def our_status(world: World, now: Now) -> ProviderStatus:
    """Return our whole status."""
    budget, used, slow = Budget.of(world, now), pool_usage(world), late(world, now)
    labels = sorted(
        label
        for label in {one for pool in world.policy.pools.values() for one in pool.labels}
        if labelled_image(label) is None
    )
    told = _status(world, {label: _of_label(world, budget, label, slow) for label in labels})
    return replace(
        told,
        pools={
            name: replace(_pool_status(world, name, used.get(name, Usage())), labels=pool.labels)
            for name, pool in told.pools.items()
        },
        quota=_quota(world),
        max_hold_age_s=world.policy.max_hold_age_s,
        quota_seen_s=world.cloud.quota_seen_s,
        config_error=world.config_error,
        sweep=world.cloud.brake,
    )


def _status(world: World, labels: Mapping[str, _OfLabel]) -> ProviderStatus:
    """Return our status with that of *labels*."""
    shared = {label: one.pools for label, one in labels.items() if len(one.pools) > 1}
    return ProviderStatus(
        provider=world.policy.provider,
        priority=world.policy.config.priority,
        trouble=world.halted or world.cloud.trouble,
        labels={label: one.together for label, one in labels.items()},
        pools={
            name: PoolStatus(
                labels={label: pools[name] for label, pools in shared.items() if name in pools}
            )
            for name in sorted(world.policy.pools)
        },
    )


def _pool_status(world: World, pool: str, used: Usage) -> PoolStatus:
    limits = world.policy.pools[pool].limits
    return PoolStatus(
        instances=used.instances,
        instances_max=limits.instances,
        cores=used.cores,
        cores_max=limits.cores,
        ram_mib=used.ram_mib,
        ram_mib_max=limits.ram_mib,
    )


def _quota(world: World) -> dict[str, tuple[int, int | None]]:
    quota = world.cloud.quota
    if quota is None:
        return {}
    used = account_use(world.cloud, quota, total_usage(world))
    return {
        "instances": (used.instances, quota.instances_max),
        "cores": (used.cores, quota.cores_max),
        "ram_mib": (used.ram_mib, quota.ram_mib_max),
    }
