"""Names that ZooKeeper takes and no shell does: what is shown of them is taken back."""

import re
from contextlib import closing

import pytest
from click.testing import CliRunner
from kazoo.client import KazooClient

from remuda.cli.main import main
from remuda.store import paths
from remuda.store.embedded import EmbeddedServer
from tests.support.standin import StandIn
from tests.support.zookeeper import connected, missing

pytestmark = [pytest.mark.zk, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

CHROOT = "/odd"
NAMES = ("a\u202eb", "two words", "$(reboot)", "-rf", "100%", "ünit", "\u200b" * 500)


def test_what_a_stranger_has_made_is_removed_by_what_is_shown(server: EmbeddedServer) -> None:
    """All of them, and nothing else."""
    kazoo = KazooClient(hosts=server.hosts[0])
    kazoo.start()
    kazoo.ensure_path(CHROOT)
    with closing(connected(server, chroot=CHROOT)) as store:
        StandIn(store).register("small")
        store.ensure(paths.autohold("a1"))
    for name in NAMES:
        kazoo.create(f"{CHROOT}{paths.autohold(name)}", b"{")

    def call(*words: str) -> str:
        where = f"{server.hosts[0]}{CHROOT}"
        result = CliRunner().invoke(main, ["--zookeeper", where, "autohold", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    shown = re.findall(r"broken record: (\S+): ", call("list"))
    assert len(shown) == len(NAMES) + 1
    for one in shown:
        if one != "a1":
            assert call("remove", one, "--force") == f"autohold {one} is removed\n"
    assert kazoo.get_children(f"{CHROOT}{paths.AUTOHOLDS}") == ["a1"]
    kazoo.stop()
    kazoo.close()
