"""Taking and giving back when others are at work: foreign locks, lost replies, lost sessions."""

import threading
from collections.abc import Callable

import pytest

from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Delete, Set, StoreAwayError
from requestor.errors import NodesLostError, PromiseBrokenError, RequestGoneError
from requestor.nodes import LeaseState
from requestor.pending import PendingRequest
from tests.unit.requestor.conftest import Bench, away_once

RELEASE_S = 60.0


def served(bench: Bench, labels: int = 1) -> tuple[PendingRequest, tuple[NodeId, ...]]:
    """Return a fulfilled request and its nodes."""
    pending = bench.client.request({"small": labels})
    ids = bench.launcher.lend(pending.id)
    assert pending.check()
    return pending, ids


def test_our_contender_has_the_shape_of_kazoos(bench: Bench) -> None:
    """Jenkins' plugin throws on any other name in the directory."""
    pending, (node_id,) = served(bench)
    pending.accept()
    (name,) = bench.launcher.locks(node_id)
    token, _, number = name.partition("__lock__")

    assert (len(token), number) == (32, "0000000000")
    assert int(token, 16) >= 0


def test_a_node_that_was_locked_before_is_locked_first(bench: Bench) -> None:
    """The directory is there already: queue, look, then take."""
    pending, ids = served(bench, 2)
    bench.launcher.store.commit([Delete(path=bench.launcher.lock(ids[1]))])
    nodes = pending.accept()

    assert [node.state for node in nodes] == [LeaseState.OURS] * 2
    assert bench.launcher.read_node(ids[1]).state is NodeState.IN_USE
    assert [len(bench.launcher.locks(node_id)) for node_id in ids] == [1, 1]
    nodes.release()
    assert [len(bench.launcher.locks(node_id)) for node_id in ids] == [0, 0]


def test_a_lock_that_somebody_keeps_breaks_the_promise(bench: Bench) -> None:
    """Nothing of ours stays in any lock, the node is untouched, the request is cancelled."""
    pending, ids = served(bench, 2)
    bench.launcher.lock(ids[0])

    with pytest.raises(PromiseBrokenError, match=f"node {ids[0]} is locked by somebody else"):
        pending.accept()

    assert [len(bench.launcher.locks(node_id)) for node_id in ids] == [1, 0]
    assert bench.launcher.read_node(ids[0]).state is NodeState.READY
    assert bench.launcher.store.children(paths.REQUESTS) == ()


def test_a_lock_is_ours_when_the_one_before_us_leaves(bench: Bench) -> None:
    """The predecessor is watched, not polled."""
    pending, (node_id,) = served(bench)
    held = bench.launcher.lock(node_id)
    object.__setattr__(bench.client._context, "lock_s", RELEASE_S)
    taker = threading.Thread(target=pending.accept)
    taker.start()
    while len(bench.zookeeper.tree.children(paths.node_lock(node_id)).names) < 2:  # type: ignore[union-attr]
        taker.join(0.001)
    while not bench.store.wire._once.get(held):
        taker.join(0.001)
    bench.launcher.store.commit([Delete(path=held)])
    bench.zookeeper.deliver()
    taker.join(RELEASE_S)

    assert pending.nodes is not None
    assert bench.launcher.read_node(node_id).state is NodeState.IN_USE


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda b, n: b.launcher.store.commit([Delete(path=paths.node(n))]), "is gone"),
        (lambda b, n: b.launcher.set_state(n, NodeState.DELETING), "is deleting, not ready"),
    ],
)
def test_a_node_that_is_not_what_was_promised_is_not_taken(
    bench: Bench, spoil: Callable[[Bench, NodeId], object], why: str
) -> None:
    """All or nothing: the other node is left alone."""
    pending, ids = served(bench, 2)
    spoil(bench, ids[1])

    with pytest.raises(PromiseBrokenError, match=why):
        pending.accept()

    assert bench.launcher.read_node(ids[0]).state is NodeState.READY
    assert bench.launcher.locks(ids[0]) == ()


def test_a_node_of_another_request_is_not_taken(bench: Bench) -> None:
    """allocated_to must name our request."""
    pending = bench.client.request("small")
    node_id = bench.launcher.ready_node(allocated_to="100-0000000001")
    bench.launcher.lend(pending.id, [node_id], allocate=False)

    with pytest.raises(PromiseBrokenError, match="belongs to 100-0000000001"):
        pending.accept()


def test_a_record_that_changed_between_reading_and_taking_is_read_again(bench: Bench) -> None:
    """A launcher that looked at the node once more wrote to it: no reason to give up."""
    pending, (node_id,) = served(bench)
    real = bench.store.commit
    touched: list[bool] = []

    def racing(ops: object) -> object:
        if not touched:
            touched.append(True)
            bench.launcher.set_state(node_id, NodeState.READY)
        return real(ops)  # type: ignore[arg-type]

    bench.store.commit = racing  # type: ignore[method-assign, assignment]
    assert pending.accept()[0].valid


@pytest.mark.parametrize("happened", [True, False])
def test_a_lost_reply_to_taking_is_settled_by_looking(bench: Bench, *, happened: bool) -> None:
    """AcceptedNode exactly once, whether or not the first transaction happened."""
    pending, (node_id,) = served(bench)
    if happened:
        bench.store.away_after_next_commit()
    else:
        bench.store.away_before_next_commit()
    nodes = pending.accept()

    assert len(bench.launcher.locks(node_id)) == 1
    assert bench.launcher.read_node(node_id).state is NodeState.IN_USE
    nodes.release()
    assert bench.launcher.read_node(node_id).state is NodeState.USED
    assert bench.launcher.locks(node_id) == ()


@pytest.mark.parametrize(
    ("reading", "after"),
    [("children", 0), ("read_many", 0), ("read_many", 1)],
    ids=["its place in the lock", "what is promised", "what is ours"],
)
@pytest.mark.parametrize("happened", [True, False])
def test_the_look_that_settles_it_may_lose_its_own_reply(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, reading: str, after: int, *, happened: bool
) -> None:
    """Or nodes that are ours would be nobody's until the session ends."""
    pending, (node_id,) = served(bench)
    if happened:
        bench.store.away_after_next_commit()
    else:
        bench.store.away_before_next_commit()
    away_once(monkeypatch, bench.store, reading, after=after)
    nodes = pending.accept()

    assert [node.id for node in nodes] == [node_id]
    assert len(bench.launcher.locks(node_id)) == 1


def test_rubbish_over_a_node_whose_taking_is_unsure_is_no_traceback(bench: Bench) -> None:
    """Somebody writes it between our lost reply and our look."""
    pending, (node_id,) = served(bench)
    real = bench.store.commit

    def lost(ops: object) -> object:
        real(ops)  # type: ignore[arg-type]
        rubbish = Set(path=paths.node(node_id), data=b"rubbish", version=-1)
        bench.launcher.store.commit([rubbish])
        raise StoreAwayError("the reply is lost")

    bench.store.commit = lost  # type: ignore[method-assign, assignment]
    with pytest.raises((PromiseBrokenError, RequestGoneError)):
        pending.accept()


@pytest.mark.parametrize("happened", [True, False])
def test_a_lost_reply_to_giving_back_is_settled_by_trying_again(
    bench: Bench, *, happened: bool
) -> None:
    """Used and unlocked in the end."""
    pending, (node_id,) = served(bench)
    nodes = pending.accept()
    if happened:
        bench.store.away_after_next_commit()
    else:
        bench.store.away_before_next_commit()
    nodes.release()

    assert bench.launcher.read_node(node_id).state is NodeState.USED
    assert bench.launcher.locks(node_id) == ()


def test_a_look_at_what_is_given_back_may_lose_its_reply(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has written to the node meanwhile, so it is read again."""
    pending, (node_id,) = served(bench)
    nodes = pending.accept()
    bench.launcher.set_state(node_id, NodeState.IN_USE)
    away_once(monkeypatch, bench.store, "read")
    nodes.release()

    assert bench.launcher.read_node(node_id).state is NodeState.USED
    assert bench.launcher.locks(node_id) == ()


def test_a_node_condemned_meanwhile_stays_so_and_is_unlocked(bench: Bench) -> None:
    """An operator's word is not overwritten by giving back."""
    pending, ids = served(bench, 2)
    nodes = pending.accept()
    bench.launcher.set_state(ids[0], NodeState.DELETING)
    nodes.release()

    assert bench.launcher.read_node(ids[0]).state is NodeState.DELETING
    assert bench.launcher.read_node(ids[1]).state is NodeState.USED
    assert [bench.launcher.locks(node_id) for node_id in ids] == [(), ()]


def test_keys_of_others_survive_taking_and_giving_back(bench: Bench) -> None:
    """Zuul and operators keep things in the record that we do not know."""
    pending = bench.client.request("small")
    node_id = bench.launcher.ready_node(kept={"by": "somebody"})
    bench.launcher.lend(pending.id, [node_id])
    with pending:
        pass

    assert bench.launcher.read_node(node_id).doc["kept"] == {"by": "somebody"}


def test_a_lost_session_invalidates_the_nodes_and_says_so(bench: Bench) -> None:
    """The callback, the nodes and the end of the block all tell."""
    pending, (node_id,) = served(bench)
    nodes = pending.accept()
    bench.store.expire()
    bench.zookeeper.deliver()

    assert not nodes[0].valid
    assert [node.id for node in nodes.lost] == [node_id]
    with pytest.raises(NodesLostError, match=node_id):
        nodes.check()
    with pytest.raises(NodesLostError):
        nodes[0].hold("too late", owner="ada")
    with pytest.raises(NodesLostError), nodes:
        pass
    for thread in threading.enumerate():
        if thread.name == "remuda-on-lost":
            thread.join(RELEASE_S)
    assert bench.lost == [nodes]


def test_an_error_in_the_block_is_not_hidden_by_the_lost_session(bench: Bench) -> None:
    """The first error is the one to see."""
    pending, _ = served(bench)
    nodes = pending.accept()
    bench.store.expire()
    bench.zookeeper.deliver()

    with pytest.raises(ZeroDivisionError), nodes:
        raise ZeroDivisionError


def test_giving_back_while_zookeeper_is_away_says_so(bench: Bench) -> None:
    """Outside of a block the caller is told; the end of the session unlocks the node."""
    pending, _ = served(bench)
    nodes = pending.accept()
    bench.store.suspend()
    with pytest.raises(StoreAwayError):
        nodes.release()
    nodes.abandon()
    bench.store.resume()
    bench.zookeeper.deliver()
    nodes.release()

    assert nodes[0].state is LeaseState.RETURNED


def test_a_request_deleted_at_the_last_moment_is_not_taken(bench: Bench) -> None:
    """The request is part of the transaction."""
    pending, (node_id,) = served(bench)
    bench.launcher.store.commit([Delete(path=paths.request(pending.id))])

    with pytest.raises(RequestGoneError):
        pending.accept()

    assert bench.launcher.read_node(node_id).state is NodeState.READY
    assert bench.launcher.locks(node_id) == ()
