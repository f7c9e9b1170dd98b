"""Real processes for tests: started in their own folder, ended by their process id."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG: Final = 1
#: What a process may take to end, on a machine with others at work.
_ENDS_S: Final = 60.0
#: How much of each log a failed test shows.
_TAIL_CHARS: Final = 6000


class Process:
    """One child process, its output in a file.

    Attributes:
        name: For messages and the log file.
        log: Where its output goes.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        last_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
                preexec_fn=ends_with_us(last_signal),  # noqa: PLW1509 - one prctl, no locks
            )

    @classmethod
    def python(cls, name: str, module: str, *args: str, log: Path, **more: Any) -> "Process":
        """Start a module of ours."""
        return cls(name, [sys.executable, "-m", module, *args], log, **more)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.child.send_signal(number)

    def freeze(self) -> None:
        """Stop it where it stands, as a long pause of its machine would."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.kill()
        self.child.wait(_ENDS_S)

    def stop(self, grace_s: float = _ENDS_S) -> int:
        """End it with SIGTERM, and with SIGKILL after *grace_s*; return its exit code."""
        if self.alive:
            self.child.terminate()
            self.child.send_signal(signal.SIGCONT)
        try:
            return self.child.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait(_ENDS_S)

    def text(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """Return the end of what it has said."""
        return self.text()[-_TAIL_CHARS:]

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return its log events (JSON lines), all or those called *name*."""
        found = []
        for line in self.text().splitlines():
            if not line.startswith("{"):
                continue
            try:
                event = json.loads(line)
            except ValueError:  # the last line may be half written
                continue
            if not name or event.get("event") == name:
                found.append(event)
        return found


def is_over(pid: int) -> bool:
    """Whether a process has ended, though nobody may have waited for it.

    It may end between any two looks: the file goes, or cannot be read any more.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in {"Z", "X"}


def ends_with_us(number: signal.Signals) -> Callable[[], None]:
    """Return what a child does before exec: ask for a signal when we end, however we end."""
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: no import in the child

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)

    return arrange
