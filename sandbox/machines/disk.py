"""A namespace machine's disk: the directory that overlays the host's root."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Final

from sandbox.machines.accounts import write_accounts
from sandbox.machines.base import MachineError, Order
from sandbox.machines.bootplan import BootPlan, HostKey
from sandbox.machines.firstboot import INSTANCE, write_identity
from sandbox.machines.keys import generate
from sandbox.machines.packing import pad
from sandbox.machines.shutdown import MARK
from sandbox.machines.sshd import sshd_config
from sandbox.machines.upper import make_folder, place, put

#: Of the host's root a machine sees these; the rest is hidden or empty.
_VISIBLE: Final = frozenset(
    {"bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "var", "opt"}
)
_EMPTY: Final = {
    "dev": 0o755,
    "proc": 0o555,
    "sys": 0o555,
    "run": 0o755,
    "root": 0o700,
    "home": 0o755,
    "tmp": 0o1777,
    "srv": 0o755,
    "mnt": 0o755,
    "media": 0o755,
    "var/tmp": 0o1777,
    "var/log": 0o755,
    "var/lib/cloud": 0o755,
    "var/lib/dhcp": 0o755,
}
_TAR: Final = (
    "tar",
    "--xattrs",
    "--xattrs-include=trusted.*",
    "--xattrs-include=user.*",
    "--numeric-owner",
)
_NOT_PACKED: Final = ("./tmp/*", "./run/*", "./dev/*", "./var/tmp/*", "./var/lib/sandbox/*")
_TAR_S: Final = 3600.0
#: Below the machine's root: what our init script runs.
HOME: Final = "var/lib/sandbox"
#: Where a machine's folder has the settings of its sshd.
SSHD_CONFIG: Final = "sshd_config"


def make_disk(upper: Path, order: Order, *, port: int, version: tuple[int, int]) -> None:
    """Fill the empty directory *upper* for a first boot.

    Raises:
        MachineError: If the image is no tar, or the disk is full.
    """
    try:
        if order.image is not None and order.image.stat().st_size:
            _tar([*_TAR, "-xpf", str(order.image), "-C", str(upper)], "the image is no tar")
        _hide_host(upper)
    except OSError as exc:
        raise MachineError(f"the disk cannot be made: {exc}") from exc
    make_somebody(upper, order, port=port, version=version)


def knows_itself(upper: Path) -> bool:
    """Whether what cloud-init wrote at a first boot is still there: then it does nothing more."""
    return os.path.lexists(place(upper, INSTANCE))


def make_somebody(upper: Path, order: Order, *, port: int, version: tuple[int, int]) -> None:
    """Do what cloud-init does at a first boot, or once the disk has forgotten that there was one.

    Raises:
        MachineError: If the disk is full, or has files that stand in the way.
    """
    try:
        write_identity(upper, order)
        kinds = _write_host_keys(upper, order.plan)
        # Beside the disk: it names the machine's address, which no image of it is to have.
        put(
            upper.parent,
            SSHD_CONFIG,
            sshd_config(
                address=order.address or "127.0.0.1",
                port=port,
                version=version,
                host_keys=[f"/etc/ssh/ssh_host_{kind}_key" for kind in kinds],
                keys_file=".ssh/authorized_keys",
                # Only PAM looks at the age of a password when a key opens the account.
                pam=any(user.expired for user in order.plan.users),
                more=["Subsystem sftp internal-sftp"],
            ),
        )
        write_accounts(upper, order.plan.users)
        _write_jobs(upper, order.plan)
    except OSError as exc:
        raise MachineError(f"the disk cannot be made: {exc}") from exc


def pack_disk(upper: Path, target: Path) -> None:
    """Pack a disk, running or not, into a tar.

    Raises:
        MachineError: If tar fails.
    """
    excluded = [f"--exclude={pattern}" for pattern in _NOT_PACKED]
    _tar(
        [*_TAR, *excluded, "-C", str(upper), "-cf", str(target), "."],
        "cannot pack the disk",
        # 1: "file changed as we read it", which is what a snapshot of a live machine is.
        most=1,
    )
    pad(target)


def write_mark(upper: Path) -> None:
    """Leave the mark of a machine that lost its power while it ran."""
    put(upper, f"var/log/{MARK}", "power was cut\n")


def _tar(command: list[str], what: str, *, most: int = 0) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TAR_S,
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
    except subprocess.SubprocessError as exc:
        raise MachineError(f"{what}: {exc}") from exc
    if not 0 <= done.returncode <= most:
        raise MachineError(f"{what}: {done.stderr.strip()[-300:]}")


def _hide_host(upper: Path) -> None:
    """Mark what a machine must not see: whiteouts, opaque folders (kernel, overlayfs.rst)."""
    for name in {path.name for path in Path("/").iterdir()} - _VISIBLE - set(_EMPTY):
        if not os.path.lexists(upper / name):
            os.mknod(upper / name, stat.S_IFCHR, 0)
    for name, mode in _EMPTY.items():
        path = place(upper, name)
        if make_folder(path):
            os.setxattr(path, "trusted.overlay.opaque", b"y")
        path.chmod(mode)


def _write_host_keys(upper: Path, plan: BootPlan) -> list[str]:
    """Write the host keys and return their kinds: the injected ones, the image's, or a new one."""
    folder = place(upper, "etc/ssh/any").parent
    there = [
        path.name.split("_")[2] for path in sorted(folder.glob("ssh_host_*_key")) if path.is_file()
    ]
    if not plan.host_keys and plan.keep_host_keys and there:
        return there
    for path in folder.glob("ssh_host_*"):
        path.unlink()
    for path in Path("/etc/ssh").glob("ssh_host_*"):  # the host's own are none of its business
        os.mknod(folder / path.name, stat.S_IFCHR, 0)
    keys = plan.host_keys or (generate(f"root@{plan.hostname}"),)
    for key in keys:
        _write_host_key(upper, key)
    return [key.kind for key in keys]


def _write_host_key(upper: Path, key: HostKey) -> None:
    put(upper, f"etc/ssh/ssh_host_{key.kind}_key", key.private, 0o600)
    if key.public:
        put(upper, f"etc/ssh/ssh_host_{key.kind}_key.pub", key.public)


def _write_jobs(upper: Path, plan: BootPlan) -> None:
    """Lay out what the machine does itself at its first boot: files to write, scripts to run.

    Files are put in place inside: only there the paths mean what they say, symbolic links
    such as /lib included.
    """
    shutil.rmtree(upper / HOME, ignore_errors=True)
    lines = ["#!/bin/sh"]
    for i, file in enumerate(plan.files):
        put(upper, f"{HOME}/file-{i}", file.content, 0o600)
        path, sign = _quoted(file.path), ">>" if file.append else ">"
        lines += [
            f'mkdir -p "$(dirname {path})"',
            f"cat /{HOME}/file-{i} {sign} {path}",
            f"chmod {file.mode:o} {path}",
        ]
    put(upper, f"{HOME}/files", "\n".join((*lines, "")), 0o700)
    lines = ["#!/bin/sh", "cd /"]
    for i, script in enumerate(plan.scripts):
        put(upper, f"{HOME}/script-{i}", script, 0o700)
        lines.append(f'/{HOME}/script-{i} || echo "cloud-init: script {i} failed: $?"')
    put(upper, f"{HOME}/scripts", "\n".join((*lines, "")), 0o700)


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "'\\''") + "'"
