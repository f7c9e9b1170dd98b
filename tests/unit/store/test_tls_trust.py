"""Whom we take for our ZooKeeper: TLS servers of the loopback that are it, and that are not."""

import datetime as dt
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from remuda.cli.main import main
from remuda.runtime.clock import SystemClock
from remuda.store.api import StoreRefusedError
from remuda.store.options import StoreOptions, StoreTls
from remuda.store.tls import client_context, open_socket
from remuda.store.zookeeper import ZookeeperStore
from tests.support.certificates import Authority, Identity
from tests.support.standin_zookeeper import answer, standin_server, take

DEADLINE_S = 60.0
PASSWORD = "remuda:corral gate"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give the authority that we trust."""
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give one that all the world may trust, but not we."""
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


@pytest.fixture(scope="module")
def tls(ours: Authority) -> StoreTls:
    """Give what we connect with."""
    who = ours.vouch_for("client")
    return StoreTls(cert=who.cert, key=who.key, ca=ours.ca)


def speaks(who: Identity) -> ssl.SSLContext:
    """Return the server's side of TLS, as *who*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(who.both)
    return context


@contextmanager
def listening(context: ssl.SSLContext) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that greets whoever comes; give its port, and what it was told after that."""
    heard: list[bytes] = []

    def serve(_number: int, connection: socket.socket) -> None:
        while request := take(connection):
            heard.append(request)
            answer(connection, request)

    with standin_server(serve, tls=context) as server:
        yield server.rpartition(":")[2], heard


def connect(tls: StoreTls, host: str) -> None:
    """Connect as a launcher does, with a password, and leave."""
    options = StoreOptions(
        hosts=(host,), tls=tls, session_s=10.0, credentials=(("digest", PASSWORD),)
    )
    ZookeeperStore.connect(options, wait_s=DEADLINE_S).close()


def refusal(tls: StoreTls, server: ssl.SSLContext, host: str) -> str:
    """Try to connect; return the sentence that comes of it. The server must have heard nothing."""
    with listening(server) as (port, heard), pytest.raises(StoreRefusedError) as refused:
        connect(tls, f"{host}:{port}")
    assert heard == []
    intro, said = str(refused.value).split(" failed: ")
    assert intro == f"TLS with {host}:{port}"
    return said


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_our_own_server_is_told_our_password(ours: Authority, tls: StoreTls, host: str) -> None:
    """By its name or by its address: both stand in its certificate."""
    with listening(speaks(ours.vouch_for("server"))) as (port, heard):
        connect(tls, f"{host}:{port}")

    assert any(PASSWORD.encode() in request for request in heard)


def test_another_authority_is_not_ours_though_the_system_trusts_it(
    theirs: Authority, tls: StoreTls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate for our very name, from a public authority, is bought within minutes."""
    monkeypatch.setenv("SSL_CERT_FILE", str(theirs.ca))
    assert ssl.create_default_context().cert_store_stats()["x509_ca"] == 1

    assert refusal(tls, speaks(theirs.vouch_for("server")), "localhost") == (
        "no authority of ours (zookeeper.tls.ca) has signed the server's certificate"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_for_another_host_is_refused(
    ours: Authority, tls: StoreTls, host: str
) -> None:
    """Any machine of ours may have a certificate; only ZooKeeper's is ZooKeeper."""
    other = ours.vouch_for("other", hosts=["web.example.org"], addresses=["192.0.2.7"])
    said = refusal(tls, speaks(other), host)

    assert said.startswith("the server's certificate is for another host: ")
    assert said.endswith(f"'{host}'.")


def test_a_command_ends_with_one_sentence(theirs: Authority, tls: StoreTls, tmp_path: Path) -> None:
    """Exit code 3; by the configuration, names are checked and no other authority counts."""
    secret = tmp_path / "auth"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    file = tmp_path / "remuda.yaml"
    label = {"small": {"image": "i", "flavor": "f"}}
    zookeeper = {
        "auth-file": "auth",
        "tls": {"cert": str(tls.cert), "key": str(tls.key), "ca": str(tls.ca)},
    }
    with listening(speaks(theirs.vouch_for("server"))) as (port, heard):
        config = {
            "zookeeper": {"hosts": [f"localhost:{port}"], **zookeeper},
            "labels": {"small": {}},
            "providers": {"a": {"cloud": "c", "pools": {"main": {"labels": label}}}},
        }
        file.write_text(json.dumps(config))
        result = CliRunner().invoke(main, ["--config", str(file), "status"])

    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1] == (
        f"remuda: ZooKeeper cannot be used: TLS with localhost:{port} failed: no authority of ours "
        "(zookeeper.tls.ca) has signed the server's certificate"
    )
    assert heard == []


def test_a_name_may_be_left_unchecked(ours: Authority, tls: StoreTls) -> None:
    """For ensembles whose certificates name nobody; the authority must still be ours."""
    lax = StoreTls(cert=tls.cert, key=tls.key, ca=tls.ca, check_hostname=False)
    other = ours.vouch_for("other", hosts=["web.example.org"], addresses=[])
    with listening(speaks(other)) as (port, heard):
        connect(lax, f"localhost:{port}")

    assert heard != []


def test_an_unchecked_name_is_no_unchecked_authority(theirs: Authority, tls: StoreTls) -> None:
    """The two are apart."""
    lax = StoreTls(cert=tls.cert, key=tls.key, ca=tls.ca, check_hostname=False)

    assert "no authority of ours" in refusal(lax, speaks(theirs.vouch_for("server")), "localhost")


def test_an_expired_certificate_is_refused(ours: Authority, tls: StoreTls) -> None:
    """Its key may have been lost since."""
    old = ours.vouch_for("old", ends=-dt.timedelta(hours=1))

    assert refusal(tls, speaks(old), "localhost") == "the server's certificate has expired"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused(ours: Authority, tls: StoreTls) -> None:
    """Whatever the system's OpenSSL would let pass."""
    old = speaks(ours.vouch_for("server"))
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    assert refusal(tls, old, "localhost") == "the server speaks no TLS 1.2 or newer"
    assert client_context(tls).minimum_version is ssl.TLSVersion.TLSv1_2


def dribble(listener: socket.socket, given_up: threading.Event) -> None:
    """Begin a TLS record of 16 KiB and send a byte of it now and then, a hundred in all."""
    connection, _ = listener.accept()
    with connection:
        try:
            connection.sendall(b"\x16\x03\x03\x40\x00")
            for _ in range(100):
                given_up.wait(0.1)
                connection.sendall(b"\2")
        except OSError:
            given_up.set()


def test_a_handshake_that_dribbles_has_an_end(tls: StoreTls) -> None:
    """Bytes that come do not make it longer."""
    given_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=dribble, args=(listener, given_up), daemon=True)
        thread.start()
        with pytest.raises(TimeoutError):
            open_socket(
                listener.getsockname(), "localhost", tls, timeout_s=0.5, clock=SystemClock()
            )
        thread.join(DEADLINE_S)

    assert given_up.is_set()


Spoil = Callable[[StoreTls, Path], StoreTls]


def _locked_key(tls: StoreTls, folder: Path) -> StoreTls:
    locked = folder / "locked.key"
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", str(tls.key)]
    subprocess.run([*command, "-out", str(locked)], check=True, timeout=DEADLINE_S)
    return StoreTls(cert=tls.cert, key=locked, ca=tls.ca)


def _foreign_key(tls: StoreTls, folder: Path) -> StoreTls:
    return StoreTls(cert=tls.cert, key=Authority(folder, "x").vouch_for("y").key, ca=tls.ca)


def _empty_ca(tls: StoreTls, folder: Path) -> StoreTls:
    (folder / "empty.pem").touch()
    return StoreTls(cert=tls.cert, key=tls.key, ca=folder / "empty.pem")


@pytest.mark.parametrize("spoil", [_locked_key, _foreign_key, _empty_ca])
def test_files_of_no_use_are_named_at_once(tls: StoreTls, tmp_path: Path, spoil: Spoil) -> None:
    """Nothing is tried, and nobody asks the terminal for the password of a key."""
    with pytest.raises(StoreRefusedError, match="cannot be used"):
        connect(spoil(tls, tmp_path), "127.0.0.1:1")
