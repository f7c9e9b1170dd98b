"""The stage of the demo: `remuda dev` as a child process, and its commands run like a person's."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Timer
from types import TracebackType
from typing import Any, Final, Self

from remuda.cli.dev.control import Control, ControlFailedError
from remuda.cli.terminal import say
from remuda.runtime.clock import Clock, SystemClock

_READY_S: Final = 90.0
_LOOK_S: Final = 0.2
_COMMAND_S: Final = 90.0
#: More than the slowest part may take.
_STOP_S: Final = 40.0
_FAIL: Final = {"kind": "boot_error", "text": "No valid host was found."}


class DemoFailedError(Exception):
    """Something that the demo shows did not really work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRan:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str


@dataclass(slots=True)
class DemoStage:
    """An installation of its own, used through the `remuda` command only."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    _process: subprocess.Popen[bytes] | None = None
    _pause: Event = field(default_factory=Event)

    @classmethod
    def temporary(cls) -> "DemoStage":
        """Return a stage in a new temporary folder, which stays if something fails."""
        return cls(folder=Path(tempfile.mkdtemp(prefix="remuda-demo-")))

    def __enter__(self) -> Self:
        """Start everything and wait until it is up.

        Raises:
            DemoFailedError: If it does not come up; the message says what the parts said last.
        """
        ready = self.folder / "ready.json"
        log = (self.folder / "dev.log").open("wb")
        command = [sys.executable, "-m", "remuda", "dev", "--clouds", "2", "--boot", "2"]
        command += ["--dir", str(self.folder / "dev"), "--ready-file", str(ready)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        if not self.wait(ready.exists, _READY_S) or self._process.poll() is not None:
            said = (self.folder / "dev.log").read_text(errors="replace")
            self.close()
            raise DemoFailedError(f"the installation did not come up:\n{said[-3000:]}")
        self.facts = json.loads(ready.read_text())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        self.close()

    def close(self) -> None:
        """End the installation; its own end takes all machines with it."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()

    def wait(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Look until *done* is true, at most *limit_s* seconds; return whether it is."""
        end_s = self.clock.monotonic_s() + limit_s
        while not done():
            ended = self._process is not None and self._process.poll() is not None
            if ended or self.clock.monotonic_s() >= end_s:
                return done()
            self._pause.wait(_LOOK_S)
        return True

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which commands find this installation."""
        return {**os.environ, **self.facts["environment"], "COLUMNS": "100"}

    def remuda(self, *arguments: str) -> CommandRan:
        """Run `remuda` as a person would and show its output as it comes.

        Raises:
            DemoFailedError: If it does not end within a minute and a half.
        """
        process = self._start(arguments, stderr=subprocess.STDOUT)
        watchdog = Timer(_COMMAND_S, process.kill)
        watchdog.start()
        lines = []
        assert process.stdout is not None  # noqa: S101 - asked for above
        for line in process.stdout:
            lines.append(line)
            say(f"    {line}", nl=False)
        code = process.wait()
        if not watchdog.is_alive():
            raise DemoFailedError(f"remuda {' '.join(arguments)} did not end in {_COMMAND_S:g} s")
        watchdog.cancel()
        return CommandRan(code=code, out="".join(lines))

    def _start(self, arguments: Sequence[str], *, stderr: int) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "remuda", *arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def ask(self, *arguments: str) -> Any:
        """Return what a command prints with ``--json``.

        Raises:
            DemoFailedError: If it fails.
        """
        process = self._start((*arguments, "--json"), stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=_COMMAND_S)
        if process.returncode != 0:
            raise DemoFailedError(f"remuda {' '.join(arguments)} failed: {err}")
        return json.loads(out)

    @property
    def no_images(self) -> str:
        """Why no images can be made here; empty: they can."""
        why: str | None = self.facts["no_images"]
        return why or ""

    def tool(self, *command: str) -> None:
        """Run an ordinary tool in the installation's folder, and show what it prints.

        Raises:
            DemoFailedError: If it fails.
        """
        say(f"  $ {shlex.join(command)}")
        ran = subprocess.run(
            command,
            cwd=self.facts["dir"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        for line in ran.stdout.splitlines():
            say(f"    {line}")
        if ran.returncode != 0:
            raise DemoFailedError(f"{shlex.join(command)}: exit code {ran.returncode}")

    def break_cloud(self, provider: str) -> None:
        """Make every boot in the provider's cloud fail from now on.

        Raises:
            DemoFailedError: If the cloud does not do so.
        """
        cloud = self.facts["providers"][provider]
        control = Control.of(Path(self.facts["clouds_yaml"]), cloud)
        rule = {"id": "demo", "match": {"operation": "server.boot"}, "effect": _FAIL}
        try:
            control.add_fault(rule)
        except ControlFailedError as error:
            raise DemoFailedError(f"{cloud} cannot be broken: {error}") from error
