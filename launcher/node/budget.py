"""Capacity: what may still be started, by every limit that there is.

A budget is a working copy within one plan: what the plan takes is counted at once, so that a plan
as a whole stays within the limits. The ledger transaction keeps two plans from both counting on
the same room.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from launcher.image.first_use import unmade
from launcher.image.index import NoneServed
from launcher.node.index import Usage
from launcher.node.shortage import Shortage, beyond, over
from launcher.policy import Key, Limits, OnDemand, plain
from launcher.provider.cloud import CloudView, Recipe
from launcher.server.usage import pool_usage, total_usage
from launcher.world import World
from remuda.cloud.api import Quota
from remuda.model.image import UploadId
from remuda.model.imageask import labelled_image
from remuda.model.status import IMAGE_NUMBER
from remuda.runtime.now import Now


@dataclass(slots=True)
class Budget:
    """What one plan may still start."""

    world: World
    now: Now
    used: dict[str, Usage] = field(default_factory=dict)
    total: Usage = field(default_factory=Usage)
    coming: int = 0
    started: dict[Key, int] = field(default_factory=dict)
    _rooms: dict[Key, Shortage | None] = field(default_factory=dict)
    _unmade: dict[Key, OnDemand | None] = field(default_factory=dict)
    _nevers: dict[tuple[str, tuple[str, ...]], Shortage | None] = field(default_factory=dict)

    @classmethod
    def of(cls, world: World, now: Now) -> "Budget":
        """Return the budget as the world stands."""
        return cls(
            world=world,
            now=now,
            used=pool_usage(world),
            total=total_usage(world),
            coming=world.nodes.making,
        )

    def take(self, key: Key, recipe: Recipe, n: int = 1) -> None:
        """Count *n* more nodes of *key* that are started now."""
        self.coming += n
        self.started[key] = self.started.get(key, 0) + n
        self.reserve(key, recipe, n)

    def take_back(self, key: Key, recipe: Recipe, n: int = 1) -> None:
        """Undo a :meth:`take`."""
        self.take(key, recipe, -n)

    def full_after(self, key: Key, n: int) -> bool:
        """Whether no more could be started after *n* more of *key*, whose recipe is known."""
        recipe = self.world.cloud.recipes[self._looked_up(key)]
        self.take(key, recipe, n)
        full = self.shortage(key) is not None
        self.take_back(key, recipe, n)
        return full

    def reserve(self, key: Key, recipe: Recipe, n: int = 1) -> None:
        """Count the room of *n* nodes of *key* that are to be started later."""
        cost = _cost(recipe, n)
        self._rooms.clear()
        for usage in (self.used.setdefault(key[0], Usage()), self.total):
            usage.add(cost)

    def shortage(self, key: Key) -> Shortage | None:
        """Return why no node of *key* may be started now, or None if one may."""
        return self.no_room(key) or self.not_yet(key)

    def no_room(self, key: Key) -> Shortage | None:
        """Return why *key* cannot be made or has no room, or None."""
        if key not in self._rooms:
            # Most of a long queue asks the same, and nothing is taken in between.
            found = self._cloud_shortage(key) or self.no_room_for(key[0], {key[1]: 1})
            self._rooms[key] = found
        return self._rooms[key]

    def not_yet(self, key: Key) -> Shortage | None:
        """Return why no node of *key* may be started now although there is room, or None."""
        limit = self.world.policy.config.max_concurrency
        if self.coming >= limit:
            return Shortage(
                reason=f"{self.coming} launches are under way, the limit is {limit}",
                numbers={"launches": self.coming, "launches_max": limit},
                passing=True,
            )
        return self._mood_shortage(key)

    def _cloud_shortage(self, key: Key) -> Shortage | None:
        cloud = self.world.cloud
        if self.world.halted is not None:
            return Shortage(reason=self.world.halted)
        if cloud.trouble is not None:
            return Shortage(reason=f"the cloud is out of service: {cloud.trouble}")
        return self._order_shortage(key) or self._image_shortage(key)

    def _made_on_use(self, key: Key) -> OnDemand | None:
        """Return the image of which machines of *key* run the recipe, or None; see `unmade`."""
        if key not in self._unmade:
            # Nothing that a plan takes changes it.
            self._unmade[key] = unmade(self.world, self.now, key)
        return self._unmade[key]

    def _looked_up(self, key: Key) -> Key:
        """Return by which key what machines of *key* are made of now was looked up."""
        return key if self._made_on_use(key) is None else plain(key)

    def _order_shortage(self, key: Key) -> Shortage | None:
        cloud, label = self.world.cloud, key[1]
        key = self._looked_up(key)
        refused = cloud.refusals.get(key)
        if key in cloud.broken:
            return Shortage(reason=f"{label} cannot be made: {cloud.broken[key]}")
        if refused is not None:
            reason = f"the cloud refused it ({refused.why}); what it names is looked up again"
            return Shortage(reason=reason, passing=True)
        if key not in cloud.recipes:
            return Shortage(reason="image and flavor are being looked up", passing=True)
        return None

    def _image_shortage(self, key: Key) -> Shortage | None:
        image = self.world.policy.built.get(key)
        if image is None or labelled_image(key[1]) is not None:
            return None
        found = self._made_on_use(key)
        if found is not None:
            start = self.world.policy.plain[plain(key)].image.built
            if start is None or found.trouble is not None:
                return None  # what speaks against it says who binds the machine
            image = start
        served = served_build(self.world, self.now, image)
        return served if isinstance(served, Shortage) else None

    def no_room_for(self, pool: str, labels: Mapping[str, int]) -> Shortage | None:
        """Return why a pool has no room for so many nodes of each label at once, or None."""
        need = Usage()
        for label, n in labels.items():
            key = self._looked_up((pool, label))
            recipe = self.world.cloud.recipes.get(key)
            if recipe is not None:
                need.add(_cost(recipe, n))
        return self._pool_shortage(pool, need) or self._quota_shortage(pool, need)

    def _pool_shortage(self, pool: str, need: Usage) -> Shortage | None:
        limits = self.world.policy.pools[pool].limits
        used = self.used.get(pool, Usage())
        return over(f"pool {pool}", used, need, limits, pools=(pool,))

    def _quota_shortage(self, pool: str, need: Usage) -> Shortage | None:
        quota = self.world.cloud.quota
        if quota is None or self.world.policy.pools[pool].config.ignore_provider_quota:
            return None
        used = account_use(self.world.cloud, quota, self.total)
        pools = tuple(sorted(self.world.policy.pools))
        limits = _quota_limits(quota)
        return over("the cloud's quota", used, need, limits, pools=pools, ours=self.total)

    def _mood_shortage(self, key: Key) -> Shortage | None:
        cloud, policy = self.world.cloud, self.world.policy
        until_s = cloud.no_room_until_s.get(key[0], 0.0)
        if self.now.mono_s < until_s:
            wait_s = round(until_s - self.now.mono_s)
            return Shortage(
                reason=f"{cloud.no_room_why.get(key[0])}; next try in {wait_s} s",
                numbers={"retry_in_s": wait_s},
            )
        breaker = cloud.breaker(key)
        coming = self.world.nodes.coming[key] + self.started.get(key, 0)
        allowed = breaker.allowed(
            now_s=self.now.mono_s, coming=coming, threshold=policy.breaker_failures
        )
        if allowed == 0:
            wait_s = max(0, round(breaker.open_until_s - self.now.mono_s))
            return Shortage(
                reason=f"{breaker.failures} launches in a row failed ({breaker.why}); "
                + (f"next try in {wait_s} s" if wait_s else "one try is under way"),
                numbers={"failures": breaker.failures, "retry_in_s": wait_s},
            )
        return None

    def never(self, pool: str, labels: tuple[str, ...]) -> Shortage | None:
        """Return why *pool* could not serve *labels* even if all were empty, or None."""
        known = (pool, labels)
        if known not in self._nevers:
            self._nevers[known] = self._never(pool, labels)
        return self._nevers[known]

    def _never(self, pool: str, labels: tuple[str, ...]) -> Shortage | None:
        limits = self.world.policy.pools[pool].limits
        if limits.instances == 0 or self.world.policy.config.max_concurrency == 0:
            return Shortage(reason=f"pool {pool} is closed", final=True)
        need = Usage()
        for label in labels:
            key = self._looked_up((pool, label))
            recipe = self.world.cloud.recipes.get(key)
            # What is not known (yet) cannot be too much.
            need.add(Usage(instances=1) if recipe is None else _cost(recipe))
        return beyond(f"pool {pool}", need, limits) or self._beyond_quota(pool, need)

    def _beyond_quota(self, pool: str, need: Usage) -> Shortage | None:
        quota = self.world.cloud.quota
        if quota is None or self.world.policy.pools[pool].config.ignore_provider_quota:
            return None
        return beyond("the cloud's quota", need, _quota_limits(quota))


def served_build(world: World, now: Now, image: str) -> UploadId | Shortage:
    """Return the upload that new machines of an image boot, or why they wait."""
    served = world.images.served(image, now.wall_s)
    if isinstance(served, NoneServed):
        return Shortage(reason=served.why, numbers={IMAGE_NUMBER: image})
    return served


def account_use(cloud: CloudView, quota: Quota, ours: Usage) -> Usage:
    """Return what the account uses: *ours* as it is now, others' as the last survey saw it."""
    then = cloud.quota_ours
    return replace(
        ours,
        instances=ours.instances + max(0, quota.instances_used - then[0]),
        cores=ours.cores + max(0, quota.cores_used - then[1]),
        ram_mib=ours.ram_mib + max(0, quota.ram_mib_used - then[2]),
    )


def _quota_limits(quota: Quota) -> Limits:
    return Limits(instances=quota.instances_max, cores=quota.cores_max, ram_mib=quota.ram_mib_max)


def _cost(recipe: Recipe, n: int = 1) -> Usage:
    """Return what *n* nodes of a recipe cost."""
    return Usage(
        instances=n,
        cores=n * recipe.flavor.cores,
        ram_mib=n * recipe.flavor.ram_mib,
        volumes=n * (recipe.volume_gib > 0),
        volume_gib=n * recipe.volume_gib,
    )
