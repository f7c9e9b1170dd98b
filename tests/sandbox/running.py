"""A sandbox process for tests, and ways to talk to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import openstack
import yaml
from openstack.connection import Connection

from tests.support.control import ask_control
from tests.support.deadline import wait_for

_START_S: Final = 60.0
_STOP_S: Final = 60.0
#: Fast, yet every state can be seen.
QUICK: Final[Mapping[str, Any]] = {
    "boot_seconds": 0.05,
    "delete_seconds": 0.0,
    "snapshot_seconds": 0.0,
}


def why_no_machines() -> str:
    """Say why namespace machines cannot be tested here; empty if they can."""
    if os.geteuid() != 0:
        return "needs root"
    if not Path("/usr/sbin/sshd").exists():
        return "needs the Debian package openssh-server"
    return "" if shutil.which("unshare") and shutil.which("setpriv") else "needs util-linux"


def why_no_sshd() -> str:
    """Say why plain machines cannot be tested here; empty if they can."""
    return "" if Path("/usr/sbin/sshd").exists() else "needs the Debian package openssh-server"


@dataclass
class Sandbox:
    """A running sandbox."""

    folder: Path
    process: subprocess.Popen[bytes]
    connections: list[Connection] = field(default_factory=list)

    @property
    def clouds_yaml(self) -> Path:
        """The file it wrote for clients."""
        return self.folder / "clouds.yaml"

    @property
    def entry(self) -> Any:
        """What clouds.yaml says of its first user."""
        return yaml.safe_load(self.clouds_yaml.read_text())["clouds"]["sandbox"]

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return str(self.entry["auth"]["auth_url"]).removesuffix("/identity/v3")

    def leftovers(self) -> list[Path]:
        """Return what there is in its temporary folder."""
        return list((self.folder / "tmp").iterdir())

    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text(errors="replace")

    def connect(self, cloud: str = "sandbox", region: str | None = None) -> Connection:
        """Return a connection of openstacksdk's."""
        loader = openstack.config.OpenStackConfig(config_files=[str(self.clouds_yaml)])
        connection = Connection(config=loader.get_one(cloud, region_name=region))
        self.connections.append(connection)
        return connection

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control endpoint; return what it says."""
        try:
            return ask_control(self.entry["sandbox_control"], method, path, body)
        except urllib.error.HTTPError as exc:
            return {"status": exc.code, **json.loads(exc.read())}

    def fault(self, kind: str, *, match: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Put one fault rule in place of all others."""
        rule = {"id": kind, "effect": {"kind": kind, **more.pop("effect", {})}, **more}
        done = self.control("PUT", "/faults", [rule | ({"match": match} if match else {})])
        assert "problems" not in done, done

    def calls(self, service: str, operation: str) -> int:
        """Return how often an operation was called."""
        counts = self.control("GET", "/calls")["calls"]
        return int(counts.get(service, {}).get(operation, {}).get("calls", 0))

    def children(self) -> list[int]:
        """Return the processes the sandbox started."""
        return [
            int(each)
            for path in Path(f"/proc/{self.process.pid}/task").glob("*/children")
            for each in path.read_text().split()
        ]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal; return its exit status."""
        for connection in self.connections:
            connection.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(_STOP_S)


@contextmanager
def running(
    folder: Path,
    config: Mapping[str, Any],
    *,
    command: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
    start_s: float = _START_S,
) -> Iterator[Sandbox]:
    """Run a sandbox until the block ends.

    Args:
        folder: An empty one for its files.
        config: As in its YAML.
        command: What to put before the command line.
        more: What to put behind it.
        start_s: How long it may take to listen: it hashes the images that it is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({**QUICK, **config}))
    with (folder / "log").open("wb") as log:
        options = ["--config", folder / "config.yaml", "--clouds-yaml", folder / "clouds.yaml"]
        process = subprocess.Popen(
            [*command, sys.executable, "-m", "sandbox", *map(str, options), *more],
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "PYTHONPATH": str(Path.cwd()),
                "TMPDIR": str(folder / "tmp"),
            },
        )
    sandbox = Sandbox(folder, process)
    try:
        wait_for(
            lambda: sandbox.clouds_yaml.exists() or process.poll() is not None,
            start_s,
            "the sandbox to listen",
        )
        assert process.poll() is None, sandbox.log()
        yield sandbox
    finally:
        try:
            sandbox.stop()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)
            raise
