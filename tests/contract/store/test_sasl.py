"""Authentication by name and password: SASL with DIGEST-MD5, and what it keeps away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.config.parts import Zookeeper
from remuda.store.api import Create, StoreAwayError, StoreRefusedError, Synced
from remuda.store.configured import store_options
from remuda.store.embedded import EmbeddedServer
from remuda.store.options import StoreOptions, StoreSasl
from remuda.store.zookeeper import ZookeeperStore
from tests.contract.store.conftest import DEADLINE_S, Heard
from tests.support.deadline import wait_for
from tests.support.zookeeper import SESSION_S, missing, running_server

pytestmark = [pytest.mark.zk, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

USERS = {"remuda": "corral gate", "other": "lasso"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[EmbeddedServer]:
    """Run a server that lets in only whom it knows."""
    with running_server(users=USERS) as server:
        yield server


def options(
    server: EmbeddedServer, name: str = "remuda", password: str = "", *, creator_only: bool = False
) -> StoreOptions:
    """Return how somebody connects."""
    return StoreOptions(
        hosts=server.hosts,
        sasl=StoreSasl(username=name, password=password or USERS[name]),
        session_s=SESSION_S,
        creator_only=creator_only,
    )


def test_who_proves_a_password_is_let_in(guarded: EmbeddedServer) -> None:
    """All of the store works, batches included."""
    store = ZookeeperStore.connect(options(guarded), wait_s=DEADLINE_S)
    heard = Heard()
    store.mirror("/r", heard)
    wait_for(lambda: Synced(root="/r") in heard.changes, DEADLINE_S, "the load")
    paths = [f"/r/{number}" for number in range(300)]
    store.commit([Create(path=path) for path in paths])

    assert None not in store.read_many(paths)
    store.close()


def test_a_new_connection_authenticates_again() -> None:
    """Kazoo reconnects by itself; the server has forgotten who we were."""
    with running_server(users=USERS) as server:
        store = ZookeeperStore.connect(options(server), wait_s=DEADLINE_S)
        server.kill()
        server.start()

        def written() -> bool:
            try:
                store.ensure("/again")
            except StoreAwayError:
                return False
            return True

        wait_for(written, DEADLINE_S, "the second connection")
        store.close()


@pytest.mark.parametrize(("name", "password"), [("remuda", "wrong"), ("nobody", "lasso")])
def test_who_cannot_is_refused(guarded: EmbeddedServer, name: str, password: str) -> None:
    """With a sentence, and nobody tries for ever."""
    with pytest.raises(StoreRefusedError, match="refused our credentials"):
        ZookeeperStore.connect(options(guarded, name, password), wait_s=DEADLINE_S)


def test_who_does_not_try_is_not_let_in(guarded: EmbeddedServer) -> None:
    """The server wants SASL of everybody."""
    plain = StoreOptions(hosts=guarded.hosts, session_s=SESSION_S)

    with pytest.raises(StoreRefusedError, match="demands authentication by SASL"):
        ZookeeperStore.connect(plain, wait_s=DEADLINE_S)


def test_what_we_close_is_closed_to_others(guarded: EmbeddedServer) -> None:
    """They are let in, but not to our znodes."""
    ours = ZookeeperStore.connect(options(guarded, creator_only=True), wait_s=DEADLINE_S)
    theirs = ZookeeperStore.connect(options(guarded, "other"), wait_s=DEADLINE_S)
    ours.commit([Create(path="/closed", data=b"secret")])

    with pytest.raises(StoreRefusedError):
        theirs.read("/closed")
    found = ours.read("/closed")
    assert found is not None
    assert found.value == b"secret"
    ours.close()
    theirs.close()


def test_the_configuration_names_the_file(guarded: EmbeddedServer, tmp_path: Path) -> None:
    """First line: name, colon, password."""
    file = tmp_path / "auth"
    file.write_text(f"remuda:{USERS['remuda']}\n")
    wanted = Zookeeper(hosts=guarded.hosts, auth_file=str(file), auth_scheme="sasl")
    store = ZookeeperStore.connect(store_options(wanted), wait_s=DEADLINE_S)
    store.ensure("/configured")
    store.close()


def test_passwords_are_in_no_process_list(guarded: EmbeddedServer) -> None:
    """Nor can others read the server's file, or see them where options are shown."""
    command = Path(f"/proc/{guarded.pid}/cmdline").read_bytes().decode()
    mode = (guarded.folder / "jaas.conf").stat().st_mode

    assert "login.config=" in command
    assert USERS["remuda"] not in command
    assert mode & 0o077 == 0
    assert USERS["remuda"] not in repr(options(guarded))
