"""A network of its own for a namespace machine: an interface, routes, and root's rights over them.

The machine's ``eth0`` is one end of a pair (veth(4)) whose other end is on the host, with the
address of the gateway.  What the host listens on for everybody can be reached there, and nothing
beyond the host: it forwards nothing of this machine's, not even where it does of others.  The pair
goes with the machine's last process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: What root in such a machine may do besides: the network is nobody else's.
KEPT: Final = ("net_admin", "net_raw")
_NAME_CHARS: Final = 10
_PROBE_S: Final = 20.0

#: Runs as the machine's PID 1, in its network, before it has a root of its own.  $1 the network
#: of the host, $2 name of the host's end, $3 address of the machine, $4 of the gateway.
#: nsenter(1) knows no other way into a network than a file; ip(8) gives the end to a process.
#: In some containers nobody may write below /proc/sys: there the host's own setting holds.
SCRIPT: Final = """\
set -e
host() { nsenter --net="$host_net" "$@"; }
host_net=$1
host ip link add "$2" type veth peer name eth0 netns $$
host sh -c 'echo 0 >"/proc/sys/net/ipv4/conf/$0/forwarding"' "$2" 2>/dev/null || true
host ip address add "$4/32" dev "$2"
host ip link set "$2" up
host ip route replace "$3/32" dev "$2"
ip link set lo up
ip address add "$3/32" dev eth0
ip link set eth0 up
ip route add "$4" dev eth0 scope link
ip route add default via "$4"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNetworks:
    """Gives each machine a network.

    Attributes:
        gateway: Of all machines.
        script: Where :data:`SCRIPT` lies.
    """

    gateway: str
    script: Path

    @classmethod
    def in_folder(cls, folder: Path, gateway: str) -> OwnNetworks:
        """Write down what machines run."""
        script = folder / "machine-network"
        script.write_text(SCRIPT, encoding="utf-8")
        return cls(gateway=gateway, script=script)

    def arguments(self, machine_id: str, start: int, address: str) -> tuple[str, ...]:
        """Return the script with its arguments, for the *start*-th start of a machine."""
        host = f"/proc/{os.getpid()}/ns/net"
        return (str(self.script), host, end_name(machine_id, start), address, self.gateway)


def end_name(machine_id: str, start: int) -> str:
    """Return the name of the host's end; of each start another: the old one goes in its time."""
    return f"sb{machine_id.replace('-', '')[:_NAME_CHARS]}{start % 1000}"


def why_no_network() -> str:
    """Say why machines cannot have a network of their own here; empty if they can."""
    missing = [tool for tool in ("ip", "nsenter") if not shutil.which(tool)]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: iproute2, util-linux)"
    command = ["unshare", "--net", "ip", "link", "add", "probe0", "type", "veth"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_S, check=False, cwd="/"
        )
    except (OSError, subprocess.SubprocessError) as exc:
        return str(exc)
    return (done.stderr.strip() or f"ip exits with {done.returncode}") if done.returncode else ""
