"""One command on several machines at once: copied to, run, streamed, and judged together."""

import shlex
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Protocol

from remuda.cli.context import OpensSessions
from remuda.runtime.clock import Clock
from remuda.ssh.api import Login
from remuda.ssh.errors import HostKeyUnknownError, KeyFileError, NoKeyError, SshError
from remuda.ssh.meter import fetched_bytes, meter_script, read_received
from remuda.ssh.session import SshSession
from requestor.commands.ending import EXIT_SSH
from requestor.nodes import LeasedNode
from requestor.nodeset import NodeSet

#: As timeout(1) does.
EXIT_OUT_OF_TIME: Final = 124
#: A proven machine answers at once; a network that stutters gets a second chance until then.
_CONNECT_S: Final = 15.0
_RETRY_S: Final = 1.0


class Outlet(Protocol):
    """Where the output of one machine goes."""

    def write(self, data: bytes, /) -> object:
        """Take all of *data*."""

    def flush(self) -> object:
        """Pass it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """What to do on each machine.

    Attributes:
        command: Program and arguments; a single word is a text for the machine's shell.
        copy: Folder to copy there first, or None.
        copy_to: Where it goes, and where the command then runs; relative to the user's home.
        key_file: Private key for the login; None asks the agent.
        timeout_s: The command is given up after this; None: never.
        stdin: Passed on to the command, or None.
        insecure: Log in to machines whose host key nobody knows.
    """

    command: tuple[str, ...]
    copy: Path | None = None
    copy_to: str = "work"
    key_file: str | None = None
    timeout_s: float | None = None
    stdin: BinaryIO | None = None
    insecure: bool = False

    def text(self) -> str:
        """Return the command for the machine's shell."""
        one = self.command[0] if len(self.command) == 1 else f"exec {shlex.join(self.command)}"
        if self.copy is None:
            return one
        return f"cd {shlex.quote(str(PurePosixPath(self.copy_to)))} && {one}"


@dataclass(slots=True)
class RemoteJobOutcome:
    """How it ended on one machine; *why* is empty if the command itself ended.

    Attributes:
        here: It failed on our side: the machine, and what it ran, have nothing to do with it.
        fetched: Bytes that the machine received while the command ran, as it says; its input, and
            what keeps the connection, among them. None: nobody knows.
    """

    node: LeasedNode
    code: int = EXIT_SSH
    why: str = ""
    here: bool = False
    fetched: int | None = None


def login_of(node: LeasedNode, key_file: str | None) -> Login:
    """Return how to log in to a node."""
    return Login(
        address=node.address,
        port=node.port,
        user=node.user,
        key_file=key_file,
        host_keys=node.host_keys,
    )


def environment_of(nodes: NodeSet, index: int) -> dict[str, str]:
    """Return what the command finds in its environment (docs/cli.md)."""
    node = nodes[index]
    return {
        "REMUDA_NODE": node.id,
        "REMUDA_REQUEST": nodes.request_id,
        "REMUDA_LABEL": node.label,
        "REMUDA_PROVIDER": node.provider,
        "REMUDA_POOL": node.pool,
        "REMUDA_ADDRESS": node.address,
        "REMUDA_INDEX": str(index),
        "REMUDA_COUNT": str(len(nodes)),
        "REMUDA_ADDRESSES": ",".join(one.address for one in nodes),
    }


class ParallelRun:
    """Runs a job on every node of a set, each on a thread of its own.

    Args:
        job: What to do.
        nodes: Where.
        outlets: For each node, where its output and its errors go.
        clock: The time.
        connect: Logs in to a machine.
        keep: Leave the connections open for :meth:`session`, until :meth:`stop`.
    """

    def __init__(
        self,
        job: RemoteJob,
        nodes: NodeSet,
        outlets: Sequence[tuple[Outlet, Outlet]],
        *,
        clock: Clock,
        connect: OpensSessions,
        keep: bool = False,
    ) -> None:
        self._job = job
        self._nodes = nodes
        self._outlets = outlets
        self._clock = clock
        self._connect = connect
        self._keep = keep
        self._kept: dict[int, SshSession] = {}
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._sessions: list[SshSession] = []
        self.outcomes: Final = tuple(RemoteJobOutcome(node) for node in nodes)

    @property
    def failed(self) -> list[LeasedNode]:
        """The machines on which the command has failed, and not we."""
        return [one.node for one in self.outcomes if one.code and not one.here]

    def run(self) -> int:
        """Run everywhere and return the exit code: the highest, 0 only if all are."""
        with ThreadPoolExecutor(len(self._nodes), thread_name_prefix="remuda-run") as pool:
            kept = False
            try:
                at_work = [pool.submit(self._work, index) for index in range(len(self._nodes))]
                late = wait(at_work, timeout=self._job.timeout_s).not_done
                kept = self._keep and not late
            finally:
                if not kept:
                    self.stop()
        for index, work in enumerate(at_work):
            work.result()
            if work in late:
                self.outcomes[index].code = EXIT_OUT_OF_TIME
                self.outcomes[index].why = f"not finished after {self._job.timeout_s:g} s"
        return max(outcome.code for outcome in self.outcomes)

    def stop(self) -> None:
        """Close all connections, so that whoever waits for a machine's output goes on."""
        self._stopped.set()
        with self._lock:
            sessions = tuple(self._sessions)
        for session in sessions:
            session.close()

    def session(self, index: int) -> SshSession:
        """Return the connection of a job that has ended, or a new one; closed by :meth:`stop`.

        Raises:
            SshError: There is none.
        """
        if (session := self._kept.get(index)) is not None and not self._stopped.is_set():
            return session
        node = self._nodes[index]
        session = self._connect(login_of(node, self._job.key_file), insecure=self._job.insecure)
        with self._lock:
            self._sessions.append(session)
        return session

    def _work(self, index: int) -> None:
        outcome = self.outcomes[index]
        try:
            session = self._open(self._nodes[index])
            with ExitStack() as closing:
                closing.callback(session.close)
                outcome.code = self._use(session, index)
                if self._keep:
                    closing.pop_all()
                    self._kept[index] = session
        except SshError as error:
            outcome.why = str(error)
            outcome.here = isinstance(error, HostKeyUnknownError | KeyFileError | NoKeyError)
        except OSError as error:  # our own output or a file to copy
            outcome.why, outcome.here = str(error), True
            outcome.code = 1

    def _use(self, session: SshSession, index: int) -> int:
        if self._job.copy is not None:
            session.copy_tree(self._job.copy, self._job.copy_to)
        out, err = self._outlets[index]
        before = self._received(session)
        code = session.run(
            self._job.text(),
            stdin=self._job.stdin,
            stdout=out,
            stderr=err,
            env=environment_of(self._nodes, index),
        )
        self.outcomes[index].code = code  # whatever the machine makes us wait for now
        if before is not None:
            self.outcomes[index].fetched = fetched_bytes(before, self._received(session))
        return code

    def _received(self, session: SshSession) -> int | None:
        """Ask what the machine has received until now; that it does not tell is no failure."""
        ran = session.run_script(meter_script(), stopped=self._stopped.is_set)
        return None if ran.why else read_received(ran.output)

    def _open(self, node: LeasedNode) -> SshSession:
        login = login_of(node, self._job.key_file)
        end_s = self._clock.monotonic_s() + _CONNECT_S
        while True:
            try:
                session = self._connect(login, insecure=self._job.insecure)
            except HostKeyUnknownError as error:
                raise HostKeyUnknownError(f"{error} (--insecure: log in all the same)") from error
            except SshError as error:
                late = self._clock.monotonic_s() >= end_s
                if not error.too_early or late or self._stopped.wait(_RETRY_S):
                    raise
                continue
            with self._lock:
                self._sessions.append(session)
            if self._stopped.is_set():
                session.close()
            return session
