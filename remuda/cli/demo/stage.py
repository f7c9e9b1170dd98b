"""The stage of the demo: `remuda dev` as a child process, and its commands run like a person's."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Timer
from types import TracebackType
from typing import Any, Final, Self

import yaml

from remuda.cli.saying import say

_READY_S: Final = 90.0
_LOOK_S: Final = 0.2
_COMMAND_S: Final = 90.0
_STOP_S: Final = 20.0
_FAIL: Final = {"kind": "boot_error", "text": "No valid host was found."}


class DemoFailedError(Exception):
    """Something that the demo shows did not really work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str


@dataclass(slots=True)
class Stage:
    """An installation of its own, used through the `remuda` command only."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _pause: Event = field(default_factory=Event)

    @classmethod
    def temporary(cls) -> "Stage":
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
        for _ in range(int(limit_s / _LOOK_S)):
            if done():
                return True
            if self._process is not None and self._process.poll() is not None:
                return done()
            self._pause.wait(_LOOK_S)
        return done()

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which commands find this installation."""
        return {**os.environ, **self.facts["environment"], "COLUMNS": "100"}

    def remuda(self, *arguments: str) -> Ran:
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
        return Ran(code=code, out="".join(lines))

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

    def break_cloud(self, provider: str) -> None:
        """Make every boot in the provider's cloud fail from now on."""
        rule = {"id": "demo", "match": {"operation": "server.boot"}, "effect": _FAIL}
        control = self._control(provider)
        request = urllib.request.Request(  # noqa: S310 - a loopback address of ours
            f"{control['url']}/faults",
            data=json.dumps(rule).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {control['token']}",
            },
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass

    def _control(self, provider: str) -> Mapping[str, str]:
        """Return where the cloud's control endpoint is, and its token."""
        clouds = yaml.safe_load(Path(self.facts["clouds_yaml"]).read_text())["clouds"]
        control: Mapping[str, str] = clouds[self.facts["providers"][provider]]["sandbox_control"]
        return control
