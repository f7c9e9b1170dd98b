"""A real ensemble of three ZooKeeper servers on the loopback, each to be frozen or killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kazoo.client import KazooClient

from remuda.runtime.ports import free_port
from remuda.store.embedded import HOST, ServerOptions, ask_word, java_command
from remuda.store.embedded_config import log4j_properties, zoo_cfg
from tests.support.deadline import wait_for
from tests.support.processes import Process

SIZE: Final = 3
TICK_MS: Final = 200
#: Ticks that a follower may be silent: 6 s.
_SYNC_TICKS: Final = 30
_INIT_TICKS: Final = 100
_UP_S: Final = 200.0
_HEAP_MIB: Final = 96


class Member:
    """One server of the ensemble.

    Attributes:
        number: Its id, from 1.
    """

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.options = ServerOptions(folder=folder, tick_ms=TICK_MS, heap_mib=_HEAP_MIB)
        self.port, self._peer_port, self._vote_port = free_port(), free_port(), free_port()
        self._process: Process | None = None

    @property
    def line(self) -> str:
        """What the others' configuration says of it."""
        return f"server.{self.number}={HOST}:{self._peer_port}:{self._vote_port};{HOST}:{self.port}"

    @property
    def host(self) -> str:
        """What a client connects to."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """Where its transaction logs lie."""
        return self.options.folder / "data" / "version-2"

    @property
    def process(self) -> Process:
        """Its process."""
        assert self._process is not None
        return self._process

    def start(self, lines: list[str]) -> None:
        """Start it; it serves as soon as a second one does."""
        folder = self.options.folder
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "data" / "myid").write_text(f"{self.number}\n")
        usual = zoo_cfg(self.options, port=self.port, tls_port=0).splitlines()
        # Logs are never purged: they are what a run is judged by. Client ports are in the list.
        kept = [one for one in usual if not one.startswith(("autopurge", "clientPort"))]
        more = [f"initLimit={_INIT_TICKS}", f"syncLimit={_SYNC_TICKS}", *lines]
        (folder / "zoo.cfg").write_text("\n".join([*kept, *more]) + "\n")
        (folder / "log4j.properties").write_text(log4j_properties(folder / "zookeeper.log"))
        name = f"zookeeper {self.number}"
        self._process = Process(name, java_command(self.options), folder / "output.log")

    def mode(self) -> str:
        """Return ``leader`` or ``follower``; empty if it serves nobody at the moment."""
        for line in ask_word(self.port, "srvr").splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ")
        return ""

    def freeze(self) -> None:
        """Stop it where it stands; return when it answers no more."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.process.thaw()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.thaw()
            self._process.kill()


class Ensemble:
    """Three servers; a context that starts and ends them."""

    def __init__(self, folder: Path) -> None:
        self.members = [Member(number, folder / str(number)) for number in range(1, SIZE + 1)]

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a client connects to."""
        return tuple(one.host for one in self.members)

    @property
    def logs(self) -> list[Path]:
        """Where the transaction logs lie."""
        return [one.log for one in self.members]

    def start_member(self, member: Member) -> None:
        """Start a server, the first time or after it was killed."""
        member.start([one.line for one in self.members])

    def whole(self) -> bool:
        """Whether every server serves."""
        return sorted(one.mode() for one in self.members) == ["follower", "follower", "leader"]

    def leader(self) -> Member:
        """Return the one that leads; wait until there is one."""
        return wait_for(self._leader, _UP_S, "a leader of the ensemble")

    def _leader(self) -> Member | None:
        return next((one for one in self.members if one.mode() == "leader"), None)

    def followers(self) -> list[Member]:
        """Return the others; wait until all serve."""
        wait_for(self.whole, _UP_S, "the whole ensemble to serve")
        return [one for one in self.members if one.mode() == "follower"]

    def heal(self) -> None:
        """Let all servers go on, start those that are dead, and wait until all serve."""
        for member in self.members:
            if not member.process.alive:
                self.start_member(member)
            member.thaw()
        wait_for(self.whole, _UP_S, "the whole ensemble to serve")

    def flush(self) -> None:
        """Return when everything that was written so far is in most servers' logs.

        A write is answered when most servers have logged it, and with it all before it.
        """
        zk = KazooClient(hosts=",".join(self.hosts), timeout=10.0)
        zk.start(timeout=_UP_S)
        try:
            zk.retry(zk.ensure_path, "/flushed")
            zk.retry(zk.set, "/flushed", b"")
        finally:
            zk.stop()
            zk.close()

    def close(self) -> None:
        """End all."""
        for member in self.members:
            member.stop()


@contextmanager
def running_ensemble(folder: Path) -> Iterator[Ensemble]:
    """Run an ensemble for the length of a block."""
    ensemble = Ensemble(folder)
    try:
        for member in ensemble.members:
            ensemble.start_member(member)
        wait_for(ensemble.whole, _UP_S, "the ensemble to serve")
        yield ensemble
    finally:
        ensemble.close()
