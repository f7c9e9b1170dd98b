"""The life of a request, from asking to giving back."""

import threading

import pytest

from remuda.model.ids import RequestId
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import Ruling
from remuda.store import paths
from remuda.store.api import Delete, MissingError, Session, StoreAwayError, StoreRefusedError
from requestor.errors import (
    NotOursError,
    RequestFailedError,
    RequestGoneError,
    RequestorError,
    RequestTimeoutError,
    WaitInterruptedError,
)
from requestor.nodes import LeaseState
from requestor.sessions import Sessions
from tests.support.standin import HOST_KEY
from tests.unit.requestor.conftest import Bench, away_once

WAIT_S = 0.02


def test_a_request_is_ephemeral_and_says_who_asks(bench: Bench) -> None:
    """It dies with its requestor unless told otherwise."""
    pending = bench.client.request({"small": 1}, priority="high", relative_priority=2)
    stored = bench.store.read(paths.request(pending.id))

    assert stored is not None
    assert stored.owner == bench.store.session_id
    request = bench.launcher.read_request(pending.id)
    assert request.priority == "100"
    assert (request.requestor, request.relative_priority) == ("tester@host", 2)


def test_a_persistent_request_survives_the_client(bench: Bench) -> None:
    """Somebody else is to accept or delete it."""
    pending = bench.client.request("small", ephemeral=False)
    bench.client.close()

    assert bench.launcher.read_request(pending.id).state is RequestState.REQUESTED


def test_the_first_request_of_all_makes_the_tree(bench: Bench) -> None:
    """Nobody has to prepare ZooKeeper."""
    bench.store.commit([Delete(path=paths.REQUESTS)])

    assert bench.client.request("small").id.startswith("200-")


def test_nodes_are_taken_and_given_back_in_one_transaction_each(bench: Bench) -> None:
    """The whole life costs six operations: create, watch, watch, read, take, give back."""
    pending = bench.client.request(["small", "big"])
    assert not pending.check()
    ids = bench.launcher.lend(pending.id)
    bench.zookeeper.deliver()
    with pending as nodes:
        assert tuple(node.id for node in nodes) == ids
        assert [node.label for node in nodes] == ["small", "big"]
        assert bench.launcher.store.children(paths.REQUESTS) == ()
        for node_id in ids:
            record = bench.launcher.read_node(node_id)
            assert record.state is NodeState.IN_USE
            assert record.doc["user_data"]["remuda"]["by"] == "tester@host"
            assert len(bench.launcher.locks(node_id)) == 1

    for node_id in ids:
        assert bench.launcher.read_node(node_id).state is NodeState.USED
        assert bench.launcher.locks(node_id) == ()
    # read_many of two nodes counts as two reads of the wire.
    assert dict(bench.store.wire.requests) == {"commit": 3, "watch_once": 2, "get": 2}


def test_a_node_tells_how_to_reach_it(bench: Bench) -> None:
    """Address, port, user and host keys come from the record."""
    pending = bench.client.request("small")
    bench.launcher.lend(pending.id)
    node = pending.accept()[0]

    assert (node.address, node.port, node.user) == ("127.77.0.2", 22, "root")
    assert node.host_keys == (HOST_KEY,)
    assert (node.provider, node.pool, node.facts.image) == ("alpha", "main", "debian-12")
    assert node.valid


def test_a_change_is_read_before_its_waiter_wakes(bench: Bench) -> None:
    """Whoever is woken has the answer already; after that nothing is read any more."""
    pending = bench.client.request("small")
    pending.check()
    bench.launcher.lend(pending.id)
    bench.zookeeper.deliver()
    before = bench.store.wire.requests.copy()

    assert pending.check()
    assert before == bench.store.wire.requests
    pending.cancel()
    bench.zookeeper.deliver()
    assert before["watch_once"] == bench.store.wire.requests["watch_once"] == 2


def test_waiting_ends_when_the_watch_fires(bench: Bench) -> None:
    """Nothing is read while nothing happens."""
    pending = bench.client.request("small")
    pending.check()
    looked = threading.Event()
    pending.on_news(looked.set)
    waiter = threading.Thread(target=pending.wait, args=(10.0,))
    waiter.start()
    bench.launcher.lend(pending.id)
    assert not looked.is_set()
    bench.zookeeper.deliver()
    waiter.join(60.0)

    assert not waiter.is_alive()
    assert looked.is_set()
    assert pending.check()


def test_a_timeout_explains_and_lets_the_request_wait_on(bench: Bench) -> None:
    """The caller may wait again."""
    bench.launcher.register("small")
    pending = bench.client.request("small")
    bench.launcher.say(pending.id, Ruling.WAITING, "96/96 cores in use", numbers={"cores": 96})

    with pytest.raises(RequestTimeoutError, match="alpha waits \\(96/96 cores in use\\)") as caught:
        pending.wait(WAIT_S)

    assert caught.value.explanation.position == 1
    assert bench.launcher.read_request(pending.id).state is RequestState.REQUESTED
    assert not pending.over


def test_a_deadline_cancels_the_request(bench: Bench) -> None:
    """Nobody is left who would want its nodes."""
    pending = bench.client.request("small", deadline_s=WAIT_S)

    with pytest.raises(RequestTimeoutError, match="no launcher is running"), pending:
        raise AssertionError("not reached")

    assert bench.launcher.store.children(paths.REQUESTS) == ()
    assert pending.over


def test_a_failed_request_says_why_and_is_deleted(bench: Bench) -> None:
    """The verdicts are read before the request goes."""
    pending = bench.client.request("small")
    bench.launcher.say(pending.id, Ruling.DECLINED, "no such label")
    bench.launcher.refuse(pending.id)

    with pytest.raises(RequestFailedError, match="alpha declined \\(no such label\\)") as caught:
        pending.wait()

    assert caught.value.explanation.state is RequestState.FAILED
    assert bench.launcher.store.children(paths.REQUESTS) == ()


def test_a_cancelled_request_is_gone_in_any_state(bench: Bench) -> None:
    """Its nodes are freed by the launcher."""
    pending = bench.client.request("small")
    bench.launcher.lend(pending.id)
    pending.cancel()
    pending.cancel()

    assert bench.launcher.store.children(paths.REQUESTS) == ()
    with pytest.raises(RequestGoneError):
        pending.accept()


def test_a_request_that_outlives_its_session_can_be_cancelled_again(bench: Bench) -> None:
    """What could not be cancelled is still there, and would get machines that nobody wants."""
    pending = bench.client.request("small", ephemeral=False)
    bench.store.suspend()
    with pytest.raises(StoreAwayError):
        pending.cancel()
    assert not pending.over
    bench.store.resume()
    pending.cancel()

    assert pending.over
    assert bench.launcher.store.children(paths.REQUESTS) == ()


def test_a_request_that_somebody_deleted_is_reported(bench: Bench) -> None:
    """An operator may delete requests."""
    pending = bench.client.request("small")
    pending.check()
    bench.launcher.store.commit([Delete(path=paths.request(pending.id))])
    bench.zookeeper.deliver()

    with pytest.raises(RequestGoneError, match="was deleted"):
        pending.wait(WAIT_S)


def test_an_error_in_the_block_gives_the_nodes_back(bench: Bench) -> None:
    """Nothing of the caller's troubles keeps a machine."""
    pending = bench.client.request("small")
    (node_id,) = bench.launcher.lend(pending.id)

    with pytest.raises(ZeroDivisionError), pending:
        raise ZeroDivisionError

    assert bench.launcher.read_node(node_id).state is NodeState.USED


def test_closing_the_client_cancels_and_gives_back(bench: Bench) -> None:
    """Both what waits and what is held."""
    served = bench.client.request("small")
    (node_id,) = bench.launcher.lend(served.id)
    served.accept()
    bench.client.request("small")
    bench.client.close()

    assert bench.launcher.store.children(paths.REQUESTS) == ()
    assert bench.launcher.read_node(node_id).state is NodeState.USED
    with pytest.raises(RequestorError, match="closed"):
        bench.client.request("small")


def test_one_node_may_be_given_back_before_the_others(bench: Bench) -> None:
    """The rest stays ours."""
    pending = bench.client.request({"small": 2})
    first, second = bench.launcher.lend(pending.id)
    with pending as nodes:
        nodes[0].release()
        nodes[0].release()
        assert bench.launcher.read_node(first).state is NodeState.USED
        assert bench.launcher.read_node(second).state is NodeState.IN_USE
        with pytest.raises(RequestorError, match="returned"):
            nodes[0].check()

    assert bench.launcher.read_node(second).state is NodeState.USED


def test_a_held_node_stays_for_a_person(bench: Bench) -> None:
    """State, who, why, how long, and no lock, in one transaction."""
    pending = bench.client.request("small")
    (node_id,) = bench.launcher.lend(pending.id)
    with pending as nodes:
        nodes[0].hold("test failed", owner="ada", seconds=3600)
        assert nodes[0].state is LeaseState.HELD

    record = bench.launcher.read_node(node_id)
    assert record.state is NodeState.HOLD
    assert record.hold_expiration == 3600
    assert (record.doc["hold_job"], record.doc["comment"]) == ("ada", "test failed")
    assert bench.launcher.locks(node_id) == ()


def test_an_attached_request_is_accepted_by_another_process(bench: Bench) -> None:
    """A persistent request may be picked up by its id."""
    made = bench.client.request("small", ephemeral=False)
    bench.launcher.lend(made.id)
    with bench.client.attach(made.id) as nodes:
        assert len(nodes) == 1


def test_a_strangers_request_is_not_attached_to_by_a_slip(bench: Bench) -> None:
    """Neither accepted nor cancelled; only by who says that he means it."""
    made = bench.client.request("small", ephemeral=False, requestor="ada@laptop")
    with pytest.raises(NotOursError, match="is of ada@laptop, not of tester@host") as refused:
        bench.client.attach(made.id)

    assert refused.value.owner == "ada@laptop"
    bench.client.attach(made.id, force=True).cancel()
    assert bench.launcher.store.children(paths.REQUESTS) == ()


def test_a_tree_that_vanishes_all_the_time_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is deleting ZooKeeper's tree, or it is not ours."""
    monkeypatch.setattr(bench.store, "ensure", lambda _: None)

    def missing(_: object) -> None:
        raise MissingError(paths.REQUESTS, "there is none")

    monkeypatch.setattr(bench.store, "commit", missing)
    with pytest.raises(RequestorError, match="vanishes all the time"):
        bench.client.request("small")


def test_a_request_whose_reply_was_lost_is_found_again(bench: Bench) -> None:
    """No second request is made when the first one happened."""
    bench.store.away_after_next_commit()
    pending = bench.client.request("small")

    assert bench.launcher.the_request().id == pending.id


def test_a_request_that_did_not_happen_is_made_again(bench: Bench) -> None:
    """The look in between tells the difference."""
    bench.store.away_before_next_commit()
    pending = bench.client.request("small")

    assert bench.launcher.the_request().id == pending.id


@pytest.mark.parametrize("happened", [True, False])
def test_the_look_for_a_lost_reply_may_lose_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, happened: bool
) -> None:
    """A connection that has just come back goes again as easily."""
    if happened:
        bench.store.away_after_next_commit()
    else:
        bench.store.away_before_next_commit()
    away_once(monkeypatch, bench.store, "children")
    pending = bench.client.request("small")

    assert bench.launcher.the_request().id == pending.id


def test_waiting_survives_a_reconnect(bench: Bench) -> None:
    """The watch went with the connection: look again."""
    pending = bench.client.request("small")
    pending.check()
    bench.store.suspend()
    bench.launcher.lend(pending.id)
    assert bench.store.session is Session.SUSPENDED
    with pytest.raises(StoreAwayError):
        pending.wait(WAIT_S)
    bench.store.resume()
    bench.zookeeper.deliver()

    pending.wait(WAIT_S)
    assert pending.check()


def test_an_ephemeral_request_ends_with_the_session(bench: Bench) -> None:
    """The caller must ask anew."""
    pending = bench.client.request("small")
    pending.check()
    bench.store.expire()
    bench.zookeeper.deliver()

    with pytest.raises(RequestGoneError, match="session"):
        pending.wait(WAIT_S)


@pytest.mark.parametrize("ephemeral", [True, False])
def test_a_refusal_ends_every_wait(bench: Bench, *, ephemeral: bool) -> None:
    """ZooKeeper does not take our credential any more: waiting is no use."""
    pending = bench.client.request("small", ephemeral=ephemeral)
    pending.check()
    bench.store.refuse()
    bench.zookeeper.deliver()

    with pytest.raises(StoreRefusedError):
        pending.wait(WAIT_S)
    with pytest.raises(StoreRefusedError):
        bench.client.request("small")
    pending.abandon()


def test_nobody_waits_for_a_session_after_a_refusal(bench: Bench) -> None:
    """The answer was lost with the connection, and the next attempt will not come."""
    bench.store.suspend()
    bench.store.refuse()
    sessions = Sessions(bench.store)

    with pytest.raises(StoreRefusedError):
        sessions.wait_connected(3600.0)


def test_accepting_too_early_is_a_timeout(bench: Bench) -> None:
    """Accept does not wait."""
    pending = bench.client.request("small")
    with pytest.raises(RequestTimeoutError):
        pending.accept()


def test_a_broken_record_is_not_taken_for_an_answer(bench: Bench) -> None:
    """Somebody writes nonsense: wait for better."""
    bench.launcher.store.ensure(paths.request(RequestId("200-0000000099")))

    assert bench.client.attach("200-0000000099").check() is False


def test_a_wait_can_be_interrupted_from_elsewhere(bench: Bench) -> None:
    """At once and for good; the request is still there."""
    pending = bench.client.request("small")
    interrupter = threading.Timer(0.01, pending.interrupt)
    interrupter.start()

    with pytest.raises(WaitInterruptedError):
        pending.wait()
    with pytest.raises(WaitInterruptedError):
        pending.wait(60.0)
    assert not pending.over
