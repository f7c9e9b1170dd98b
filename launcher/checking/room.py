"""What the configured pools could start at most, by their limits and the cloud's quota."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from launcher.checking.findings import Area, Findings
from launcher.checking.means import Means
from launcher.policy import Key, Limits, Policy, PoolPolicy
from launcher.provider.cloud import Recipe
from remuda.cloud.api import Quota, Server
from remuda.model import tags

_NAMES: Final[Mapping[str, str]] = {
    "instances": "max-servers",
    "cores": "max-cores",
    "ram_mib": "max-ram",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """How many nodes of one label fit into its pool while it is otherwise empty.

    Attributes:
        count: None: neither pool nor quota has a limit.
        by: Which limit it is.
    """

    count: int | None
    by: str = ""


def check_quota(
    means: Means, out: Findings, recipes: Mapping[Key, Recipe], servers: Sequence[Server] | None
) -> Quota | None:
    """Compare the quota with what the pools are allowed to start, and return it."""
    quota: Quota | None = None
    with out.guarded(Area.QUOTA, "quota"):
        quota = means.cloud.quota()
    if quota is None:
        return None
    ours = used_by_us(means.policy, recipes.values(), servers or ())
    free = free_for_us(quota, ours)
    out.facts["quota"] = {
        "instances_max": quota.instances_max,
        "instances_used": quota.instances_used,
        "cores_max": quota.cores_max,
        "cores_used": quota.cores_used,
        "ram_mib_max": quota.ram_mib_max,
        "ram_mib_used": quota.ram_mib_used,
    }
    out.ok(Area.QUOTA, "quota", _quota_text(quota))
    _check_limits(means.policy, quota, out)
    facts = []
    for _, pool in sorted(means.policy.pools.items()):
        facts += _check_pool(means.policy, pool, free=free, recipes=recipes, out=out)
    out.facts["pools"] = facts
    _check_min_ready(means.policy, facts, out)
    return quota


def used_by_us(policy: Policy, recipes: Iterable[Recipe], servers: Sequence[Server]) -> Limits:
    """Return what of the use in the quota are nodes of this provider, as far as can be told."""
    sizes = {one.flavor.id: one.flavor for one in recipes}
    ours = [
        server
        for server in servers
        if (owner := tags.read(server.tags)) is not None and owner.owner.provider == policy.provider
    ]
    flavors = [sizes[one.flavor_id] for one in ours if one.flavor_id in sizes]
    return Limits(
        instances=len(ours),
        cores=sum(one.cores for one in flavors),
        ram_mib=sum(one.ram_mib for one in flavors),
    )


def free_for_us(quota: Quota, ours: Limits) -> Limits:
    """Return what the quota leaves for this provider once all of its nodes are gone."""

    def left(most: int | None, used: int, own: int | None) -> int | None:
        return None if most is None else max(0, most - max(0, used - (own or 0)))

    return Limits(
        instances=left(quota.instances_max, quota.instances_used, ours.instances),
        cores=left(quota.cores_max, quota.cores_used, ours.cores),
        ram_mib=left(quota.ram_mib_max, quota.ram_mib_used, ours.ram_mib),
    )


def most_of(recipe: Recipe, pool: Limits, free: Limits) -> Most:
    """Return how many nodes fit, and which limit says so."""
    needs = {"instances": 1, "cores": recipe.flavor.cores, "ram_mib": recipe.flavor.ram_mib}
    found: list[tuple[int, str]] = []
    for name, need in needs.items():
        if need <= 0:
            continue
        for limit, by in (
            (getattr(pool, name), _NAMES[name]),
            (getattr(free, name), f"quota of {name}"),
        ):
            if limit is not None:
                found.append((limit // need, by))
    if recipe.volume_gib and pool.volumes is not None:
        found.append((pool.volumes, "max-volumes"))
    if recipe.volume_gib and pool.volume_gib is not None:
        found.append((pool.volume_gib // recipe.volume_gib, "max-volume-size"))
    if not found:
        return Most(count=None)
    count, by = min(found)
    return Most(count=count, by=by)


def _quota_text(quota: Quota) -> str:
    def part(name: str, used: int, most: int | None) -> str:
        return f"{used} of {'unlimited' if most is None else most} {name}"

    return ", ".join(
        (
            part("instances", quota.instances_used, quota.instances_max),
            part("cores", quota.cores_used, quota.cores_max),
            f"{part('MiB of memory', quota.ram_mib_used, quota.ram_mib_max)} in use",
        )
    )


def _check_limits(policy: Policy, quota: Quota, out: Findings) -> None:
    """Warn of limits of pools that the quota can never fulfil, alone or together."""
    asking = {
        name: one for name, one in policy.pools.items() if not one.config.ignore_provider_quota
    }
    allowed = {
        "instances": quota.instances_max,
        "cores": quota.cores_max,
        "ram_mib": quota.ram_mib_max,
    }
    for kind, most in allowed.items():
        limits = {name: getattr(one.limits, kind) for name, one in sorted(asking.items())}
        known = {name: limit for name, limit in limits.items() if limit is not None}
        if most is None or not known:
            continue
        over = [f"pool {name} has {limit}" for name, limit in known.items() if limit > most]
        total = sum(known.values())
        if not over and total > most:
            over = [f"all pools together have {total}"]
        if over:
            out.warning(
                Area.QUOTA,
                _NAMES[kind],
                f"{', '.join(over)}, the quota allows {most} {kind}",
                f"raise the quota or lower {_NAMES[kind]}: requests will wait for room that"
                " never comes",
            )


def _check_pool(
    policy: Policy,
    pool: PoolPolicy,
    *,
    free: Limits,
    recipes: Mapping[Key, Recipe],
    out: Findings,
) -> list[dict[str, Any]]:
    name = pool.name
    facts: list[dict[str, Any]] = []
    room = Limits() if pool.config.ignore_provider_quota else free
    closed = pool.limits.instances == 0 or policy.config.max_concurrency == 0
    for label in sorted(pool.labels):
        recipe = recipes.get((name, label))
        if recipe is None:
            continue
        most = most_of(recipe, pool.limits, room)
        facts.append({"pool": name, "label": label, "nodes_max": most.count, "limit": most.by})
        subject = f"{name}/{label} room"
        if closed:
            out.warning(
                Area.QUOTA, subject, "the pool is closed", "raise max-servers or max-concurrency"
            )
        elif most.count == 0:
            out.problem(
                Area.QUOTA,
                subject,
                f"not a single node fits ({most.by})",
                "raise that limit, remove what others run there, or take a smaller flavor",
            )
        elif most.count is None:
            out.ok(Area.QUOTA, subject, "no limit")
        else:
            out.ok(Area.QUOTA, subject, f"at most {most.count} nodes at once ({most.by})")
    return facts


def _check_min_ready(policy: Policy, facts: Sequence[Mapping[str, Any]], out: Findings) -> None:
    for label in sorted({str(one["label"]) for one in facts}):
        counts = [one["nodes_max"] for one in facts if one["label"] == label]
        wanted = policy.labels[label].min_ready
        if None not in counts and sum(counts) < wanted:
            out.warning(
                Area.QUOTA,
                f"{label} min-ready",
                f"min-ready is {wanted}, here at most {sum(counts)} fit",
                "raise the limits or lower min-ready, unless other providers hold the rest",
            )
