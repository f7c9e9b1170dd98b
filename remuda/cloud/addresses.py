"""Which of a server's addresses to use.

The rule, in the order of Nodepool's ``interface_ip`` (usable first), without a single call:

1. a floating IP, if the server has one (``OS-EXT-IPS:type`` says so);
2. else the first address on a network that clouds.yaml calls external (``routes_externally``);
3. else the first address that is routed in the internet;
4. else the first address, in the order in which the pool names its networks.

Whoever wants another one says so in clouds.yaml or by the order of the networks.
"""

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_VERSION_6: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """A server's addresses by use; see :class:`remuda.cloud.api.Server`."""

    public_ipv4: str | None = None
    private_ipv4: str | None = None
    public_ipv6: str | None = None
    floating_ipv4: str | None = None


@dataclass(frozen=True, slots=True)
class _Address:
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address
    floating: bool
    network: str


def choose(addresses: Mapping[str, Any], external: Collection[str] = ()) -> Addresses:
    """Sort the ``addresses`` of a server as Nova shows them.

    Args:
        addresses: Network name to list of ``{"addr", "OS-EXT-IPS:type", …}``.
        external: Names of networks that are reachable from outside.
    """
    found = list(_parse(addresses))
    ipv4 = [each for each in found if each.ip.version != _VERSION_6]
    ipv6 = [each for each in found if each.ip.version == _VERSION_6 and not each.ip.is_link_local]
    ranked = sorted(ipv4, key=lambda each: _rank(each, external))  # stable: keeps the order
    public = ranked[0] if ranked else None
    inside = [each for each in ipv4 if not each.floating and each is not public]
    private = inside[0] if inside else public
    public6 = min(ipv6, key=lambda each: _rank(each, external), default=None)
    return Addresses(
        public_ipv4=str(public.ip) if public else None,
        private_ipv4=str(private.ip) if private else None,
        public_ipv6=str(public6.ip) if public6 else None,
        floating_ipv4=str(public.ip) if public and public.floating else None,
    )


def _rank(address: _Address, external: Collection[str]) -> tuple[bool, bool, bool]:
    return (not address.floating, address.network not in external, not address.ip.is_global)


def _parse(addresses: Mapping[str, Any]) -> Iterator[_Address]:
    """Yield what is an address; what is none, perhaps of a stranger's server, is left out."""
    for network, entries in addresses.items():
        for entry in entries if isinstance(entries, list) else ():
            try:
                address = ipaddress.ip_address(entry["addr"])
            except (KeyError, TypeError, ValueError):
                continue
            yield _Address(address, entry.get("OS-EXT-IPS:type") == "floating", network)
