"""An image of a minimal Debian: a layer that hides what no wanted package has brought.

What is searched for secrets is a whole file system, and this machine's may have many gigabytes.
The layer is the sandbox's own; in an image of the lab it lies over this machine's root, as all do.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from sandbox.machines.system import make_layer, why_no_minimal
from tests.openstack.lab.layout import ROOT

_MADE_S: Final = 120.0
#: Only a file system that is no overlay itself takes the marks of one.
_MAKE: Final = """
set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
"$2" -m tests.openstack.lab.minimal "$1"
exec tar --xattrs --xattrs-include='trusted.*' --numeric-owner -C "$1" -cf - .
"""
#: Written by this machine all the time, so that servers begin with none of it.
_EMPTY: Final = {"var/log": 0o755, "var/tmp": 0o1777}


def why_none() -> str:
    """Say why there can be no such image here; empty if there can."""
    return why_no_minimal()


def minimal_image() -> bytes:
    """Return the image's data."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", _MAKE, "minimal", folder, sys.executable],
            capture_output=True,
            cwd=ROOT,
            timeout=_MADE_S,
            check=True,
        )
    return done.stdout


def _fill(layer: Path) -> None:
    make_layer(layer, minimal=True)
    for name, mode in _EMPTY.items():
        shutil.rmtree(layer / name, ignore_errors=True)
        (layer / name).mkdir(parents=True)
        (layer / name).chmod(mode)
        os.setxattr(layer / name, "trusted.overlay.opaque", b"y")


if __name__ == "__main__":
    _fill(Path(sys.argv[1]))
