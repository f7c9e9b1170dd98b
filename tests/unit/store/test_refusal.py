"""A lost connection is no refusal, and a refusal is final, whenever it comes."""

import socket
import threading

import pytest

from remuda.store.api import Session, StoreAwayError, StoreRefusedError
from remuda.store.options import StoreOptions, StoreSasl
from remuda.store.zookeeper import ZookeeperStore
from tests.support.deadline import wait_for
from tests.support.standin_zookeeper import answer, standin_server, take

DEADLINE_S = 10.0
AUTH_FAILED = -115


def test_a_server_that_hangs_up_during_the_proof_is_tried_again() -> None:
    """It went down at a bad moment; the password may be right."""
    proofs: list[bytes] = []
    third = threading.Event()

    def serve(_number: int, connection: socket.socket) -> None:
        proofs.append(take(connection))
        if len(proofs) == 3:
            third.set()

    with standin_server(serve) as server:
        options = StoreOptions(
            hosts=(server,), session_s=4.0, sasl=StoreSasl(username="remuda", password="lasso")
        )
        with pytest.raises(StoreAwayError, match="hung up while we authenticated"):
            ZookeeperStore.connect(options, wait_s=2.0)

    assert third.is_set()


def test_a_credential_that_is_refused_later_ends_all_hope() -> None:
    """Every call says so from then on, and nobody waits for another session."""
    gone = threading.Event()

    def serve(number: int, connection: socket.socket) -> None:
        while request := take(connection):
            answer(connection, request, AUTH_FAILED if number else 0)
            if number or (gone.is_set() and request):
                return

    with standin_server(serve) as server:
        options = StoreOptions(
            hosts=(server,), session_s=4.0, credentials=(("digest", "remuda:lasso"),)
        )
        store = ZookeeperStore.connect(options, wait_s=DEADLINE_S)
        states: list[Session] = []
        store.on_session(states.append)
        assert store.refusal is None
        gone.set()
        store.children_later("/", lambda _answer: None)
        wait_for(lambda: Session.LOST in states, DEADLINE_S, "the refusal")

        assert isinstance(store.refusal, StoreRefusedError)
        with pytest.raises(StoreRefusedError, match="refused our credentials"):
            store.read("/anything")
        store.close()
