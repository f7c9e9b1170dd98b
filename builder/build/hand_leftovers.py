"""What commands leave on this host: processes that go on, and folders with mounts in them.

A process is known by its environment, which it has from the command that started it: the name of
the command's folder stands there, and nowhere else. Who clears his environment is not found.
"""

import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from builder.hands.tree import remove_tree

log = logging.getLogger(__name__)

_PROC: Final = Path("/proc")
_ENVIRON_BYTES_MAX: Final = 1 << 20
#: Whoever is killed may have started another one a moment before.
_ROUNDS_MAX: Final = 50
#: How ``/proc/self/mountinfo`` writes blanks, line ends and backslashes.
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_MOUNT_POINT: Final = 4


def end_marked(own: Path) -> int:
    """Kill every process that a command with this folder has left; return how many were."""
    ended = 0
    for _ in range(_ROUNDS_MAX):
        found = list(_marked(own))
        if not found:
            break
        ended += sum(_end(one, own) for one in found)
    return ended


def remove_own(own: Path) -> None:
    """End what a command has left, and remove its folder; what is mounted there stays."""
    end_marked(own)
    mounted = mounts_below(own)
    if mounted:
        # Whatever is mounted is none of the command's own: it might be all of this host.
        log.warning("command.mounts_left folder=%s mounted=%s", own, mounted[0])
        return
    remove_tree(own)
    if own.exists():
        log.warning("command.files_left folder=%s", own)


def mounts_below(own: Path, mountinfo: Path = _PROC / "self" / "mountinfo") -> list[str]:
    """Return where something is mounted below a folder, or in its place."""
    top = str(own.resolve())
    found = []
    for line in mountinfo.read_text(errors="surrogateescape").splitlines():
        words = line.split(" ")
        point = words[_MOUNT_POINT] if len(words) > _MOUNT_POINT else ""
        point = _ESCAPED.sub(lambda one: chr(int(one[1], 8)), point)
        if point == top or point.startswith(f"{top}/"):
            found.append(point)
    return found


def _marked(own: Path) -> Iterator[int]:
    for one in _PROC.iterdir():
        if one.name.isdecimal() and int(one.name) != os.getpid() and _is_marked(one, own):
            yield int(one.name)


def _is_marked(process: Path, own: Path) -> bool:
    mark = b"\0REMUDA_OUTPUT=" + os.fsencode(own) + b"/"
    try:
        with (process / "environ").open("rb") as file:
            return mark in b"\0" + file.read(_ENVIRON_BYTES_MAX)
    except OSError:  # it is gone, or not ours
        return False


def _end(pid: int, own: Path) -> bool:
    """Kill a process, if it is still the one that was meant."""
    try:
        number = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not _is_marked(_PROC / str(pid), own):
            return False
        signal.pidfd_send_signal(number, signal.SIGKILL)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(number)
