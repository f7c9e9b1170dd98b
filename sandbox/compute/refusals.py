"""What Nova refuses because of a quota, in Nova's own words.

Source: nova.exception.TooManyInstances ("Quota exceeded for %(overs)s: Requested %(req)s, but
already used %(used)s of %(allowed)s %(overs)s"), seen with Nova 34 as
``{"forbidden": {"code": 403, "message": …}}``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.config import FlavorConfig, Quota
from sandbox.quota import exceeds
from sandbox.web.errors import ApiError


def over_quota(
    overs: Sequence[str], wanted: Sequence[int], used: Sequence[int], allowed: Sequence[int]
) -> ApiError:
    """Return the refusal for the resources *overs*, with numbers in the same order."""
    what = ", ".join(overs)
    wants, uses, limits = (", ".join(map(str, each)) for each in (wanted, used, allowed))
    return ApiError(
        403,
        f"Quota exceeded for {what}: Requested {wants}, but already used {uses} of {limits} {what}",
    )


def check_quota(
    quota: Quota, usage: tuple[int, int, int], flavor: FlavorConfig, least: int
) -> None:
    """Refuse if *least* more servers of *flavor* do not fit.

    Raises:
        ApiError: 403.
    """
    rows = [
        ("instances", least, usage[0], quota.instances),
        ("cores", least * flavor.vcpus, usage[1], quota.cores),
        ("ram", least * flavor.ram, usage[2], quota.ram),
    ]
    overs = [row for row in sorted(rows) if exceeds(row[3], row[2], row[1])]
    if overs:
        raise over_quota(*zip(*overs, strict=True))


def fitting(quota: Quota, usage: tuple[int, int, int], flavor: FlavorConfig, most: int) -> int:
    """Return how many servers, at most *most*, still fit: Nova makes as many as it can."""
    room = [most]
    for limit, used, each in (
        (quota.instances, usage[0], 1),
        (quota.cores, usage[1], flavor.vcpus),
        (quota.ram, usage[2], flavor.ram),
    ):
        if limit >= 0:
            room.append(max(limit - used, 0) // each)
    return min(room)


def injected_refusal(
    resource: str, quota: Quota, usage: tuple[int, int, int], flavor: FlavorConfig
) -> ApiError:
    """Return a refusal nobody can tell from a true one: the limit given is what is used."""
    wanted = {"instances": 1, "cores": flavor.vcpus, "ram": flavor.ram}
    used = dict(zip(("instances", "cores", "ram"), usage, strict=True))
    if resource not in wanted:
        return ApiError(403, f"Quota exceeded for resources: ['{resource}'].")
    limit = getattr(quota, resource)
    shown = limit if 0 <= limit < used[resource] + wanted[resource] else used[resource]
    return over_quota([resource], [wanted[resource]], [used[resource]], [shown])
