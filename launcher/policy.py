"""The configuration of one provider, compiled to what the judgements need."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from remuda.config import takehomes, trees
from remuda.config.capsules import Capsules
from remuda.config.capturing import CaptureRules, rules_of
from remuda.config.developers import Keys, developers_of
from remuda.config.fingerprint import ReadTree, Trees, image_fingerprint, read_trees
from remuda.config.holds import HoldsFrom
from remuda.config.images import BaseFrom
from remuda.config.model import Config, Label, NodeImageFrom, Pool, PoolLabel, Provider
from remuda.config.recipes import ImageRecipe, ProviderMaking, recipes
from remuda.config.revision import revision_of
from remuda.config.sources import UnreadableError
from remuda.config.takehomes import SnapshotRules
from remuda.model.imageask import ImageUse, image_label

Key = tuple[str, str]


def plain(key: Key) -> Key:
    """Return by what the machines of *key* are looked up that boot no image of ours themselves.

    They run its recipe, and boot what that starts from. Nobody can ask for a label of this name.
    """
    return key[0], f"first/{key[1]}"


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
class OnDemand:
    """An image of ours that is made on first use.

    Attributes:
        fingerprint: Of its recipe now: builds of another one are not booted.
        copied: What that means by each file and folder that steps copy.
        trouble: Why the recipe cannot be used here, or None.
    """

    recipe: ImageRecipe
    fingerprint: str = ""
    copied: Trees = field(default_factory=dict)
    trouble: str | None = None

    @property
    def ttl_s(self) -> float:
        """Unused for so long, its builds go."""
        return self.recipe.ttl_s or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything configured that a judgement may ask for.

    Attributes:
        pools: By name, preferred first.
        making: How each pool makes a label.
        built: The image of ours that it boots, by pool and label, if it is one.
        on_demand: The images of ours that are made on first use, by name.
        plain: How machines are made that boot no build of such an image, by :func:`plain`.
        kept: How many builds of each image of ours are kept here.
        labels: What the labels promise.
        captures: Of which machines images may be captured, and for whom.
        capsules: What is kept of machines that fail.
        revision: Which configuration this is, in a word: another one has another.
        snapshots: Which held machines may be taken home as images, and for whom.
        developers: Their keys, or where these are.
        holds: How many machines are kept for people, and how long.
        pinned: The id of the installation is in the configuration, not only in ZooKeeper.
    """

    provider: str
    config: Provider
    pools: Mapping[str, PoolPolicy]
    making: Mapping[Key, PoolLabel]
    labels: Mapping[str, Label]
    built: Mapping[Key, str] = field(default_factory=dict)
    on_demand: Mapping[str, OnDemand] = field(default_factory=dict)
    plain: Mapping[Key, PoolLabel] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    captures: CaptureRules = field(default_factory=rules_of)
    capsules: Capsules = field(default_factory=Capsules)
    revision: str = ""
    snapshots: SnapshotRules = field(default_factory=SnapshotRules)
    developers: Mapping[str, Keys] = field(default_factory=dict)
    pinned: bool = False
    max_hold_age_s: float | None = None
    holds: HoldsFrom = field(default_factory=HoldsFrom)
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

    def share_an_image(self, labels: tuple[str, ...]) -> bool:
        """Whether two nodes of *labels* boot the same image of ours, in any pool."""
        if len(labels) == 1 or not self.built:
            return False
        return any(
            n > 1
            for pool in self.pools
            for n in Counter(
                self.built[pool, label] for label in labels if (pool, label) in self.built
            ).values()
        )

    def pools_for(self, labels: tuple[str, ...]) -> tuple[PoolPolicy, ...]:
        """Return the open pools that can make all of *labels*, preferred first."""
        wanted = frozenset(labels)
        return tuple(pool for pool in self.pools.values() if wanted <= pool.labels)


def compile_policy(config: Config, provider: str, read: ReadTree = trees.read) -> Policy:
    """Return the policy of *provider*.

    Args:
        config: Without problems.
        provider: Whose.
        read: Returns what a file or folder holds that steps copy, of images made on first use.

    Raises:
        KeyError: If the configuration has no such provider.
    """
    one = config.providers[provider]
    known = recipes(config.images, config.image_defaults, config.providers)
    ours = [recipe for recipe in known.values() if provider in recipe.makings]
    making = {
        (name, label): how for name, pool in one.pools.items() for label, how in pool.labels.items()
    }
    on_demand = {r.name: _on_demand(r, read) for r in ours if r.on_demand_in(provider)}
    without = {
        plain(key): how.model_copy(update={"image": start})
        for key, how in making.items()
        if (start := _without(how, on_demand, provider)) is not None
    }
    making |= {key: how for recipe in ours for key, how in _for_builders(recipe, provider, one)}
    pools = [
        _pool(name, pool, one, frozenset(label for where, label in making if where == name))
        for name, pool in one.pools.items()
    ]
    return Policy(
        provider=provider,
        config=one,
        pools={pool.name: pool for pool in sorted(pools, key=lambda p: (p.priority, p.name))},
        making=making,
        labels={**config.labels, **dict.fromkeys(_labels_for_builders(ours), _NO_PROMISE)},
        built={key: how.image.built for key, how in making.items() if how.image.built is not None},
        on_demand=on_demand,
        plain=without,
        kept={recipe.name: recipe.keep for recipe in ours},
        captures=rules_of(known, config.labels),
        capsules=config.capsules,
        revision=revision_of(config),
        snapshots=takehomes.rules_of(config),
        developers=developers_of(config.developers),
        pinned=config.installation is not None,
        max_hold_age_s=config.max_hold_age,
        holds=config.holds,
    )


#: Builders prove what they ask for themselves; that somebody can log in is all that they want.
_NO_PROMISE: Final = Label()


def _labels_for_builders(ours: list[ImageRecipe]) -> Iterator[str]:
    for recipe in ours:
        for use in ImageUse:
            yield image_label(recipe.name, use)


def _for_builders(
    recipe: ImageRecipe, provider: str, config: Provider
) -> Iterator[tuple[Key, PoolLabel]]:
    """Yield how each pool makes the machines that builders ask for; nobody else hears of them."""
    making = recipe.makings[provider]
    for pool in config.pools:
        if making.pool in (None, pool):
            make, prove = (image_label(recipe.name, use) for use in ImageUse)
            if making.copy_from is None and making.base is not None:
                yield (pool, make), _machine(recipe, making, _start(making.base))
            yield (pool, prove), _machine(recipe, making, NodeImageFrom(built=recipe.name))


def _on_demand(recipe: ImageRecipe, read: ReadTree) -> OnDemand:
    try:
        copied = read_trees(recipe, read)
        made_from = image_fingerprint(recipe, copied)
    except (UnreadableError, ValueError) as error:  # of a script that is not on this host, too
        return OnDemand(recipe=recipe, trouble=str(error))
    return OnDemand(recipe=recipe, fingerprint=made_from, copied=copied)


def _without(
    how: PoolLabel, on_demand: Mapping[str, OnDemand], provider: str
) -> NodeImageFrom | None:
    """Return what a machine boots where there is no build of its image; None: it waits for one."""
    found = on_demand.get(how.image.built or "")
    base = None if found is None else found.recipe.makings[provider].base
    return None if base is None else _start(base)


def _start(base: BaseFrom) -> NodeImageFrom:
    """Return what a recipe starts from: an image of the cloud, or another one of ours."""
    if base.image is not None:
        return NodeImageFrom(built=base.image)
    return NodeImageFrom(id=base.id, name=base.name, match=base.match, properties=base.properties)


def _machine(recipe: ImageRecipe, making: ProviderMaking, image: NodeImageFrom) -> PoolLabel:
    return PoolLabel(
        image=image,
        flavor=making.flavor,
        username=making.username,
        connection_port=recipe.connection_port,
        host_keys=recipe.host_keys,
        config_drive=recipe.config_drive,
    )


def _pool(name: str, pool: Pool, provider: Provider, labels: frozenset[str]) -> PoolPolicy:
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
        labels=labels,
        config=pool,
    )
