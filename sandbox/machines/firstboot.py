"""What tells one machine from another, as its first boot leaves it on the disk.

The parts of cloud-init, systemd and a DHCP client that an image can get wrong. What it brings
stays where theirs would stay, so that clones of a machine that was not made quiet are alike:
a machine id, a random seed, the identifier for DHCP, lines of ``/etc/hosts``, and what
cloud-init knew of another instance.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Final

from sandbox.machines.base import Order
from sandbox.machines.upper import hide, link, put, text_of

#: What the host has of these is none of a machine's business, and would be taken for its own.
_HOSTS_OWN: Final = (
    "etc/machine-info",
    "var/lib/systemd/credential.secret",
    "var/lib/urandom/random-seed",
    "var/lib/misc/random-seed",
)
_ID: Final = re.compile(r"[0-9a-f]{32}\n?")
_SEED_BYTES: Final = 512
_SEED: Final = "var/lib/systemd/random-seed"
_LEASES: Final = "var/lib/dhcp/dhclient.eth0.leases"
_CLOUD: Final = "var/lib/cloud"
#: Where it has what it knows of the instance that it runs on.
INSTANCE: Final = f"{_CLOUD}/instance"


def write_identity(upper: Path, order: Order) -> None:
    """Make a machine somebody, before it boots for the first time.

    Raises:
        MachineError: If a folder of these files is a link in the image.
    """
    for name in _HOSTS_OWN:
        hide(upper, name)
    _write_names(upper, order)
    _write_machine_id(upper, order)
    _write_resolver(upper)
    if not (upper / _SEED).is_file():
        put(upper, _SEED, secrets.token_bytes(_SEED_BYTES), 0o600)
    if not (upper / _LEASES).is_file():
        put(upper, _LEASES, _lease(order))
    _write_instance(upper, order)


def _write_names(upper: Path, order: Order) -> None:
    name = order.plan.hostname
    put(upper, "etc/hostname", f"{name}\n")
    hosts = text_of(upper, "etc/hosts") or "127.0.0.1 localhost\n"
    if not any(name in line.split("#")[0].split()[1:] for line in hosts.splitlines()):
        hosts = f"{hosts.rstrip()}\n{order.address or '127.0.1.1'} {name}\n"
    put(upper, "etc/hosts", hosts)


def _write_machine_id(upper: Path, order: Order) -> None:
    """Write a machine id unless the image has one, as systemd does (machine-id(5), FIRST BOOT)."""
    if not _ID.fullmatch(text_of(upper, "etc/machine-id") or ""):
        put(upper, "etc/machine-id", order.id.replace("-", "") + "\n", 0o444)
    if not (upper / "var/lib/dbus/machine-id").is_file():
        link(upper, "var/lib/dbus/machine-id", "/etc/machine-id")


def _write_resolver(upper: Path) -> None:
    """Write the name servers of the host: what a DHCP client does at every boot."""
    try:
        # Often a link into /run, which a machine has its own of.
        servers = Path("/etc/resolv.conf").read_text(encoding="utf-8")
    except OSError:
        return
    put(upper, "etc/resolv.conf", servers)


def _lease(order: Order) -> str:
    duid = "".join(f"\\{byte:03o}" for byte in secrets.token_bytes(8))
    return (
        f'default-duid "\\000\\003\\000\\001{duid}";\n'
        f'lease {{\n  interface "eth0";\n  fixed-address {order.address or "127.0.1.1"};\n}}\n'
    )


def _write_instance(upper: Path, order: Order) -> None:
    """Write what cloud-init knows of this instance; its user data may hold a private key."""
    here = f"{_CLOUD}/instances/{order.id}"
    put(upper, f"{here}/user-data.txt", order.plan.user_data, 0o600)
    link(upper, INSTANCE, f"/{here}")
    put(upper, f"{_CLOUD}/data/instance-id", f"{order.id}\n")
