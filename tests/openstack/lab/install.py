"""What the lab needs of this machine: privileges, packages, and one Python environment."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.openstack.lab.layout import HERE, Layout
from tests.openstack.lab.processes import LabError, call

#: Package and the file that shows that it is there. The database's are binaries only: nothing
#: gets started by their installation.
_PACKAGES: Final = (
    ("mariadb-server-core", "/usr/sbin/mariadbd"),
    ("mariadb-client-core", "/usr/bin/my_print_defaults"),
    ("openssh-server", "/usr/sbin/sshd"),
    ("openssh-client", "/usr/bin/ssh-keygen"),
    ("sudo", "/usr/bin/sudo"),
    ("iproute2", "/usr/bin/ip"),
)
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_REQUIREMENTS: Final = HERE / "requirements.txt"
#: Declares the network driver, which Neutron finds through an entry point.
_ENTRY_POINTS: Final = "[neutron.ml2.mechanism_drivers]\nlab = labnet:LabMechanismDriver\n"
#: With Python environment, databases and logs; measured, rounded up.
_DISK_BYTES_MIN: Final = 2 << 30
_MEMORY_BYTES_MIN: Final = 2 << 30
#: Tries what the hypervisor does for each server, in namespaces of its own.
_TRIAL: Final = (
    "set -e; d=$(mktemp -d); mount -t tmpfs tmpfs $d; mkdir $d/u $d/w $d/r;"
    " mount -t overlay overlay -o lowerdir=/,upperdir=$d/u,workdir=$d/w $d/r"
)


def missing(layout: Layout) -> str:
    """Say in one sentence why the lab cannot run on this machine; empty if it can."""
    return _no_privilege() or layout.complaint() or _no_room(layout)


def _no_privilege() -> str:
    if os.geteuid() != 0:
        return "the lab needs root: its servers are namespaces"
    trial = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "sh", "-c", _TRIAL]
    if subprocess.run(trial, capture_output=True, check=False).returncode != 0:
        return "the lab needs CAP_SYS_ADMIN: this root may not unshare namespaces and mount"
    return ""


def _no_room(layout: Layout) -> str:
    if _lacking() and shutil.which("apt-get") is None:
        return f"the lab lacks {', '.join(_lacking())}, and there is no apt-get"
    layout.home.mkdir(parents=True, exist_ok=True)
    installed = (layout.venv / ".installed").exists()
    if not installed and shutil.disk_usage(layout.home).free < _DISK_BYTES_MIN:
        return f"the lab needs {_DISK_BYTES_MIN >> 30} GiB of disk below {layout.home}"
    if os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") < _MEMORY_BYTES_MIN:
        return f"the lab needs {_MEMORY_BYTES_MIN >> 30} GiB of memory"
    return ""


def install(layout: Layout) -> None:
    """Install what is missing; a quick look if all is there."""
    packages = _lacking()
    if packages:
        _apt(layout, packages)
    stamp = layout.venv / ".installed"
    wanted = _REQUIREMENTS.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    log = layout.log / "install.log"
    call("/usr/bin/python3", "-m", "venv", str(layout.venv), log=log)
    pip = (str(layout.venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check")
    # One of the requirements comes as source and is built with what is there.
    call(*pip, "wheel==0.45.1", log=log)
    call(*pip, "--no-deps", "-r", str(_REQUIREMENTS), log=log)
    (site,) = layout.venv.glob("lib/python3.*/site-packages")
    info = site / "remuda_lab-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: remuda-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_ENTRY_POINTS)
    stamp.write_text(wanted)


def _lacking() -> list[str]:
    found = [package for package, path in _PACKAGES if not Path(path).exists()]
    if not any(Path("/usr/lib").glob("python3.*/ensurepip")):
        found.append("python3-venv")
    return found


def _apt(layout: Layout, packages: list[str]) -> None:
    """Install packages and start none of their services."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    log = layout.log / "install.log"
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        call("apt-get", "-q", "update", log=log, env=env)
        call(
            *("apt-get", "-q", "-y", "install", "--no-install-recommends", *packages),
            log=log,
            env=env,
        )
    finally:
        if ours:
            _POLICY.unlink()
    if left := _lacking():
        raise LabError(f"apt-get installed no {', '.join(left)}; see {log}")
