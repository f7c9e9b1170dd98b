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
    if not _keep_mounts_private(libc):
        # EINVAL: "/" is no mount point, as in a chroot.
        _from_the_real_root(libc)


def _keep_mounts_private(libc: ctypes.CDLL) -> bool:
    done: int = libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    return done == 0


def _from_the_real_root(libc: ctypes.CDLL) -> None:
    """Make mounts private from where "/" is a mount point, and come back into the chroot.

    Entering a mount namespace, be it one's own, leads to its root (setns(2)).  If that is
    refused, the probe finds out whether mounts reach the outside.
    """
    root, here = (os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in ("/", "."))
    ours = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    try:
        if libc.setns(ours, _CLONE_NEWNS) == 0:
            _keep_mounts_private(libc)
            os.fchdir(root)
            os.chroot(".")
            os.fchdir(here)
    finally:
        for each in (root, here, ours):
            os.close(each)


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
