"""Which address to use."""

from typing import Any

import pytest

from remuda.cloud.addresses import Addresses, choose


def _fixed(*addresses: str) -> list[dict[str, Any]]:
    return [{"addr": each, "OS-EXT-IPS:type": "fixed"} for each in addresses]


def _floating(address: str) -> dict[str, Any]:
    return {"addr": address, "OS-EXT-IPS:type": "floating"}


@pytest.mark.parametrize(
    ("addresses", "external", "expected"),
    [
        ({}, (), Addresses()),
        (
            {"net": _fixed("10.0.0.5")},
            (),
            Addresses(public_ipv4="10.0.0.5", private_ipv4="10.0.0.5"),
        ),
        (
            {"net": [*_fixed("10.0.0.5"), _floating("10.9.9.9")]},
            (),
            Addresses(public_ipv4="10.9.9.9", private_ipv4="10.0.0.5", floating_ipv4="10.9.9.9"),
        ),
        (
            {"a": _fixed("10.0.0.5"), "b": _fixed("10.1.0.5")},
            ("b",),
            Addresses(public_ipv4="10.1.0.5", private_ipv4="10.0.0.5"),
        ),
        (
            {"a": _fixed("10.0.0.5"), "b": _fixed("8.8.4.4")},
            (),
            Addresses(public_ipv4="8.8.4.4", private_ipv4="10.0.0.5"),
        ),
        (
            {"b": _fixed("10.1.0.5"), "a": _fixed("10.0.0.5")},
            (),
            Addresses(public_ipv4="10.1.0.5", private_ipv4="10.0.0.5"),
        ),
        (
            {"a": _fixed("fe80::1", "fd00::5", "2a01::5", "10.0.0.5")},
            (),
            Addresses(public_ipv4="10.0.0.5", private_ipv4="10.0.0.5", public_ipv6="2a01::5"),
        ),
        ({"a": [{"addr": "2a01::5"}]}, (), Addresses(public_ipv6="2a01::5")),
    ],
    ids=["none", "only one", "floating", "external", "global", "order", "ipv6", "only ipv6"],
)
def test_usable_address_comes_first(
    addresses: dict[str, Any], external: tuple[str, ...], expected: Addresses
) -> None:
    """Floating, external, global, first: in this order."""
    assert choose(addresses, external) == expected
