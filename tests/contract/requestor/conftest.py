"""The requestor against a real ZooKeeper, with a launcher's stand-in."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from remuda.cli.dev.keys import write_key
from remuda.store.core import WireStore
from remuda.store.embedded import EmbeddedServer
from requestor.client import Client
from tests.support.standin import StandIn
from tests.support.zookeeper import connected, missing, running_server

DEADLINE_S = 60.0
_chroots = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """Run one real server for all tests."""
    if why := missing():
        pytest.skip(why)
    with running_server() as running:
        yield running


@dataclass(slots=True)
class Bench:
    """One client and one launcher, each with a session of its own, in a tree of their own."""

    server: EmbeddedServer
    chroot: str
    store: WireStore
    launcher: StandIn
    client: Client

    @property
    def hosts(self) -> str:
        """What ``--zookeeper`` takes."""
        return f"{self.server.hosts[0]}{self.chroot}"

    def kazoo(self) -> KazooClient:
        """Return a started client as Zuul has it; the caller stops it."""
        client = KazooClient(self.hosts)
        client.start()
        return client


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for machines has a key to log in with."""
    write_key(tmp_path / "key", "dev")
    monkeypatch.setenv("REMUDA_IDENTITY", str(tmp_path / "key"))


@pytest.fixture
def bench(server: EmbeddedServer) -> Iterator[Bench]:
    """Give each test a chroot of its own."""
    chroot = f"/requestor/{next(_chroots)}"
    with ExitStack() as undo:
        theirs, ours = connected(server, chroot=chroot), connected(server, chroot=chroot)
        undo.callback(theirs.close)
        undo.callback(ours.close)
        client = undo.enter_context(Client(ours, requestor="tester@host", lock_s=DEADLINE_S))
        yield Bench(server, chroot, ours, StandIn(theirs), client)
