"""Floating IPs, for pools that give one to each node."""

from launcher.checking.findings import Area, Findings
from launcher.checking.making import CloudOffer
from launcher.checking.means import Means


def check_floating_ips(means: Means, out: Findings, offer: CloudOffer) -> None:
    """Look for an external network, and for room; nothing if no pool wants floating IPs."""
    pools = [one for one in means.policy.pools.values() if one.config.floating_ips]
    if not pools:
        return
    _check_network(out, offer)
    room = None
    with out.guarded(Area.FLOATING_IPS, "quota"):
        room = means.inspector.floating_room()
        if room is None:
            out.untested(Area.FLOATING_IPS, "quota", "the cloud does not tell it")
    out.facts["floating_ips"] = {
        "limit": room and room.limit,
        "used": room and room.used,
    }
    if room is None:
        return
    text = f"{room.used} of {'unlimited' if room.limit is None else room.limit} in use"
    limits = [one.limits.instances for one in pools]
    wanted = sum(limit for limit in limits if limit is not None)
    if room.limit is not None and room.limit <= room.used:
        advice = "raise the quota, or release idle ones (those of Remuda: clean-floating-ips)"
        out.problem(Area.FLOATING_IPS, "quota", f"{text}: none is left", advice)
    elif room.limit is not None and wanted > room.limit:
        text = f"{text}, the pools may want {wanted}"
        out.warning(Area.FLOATING_IPS, "quota", text, "raise the quota or lower max-servers")
    else:
        out.ok(Area.FLOATING_IPS, "quota", text)


def _check_network(out: Findings, offer: CloudOffer) -> None:
    if offer.networks is None:
        return
    names = [one.name or one.id for one in offer.networks if one.external]
    if names:
        out.ok(Area.FLOATING_IPS, "external network", ", ".join(sorted(names)))
        return
    out.problem(
        Area.FLOATING_IPS,
        "external network",
        "the account sees none, so there are no floating IPs",
        "ask the cloud's operator for one, or set floating-ips: false",
    )
