"""The judge reads what a real ensemble wrote, through kills and freezes of its servers."""

import pytest
from kazoo.client import KazooClient

from tests.chaos.ensemble import Ensemble
from tests.chaos.judge.tree import Tree
from tests.chaos.judge.txnlog import committed, read_server

pytestmark = [pytest.mark.zk, pytest.mark.chaos, pytest.mark.timeout(300)]


def _everything(zk: KazooClient, path: str) -> dict[str, bytes]:
    found = {path: zk.get(path)[0]}
    for child in zk.get_children(path):
        found |= _everything(zk, f"{path}/{child}")
    return found


def _client(hosts: str) -> KazooClient:
    zk = KazooClient(hosts=hosts, timeout=4.0, command_retry={"max_tries": -1, "max_delay": 0.2})
    zk.start(timeout=60.0)
    return zk


def test_the_logs_tell_what_the_servers_hold(ensemble: Ensemble) -> None:
    """Each kind of write, a new leader, and servers that missed a part and caught up."""
    zk, mourned = _client(",".join(ensemble.hosts)), _client(",".join(ensemble.hosts))
    zk.create("/r", b"root")
    zk.create("/r/e", b"short", ephemeral=True)
    mourned.create("/r/gone", b"with its session", ephemeral=True)
    mourned.stop()
    mourned.close()
    several = zk.transaction()
    several.create("/r/a", b"1")
    several.set_data("/r", b"changed")
    several.create("/r/b")
    several.delete("/r/b")
    assert not [one for one in several.commit() if isinstance(one, Exception)]
    failing = zk.transaction()
    failing.create("/r/never")
    failing.delete("/r/missing")
    assert [one for one in failing.commit() if isinstance(one, Exception)]
    leader = ensemble.leader()
    leader.kill()
    for n in range(20):
        zk.retry(zk.create, f"/r/s-{n}-", b"", sequence=True)
    ensemble.heal()
    ensemble.leader().kill()
    zk.retry(zk.set, "/r/a", b"2")
    ensemble.heal()
    held = zk.retry(_everything, zk, "/r")
    ensemble.flush()

    tree = Tree()
    txns = committed(map(read_server, ensemble.logs))
    for txn in txns:
        tree.apply(txn)
    told = {path: data for path, data in tree.everything().items() if path.startswith("/r")}
    zk.stop()
    zk.close()

    assert len({txn.zxid >> 32 for txn in txns}) >= 3
    assert told == held
    assert len(held) == 23
