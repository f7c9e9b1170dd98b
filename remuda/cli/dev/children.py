"""Child processes that log into files, are watched together, and end with us."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import remuda
from remuda.runtime.clock import Clock
from remuda.runtime.descent import ends_with_parent

_STOP_S: Final = 15.0
_SLICE_S: Final = 0.05


class ChildEndedError(Exception):
    """A child ended although nobody told it to.

    Attributes:
        name: Which; empty if it is not about one of them.
    """

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    """A process that is watched; *process* is None if somebody else ends it and takes its code."""

    pid: int
    fd: int
    log: Path
    arguments: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def end(self) -> None:
        """End it, if that is for us to do, and watch it no more."""
        if self.process is not None:
            _stop(self.process)
        os.close(self.fd)


class ChildProcesses:
    """A context that ends its children, the last one first. Use it on one thread only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[str, _Child] = {}
        self._ended: dict[str, _Child] = {}

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
        with ExitStack() as undo:
            for child in self._running.values():
                undo.callback(child.end)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: child.pid for name, child in self._running.items()}

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start a Python module of ours: ``[sys.executable, "-m", *arguments]``.

        *environ* is added to our own environment.
        """
        more = dict(environ or {})
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": _python_path(), **more},
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
                preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one prctl call, no locks taken
            )
        self._running[name] = _Child(
            pid=process.pid,
            fd=os.pidfd_open(process.pid),
            log=log,
            arguments=tuple(arguments),
            environ=more,
            process=process,
        )

    def start_again(self, name: str) -> None:
        """Start a child anew that has ended."""
        ended = self._ended.pop(name)
        self.start(name, ended.arguments, ended.log, environ=ended.environ)

    def watch(self, name: str, pid: int, log: Path) -> None:
        """Watch a process of ours, too, that somebody else starts and ends."""
        self._running[name] = _Child(pid=pid, fd=os.pidfd_open(pid), log=log)

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
            ChildEndedError: If a child ends; it is told once.
        """
        fds = {child.fd: name for name, child in self._running.items()}
        for fd in select.select(list(fds), [], [], timeout_s)[0]:
            name = fds[fd]
            child = self._ended[name] = self._running.pop(name)
            ending = "" if child.process is None else f" with code {child.process.wait()}"
            child.end()
            raise ChildEndedError(
                f"{name} ended{ending}: {_last_line(child.log)} (log: {child.log})", name=name
            )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")


def _python_path() -> str:
    """Return where our packages are, for children: a checkout need not be installed."""
    ours = str(Path(remuda.__file__).resolve().parents[1])
    given = os.environ.get("PYTHONPATH")
    return ours if not given else f"{ours}{os.pathsep}{given}"
