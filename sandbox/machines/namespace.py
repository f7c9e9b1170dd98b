"""Machines of their own mounts, processes, host name and IPC, over an overlay of the host's root.

The host's root is not among their mounts any more when they run (pivot_root(2)), they keep few
capabilities, and the parts of /proc by which root commands the kernel are read-only.  They share
the host's kernel and, unless each is to have one of its own (:mod:`sandbox.machines.ownnet`), its
*network*: a machine has its own loopback address and its sshd listens only there, but it can reach
all of loopback and whatever the host reaches, and two machines cannot both bind 0.0.0.0:PORT.
They can read what they see of the host (its /etc, /usr, /var, /opt).
This keeps test jobs apart; it is no wall against people who mean harm.  RAM, processors and disk
sizes are not enforced.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.machines import ownnet
from sandbox.machines.base import Listen, MachineError, Order
from sandbox.machines.disk import (
    HOME,
    SSHD_CONFIG,
    knows_itself,
    make_disk,
    make_somebody,
    pack_disk,
    write_mark,
)
from sandbox.machines.ownnet import OwnNetworks
from sandbox.machines.probe import is_mount_root, propagation, sshd_path
from sandbox.machines.shutdown import MARK, RECOVERY, children, end_gently
from sandbox.machines.sshd import openssh_version
from sandbox.machines.system import make_layer
from sandbox.machines.traps import Traps

_LOG = logging.getLogger(__name__)
_UP_S: Final = 30.0
_STOP_S: Final = 10.0
_CONSOLE_MAX: Final = 2**20
_TAIL: Final = 500
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: All that root in a machine may do (capabilities(7)): what sshd, sudo, package managers and
#: daemons need.  Left out is, above all, what leads to the host: mounts, devices, modules,
#: file handles, and the network that it shares with everybody.
_KEPT: Final = (
    "audit_write",
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "ipc_lock",
    "kill",
    "lease",
    "net_bind_service",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_chroot",
    "sys_nice",
    "sys_ptrace",
    "sys_resource",
)
#: Parts of /proc where root may change the host's kernel without any capability.
_READ_ONLY: Final = "sys sysrq-trigger irq bus fs"

#: PID 1 of a machine until it becomes sshd.  $1 the machine's folder, $2 its host name, $3 the
#: delay of sshd (or never), $4 first or again, $5 sshd, $6 capabilities to keep, $7 how it gets
#: its root: pivot, or chroot where / is no mount point (pivot_root(2)), which root can leave,
#: $8 the layer between its own and the host's root.  What follows makes its network, if anything.
#: Standard output is a pipe that gets a line as soon as the machine stands; what else comes
#: through it are complaints of unshare's.
_INIT: Final = (
    """
set -e
exec 3>&1 >>"$1/console.log" 2>&1
[ $# -lt 9 ] || (shift 8; exec /bin/sh "$@")
root=$1/root
mount -t overlay overlay -o "lowerdir=$8:/,upperdir=$1/upper,workdir=$1/work" "$root"
mount -t proc proc "$root/proc"
for part in """
    + _READ_ONLY
    + """; do
  [ ! -e "$root/proc/$part" ] || mount -o bind,ro "$root/proc/$part" "$root/proc/$part"
done
[ $# -lt 9 ] || mount --bind /proc/sys/net "$root/proc/sys/net"
cat /proc/sys/kernel/random/uuid >"$1/boot-id"
mount --bind "$1/boot-id" "$root/proc/sys/kernel/random/boot_id"
mount -t sysfs -o ro sysfs "$root/sys" || true
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/sshd" "$root/run/lock" "$root/run/cloud-init"
for n in null zero full random urandom tty; do
  : >"$root/dev/$n"; mount --bind "/dev/$n" "$root/dev/$n"
done
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
cp "$1/"""
    + SSHD_CONFIG
    + """" "$root/run/sshd/config"
hostname "$2"
echo "[sandbox] $2 boots ($4)"
[ ! -e "$root/var/log/"""
    + MARK
    + """" ] || echo '"""
    + RECOVERY
    + """'
echo "-----BEGIN SSH HOST KEY KEYS-----"
cat "$root"/etc/ssh/ssh_host_*_key.pub 2>/dev/null || true
echo "-----END SSH HOST KEY KEYS-----"
enter=
if [ "$7" = pivot ]; then
  cd "$root"
  pivot_root . mnt
  umount -l /mnt
else
  enter="chroot $root"
fi
echo up >&3
exec 3>&-
exec setpriv --bounding-set "$6" --inh-caps=-all $enter /bin/sh -c '
cd /
finish() {
  echo done >/var/lib/cloud/instance/boot-finished
  echo "{\\"v1\\": {\\"errors\\": []}}" >/run/cloud-init/result.json
} 2>/dev/null
if [ "$4" = first ]; then
  /"""
    + HOME
    + """/files
  ( /"""
    + HOME
    + """/scripts 2>&1 | tee /var/log/cloud-init-output.log
    finish
    echo "Cloud-init finished" ) &
else
  finish
fi
[ "$3" = 0 ] || { [ "$3" = never ] && exec sleep infinity; sleep "$3"; }
echo "$2 login:"
exec "$5" -D -e -f /run/sshd/config' init "$@"
"""
)


@dataclass(slots=True)
class _Machine:
    order: Order
    folder: Path
    process: subprocess.Popen[str] | None = None
    starts: int = 0


class NamespaceMachines:
    """All machines of this kind.

    Their disks are below *folder*, which overlayfs must accept as an upper directory: a tmpfs
    of our own.

    Args:
        folder: An empty one.
        port: Where they listen.
        minimal: They see a minimal system instead of all of the host's.
        gateway: Each has a network of its own, with this gateway; None: the host's.

    Raises:
        MachineError: If that cannot be made here.
    """

    def __init__(
        self, folder: Path, port: int, *, minimal: bool = False, gateway: str | None = None
    ) -> None:
        self._folder = folder
        self._port = port
        self._traps = Traps(port)
        self._machines: dict[str, _Machine] = {}
        self._lock = threading.Lock()
        self._version = openssh_version()
        self._propagation = propagation()
        self._pivots = is_mount_root()
        if not self._pivots:
            _LOG.warning("machines.leaky cause=/ is no mount point: root can leave its machine")
        self._sshd = sshd_path() or "/usr/sbin/sshd"
        self._system = folder / "system"
        self._system.mkdir(mode=0o755)
        make_layer(self._system, minimal=minimal)
        # A file of its own keeps the process list readable.
        self._init = folder / "machine-init"
        self._init.write_text(_INIT, encoding="utf-8")
        self._networks = None if gateway is None else OwnNetworks.in_folder(folder, gateway)
        self._kept = _KEPT if gateway is None else (*_KEPT, *ownnet.KEPT)

    def create(self, order: Order) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        folder = self._folder / order.id
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
            (folder / name).chmod(0o755)
        make_disk(folder / "upper", order, port=self._port, version=self._version)
        with self._lock:
            self._machines[order.id] = _Machine(order, folder)

    def start(self, machine_id: str) -> int | None:
        """See :class:`sandbox.machines.base.Machines`."""
        machine = self._machine(machine_id)
        self._end(machine)
        order = machine.order
        first = not machine.starts
        if not first and not knows_itself(machine.folder / "upper"):
            make_somebody(machine.folder / "upper", order, port=self._port, version=self._version)
            first = True
        listens = order.listen is Listen.SSHD and order.address
        delay = f"{order.ssh_delay_s:g}" if listens else "never"
        if self._networks is None:
            self._traps.set(machine_id, order.address, order.listen)
        command = [
            # Our end is unshare's end, and unshare's is the machine's: prctl(2),
            # PR_SET_PDEATHSIG; see also sandbox/workers.py.
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--propagation",
            self._propagation,
            "--pid",
            "--uts",
            "--ipc",
            *(() if self._networks is None else ("--net",)),
            "--fork",
            "--kill-child",
            "/bin/sh",
            str(self._init),
            str(machine.folder),
            order.plan.hostname,
            delay,
            "first" if first else "again",
            self._sshd,
            ",".join(("-all", *(f"+{each}" for each in self._kept))),
            "pivot" if self._pivots else "chroot",
            str(self._system),
            *self._network_of(machine),
        ]
        if not machine.starts:
            warnings = "".join(f"cloud-init: {each}\n" for each in order.plan.warnings)
            (machine.folder / "console.log").write_text(warnings, encoding="utf-8")
        machine.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            cwd="/",
            env={"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/root"},
        )
        machine.starts += 1
        self._await_up(machine)
        return machine.process.pid

    def _network_of(self, machine: _Machine) -> tuple[str, ...]:
        order = machine.order
        if self._networks is None or not order.address:
            return ()
        return self._networks.arguments(order.id, machine.starts, order.address)

    def _await_up(self, machine: _Machine) -> None:
        process = machine.process
        if process is None or process.stdout is None:
            raise MachineError("the machine did not start")
        with process.stdout as pipe:
            line = pipe.readline() if select.select([pipe], [], [], _UP_S)[0] else ""
            if line == "up\n":
                return
            process.kill()
            said = line + pipe.read(_TAIL)
        self._end(machine)
        told = (said + self.console(machine.order.id)).strip()
        raise MachineError(f"the machine did not come up: {told[-_TAIL:]}")

    def stop(self, machine_id: str) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        self._traps.drop(machine_id)
        machine = self._machines.get(machine_id)
        if machine is not None:
            self._end(machine)

    def shut_down(self, machine_id: str, limit_s: float) -> bool:
        """See :class:`sandbox.machines.base.Machines`."""
        machine = self._machine(machine_id)
        if machine.process is None:
            return True
        pid = machine.process.pid
        # unshare, and the PID 1 that it made: with it all would be killed.
        clean = end_gently(pid, children(pid), limit_s)
        self.stop(machine_id)
        return clean

    def mark(self, machine_id: str) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        write_mark(self._machine(machine_id).folder / "upper")

    @staticmethod
    def _end(machine: _Machine) -> None:
        process, machine.process = machine.process, None
        if process is None:
            return
        # The machine's PID 1 first: unshare reports its end only when the whole PID namespace
        # is empty (pid_namespaces(7)), and then addresses and files are free again.
        for child in children(process.pid):
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            process.wait(_STOP_S if process.poll() is None and children(process.pid) else 0.1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)

    def destroy(self, machine_id: str) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        self.stop(machine_id)
        with self._lock:
            self._machines.pop(machine_id, None)
        shutil.rmtree(self._folder / machine_id, ignore_errors=True)

    def snapshot(self, machine_id: str, target: Path) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        pack_disk(self._machine(machine_id).folder / "upper", target)

    def console(self, machine_id: str) -> str:
        """See :class:`sandbox.machines.base.Machines`; the last MiB of it."""
        try:
            with (self._folder / machine_id / "console.log").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - _CONSOLE_MAX, 0))
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def close(self) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        machines = list(self._machines.values())
        for machine in machines:  # all at once, then wait: a hundred must not take a minute
            if machine.process is not None:
                for child in children(machine.process.pid):
                    os.kill(child, signal.SIGKILL)
        for machine in machines:
            self.destroy(machine.order.id)
        self._traps.close()

    def _machine(self, machine_id: str) -> _Machine:
        machine = self._machines.get(machine_id)
        if machine is None:
            raise MachineError(f"no machine {machine_id}")
        return machine
