"""A running `remuda dev`, used as somebody at a shell does."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.deadline import wait_for
from tests.support.processes import Process

#: Long enough for anything but an image on a busy machine.
USUAL_S: Final = 240.0
#: Of the whole of `remuda dev`, with a machine of each kind.
_UP_S: Final = 120.0


@dataclass(frozen=True)
class Dev:
    """A running `remuda dev`.

    Attributes:
        folder: That of ``--dir``; commands run in it.
        environ: As after ``. env.sh``, in a home of its own.
        facts: What it has written into its ready file.
    """

    folder: Path
    environ: dict[str, str]
    facts: dict[str, Any]

    def run(self, command: str, until: str = "") -> tuple[int, str]:
        """Run a command; one with *until* is stopped by SIGINT once it has printed that."""
        log = self.folder / "command.log"
        log.unlink(missing_ok=True)
        shell = ["bash", "-c", f"exec {command}" if until else command]
        process = Process("command", shell, log, env=self.environ, cwd=self.folder)
        try:
            wait_for(
                lambda: not process.alive or (until and until in process.text()),
                USUAL_S,
                f"{command}: {process.text()[-2000:]}",
            )
            if until and process.alive:
                process.signal(signal.SIGINT)
                process.stop()
                return 0, process.text()
            return process.stop(), process.text()
        finally:
            process.stop()

    def said(self, command: str, *, code: int = 0) -> str:
        """Run a command that ends with this code; return all that it printed."""
        ended, text = self.run(command)
        assert ended == code, f"{command}\n{text}"
        return text

    def told(self, command: str) -> Any:
        """Run a command that prints JSON; return that, and let it talk on standard error."""
        return json.loads(
            self.said(f"{command} --json 2>errors.log || {{ cat errors.log; false; }}")
        )


@contextmanager
def running_dev(folder: Path) -> Iterator[Dev]:
    """Start one in a new folder; it is up, and ends with the block."""
    ready = folder / "ready.json"
    process = Process.python(
        "dev",
        "remuda",
        *("dev", "--dir", str(folder / "here"), "--ready-file", str(ready)),
        log=folder / "dev.log",
        last_signal=signal.SIGTERM,
    )
    try:
        wait_for(lambda: ready.exists() or not process.alive, _UP_S, "remuda dev")
        assert process.alive, process.tail()
        facts = json.loads(ready.read_text())
        scripts = Path(sys.executable).parent
        path = f"{scripts}:{os.environ['PATH']}"
        yield Dev(
            folder / "here", {"PATH": path, "HOME": str(folder), **facts["environment"]}, facts
        )
    finally:
        process.stop()
