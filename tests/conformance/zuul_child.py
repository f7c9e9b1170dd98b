"""Our side of the pipe to Zuul's client classes (see ``zuul_driver.py``)."""

import json
import select
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.processes import ROOT, ends_with_us
from tests.support.stage import SERVED_S

PYTHON: Final = ROOT / "build" / "zuul-venv" / "bin" / "python"
_INSTALL: Final = ROOT / "deploy" / "install-conformance.sh"
_DRIVER: Final = Path(__file__).with_name("zuul_driver.py")
_ANSWER_S: Final = SERVED_S + 60.0
#: Less than a test's own limit, so that it is said what took so long.
_INSTALL_S: Final = 250


class ZuulError(AssertionError):
    """Zuul's classes raised; its traceback."""


def missing() -> str:
    """Make Zuul's environment if it is not there; say why that is impossible, or nothing."""
    try:
        done = subprocess.run(
            [_INSTALL], capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{_INSTALL.name} took more than {_INSTALL_S} s; run it by hand"
    if done.returncode == 0:
        return ""
    return f"needs Zuul's client classes: {_INSTALL.name}: {done.stderr.strip()[-300:]}"


class Zuul:
    """One process with Zuul's classes; calls are those of ``zuul_driver.Driver``."""

    def __init__(self, hosts: str, log: Path, **options: Any) -> None:
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                [PYTHON, _DRIVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                preexec_fn=ends_with_us(signal.SIGKILL),  # noqa: PLW1509 - one prctl, no locks
            )
        self.log = log
        self.call("connect", hosts=hosts, **options)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.kill()

    def call(self, do: str, **arguments: Any) -> Any:
        """Have one thing done.

        Raises:
            ZuulError: If Zuul's own code raised, or does not answer.
        """
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._child.stdin.flush()
        if not select.select([self._child.stdout], [], [], _ANSWER_S)[0]:
            raise ZuulError(f"no answer to {do} after {_ANSWER_S:g} s")
        line = self._child.stdout.readline()
        if not line:
            raise ZuulError(f"Zuul's process ended: {self.log.read_text()[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise ZuulError(answer["error"])
        return answer["ok"]

    def request(self, *labels: str, **more: Any) -> str:
        """Submit a request and return its id."""
        return str(self.call("request", labels=list(labels), **more)["id"])

    def wait(self, request: str, deadline_s: float = SERVED_S) -> dict[str, Any]:
        """Wait for the announcement of the request's end."""
        found: dict[str, Any] = self.call("wait", request=request, deadline_s=deadline_s)
        return found

    def accept(self, request: str) -> list[dict[str, Any]]:
        """Lock the nodes and delete the request."""
        nodes: list[dict[str, Any]] = self.call("accept", request=request)
        return nodes

    def finish(self, request: str) -> None:
        """Accept, use and give back: the rest of a job's life."""
        self.accept(request)
        self.call("use", request=request)
        self.call("give_back", request=request)

    def kill(self) -> None:
        """End it as a crash would; its session lives until its time-out."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait(10.0)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
