"""TLS with client certificates, and every way in which it can be refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.store.api import Create, StoreAwayError, StoreRefusedError, Synced
from remuda.store.embedded import EmbeddedServer, ServerTls
from remuda.store.options import StoreOptions, StoreTls
from remuda.store.zookeeper import ZookeeperStore
from tests.contract.store.conftest import DEADLINE_S, Heard
from tests.support.certificates import Authority, Identity
from tests.support.deadline import wait_for
from tests.support.zookeeper import SESSION_S, connected, missing, running_server

pytestmark = [pytest.mark.zk, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Found an authority."""
    return Authority(tmp_path_factory.mktemp("pki"), "ours")


@pytest.fixture(scope="module")
def guarded(authority: Authority) -> Iterator[EmbeddedServer]:
    """Run a server that lets in whom the authority vouches for."""
    tls = ServerTls(key_and_cert=authority.vouch_for("server").both, ca=authority.ca)
    with running_server(tls=tls) as server:
        yield server


def options(
    server: EmbeddedServer, who: Identity, ca: Path, *, check_hostname: bool = False
) -> StoreOptions:
    """Return how *who* connects."""
    tls = StoreTls(cert=who.cert, key=who.key, ca=ca, check_hostname=check_hostname)
    return StoreOptions(hosts=server.tls_hosts, tls=tls, session_s=SESSION_S)


def test_a_vouched_client_works(guarded: EmbeddedServer, authority: Authority) -> None:
    """Records larger than one TLS record, too, and beside a client in plaintext."""
    store = ZookeeperStore.connect(
        options(guarded, authority.vouch_for("client"), authority.ca, check_hostname=True),
        wait_s=DEADLINE_S,
    )
    plain = connected(guarded)
    heard = Heard()
    store.mirror("/r", heard)
    wait_for(lambda: Synced(root="/r") in heard.changes, DEADLINE_S, "the load")
    data = bytes(range(256)) * 1000
    store.commit([Create(path="/r/large", data=data)])
    paths = [f"/r/{number}" for number in range(300)]
    plain.commit([Create(path=path, data=data[:1000]) for path in paths])

    found = plain.read("/r/large")

    assert found is not None
    assert found.value == data
    assert [one and len(one.value) for one in store.read_many(paths)] == [1000] * 300
    wait_for(lambda: len({getattr(c, "path", "") for c in heard.changes}) == 303, DEADLINE_S, "all")
    store.close()
    plain.close()


def test_a_client_of_another_authority_is_refused(
    guarded: EmbeddedServer, authority: Authority, tmp_path: Path
) -> None:
    """The server's alert becomes a sentence, and nobody tries for ever."""
    stranger = Authority(tmp_path, "theirs").vouch_for("stranger")

    with pytest.raises(StoreRefusedError, match="TLS"):
        ZookeeperStore.connect(options(guarded, stranger, authority.ca), wait_s=DEADLINE_S)


def test_a_server_of_another_authority_is_refused(
    guarded: EmbeddedServer, authority: Authority, tmp_path: Path
) -> None:
    """We do not talk to whoever answers."""
    other = Authority(tmp_path, "theirs")

    with pytest.raises(StoreRefusedError, match="certificate"):
        ZookeeperStore.connect(
            options(guarded, authority.vouch_for("client"), other.ca), wait_s=DEADLINE_S
        )


def test_tls_to_a_plaintext_port_does_not_connect(
    guarded: EmbeddedServer, authority: Authority
) -> None:
    """Which is a refusal or silence, depending on what the server makes of the bytes."""
    wrong = StoreOptions(
        hosts=guarded.hosts,
        tls=options(guarded, authority.vouch_for("client"), authority.ca).tls,
        session_s=SESSION_S,
    )

    with pytest.raises((StoreRefusedError, StoreAwayError)):
        ZookeeperStore.connect(wrong, wait_s=2.0)


def test_a_missing_key_file_is_named(guarded: EmbeddedServer, authority: Authority) -> None:
    """Before anything is tried."""
    who = authority.vouch_for("client")
    who.key.unlink()

    with pytest.raises(StoreRefusedError, match=r"client\.key"):
        ZookeeperStore.connect(options(guarded, who, authority.ca), wait_s=DEADLINE_S)
