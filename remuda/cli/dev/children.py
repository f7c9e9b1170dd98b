"""Child processes that log into files, are watched together, and end with us."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import remuda
from remuda.runtime.clock import Clock
from remuda.runtime.descent import ends_with_parent

_STOP_S: Final = 15.0
_SLICE_S: Final = 0.05


class ChildEndedError(Exception):
    """A child ended although nobody told it to."""


class Children:
    """A context that ends its children, the last one first. Use it on one thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._undo = ExitStack()
        self._running: dict[str, tuple[subprocess.Popen[bytes], int, Path]] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all children."""
        self._undo.close()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: process.pid for name, (process, _, _) in self._running.items()}

    def start(self, name: str, arguments: Sequence[str], log: Path) -> None:
        """Start a Python module of ours: ``[sys.executable, "-m", *arguments]``."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": _python_path()},
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
                preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one prctl call, no locks taken
            )
        self._undo.callback(_stop, process)
        fd = os.pidfd_open(process.pid)
        self._undo.callback(os.close, fd)
        self._running[name] = (process, fd, log)

    def wait_until(self, there: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until *there* says so, while all children live.

        Raises:
            ChildEndedError: If one ends, or it takes too long.
        """
        end_s = self._clock.monotonic_s() + timeout_s
        while not there():
            self.wait_ended(_SLICE_S)
            if self._clock.monotonic_s() > end_s:
                raise ChildEndedError(f"{what} after {timeout_s:g} s: not yet; see the logs")

    def wait_ended(self, timeout_s: float | None) -> None:
        """Wait at most so long; None: until Ctrl-C.

        Raises:
            ChildEndedError: If a child ends.
        """
        fds = {fd: name for name, (_, fd, _) in self._running.items()}
        for fd in select.select(list(fds), [], [], timeout_s)[0]:
            process, _, log = self._running[fds[fd]]
            raise ChildEndedError(
                f"{fds[fd]} ended with code {process.wait()}: {_last_line(log)} (log: {log})"
            )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")


def _python_path() -> str:
    """Return where our packages are, for children: a checkout need not be installed."""
    ours = str(Path(remuda.__file__).resolve().parents[1])
    given = os.environ.get("PYTHONPATH")
    return ours if not given else f"{ours}{os.pathsep}{given}"
