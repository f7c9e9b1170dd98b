"""Processes of the lab: known by pid and start time, so that no other is ever ended."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.openstack.lab.layout import Layout
from tests.support.deadline import DeadlineMissedError, wait_for

_TAIL_CHARS = 3000
_GRACE_S = 10.0
_ZOMBIE = "Z"
_START_TIME_FIELD = 19


class LabError(Exception):
    """The lab cannot go on; the message says why and where to look."""


def call(
    *command: str, log: Path, env: Mapping[str, str] | None = None, ok: tuple[int, ...] = (0,)
) -> None:
    """Run a command to its end.

    Raises:
        LabError: With the end of what it said, if it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, check=False
        ).returncode
    if code not in ok:
        raise LabError(f"{' '.join(command)} ended with {code}: {tail(log)}")


def tail(log: Path) -> str:
    """Return the end of a log and where it is."""
    text = log.read_text(errors="replace")[-_TAIL_CHARS:] if log.exists() else ""
    return f"{text}\n(see {log})"


def pid_of(layout: Layout, name: str) -> int | None:
    """Return the pid that was started under this name, if it still is that process."""
    try:
        pid, started = (layout.run / f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def start_time(pid: int) -> str | None:
    """Return when a process was started, in the kernel's words; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == _ZOMBIE else fields[_START_TIME_FIELD]


def spawn(layout: Layout, name: str, command: list[str], env: Mapping[str, str] | None) -> None:
    """Start a process that outlives us, unless it runs already."""
    if pid_of(layout, name) is not None:
        return
    with (layout.log / f"{name}.log").open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=env,
            cwd=layout.state,
        )
    (layout.run / f"{name}.pid").write_text(f"{child.pid} {start_time(child.pid)}")


def end(layout: Layout, name: str, *, number: int = signal.SIGTERM) -> None:
    """End a process, with force after a time of grace, and forget it."""
    pid = pid_of(layout, name)
    if pid is not None:
        os.kill(pid, number)
        try:
            wait_for(lambda: _gone(layout, name, pid), _GRACE_S, f"{name} to end")
        except DeadlineMissedError:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: _gone(layout, name, pid), _GRACE_S, f"{name} to die")
    (layout.run / f"{name}.pid").unlink(missing_ok=True)


def await_up(layout: Layout, name: str, up: Callable[[], bool], deadline_s: float) -> None:
    """Wait until *up* is true.

    Raises:
        LabError: If the process ends or takes too long.
    """

    def look() -> bool:
        if pid_of(layout, name) is None:
            raise LabError(f"{name} ended: {tail(layout.log / f'{name}.log')}")
        return up()

    try:
        wait_for(look, deadline_s, name)
    except DeadlineMissedError as exc:
        raise LabError(f"{exc}: {tail(layout.log / f'{name}.log')}") from exc


def memory_mib(pid: int) -> int:
    """Return the resident memory of a process and its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    todo, kib = [pid], 0
    while todo:
        one = todo.pop()
        todo += children.get(one, [])
        kib += _resident_kib(one)
    return kib // 1024


def _resident_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _gone(layout: Layout, name: str, pid: int) -> bool:
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG)
    return pid_of(layout, name) is None
