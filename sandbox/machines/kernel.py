"""A mount table of our own, so that what we mount vanishes with us, however we end."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path
from typing import Final

from sandbox.machines.base import MachineError

_CLONE_NEWNS: Final = 0x00020000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_EINVAL: Final = 22


def leave_mount_namespace() -> None:
    """Move this thread, and all threads it starts later, into a mount namespace of its own.

    Call it from the main thread before there are others (unshare(2): per thread).
    ``os.unshare`` exists only since Python 3.12.

    Raises:
        MachineError: If the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise MachineError(f"unshare: {os.strerror(ctypes.get_errno())}")
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        # EINVAL: "/" is no mount point, as in a chroot.  Whether mounts then reach the outside
        # was found out by the probe.
        code = ctypes.get_errno()
        if code != _EINVAL:
            raise MachineError(f"mount --make-rprivate /: {os.strerror(code)}")


def mount_tmpfs(at: Path) -> None:
    """Mount an empty tmpfs over the folder *at*.

    Raises:
        MachineError: If that is refused.
    """
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "mode=755,size=75%", "sandbox", str(at)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MachineError(f"mount: {done.stderr.strip()}")
