"""Addresses within 127.0.0.0/8: which range is ours, who gets which part, who has which address.

Every address in 127/8 is local on Linux: nothing has to be configured, nothing can leave the
machine.  Machines with a network of their own need others: out of 198.18.0.0/15, which nobody's
network has (RFC 2544).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Final

from sandbox.config import NetworkConfig

#: Candidates for ``address_range: auto``, clear of 127.0.0.0/16, where everybody is.
_AUTO: Final = tuple(f"127.{second}.0.0/16" for second in range(77, 127))
_AUTO_OWN: Final = tuple(map(str, IPv4Network("198.18.0.0/15").subnets(new_prefix=20)))
#: A server whose fault is ``no_route`` gets an address from here: an administratively scoped
#: multicast range.  TCP to multicast fails with ENETUNREACH (tcp_v4_connect); nothing is sent.
UNREACHABLE: Final = IPv4Network("239.255.0.0/16")


class NoAddressesError(Exception):
    """No address range, or no address, is free."""


class RangeClaim:
    """A range this process has for itself, among all sandboxes on the machine.

    An abstract Unix socket named after the range: the kernel frees it when the process ends,
    however it ends.
    """

    def __init__(self, network: IPv4Network, lock: socket.socket) -> None:
        self.network = network
        self._lock = lock

    @classmethod
    def take(cls, wanted: str, *, own_network: bool = False) -> RangeClaim:
        """Claim *wanted*, or the first free range if it is ``auto``.

        Args:
            wanted: A network, or ``auto``.
            own_network: It is for machines with a network of their own; *wanted* does not count.

        Raises:
            NoAddressesError: If another sandbox has it.
        """
        some = _AUTO_OWN if own_network else _AUTO if wanted == "auto" else (wanted,)
        for candidate in some:
            network = IPv4Network(candidate)
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                lock.bind(f"\0sandbox-addresses-{network}")
            except OSError:
                lock.close()
                continue
            return cls(network, lock)
        raise NoAddressesError(
            f"address_range: another sandbox on this machine uses {wanted};"
            " choose another range, or auto"
        )

    def release(self) -> None:
        """Let others have the range."""
        self._lock.close()


def share_out(
    network: IPv4Network, regions: Sequence[str], networks: Sequence[NetworkConfig]
) -> dict[tuple[str, str], IPv4Network]:
    """Give every network of every region its own part, by (region, network name).

    Raises:
        NoAddressesError: If a part would be too small to be of use.
    """
    shares: dict[tuple[str, str], IPv4Network] = {}
    free = [(region, each.name) for region in regions for each in networks if not each.cidr]
    shares.update(zip(free, _split(network, len(free)), strict=False))
    for each in networks:
        if each.cidr:
            parts = _split(IPv4Network(each.cidr), len(regions))
            shares.update(
                {(region, each.name): part for region, part in zip(regions, parts, strict=False)}
            )
    return shares


def _split(network: IPv4Network, count: int) -> list[IPv4Network]:
    bits = max(count - 1, 0).bit_length()
    if network.prefixlen + bits > 29:  # noqa: PLR2004 - five usable addresses at least
        raise NoAddressesError(f"{network} is too small for {count} networks")
    return list(network.subnets(prefixlen_diff=bits)) if bits else [network]


class AddressPool:
    """The addresses of one subnet; the first is the gateway's.

    Goes round, so that an address rests as long as possible before it is somebody else's.
    """

    def __init__(self, network: IPv4Network) -> None:
        self.network = network
        self._first = int(network.network_address) + 2
        self._last = int(network.broadcast_address) - 1
        self._next = self._first
        self._taken: set[int] = set()

    def take(self) -> str:
        """Return a free address.

        Raises:
            NoAddressesError: If there is none.
        """
        for _ in range(self._first, self._last + 1):
            candidate = self._next
            self._next = candidate + 1 if candidate < self._last else self._first
            if candidate not in self._taken:
                self._taken.add(candidate)
                return _text(candidate)
        raise NoAddressesError(f"no address left in {self.network}")

    def take_this(self, address: str) -> bool:
        """Take a certain address; False if it is not free or not ours."""
        number = _number(address)
        if number in self._taken or not self._first <= number <= self._last:
            return False
        self._taken.add(number)
        return True

    def give_back(self, address: str) -> None:
        """Free an address; one that is not ours is ignored."""
        self._taken.discard(_number(address))


def _text(number: int) -> str:
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def _number(address: str) -> int:
    try:
        return int.from_bytes(socket.inet_aton(address), "big")
    except OSError:
        return -1
