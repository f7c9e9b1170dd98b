"""Znodes that say that somebody lives, and go with nobody's session."""

from remuda.model.component import PoolComponent, Replica, encode_pool, encode_replica
from remuda.model.ids import ReplicaId
from remuda.store import paths
from remuda.store.api import Gone
from tests.unit.launcher.test_fold import Folding
from tests.unit.launcher.worlds import ME


def test_a_launcher_whose_znode_goes_with_no_session_does_not_live() -> None:
    """Somebody wrote it, or it came from a backup: it would be on duty for ever, and do nothing."""
    folding = Folding()
    for number in range(20):
        record = Replica(
            id=ReplicaId(f"r{number}"), hostname="h", pid=1, version="1", started_s=0.0
        )
        folding.put(f"{paths.replicas('here')}/{record.id}", encode_replica(record))
        folding.put(f"{paths.replicas('there')}/{record.id}", b"rubbish")

    assert set(folding.world.peers.ours()) == {ME}
    assert all(folding.world.peers.assigned(f"thing {number}") for number in range(20))
    assert not folding.world.peers.provider_alive("there")


def test_a_pool_whose_znode_goes_with_no_session_offers_nothing() -> None:
    """Else a request that nobody can serve would wait for its word for ever."""
    folding, path = Folding(), f"{paths.POOL_COMPONENTS}/x1"
    record = encode_pool(
        PoolComponent(
            id="x",
            hostname="h",
            provider="there",
            pool="main",
            priority=100,
            labels=("small",),
        )
    )
    folding.put(path, record)
    forged = dict(folding.world.peers.pools)
    folding.put(path, record, owner=7)

    assert path not in forged
    assert path in folding.world.peers.pools


def test_a_pool_of_ours_is_known_by_its_session_when_its_record_is_spoiled() -> None:
    """It is replaced then, and does not stay beside the new one."""
    folding = Folding()
    path, other = f"{paths.POOL_COMPONENTS}/x1", f"{paths.POOL_COMPONENTS}/x2"
    folding.put(path, b"rubbish", owner=7)
    folding.put(other, b"rubbish", owner=8)
    peers = folding.world.peers

    assert path in peers.traces((), 7)
    assert other not in peers.traces((), 7)
    folding.tell(Gone(path=path))
    assert path not in peers.traces((), 7)
