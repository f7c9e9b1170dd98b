"""A real, standalone ZooKeeper server as a child process: for `remuda dev`, the demo and tests.

Never for production: one server, loopback only. Needs Java and Debian's ``zookeeper`` package.
"""

import os
import select
import signal
import socket
import subprocess
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Final, Self

from remuda.runtime.clock import Clock, SystemClock
from remuda.runtime.descent import ends_with_parent
from remuda.runtime.ports import free_port
from remuda.store.api import StoreError
from remuda.store.embedded_config import (
    HOST,
    ServerOptions,
    ServerTls,
    jaas_conf,
    log4j_properties,
    memory_flags,
    zoo_cfg,
)

__all__ = ["EmbeddedServer", "EmbeddedServerError", "ServerOptions", "ServerTls"]

_JARS: Final = Path("/usr/share/java")
_MAIN: Final = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
# Debian's zookeeper.jar names its needs in its manifest, but not these, which the Netty
# connection factory (TLS) needs: without them it silently drops every connection.
_NETTY_JARS: Final = ("netty-all", "netty-codec", "netty-resolver", "metrics-core", "snappy-java")
_LOG4J_JARS: Final = ("slf4j-log4j12", "log4j-1.2")
_JAAS: Final = "java.security.auth.login.config"
_PORT_TRIES_MAX: Final = 5
_ASK_TIMEOUT_S: Final = 1.0


class EmbeddedServerError(StoreError):
    """The embedded server cannot run here; the message says what to do."""


class EmbeddedServer:
    """One server process; a context manager that starts and stops it.

    Attributes:
        port: The plaintext port, chosen at construction, kept across restarts.
        tls_port: The TLS port, or 0.
    """

    def __init__(self, options: ServerOptions, *, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = False
        self.port = options.port or _port()
        self.tls_port = _port() if options.tls else 0

    @property
    def folder(self) -> Path:
        """Return where data, configuration and log lie."""
        return self._options.folder

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return what a client connects to, in plaintext."""
        return (f"{HOST}:{self.port}",)

    @property
    def tls_hosts(self) -> tuple[str, ...]:
        """Return what a client connects to with TLS."""
        return (f"{HOST}:{self.tls_port}",)

    @property
    def pid(self) -> int:
        """Return the process id of the running server, or 0."""
        return self._process.pid if self._process else 0

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedServerError: If Java or ZooKeeper are missing, or it does not come up.
        """
        command = java_command(self._options)
        for attempt in range(1, _PORT_TRIES_MAX + 1):
            self._spawn(command)
            try:
                self._await_answer()
            except _DiedError as died:
                # A free port can be taken by somebody else before Java binds it. Once clients know
                # it there is no other: they would look for us where we were, for ever.
                fixed = self._options.port or self._answered
                if fixed or attempt == _PORT_TRIES_MAX:
                    raise EmbeddedServerError(str(died)) from died
                self.port = _port()
                self.tls_port = _port() if self._options.tls else 0
            else:
                self._answered = True
                return self
        raise AssertionError("unreachable")

    def stop(self, *, grace_s: float = 3.0) -> None:
        """End the server: SIGTERM, and SIGKILL after *grace_s*. Does nothing if not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would; :meth:`start` starts it again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def ask(self, word: str) -> str:
        """Return the answer to a four-letter word (ruok, mntr, srvr), empty if there is none."""
        return ask_word(self.port, word)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _spawn(self, command: list[str]) -> None:
        folder = self._options.folder
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "zoo.cfg").write_text(
            zoo_cfg(self._options, port=self.port, tls_port=self.tls_port), encoding="utf-8"
        )
        log4j = log4j_properties(folder / "zookeeper.log")
        (folder / "log4j.properties").write_text(log4j, encoding="utf-8")
        if self._options.users:
            jaas = folder / "jaas.conf"
            jaas.touch(mode=0o600)
            jaas.write_text(jaas_conf(self._options.users), encoding="utf-8")
        with (folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=ends_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one prctl call, no locks taken
            )

    def _await_answer(self) -> None:
        process = self._process
        assert process is not None  # noqa: S101 - just spawned
        deadline_s = self._clock.monotonic_s() + self._options.start_s_max
        # The child's end wakes us at once; otherwise we ask again every 50 ms.
        child = os.pidfd_open(process.pid)
        try:
            # Not just "ruok": somebody else's server may be the one that answers.
            while f"dataDir={self._options.folder / 'data'}" not in self.ask("conf"):
                if select.select([child], [], [], 0.05)[0]:
                    self._process = None
                    process.wait()
                    raise _DiedError(f"the embedded ZooKeeper ended at once: {self._last_words()}")
                if self._clock.monotonic_s() > deadline_s:
                    self.kill()
                    raise EmbeddedServerError(
                        f"the embedded ZooKeeper does not answer after "
                        f"{self._options.start_s_max:g} s: {self._last_words()}"
                    )
        finally:
            os.close(child)

    def _last_words(self) -> str:
        """Return the last line that the server wrote."""
        lines = [
            line
            for name in ("output.log", "zookeeper.log")
            if (path := self._options.folder / name).exists()
            for line in path.read_text(errors="replace").splitlines()
        ]
        return lines[-1].strip() if lines else "it wrote nothing"


def java_command(options: ServerOptions) -> list[str]:
    """Return the command that runs a server on the ``zoo.cfg`` in its folder.

    Raises:
        EmbeddedServerError: If Java or ZooKeeper are missing.
    """
    java = which("java")
    if java is None:
        raise EmbeddedServerError("java is missing: apt-get install default-jre-headless zookeeper")
    names = ["zookeeper", *_LOG4J_JARS, *(_NETTY_JARS if options.tls else ())]
    jars = [_JARS / f"{name}.jar" for name in names]
    missing = [jar.name for jar in jars if not jar.exists()]
    if missing:
        raise EmbeddedServerError(f"{', '.join(missing)} missing: apt-get install zookeeper")
    # A small heap, the serial collector, and the quick compiler only: the machine is there for
    # others, and what the thorough one takes at its start short runs never get back.
    return [
        java,
        f"-Xmx{options.heap_mib}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        *memory_flags(),
        "-Dzookeeper.admin.enableServer=false",
        f"-Dlog4j.configuration=file:{options.folder / 'log4j.properties'}",
        f"-Dzookeeper.forceSync={'yes' if options.fsync else 'no'}",
        *([f"-D{_JAAS}={options.folder / 'jaas.conf'}"] if options.users else []),
        "-cp",
        ":".join([str(options.folder), *map(str, jars)]),
        _MAIN,
        str(options.folder / "zoo.cfg"),
    ]


class _DiedError(Exception):
    """The server process ended while we waited for it."""


def _port() -> int:
    try:
        return free_port()
    except OSError as error:
        raise EmbeddedServerError(f"no port is free for the embedded ZooKeeper: {error}") from error


def ask_word(port: int, word: str) -> str:
    """Return a server's answer to a four-letter word, empty if there is none."""
    try:
        with socket.create_connection((HOST, port), _ASK_TIMEOUT_S) as sock:
            sock.sendall(word.encode())
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode(errors="replace")
    except OSError:
        return ""
