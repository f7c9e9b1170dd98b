"""What Nova refuses because of a quota or of sizes, in Nova's own words.

Source: nova.exception.TooManyInstances ("Quota exceeded for %(overs)s: Requested %(req)s, but
already used %(used)s of %(allowed)s %(overs)s"), seen with Nova 34 as
``{"forbidden": {"code": 403, "message": …}}``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.config import FlavorConfig, Quota
from sandbox.image.model import Image
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


def check_image_fits(
    image: Image, flavor: FlavorConfig, *, volume_gib: int | None, is_admin: bool
) -> None:
    """Refuse an image that is too large for its machine.

    Source: ``_validate_flavor_image_nostatus`` of nova/compute/api.py and the messages of
    nova/exception.py. A flavor of disk 0 sets no limit, and is by default for administrators only
    (``os_compute_api:servers:create:zero_disk_flavor``).

    Args:
        image: What it boots.
        flavor: Its size.
        volume_gib: Of the volume that the image is written to; 0: as large as it likes, None:
            there is none.
        is_admin: Whether an administrator asks.

    Raises:
        ApiError: 400 or 403.
    """
    if image.min_ram > flavor.ram:
        raise ApiError(400, "Flavor's memory is too small for requested image.")
    least = image.min_disk << 30
    if volume_gib is not None:
        if volume_gib and least > volume_gib << 30:
            raise ApiError(
                400,
                "Volume is smaller than the minimum size specified in image metadata. Volume size"
                f" is {volume_gib << 30} bytes, minimum size is {least} bytes.",
            )
        return
    disk = flavor.disk << 30
    if not disk:
        if not is_admin:
            raise ApiError(
                403, "Only volume-backed servers are allowed for flavors with zero disk."
            )
        return
    if (image.size or 0) > disk:
        raise ApiError(
            400,
            "Flavor's disk is too small for requested image. Flavor disk is"
            f" {disk} bytes, image is {image.size} bytes.",
        )
    if least > disk:
        raise ApiError(
            400,
            "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor"
            f" disk is {disk} bytes, minimum size is {least} bytes.",
        )
