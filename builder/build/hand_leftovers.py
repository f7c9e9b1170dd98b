"""What commands leave on this host: processes that go on, and folders with mounts in them.

A process is known by its environment, which it has from the command that started it: the name of
the command's folder stands there, and nowhere else. Who clears his environment is not found. One
that is in the middle of an ``exec`` has none for a moment (proc(5)), and is looked at again.
"""

import logging
import os
import re
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.hands.tree import remove_tree

log = logging.getLogger(__name__)

_PROC: Final = Path("/proc")
_ENVIRON_BYTES_MAX: Final = 1 << 20
#: Whoever is killed may have started another one a moment before.
_ROUNDS_MAX: Final = 50
#: Until whoever is in the middle of an exec is looked at again.
_AGAIN_S: Final = 0.02
#: Which words of ``/proc/PID/stat`` tell the size of a process, and where its environment begins
#: and ends, counted from behind its name, which may have blanks in it.
_SIZE: Final = 20
_ENVIRON_FROM: Final = 47
_ENVIRON_TO: Final = 48
#: How ``/proc/self/mountinfo`` writes blanks, line ends and backslashes.
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_MOUNT_POINT: Final = 4


def end_marked(own: Path) -> int:
    """Kill every process that a command with this folder has left; return how many were."""
    ended = set[int]()
    unclear: frozenset[int] | None = None
    pause = threading.Event()
    for _ in range(_ROUNDS_MAX):
        seen = look(own)
        if seen.marked:
            if seen.marked <= ended:
                pause.wait(_AGAIN_S)  # they are dying
            ended |= {one for one in seen.marked if _end(one, own)}
            unclear = None
            continue
        # Others begin all the time; one of ours was there before, or comes of one that was.
        unclear = seen.beginning if unclear is None else unclear & seen.beginning
        if not unclear:
            break
        pause.wait(_AGAIN_S)
    return len(ended)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Processes of this host, by number: of a command, and in the middle of an exec."""

    marked: frozenset[int]
    beginning: frozenset[int]


def look(own: Path, proc: Path = _PROC) -> Seen:
    """Return which processes a command with this folder has left, and of which nobody can say."""
    marked, beginning = set[int](), set[int]()
    for one in proc.iterdir():
        if not one.name.isdecimal() or int(one.name) == os.getpid():
            continue
        environ = _environ(one)
        if _is_marked(environ, own):
            marked.add(int(one.name))
        elif environ == b"" and _is_beginning(one):
            beginning.add(int(one.name))
    return Seen(marked=frozenset(marked), beginning=frozenset(beginning))


def _is_marked(environ: bytes | None, own: Path) -> bool:
    mark = b"\0REMUDA_OUTPUT=" + os.fsencode(own) + b"/"
    return environ is not None and mark in b"\0" + environ


def _environ(process: Path) -> bytes | None:
    """Return the environment of a process; None: it is gone, or not ours."""
    try:
        with (process / "environ").open("rb") as file:
            return file.read(_ENVIRON_BYTES_MAX)
    except OSError:
        return None


def _is_beginning(process: Path) -> bool:
    """Whether a process that showed no environment has none yet, or has one by now.

    The kernel's own have no memory, nor have dead ones; an empty environment begins where it ends.
    """
    try:
        words = (process / "stat").read_bytes().rpartition(b")")[2].split()
        size, begins, ends = (int(words[one]) for one in (_SIZE, _ENVIRON_FROM, _ENVIRON_TO))
    except (OSError, IndexError, ValueError):
        return False
    return size > 0 and (ends == 0 or begins != ends)


def _end(pid: int, own: Path) -> bool:
    """Kill a process, if it is still the one that was meant."""
    try:
        number = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not _is_marked(_environ(_PROC / str(pid)), own):
            return False
        signal.pidfd_send_signal(number, signal.SIGKILL)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(number)
