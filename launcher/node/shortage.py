"""Why something cannot be started, in words and numbers: limits, quotas, and what never fits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from launcher.node.index import Usage
from launcher.policy import Limits

_WORDS: Final = {"ram_mib": "MiB of RAM", "volume_gib": "GiB of volumes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why something cannot be started now (or ever), with the numbers that decided it.

    Attributes:
        final: Nothing that ends by itself: no pool of ours will ever do it.
        pools: If it is for lack of room: the pools whose nodes take it up.
        passing: It ends soon, with the launches that are under way.
    """

    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    final: bool = False
    pools: tuple[str, ...] = ()
    passing: bool = False


def over(
    whose: str,
    used: Usage,
    need: Usage,
    limits: Limits,
    *,
    pools: tuple[str, ...],
    ours: Usage | None = None,
) -> Shortage | None:
    """Return why *need* is more than *limits* leave, or None.

    What *used* counts besides *ours* is other people's.
    """
    wanted = (
        ("instances", used.instances, need.instances, limits.instances),
        ("cores", used.cores, need.cores, limits.cores),
        ("ram_mib", used.ram_mib, need.ram_mib, limits.ram_mib),
        ("volumes", used.volumes, need.volumes, limits.volumes),
        ("volume_gib", used.volume_gib, need.volume_gib, limits.volume_gib),
    )
    for name, have, more, limit in wanted:
        if limit is not None and more > 0 and have + more > limit:
            others = 0 if ours is None else have - getattr(ours, name)
            whom = f" ({others} of them not by us)" if others else ""
            return Shortage(
                reason=f"{whose} has {have} of {limit} {_WORDS.get(name, name)} in use{whom}, "
                f"{more} more needed",
                numbers={f"{name}_used": have, f"{name}_max": limit, f"{name}_needed": more},
                pools=pools,
            )
    return None


def beyond(whose: str, need: Usage, limits: Limits) -> Shortage | None:
    """Return why *need* is more than *limits* ever allow, or None."""
    wanted = (
        ("instances", need.instances, limits.instances),
        ("cores", need.cores, limits.cores),
        ("ram_mib", need.ram_mib, limits.ram_mib),
        ("volumes", need.volumes, limits.volumes),
        ("volume_gib", need.volume_gib, limits.volume_gib),
    )
    for name, needed, limit in wanted:
        if limit is not None and needed > limit:
            what = (
                "1 node never fits"
                if need.instances == 1
                else (f"{need.instances} nodes at once never fit")
            )
            return Shortage(
                reason=f"{what}: {needed} {_WORDS.get(name, name)} needed, {whose} allows {limit}",
                numbers={f"{name}_needed": needed, f"{name}_max": limit},
                final=True,
            )
    return None
