"""Machines that are an ordinary sshd with keys, home and temporary folder of their own.

They run as the current user on the host itself: no root of their own, no host name, no process
list.  Not root: only the current user can log in.  Root: anybody the host knows can.  Files of
``write_files`` land below the machine's home instead of where they say; scripts run for real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.machines import guardian
from sandbox.machines.base import Listen, MachineError, Order
from sandbox.machines.keys import generate
from sandbox.machines.packing import pad
from sandbox.machines.probe import sshd_path
from sandbox.machines.shutdown import MARK, RECOVERY, children, end_gently
from sandbox.machines.sshd import openssh_version, sshd_config
from sandbox.machines.traps import Traps

_STOP_S: Final = 10.0
_TAIL: Final = 500

#: What every session runs: sshd knows only the home in passwd(5).
_SHELL: Final = """#!/bin/sh
export HOME={home} TMPDIR={tmp}
cd "$HOME"
[ -n "$SSH_ORIGINAL_COMMAND" ] && exec "${{SHELL:-/bin/sh}}" -c "$SSH_ORIGINAL_COMMAND"
exec "${{SHELL:-/bin/sh}}" -l
"""
_INIT: Final = """#!/bin/sh
export HOME={home} TMPDIR={tmp}
cd "$HOME"
echo "[sandbox] {name} boots"
[ ! -e "$HOME/.{mark}" ] || echo "{recovery}"
if [ "$1" = first ]; then ( {scripts}
  echo "Cloud-init finished" ) & fi
[ "$2" = never ] && exec sleep infinity
sleep "$2"
exec {sshd} -D -e -f {folder}/sshd_config
"""


@dataclass(slots=True)
class _Machine:
    order: Order
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0


class PlainMachines:
    """All machines of this kind, below *folder*."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._traps = Traps(port)
        self._machines: dict[str, _Machine] = {}
        self._lock = threading.Lock()
        self._version = openssh_version()
        self._sshd = sshd_path() or "/usr/sbin/sshd"
        if os.geteuid() == 0:
            # Root's sshd insists on its privilege separation directory (sshd(8), FILES).
            Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)

    def create(self, order: Order) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        folder = self._folder / order.id
        try:
            for name in ("home", "tmp", "ssh"):
                (folder / name).mkdir(parents=True, mode=0o700)
            if order.image is not None and order.image.stat().st_size:
                _run(["tar", "-xpf", str(order.image), "-C", str(folder / "home")])
            self._write(folder, order)
        except OSError as exc:
            raise MachineError(f"the machine cannot be made: {exc}") from exc
        with self._lock:
            self._machines[order.id] = _Machine(order, folder)

    def _write(self, folder: Path, order: Order) -> None:
        plan, home, names = order.plan, folder / "home", []
        for key in plan.host_keys or (generate(plan.hostname),):
            names.append(folder / f"ssh/{key.kind}")
            _put(names[-1], key.private, 0o600)
            _put(Path(f"{names[-1]}.pub"), key.public, 0o644)
        keys = dict.fromkeys(key for user in plan.users for key in user.keys)
        _put(folder / "ssh/authorized_keys", "".join(f"{key}\n" for key in keys), 0o600)
        for file in plan.files:
            path = home / file.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab" if file.append else "wb") as target:
                target.write(file.content)
            path.chmod(file.mode)
        scripts = []
        for i, script in enumerate(plan.scripts):
            scripts.append(folder / f"script-{i}")
            _put(scripts[-1], script.decode(errors="surrogateescape"), 0o700)
        words = {
            "home": home,
            "tmp": folder / "tmp",
            "folder": folder,
            "sshd": self._sshd,
            "name": plan.hostname,
            "mark": MARK,
            "recovery": RECOVERY,
            "scripts": "; ".join(map(str, scripts)) or ":",
        }
        _put(folder / "shell", _SHELL.format(**words), 0o700)
        _put(folder / "init", _INIT.format(**words), 0o700)
        _put(
            folder / "sshd_config",
            sshd_config(
                address=order.address or "127.0.0.1",
                port=self._port,
                host_keys=map(str, names),
                keys_file=str(folder / "ssh/authorized_keys"),
                version=self._version,
                more=[
                    f"ForceCommand {folder}/shell",
                    "Subsystem sftp /usr/lib/openssh/sftp-server",
                ],
            ),
            0o600,
        )

    def start(self, machine_id: str) -> int | None:
        """See :class:`sandbox.machines.base.Machines`."""
        machine = self._machine(machine_id)
        self._end(machine)
        order = machine.order
        self._traps.set(machine_id, order.address, order.listen)
        listens = order.listen is Listen.SSHD and order.address
        command = [
            sys.executable,
            "-I",
            "-S",
            guardian.__file__,
            str(machine.folder / "init"),
            "again" if machine.starts else "first",
            f"{order.ssh_delay_s:g}" if listens else "never",
        ]
        with (machine.folder / "console.log").open("ab") as console:
            # The pipe is the machine's life line: it ends when we close it, or when we end.
            machine.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                start_new_session=True,
                cwd="/",
            )
        machine.starts += 1
        return machine.process.pid

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
        # The guardian, and the command that it ends with; its other children are orphans.
        clean = end_gently(pid, children(pid)[:1], limit_s)
        self.stop(machine_id)
        return clean

    def mark(self, machine_id: str) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        _put(self._machine(machine_id).folder / f"home/.{MARK}", "power was cut\n", 0o644)

    @staticmethod
    def _end(machine: _Machine) -> None:
        process, machine.process = machine.process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired as exc:
            raise MachineError(f"machine {machine.order.id} does not end") from exc

    def destroy(self, machine_id: str) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        self.stop(machine_id)
        with self._lock:
            self._machines.pop(machine_id, None)
        shutil.rmtree(self._folder / machine_id, ignore_errors=True)

    def snapshot(self, machine_id: str, target: Path) -> None:
        """Pack the machine's home; see :class:`sandbox.machines.base.Machines`."""
        home = self._machine(machine_id).folder / "home"
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            new = Path(folder) / "tar"
            _run(["tar", "-cf", str(new), "-C", str(home), "."], most=1)
            pad(new)
            new.rename(target)

    def console(self, machine_id: str) -> str:
        """See :class:`sandbox.machines.base.Machines`."""
        try:
            return (self._folder / machine_id / "console.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def close(self) -> None:
        """See :class:`sandbox.machines.base.Machines`."""
        for machine in list(self._machines.values()):
            if machine.process is not None and machine.process.stdin is not None:
                machine.process.stdin.close()
        for machine_id in list(self._machines):
            self.destroy(machine_id)
        self._traps.close()

    def _machine(self, machine_id: str) -> _Machine:
        machine = self._machines.get(machine_id)
        if machine is None:
            raise MachineError(f"no machine {machine_id}")
        return machine


def _run(command: list[str], *, most: int = 0) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as exc:
        raise MachineError(str(exc)) from exc
    if not 0 <= done.returncode <= most:
        raise MachineError(done.stderr.strip()[-_TAIL:])


def _put(path: Path, text: str, mode: int) -> None:
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(mode)
