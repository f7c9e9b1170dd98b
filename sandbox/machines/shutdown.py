"""A clean shutdown: processes are asked to end, and get some time for it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

#: Left on the disk of a machine that lost its power while it ran, as a journal that must be
#: recovered is; relative to what a snapshot packs.
MARK: Final = "unclean-shutdown"
#: What the console says at each boot from such a disk.
RECOVERY: Final = "EXT4-fs (vda1): recovery complete"
_ROUNDS_MAX: Final = 10


def end_gently(root: int, spared: Iterable[int], limit_s: float) -> bool:
    """Ask all that runs below *root* to end; return whether all did within the limit.

    Args:
        root: A process; it is not asked itself, nor are those *spared*, which would take the
            others along.
        spared: Descendants that are to be left.
        limit_s: For all of them together.
    """
    until_s = time.monotonic() + limit_s
    left = {root, *spared}
    for _ in range(_ROUNDS_MAX):  # what is asked to end may begin something
        asked = [pid for pid in _below(root) if pid not in left]
        if not asked:
            return True
        if not _all_end(asked, until_s):
            return False
    return False


def children(pid: int) -> list[int]:
    """Return the children of a process (proc(5), /proc/pid/task/tid/children)."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _below(root: int) -> Iterator[int]:
    for child in children(root):
        if not _has_ended(child):
            yield child
            yield from _below(child)


def _has_ended(pid: int) -> bool:
    """Say whether a process only waits for its parent to notice (proc(5), stat: the state)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _all_end(pids: Iterable[int], until_s: float) -> bool:
    with contextlib.ExitStack() as opened:
        watched = {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                opened.callback(os.close, fd)
                watched[fd] = pid
                signal.pidfd_send_signal(fd, signal.SIGTERM)
        poll = select.poll()
        for fd in watched:
            poll.register(fd, select.POLLIN)
        while watched:
            left_s = until_s - time.monotonic()
            ended = poll.poll(left_s * 1000) if left_s > 0 else []
            if not ended:
                return False
            for fd, _ in ended:
                poll.unregister(fd)
                del watched[fd]
    return True
