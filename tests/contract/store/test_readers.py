"""Commands that only look leave a real ZooKeeper as it was, to the last znode."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError

from remuda.cli.main import main
from remuda.store.embedded import EmbeddedServer
from tests.contract.store.conftest import DEADLINE_S
from tests.support.deadline import wait_for
from tests.support.processes import ROOT
from tests.support.zookeeper import connected, missing

pytestmark = [pytest.mark.zk, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

#: What looks and ends, with what it says of an empty tree.
READERS = (
    ("nodes", 0),
    ("requests", 0),
    ("pools", 0),
    ("status", 0),
    ("explain 200-0000000001", 2),
    ("failures", 0),
    ("image list", 0),
    ("image show debian", 2),
    ("image log debian", 2),
    ("ssh 3000000001", 2),
    ("release 3000000001", 2),
    ("release 200-0000000001", 2),
    ("delete 3000000001", 2),
)
WATCHERS = ("nodes", "requests", "pools", "status")


@pytest.fixture
def kazoo(server: EmbeddedServer) -> Iterator[KazooClient]:
    """Somebody who sees everything that the server has."""
    client = KazooClient(hosts=server.hosts[0])
    client.start()
    yield client
    client.stop()
    client.close()


def everything(kazoo: KazooClient, path: str = "/") -> dict[str, Any]:
    """Return all znodes with who changed them last; the server's own aside."""
    stat = kazoo.exists(path)
    found = {path: (stat.czxid, stat.mzxid, stat.pzxid, stat.version, stat.aversion)}
    try:
        names = kazoo.get_children(path)
    except NoAuthError:  # of another test
        return found
    for name in names:
        below = f"{path.rstrip('/')}/{name}"
        if below != "/zookeeper":
            found |= everything(kazoo, below)
    return found


@pytest.mark.parametrize(("words", "code"), READERS)
def test_a_reader_creates_nothing(
    server: EmbeddedServer, kazoo: KazooClient, words: str, code: int
) -> None:
    """Neither in a tree that is empty nor, for want of it, the tree."""
    kazoo.ensure_path("/readers/empty")
    before = everything(kazoo)
    there = _call(server, "/readers/empty", words)
    nowhere = _call(server, "/readers/typo/deep", words)

    assert everything(kazoo) == before
    assert there.exit_code == code, there.output
    assert (nowhere.exit_code, nowhere.stdout) == (2, "")
    where = f"ZooKeeper at {server.hosts[0]} has no /readers/typo/deep"
    assert nowhere.stderr == f"remuda: {where}: no launcher has ever run there\n"


@pytest.mark.parametrize("what", ["run small -- true", "request small", "request small --wait"])
def test_nobody_waits_in_a_tree_that_is_not_there(
    server: EmbeddedServer, kazoo: KazooClient, what: str
) -> None:
    """It would be for ever, and the tree would look as if it were one."""
    before = everything(kazoo)
    result = _call(server, "/readers/typo", what)

    assert everything(kazoo) == before
    assert result.exit_code == 2
    assert "has no /readers/typo: no launcher" in result.stderr


@pytest.mark.parametrize("words", WATCHERS)
def test_who_watches_creates_nothing_and_sees_what_comes(
    server: EmbeddedServer, kazoo: KazooClient, words: str, tmp_path: Path
) -> None:
    """Though there is nothing yet to watch."""
    kazoo.ensure_path(f"/watchers/{words}")
    before = everything(kazoo)
    said = tmp_path / "said"
    where = ["--zookeeper", f"{server.hosts[0]}/watchers/{words}"]
    with said.open("w") as out:
        watching = subprocess.Popen(
            [sys.executable, "-m", "remuda", *where, words, "--watch", "--json"],
            stdout=out,
            cwd=ROOT,
        )
    try:
        wait_for(lambda: said.read_text().count("\n"), DEADLINE_S, "the first look")
        assert everything(kazoo) == before
        with closing(connected(server, chroot=f"/watchers/{words}")) as store:
            store.ensure("/nodepool/requests", "/nodepool/nodes", "/nodepool/components/pool")
            wait_for(lambda: said.read_text().count("\n") > 1, DEADLINE_S, "the news")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(DEADLINE_S) == 130
    finally:
        watching.kill()
        watching.wait()


def _call(server: EmbeddedServer, chroot: str, words: str) -> Any:
    place: Sequence[str] = ("--zookeeper", f"{server.hosts[0]}{chroot}")
    return CliRunner().invoke(main, [*place, *words.split()])
