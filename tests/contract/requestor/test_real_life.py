"""The life of requests on a real server, next to clients as Zuul and Jenkins have them."""

import threading
from collections.abc import Callable

import pytest
from kazoo.client import KazooClient

from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.core import WireStore
from requestor.errors import PromiseBrokenError
from requestor.nodeset import NodeSet
from requestor.pending import PendingRequest
from tests.contract.requestor.conftest import DEADLINE_S, Bench
from tests.support.deadline import wait_for

pytestmark = pytest.mark.zk

#: Create, watch, watch again, read the node, take, give back.
OPERATIONS = 6
THREADS = 24


def count_operations(store: WireStore) -> list[str]:
    """Return a list that grows by each request that goes to the server from now on."""
    sent: list[str] = []
    wire = store._wire

    def counted(name: str, method: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            sent.append(name)
            return method(*args, **kwargs)

        return call

    for name in ("get", "children", "commit", "watch_once", "watch_tree"):
        setattr(wire, name, counted(name, getattr(wire, name)))
    return sent


def served(bench: Bench, labels: int = 1) -> PendingRequest:
    """Return a request that is fulfilled while its requestor waits."""
    pending = bench.client.request({"small": labels})
    waiter = threading.Thread(target=pending.wait, args=(DEADLINE_S,))
    waiter.start()
    bench.launcher.lend(pending.id)
    waiter.join(DEADLINE_S)
    assert pending.check()
    return pending


def test_the_whole_life_takes_six_operations(bench: Bench) -> None:
    """Packets are what a busy ZooKeeper counts."""
    sent = count_operations(bench.store)
    pending = bench.client.request("small")
    assert not pending.check()
    bench.launcher.lend(pending.id)
    pending.wait(DEADLINE_S)
    with pending.accept():
        pass

    assert len(sent) == OPERATIONS, sent


def test_a_watch_ends_the_wait(bench: Bench) -> None:
    """And a taken node is in use, locked, and used and unlocked afterwards."""
    with served(bench, 3) as nodes:
        for node in nodes:
            assert bench.launcher.read_node(node.id).state is NodeState.IN_USE
            assert len(bench.launcher.locks(node.id)) == 1
    for node in nodes:
        assert bench.launcher.read_node(node.id).state is NodeState.USED
        assert bench.launcher.locks(node.id) == ()


def test_kazoo_sees_our_lock_and_gets_it_after_us(bench: Bench) -> None:
    """As Nodepool and Zuul look at it."""
    kazoo = bench.kazoo()
    try:
        nodes = served(bench).accept()
        lock = kazoo.Lock(paths.node_lock(nodes[0].id), "zuul")
        assert not lock.acquire(blocking=False)
        nodes.release()
        assert lock.acquire(timeout=DEADLINE_S)
        lock.release()
    finally:
        stop(kazoo)


def test_we_wait_for_kazoos_lock(bench: Bench) -> None:
    """A launcher that looks at the node once more holds its lock for a moment."""
    pending = served(bench)
    (name,) = bench.launcher.store.children(paths.NODES)
    directory = f"{paths.NODES}/{name}/lock"
    kazoo = bench.kazoo()
    try:
        lock = kazoo.Lock(directory, "nodepool")
        assert lock.acquire()
        taker = threading.Thread(target=pending.accept)
        taker.start()
        wait_for(lambda: len(bench.launcher.locks(name)) == 2, DEADLINE_S, "our contender")
        lock.release()
        taker.join(DEADLINE_S)
    finally:
        stop(kazoo)

    assert pending.nodes is not None
    assert bench.launcher.read_node(name).state is NodeState.IN_USE
    pending.nodes.release()
    assert bench.launcher.locks(name) == ()


def test_a_lock_of_jenkins_shape_keeps_us_out(bench: Bench) -> None:
    """Its contender has dashes, and data."""
    pending = served(bench)
    (name,) = bench.launcher.store.children(paths.NODES)
    bench.launcher.lock(name, "0e36ad09-7c75-4b7f-8a5b-d2ba2b5f2f0f")
    object.__setattr__(bench.client._context, "lock_s", 0.05)

    with pytest.raises(PromiseBrokenError, match="locked"):
        pending.accept()

    assert len(bench.launcher.locks(name)) == 1


def test_one_client_serves_many_threads(bench: Bench) -> None:
    """Each gets its own node, and every node is given back."""
    got: list[str] = []

    def live() -> None:
        with bench.client.request("small", deadline_s=DEADLINE_S) as nodes:
            got.append(nodes[0].id)

    threads = [threading.Thread(target=live) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    lent: set[str] = set()
    while len(lent) < THREADS:
        for name in wait_for(
            lambda: set(bench.launcher.store.children(paths.REQUESTS)) - lent,
            DEADLINE_S,
            "requests",
        ):
            lent.add(name)
            bench.launcher.lend(name)
    for thread in threads:
        thread.join(DEADLINE_S)

    assert len(set(got)) == THREADS
    assert {bench.launcher.read_node(name).state for name in got} == {NodeState.USED}
    assert len(bench.client._context.holdings) == 0


def test_a_lost_session_is_told_and_the_lock_is_gone(bench: Bench) -> None:
    """Another client takes the session over and ends it, as an expiry would."""
    lost: list[NodeSet] = []
    told = threading.Event()

    def note(nodes: NodeSet) -> None:
        lost.append(nodes)
        told.set()

    bench.client._on_lost = note
    pending = served(bench)
    nodes = pending.accept()
    waiting = bench.client.request("small")
    expire(bench.store, bench.hosts)
    wait_for(told, DEADLINE_S, "the news")

    assert lost == [nodes]
    assert not nodes[0].valid
    wait_for(lambda: bench.launcher.locks(nodes[0].id) == (), DEADLINE_S, "the unlocking")
    assert waiting.id not in bench.launcher.store.children(paths.REQUESTS)


def stop(kazoo: KazooClient) -> None:
    """End a client."""
    kazoo.stop()
    kazoo.close()


def expire(store: WireStore, hosts: str) -> None:
    """End the session of *store* from outside."""
    client = store._wire._client
    thief = KazooClient(hosts, client_id=(client._session_id, client._session_passwd))
    thief.start()
    stop(thief)
