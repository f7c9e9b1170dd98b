"""A lost connection is no refusal, and a refusal is final, whenever it comes."""

import socket
import struct
import threading

import pytest

from remuda.store.api import Session, StoreAwayError, StoreRefusedError
from remuda.store.options import StoreOptions, StoreSasl
from remuda.store.zookeeper import ZookeeperStore
from tests.support.deadline import wait_for
from tests.support.standin_zookeeper import answer, standin_server, take

DEADLINE_S = 60.0
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


def test_a_greeting_that_dribbles_has_an_end() -> None:
    """Each byte that comes gives no time to the next: else one server keeps us from the others."""
    given_up = threading.Event()

    def dribble(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(struct.pack("!i", 1000))
                for _ in range(1000):
                    given_up.wait(0.02)
                    connection.sendall(b"\0")
            except OSError:
                given_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=dribble, args=(listener,), daemon=True)
        thread.start()
        options = StoreOptions(hosts=(f"127.0.0.1:{listener.getsockname()[1]}",), session_s=1.0)
        with pytest.raises(StoreAwayError):
            ZookeeperStore.connect(options, wait_s=2.5)
        thread.join(DEADLINE_S)

    assert given_up.is_set()


def test_an_answer_of_no_sensible_length_ends_the_connection() -> None:
    """Not the thread that reads."""
    answered = threading.Event()

    def serve(number: int, connection: socket.socket) -> None:
        while request := take(connection):
            if number == 0:
                connection.sendall(struct.pack("!i", -5))
                return
            answer(connection, request)
            answered.set()

    with standin_server(serve) as server:
        store = ZookeeperStore.connect(
            StoreOptions(hosts=(server,), session_s=4.0), wait_s=DEADLINE_S
        )
        store.close()

    assert answered.is_set()


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
