"""Real ZooKeeper servers for tests, on free ports of the loopback."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from remuda.store.embedded import EmbeddedServer, ServerOptions, ServerTls
from remuda.store.options import StoreOptions
from remuda.store.zookeeper import ZookeeperStore

JAR = Path("/usr/share/java/zookeeper.jar")

#: Short enough to test its loss, long enough for a busy machine, which may stand still for seconds.
SESSION_S = 15.0


def missing() -> str:
    """Say what a real server lacks on this machine; empty if nothing."""
    if which("java") is None or not JAR.exists():
        return "needs a real ZooKeeper: apt-get install default-jre-headless zookeeper"
    return ""


@contextmanager
def running_server(
    folder: Path | None = None,
    tls: ServerTls | None = None,
    users: Mapping[str, str] | None = None,
) -> Iterator[EmbeddedServer]:
    """Run a server for the length of a block; its data go with it unless *folder* is given."""
    with TemporaryDirectory(prefix="remuda-zk-") as temporary:
        options = ServerOptions(
            folder=folder or Path(temporary), tls=tls, users=users or {}, tick_ms=200
        )
        with EmbeddedServer(options) as server:
            yield server


def connected(
    server: EmbeddedServer, *, chroot: str = "", session_s: float = SESSION_S
) -> ZookeeperStore:
    """Return a store with a session of *session_s* seconds on *server*; the caller closes it."""
    options = StoreOptions(hosts=server.hosts, chroot=chroot, session_s=session_s)
    return ZookeeperStore.connect(options, wait_s=30.0)
