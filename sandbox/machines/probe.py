"""Finding out what this machine allows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from sandbox.machines.base import MachineError
from sandbox.machines.kernel import leave_mount_namespace

_PROBE_S: Final = 20.0
_TOOLS: Final = ("unshare", "setpriv", "mount", "pivot_root", "chroot", "tar", "ssh-keygen")

#: Everything a machine will need, once, in namespaces that are thrown away.  $1: an empty
#: folder.
_SCRIPT: Final = """
set -e
mount -t tmpfs -o mode=755 probe "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mknod "$1/upper/probe" c 0 0
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
hostname probe
chroot "$1/root" /bin/true
"""


def sshd_path() -> str | None:
    """Return where the SSH server is; it may be outside an ordinary user's PATH."""
    return shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")


def why_no_namespace() -> str:
    """Say why machines of kind namespace do not work here; empty if they do.

    If nothing is missing, it leaves this thread's mount namespace: what machines mount shall
    vanish with us, and only there can be tried what they will do.
    """
    if os.geteuid() != 0:
        return "not root"
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not sshd_path():
        return "not installed: sshd (Debian: openssh-server)"
    try:
        leave_mount_namespace()
    except MachineError as exc:
        return str(exc)
    with tempfile.TemporaryDirectory(prefix="sandbox-probe-") as folder:
        return _try(Path(folder))


def _try(folder: Path) -> str:
    try:
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "--propagation",
                propagation(),
                "--pid",
                "--uts",
                "--ipc",
                "--fork",
                "--kill-child",
                "/bin/sh",
                "-c",
                _SCRIPT,
                "probe",
                str(folder),
            ],
            capture_output=True,
            text=True,
            timeout=_PROBE_S,
            check=False,
            cwd="/",
        )
    except (OSError, subprocess.SubprocessError) as exc:
        return str(exc)
    if os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)
        return "mounts would be seen outside (a shared root in a chroot)"
    return (done.stderr.strip() or f"probe exits with {done.returncode}") if done.returncode else ""


def propagation() -> str:
    """Return what to tell ``unshare --propagation``: private, unless / is no mount point.

    In a chroot, making / private is EINVAL and unshare would give up.
    """
    return "private" if is_mount_root() else "unchanged"


def is_mount_root() -> bool:
    """Say whether our / is a mount point in our own mount table (proc(5), mountinfo, field 5)."""
    if not os.path.ismount("/"):
        return False
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.split()[4] == "/" for line in lines if len(line.split()) > 4)  # noqa: PLR2004


def why_no_plain() -> str:
    """Say why machines of kind plain do not work here; empty if they do."""
    if not sshd_path():
        return "not installed: sshd (Debian: openssh-server)"
    return "" if shutil.which("ssh-keygen") else "not installed: ssh-keygen"
