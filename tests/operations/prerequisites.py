"""What this machine lacks to play several hosts."""

import os
import subprocess
from pathlib import Path
from shutil import which
from typing import Final

from tests.support import promtool, stage

_BRINGS: Final = {"openssl": "openssl", "ssh-keygen": "openssh-client", "flock": "util-linux"}
#: Whether hosts' roots can be made: as :mod:`tests.operations.roots` does it.
_TRY: Final = """\
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
"""


def missing() -> str:
    """Say what; empty if nothing."""
    if why := stage.missing():
        return why
    if not Path("/etc/debian_version").exists():
        return "needs Debian: the page is about its packages"
    for command, package in _BRINGS.items():
        if which(command) is None:
            return f"needs {command}: apt-get install {package}"
    if promtool.find() is None:
        return "needs promtool: make promtool"
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", _TRY, "try", os.fspath("/mnt")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return "" if done.returncode == 0 else f"needs overlays and namespaces: {done.stderr.strip()}"
