"""Runs one command and sees to it that nothing of it survives us or our parent.

A program of its own: ``python -I -S guardian.py COMMAND ...``.  It ends, and with it every
descendant of the command, when the command ends or when its standard input is closed, which
happens at the latest when the parent dies.  Needs no privilege.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Run the command in ``sys.argv``."""
    # Whoever below us loses its parent becomes our child (prctl(2)): nobody can slip away.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    select.select([0, os.pidfd_open(command.pid)], [], [])
    _kill_all()


def _kill_all() -> None:
    """Kill descendants until there are none; orphans come to us, so the last wait says so."""
    while True:
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _descendants() -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # proc(5), stat: "pid (name) state ppid"; the name may hold anything.
                after_name = (entry / "stat").read_text().rpartition(")")[2]
            except OSError:
                continue
            parents[int(entry.name)] = int(after_name.split()[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


if __name__ == "__main__":
    main()
