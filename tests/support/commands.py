"""Commands run in this process, over a fake ZooKeeper, with a launcher that answers at once."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import click
from click.testing import CliRunner, Result

from remuda.cli.context import CommandContext, OpensObjects
from remuda.cloud.api import CloudConfigError
from remuda.cloud.objects import ObjectStore
from remuda.runtime.clock import Clock, SystemClock
from remuda.ssh.api import Login, Script
from remuda.ssh.keyfile import load_key
from remuda.ssh.runner import Ran
from remuda.ssh.session import require_host_keys
from remuda.store import paths
from remuda.store.api import Create, Done, Op
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.support.standin import StandIn

#: No point in time of a test is as early, and no duration as long.
DAY_S, YEARS_S = 86_400.0, 1e9


def check_times(doc: object) -> None:
    """Fail if a key does not tell whether it is a point in time or a duration, see docs/cli.md."""
    for part in doc if isinstance(doc, list) else ():
        check_times(part)
    for key, value in doc.items() if isinstance(doc, dict) else ():
        check_times(value)
        if key.endswith("_s") and isinstance(value, int | float):
            point = key.endswith("at_s")
            assert value > DAY_S if point else value < YEARS_S, f"{key}: {value}"


@dataclass(slots=True)
class FakeMachine:
    """A logged-in machine that prints what it is told to, and remembers what it was asked."""

    login: Login
    code: int = 0
    out: bytes = b""
    during: Callable[["FakeMachine"], object] = lambda _machine: None
    closed: threading.Event = field(default_factory=threading.Event)
    ran: list[tuple[object, Mapping[str, str]]] = field(default_factory=list)
    copied: list[tuple[str, str]] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    tar: Callable[[str], bytes] = lambda _path: b""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing."""

    def close(self) -> None:
        """End what waits for it."""
        self.closed.set()

    def copy_tree(self, local_dir: object, remote_dir: str) -> None:
        """Remember it."""
        self.copied.append((str(local_dir), remote_dir))

    def run_script(self, script: Script, **_rest: object) -> Ran:
        """Say what it has received until now, as far as the test has told."""
        assert script.name == "meter"
        said = self.received.pop(0) if self.received else ""
        return Ran(exit_code=0, why="", output=said)

    def run(self, command: object, *, stdout: Any, env: Mapping[str, str], **_rest: object) -> int:
        """Print and end; send the files of a path, if it is asked for one."""
        self.ran.append((command, env))
        if "REMUDA_PATH" in env:
            stdout.write(self.tar(env["REMUDA_PATH"]))
            return 0
        stdout.write(self.out)
        self.during(self)
        return self.code


def _agent_or_file(key_file: str | None) -> None:
    """Look at a key; an agent, if one is to be asked, holds one."""
    if key_file is not None:
        load_key(key_file)


def no_objects(cloud: str, region: str | None = None, /) -> ObjectStore:
    """Know no cloud."""
    del region
    raise CloudConfigError(f"clouds.yaml: there is no cloud {cloud!r}")


class CommandHarness:
    """Runs commands; each gets a session of its own."""

    def __init__(self) -> None:
        self.zookeeper = FakeZookeeper()
        self.launcher = StandIn(self.zookeeper.connect())
        self.answer: Callable[[str], object] = lambda _request: None
        self.machines: list[FakeMachine] = []
        self.code = 0
        self.out = b""
        self.received: list[str] = []
        self.during: Callable[[FakeMachine], object] = lambda _machine: None
        self.tar: Callable[[str], bytes] = lambda _path: b""
        self.open_objects: OpensObjects = no_objects
        self.stores: list[FakeStore] = []
        self.clock: Clock = SystemClock()
        self.check_key: Callable[[str | None], None] = _agent_or_file

    def call(self, command: click.Command, *words: str) -> Result:
        """Run a command as from a shell."""
        context = CommandContext(
            zookeeper="fake:2181",
            connect=lambda _options: self._connect(),
            clock=self.clock,
            open_session=self._login,  # type: ignore[arg-type]  # as far as commands use it
            open_objects=self.open_objects,
            check_key=self.check_key,
        )
        return CliRunner().invoke(command, list(words), obj=context)

    def json(self, command: click.Command, *words: str) -> Any:
        """Run a command that succeeds and return the JSON that it prints."""
        result = self.call(command, *words, "--json")
        assert result.exit_code == 0, result.output
        doc = json.loads(result.stdout)
        check_times(doc)
        return doc

    def _connect(self) -> FakeStore:
        store = self.zookeeper.connect()
        self.stores.append(store)
        commit = store.commit

        def answering(ops: Sequence[Op]) -> tuple[Done, ...]:
            done = commit(ops)
            first = ops[0]
            if isinstance(first, Create) and first.path.startswith(f"{paths.REQUESTS}/"):
                self.answer(done[0].path.rpartition("/")[2])
            return done

        store.commit = answering  # type: ignore[method-assign]
        return store

    def _login(self, login: Login, *, insecure: bool = False) -> FakeMachine:
        if not insecure:
            require_host_keys(login)
        machine = FakeMachine(login, self.code, self.out, self.during)
        machine.received, machine.tar = list(self.received), self.tar
        self.machines.append(machine)
        return machine
