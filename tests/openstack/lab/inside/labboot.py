"""The processes of servers: each an sshd, PID 1 of namespaces of its own.

Their network namespace is the host's: each listens on its own address of 127.0.0.0/8. Traps
stand in for those whose network is broken. Where an address is not of the loopback, the server
has a network namespace of its own, wired to the host as the sandbox does it.
"""

import contextlib
import socket
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from nova import exception

from sandbox.machines.ownnet import OwnNetworks

#: What root in a server may not do, as it shares the kernel with everybody, …
_DROP = (
    *("sys_module", "sys_rawio", "sys_time", "mknod", "syslog"),
    *("mac_admin", "mac_override"),
)
#: … and as it shares the loopback, unless its network is its own.
_DROP_SHARED = ("net_admin",)
_SERVER_UP_S, _LOOK_S = 5.0, 0.05
_BROKEN = ("refuse", "blackhole", "mute")
#: Runs as PID 1 of the new namespaces: network, root directory, then the "boot". $1 the server's
#: folder, $2 its address, $3 its name, $4 the delay of sshd (or never), $5 capabilities to drop.
#: What follows makes its network, if it is to have one of its own.
_INIT = r"""
set -e
cd "$1"; root=$1/root; ip=$2; name=$3; delay=$4; drop=$5
[ $# -lt 6 ] || (shift 5; exec /bin/sh "$@")
mount -t overlay overlay -o lowerdir=/,upperdir=$1/upper,workdir=$1/work "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/run/sshd"
for n in null zero full random urandom tty
do touch "$root/dev/$n"; mount --bind /dev/$n "$root/dev/$n"; done
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
hostname "$name"
echo "[boot] $name $ip"
for f in "$root"/etc/ssh/ssh_host_*_key.pub; do echo "[hostkey] $(cat "$f")"; done
[ "$delay" = never ] && exec sleep infinity
sleep "$delay"
exec setpriv --bounding-set "$drop" --inh-caps=-all chroot "$root" /bin/sh -c '
log=/var/log/cloud-init-output.log
[ -x /var/lib/lab/user-data ] && /var/lib/lab/user-data >$log 2>&1 &
exec /usr/sbin/sshd -D -e -f /etc/ssh/lab_sshd_config'
"""
_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Machines:
    """What runs, by instance."""

    def __init__(self, ssh_port: int) -> None:
        self._port = ssh_port
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._traps: dict[str, list[socket.socket]] = {}
        self._starts: Counter[str] = Counter()

    def has(self, key: str) -> bool:
        """Return whether it was booted and not halted."""
        return key in self._processes

    def died(self, key: str) -> bool:
        """Return whether it ended by itself."""
        process = self._processes.get(key)
        return process is not None and process.poll() is not None

    def boot(self, key: str, folder: Path, *, fault: str, life_s: float | None) -> None:
        """Start a server from its disk; return when its sshd listens, if it should."""
        ip, name, gateway = (folder / "address").read_text().split()
        delay = "0"
        if ip == "-" or fault in _BROKEN:
            delay = "never"
        elif fault.replace(".", "", 1).isdigit():
            delay = fault
        network: tuple[str, ...] = ()
        if gateway != "-":
            network = OwnNetworks.in_folder(folder, gateway).arguments(key, self._starts[key], ip)
        elif fault in ("blackhole", "mute") and ip != "-":
            self._traps[key] = _trap(ip, self._port, fault)
        self._starts[key] += 1
        process = self._processes[key] = _start(folder, ip, name, delay, network)
        if life_s is not None:
            timer = threading.Timer(life_s, process.kill)
            timer.daemon = True
            timer.start()
        if delay == "0":
            self._await(process, ip, folder)

    def halt(self, key: str) -> None:
        """End a server, if it runs."""
        for trap in self._traps.pop(key, []):
            trap.close()
        process = self._processes.pop(key, None)
        if process is not None:
            process.kill()  # --kill-child: and with it PID 1, hence all of it
            process.wait()

    def _await(self, process: subprocess.Popen[bytes], ip: str, folder: Path) -> None:
        """ACTIVE means that the hypervisor runs it; but do notice a boot that ends at once."""
        for _ in range(int(_SERVER_UP_S / _LOOK_S)):
            if process.poll() is not None:
                said = (folder / "console.log").read_text()[-500:]
                raise exception.NovaException(f"server died at boot: {said}")
            with contextlib.suppress(OSError):
                socket.create_connection((ip, self._port), timeout=1).close()
                return
            threading.Event().wait(_LOOK_S)


def _start(folder: Path, ip: str, name: str, delay: str, network: tuple[str, ...]) -> Any:
    """Start a server; *network* makes one of its own, if it is to have one."""
    spaces = ("--mount", "--pid", "--uts", "--ipc", *(("--net",) if network else ()))
    dropped = _DROP if network else (*_DROP, *_DROP_SHARED)
    drop = ",".join(f"-{each}" for each in dropped)
    with (folder / "console.log").open("ab") as log:
        return subprocess.Popen(
            [
                *("unshare", *spaces, "--fork", "--kill-child"),
                *("/bin/sh", "-c", _INIT, "init", str(folder), ip, name, delay, drop, *network),
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=_ENV,
        )


def _trap(ip: str, port: int, kind: str) -> list[socket.socket]:
    """Return a port that never answers: silent after the connection, or already before it."""
    trap = socket.socket()
    trap.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    trap.bind((ip, port))
    trap.listen(128 if kind == "mute" else 0)
    held = [trap]
    if kind == "blackhole":  # with a full accept queue the kernel drops further SYNs
        for _ in range(2):
            client = socket.socket()
            client.settimeout(0.0)
            client.connect_ex((ip, port))
            held.append(client)
    return held
