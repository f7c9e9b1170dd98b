"""What only a real server can do: die, be somewhere else, be old."""

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.store.api import Create, Put, Session, StoreAwayError, StoreRefusedError, Synced
from remuda.store.embedded import EmbeddedServer, EmbeddedServerError, ServerOptions
from remuda.store.options import StoreOptions
from remuda.store.zookeeper import ZookeeperStore
from tests.contract.store.conftest import DEADLINE_S, Answers, Heard, kazoo_of
from tests.support.deadline import wait_for
from tests.support.zookeeper import SESSION_S, connected, missing, running_server

#: No server of a slow machine takes so long to start again, and to be found again.
_LONG_SESSION_S = 120.0
#: Of half a megabyte each: more than the socket buffers of both sides hold.
_MANY = 40

pytestmark = [pytest.mark.zk, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]


@pytest.fixture
def mortal() -> Iterator[EmbeddedServer]:
    """Run a server that the test may kill."""
    with running_server() as server:
        yield server


def test_a_killed_server_comes_back_with_data_and_sessions(mortal: EmbeddedServer) -> None:
    """Same session, same ephemeral znodes, and the mirror goes on."""
    store = connected(mortal, chroot="/c", session_s=_LONG_SESSION_S)
    heard = Heard()
    store.mirror("/r", heard)
    wait_for(lambda: Synced(root="/r") in heard.changes, DEADLINE_S, "the load")
    store.commit([Create(path="/e", ephemeral=True)])
    session_id = store.session_id
    told: list[Session] = []
    store.on_session(told.append)

    mortal.kill()
    wait_for(lambda: told == [Session.SUSPENDED], DEADLINE_S, "the suspension")
    with pytest.raises(StoreAwayError):
        store.read("/e")
    heard.clear()
    mortal.start()
    wait_for(lambda: Synced(root="/r") in heard.changes, DEADLINE_S, "the reload")
    store.commit([Create(path="/r/new")])

    assert (store.session_id, store.read("/e") is not None) == (session_id, True)
    assert heard.changes[0] == Synced(root="/r")
    assert isinstance(heard.changes[1], Put)
    store.close()


def test_a_store_outlives_any_length_of_absence(mortal: EmbeddedServer) -> None:
    """Longer than its session: a new one, and the mirror is complete again."""
    store = connected(mortal)
    heard = Heard()
    store.mirror("/r", heard)
    wait_for(lambda: heard.changes, DEADLINE_S, "the load")
    told: list[Session] = []
    store.on_session(told.append)
    session_id = store.session_id
    data = mortal.folder / "data"

    mortal.kill()
    # An empty server knows no session: the same as one that was away for too long.
    data.rename(mortal.folder / "gone")
    heard.clear()
    # A fresh tree has lower transaction ids than the client has seen, which a server refuses;
    # kazoo forgets them with its session, which it can only lose by asking a server.
    kazoo_of(store).last_zxid = 0
    mortal.start()
    wait_for(lambda: Session.LOST in told, DEADLINE_S, "the loss")
    wait_for(lambda: Synced(root="/r") in heard.changes, DEADLINE_S, "the reload")

    assert store.session_id != session_id
    assert store.read("/r") is not None
    store.close()


def test_a_frozen_server_is_noticed_even_by_who_keeps_asking(mortal: EmbeddedServer) -> None:
    """Within the session time-out; every question is answered, with "away"."""
    store = connected(mortal)
    answers = Answers()
    asked = 0
    os.kill(mortal.pid, signal.SIGSTOP)

    def ask_again() -> bool:
        nonlocal asked
        asked += 1
        store.read_later("/", answers)
        return store.session is Session.SUSPENDED

    wait_for(ask_again, SESSION_S + 1.0, "the suspension")
    os.kill(mortal.pid, signal.SIGCONT)

    wait_for(lambda: len(answers.got) == asked, DEADLINE_S, "all answers")
    assert {type(answer) for answer in answers.got} == {StoreAwayError}
    wait_for(lambda: store.session is Session.CONNECTED, DEADLINE_S, "the connection")
    store.close()


def test_who_asks_for_more_than_the_socket_takes_does_not_wait(mortal: EmbeddedServer) -> None:
    """The I/O thread sends the rest, in order, once the server reads again."""
    store = connected(mortal)
    store.ensure("/many")
    answers = Answers()
    data = b"x" * 500_000
    os.kill(mortal.pid, signal.SIGSTOP)
    try:
        for _ in range(_MANY):
            store.commit_later([Create(path="/many/x-", data=data, sequence=True)], answers)
        assert answers.got == []
    finally:
        os.kill(mortal.pid, signal.SIGCONT)

    wait_for(lambda: len(answers.got) == _MANY, DEADLINE_S, "all answers")
    made = [answer[0].path for answer in answers.got if isinstance(answer, tuple)]
    assert [f"/many/x-{number:010d}" for number in range(_MANY)] == made
    store.close()


def test_connecting_says_what_it_waits_for(tmp_path: Path) -> None:
    """Then connects as soon as the server is there."""
    server = EmbeddedServer(ServerOptions(folder=tmp_path))
    options = StoreOptions(hosts=server.hosts, session_s=SESSION_S, report_s=0.1)
    waits: list[str] = []
    first = threading.Event()

    def waiting(why: str) -> None:
        waits.append(why)
        first.set()

    stores: list[ZookeeperStore] = []
    thread = threading.Thread(
        target=lambda: stores.append(ZookeeperStore.connect(options, waiting=waiting)), daemon=True
    )
    thread.start()
    wait_for(first, DEADLINE_S, "a word")
    with server:
        wait_for(lambda: stores, DEADLINE_S, "the connection")
        assert server.hosts[0] in waits[0]
        assert "refused" in waits[-1]
        stores[0].close()


def test_connecting_gives_up_when_told_to() -> None:
    """Within the time given, naming the servers."""
    options = StoreOptions(hosts=("127.0.0.1:1",))

    with pytest.raises(StoreAwayError, match=re.escape("127.0.0.1:1")):
        ZookeeperStore.connect(options, wait_s=0.3)


def test_a_chroot_is_created_and_invisible(server: EmbeddedServer) -> None:
    """Two chroots never see each other; events and results name paths without it."""
    one, other = connected(server, chroot="/deep/one"), connected(server, chroot="/deep/other")
    heard = Heard()
    one.mirror("/", heard)
    wait_for(lambda: Synced(root="/") in heard.changes, DEADLINE_S, "the load")

    other.commit([Create(path="/x")])
    done = one.commit([Create(path="/y", data=b"1")])
    plain = connected(server)

    assert done[0].path == "/y"
    assert one.read("/x") is None
    assert [change.path for change in heard.changes if isinstance(change, Put)] == ["/", "/y"]
    assert plain.children("/deep/one") == ("y",)
    for store in (one, other, plain):
        store.close()


def test_what_is_closed_to_us_is_refused(server: EmbeddedServer) -> None:
    """With the credentials it opens; without, a human must act."""
    options = StoreOptions(
        hosts=server.hosts,
        session_s=SESSION_S,
        credentials=(("digest", "remuda:secret"),),
        creator_only=True,
    )
    owner, stranger = ZookeeperStore.connect(options), connected(server)
    owner.commit([Create(path="/private", data=b"1")])

    found = owner.read("/private")

    assert found is not None
    with pytest.raises(StoreRefusedError, match="/private"):
        stranger.read("/private")
    with pytest.raises(StoreRefusedError, match="/private/x"):
        stranger.commit([Create(path="/private/x")])
    owner.close()
    stranger.close()


def test_credentials_of_an_unknown_kind_are_refused(server: EmbeddedServer) -> None:
    """The server says so once; trying again would be of no use."""
    options = StoreOptions(hosts=server.hosts, credentials=(("nonsense", "x:y"),))

    with pytest.raises(StoreRefusedError, match="credentials"):
        ZookeeperStore.connect(options, wait_s=DEADLINE_S)


def test_an_idle_mirror_costs_the_server_nothing(mortal: EmbeddedServer) -> None:
    """After the load, only kazoo's pings arrive."""
    store = connected(mortal)
    store.ensure(*(f"/r/{number}" for number in range(200)))
    heard = Heard()
    store.mirror("/r", heard)
    wait_for(lambda: Synced(root="/r") in heard.changes, DEADLINE_S, "the load")

    before = packets(mortal)
    pause = threading.Event()
    pause.wait(2.0)
    arrived = packets(mortal) - before - 1  # the second question itself

    assert arrived <= 3
    store.close()


def packets(server: EmbeddedServer) -> int:
    """Return how many packets the server has received."""
    found = re.search(r"zk_packets_received\s+(\d+)", server.ask("mntr"))
    assert found is not None
    return int(found[1])


def test_a_port_that_is_taken_is_said(server: EmbeddedServer, tmp_path: Path) -> None:
    """In one sentence, at once."""
    rival = EmbeddedServer(ServerOptions(folder=tmp_path, port=server.port))

    with pytest.raises(EmbeddedServerError, match="ended at once"):
        rival.start()


def test_a_server_that_is_known_keeps_its_port(tmp_path: Path) -> None:
    """Clients look for it where it was: another port would be worse than an error."""
    with EmbeddedServer(ServerOptions(folder=tmp_path)) as mortal:
        before = mortal.port
        mortal.kill()
        with (
            socket.create_server(("127.0.0.1", before)),
            pytest.raises(EmbeddedServerError, match="ended at once"),
        ):
            mortal.start()
        mortal.start()

        assert mortal.port == before


def test_java_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message says which packages."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EmbeddedServerError, match="apt-get install"):
        EmbeddedServer(ServerOptions(folder=tmp_path)).start()
