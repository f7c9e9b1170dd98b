"""Keys from a URL: what a forge says is taken, and no server holds or fools anybody."""

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from remuda.model.publickey import TEXT_BYTES_MAX
from remuda.runtime.clock import SystemClock
from remuda.ssh.errors import KeySourceError
from remuda.ssh.keyurl import REDIRECTS_MAX, fetch_keys
from remuda.ssh.urls import KeyUrlError, check_url, parts_of
from tests.support.certificates import Authority, Identity
from tests.unit.model.test_publickey import ED25519, RSA

Serve = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, Authority]:
    """Return a server's certificate, and who vouches for it."""
    authority = Authority(tmp_path_factory.mktemp("tls"), "forge")
    return authority.vouch_for("server"), authority


def trusting(authority: Authority) -> ssl.SSLContext:
    """Return what believes the authority."""
    return ssl.create_default_context(cafile=str(authority.ca))


@contextmanager
def forge(identity: Identity, serve: Serve, *, tls: bool = True) -> Iterator[int]:
    """Listen on the loopback, and serve each connection in turn."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity.cert, identity.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with contextlib.suppress(OSError), peer:
                        if not tls:
                            serve(peer)
                            continue
                        with context.wrap_socket(peer, server_side=True) as secured:
                            secured.recv(4096)
                            serve(secured)

        worker = threading.Thread(target=run, daemon=True)
        worker.start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def says(text: str, status: str = "200 OK", *headers: str) -> Serve:
    """Return what answers so."""
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(text)}", "", ""))
    return lambda peer: peer.sendall((head + text).encode())


def sends(raw: bytes) -> Serve:
    """Return what sends just these bytes."""
    return lambda peer: peer.sendall(raw)


def why(made: tuple[Identity, Authority], serve: Serve, *, timeout_s: float = 5.0) -> str:
    """Return why a server that behaves so gives no keys."""
    identity, authority = made
    tls = trusting(authority)
    with forge(identity, serve) as port, pytest.raises(KeySourceError) as caught:
        fetch_keys(f"https://localhost:{port}/", SystemClock(), timeout_s=timeout_s, tls=tls)
    return str(caught.value)


def test_what_a_forge_says_is_taken(made: tuple[Identity, Authority]) -> None:
    """Also after it has led on."""
    identity, authority = made
    answers = iter([says("", "302 Found", "Location: /other"), says(f"{ED25519}\n{RSA}\n")])

    def serve(peer: socket.socket) -> None:
        next(answers)(peer)

    with forge(identity, serve) as port:
        url = f"https://localhost:{port}/ada.keys"
        found = fetch_keys(url, SystemClock(), tls=trusting(authority))
    assert [one.line for one in found] == [ED25519, RSA]


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (says("nothing", "404 Not Found"), "answers with status 404"),
        (says(""), "holds no public key"),
        (says("<html>SECRET</html>"), "is no public key of a type that is taken"),
        (says("SECRET-1"), "is no public key of a type that is taken"),
        (says(f'command="x" {ED25519}'), "has options before the key"),
        (says("#" * (TEXT_BYTES_MAX + 1)), "more than 64 KiB"),
        (says("", "302 Found", "Location: /again"), f"more than {REDIRECTS_MAX} times"),
        (says("", "302 Found", "Location: http://localhost/"), "only https://"),
        (says("", "302 Found", "Location: file:///etc/passwd"), "only https://"),
        (says("", "302 Found", "Location: https://a:b@c/"), "has a name or a password"),
        (says("", "302 Found"), "more than"),
        (lambda peer: peer.sendall(b"nonsense\r\n\r\n"), "cannot be read"),
        (lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000), "cannot be read"),
        (lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n"), "no public key"),
        (lambda _peer: None, "cannot be read"),
    ],
)
def test_everything_else_is_a_sentence(
    made: tuple[Identity, Authority], serve: Serve, said: str
) -> None:
    """Of which nothing is the server's own words."""
    found = why(made, serve)
    assert said in found
    assert "SECRET" not in found
    assert "\n" not in found


def test_any_bytes_are_a_sentence(made: tuple[Identity, Authority]) -> None:
    """Drawn with a seed."""
    draw = random.Random(11)  # noqa: S311 - no secret
    for _ in range(10):
        raw = b"HTTP/1.1 200 " + draw.randbytes(draw.randrange(200))
        assert why(made, sends(raw))


def test_a_server_that_hangs_or_drips_is_left(made: tuple[Identity, Authority]) -> None:
    """There is one deadline for everything; the connection is shut, so that no thread stays."""
    over, shut = threading.Event(), threading.Event()

    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        try:
            while not over.wait(0.02):
                peer.sendall(b"x")
        except OSError:
            shut.set()

    assert "has not answered in 0.5 s" in why(made, drip, timeout_s=0.5)
    assert shut.wait(60.0)


def test_a_handshake_that_hangs_is_left(made: tuple[Identity, Authority]) -> None:
    """As everything else."""
    over = threading.Event()
    identity, authority = made

    def hang(_peer: socket.socket) -> None:
        over.wait(60.0)

    with forge(identity, hang, tls=False) as port:
        url, tls = f"https://localhost:{port}/", trusting(authority)
        with pytest.raises(KeySourceError, match=r"in time|has not answered"):
            fetch_keys(url, SystemClock(), timeout_s=0.3, tls=tls)
        over.set()


def test_who_is_not_vouched_for_is_not_believed(
    made: tuple[Identity, Authority], tmp_path: Path
) -> None:
    """Neither by its authority nor for its name; nor is nobody there."""
    identity, authority = made
    other = trusting(Authority(tmp_path, "other"))
    with (
        forge(identity, says(ED25519)) as port,
        pytest.raises(KeySourceError, match="cannot be trusted"),
    ):
        fetch_keys(f"https://localhost:{port}/", SystemClock(), tls=other)
    with pytest.raises(KeySourceError, match="cannot be read: Connection refused"):
        fetch_keys(f"https://localhost:{port}/", SystemClock(), tls=trusting(authority))


@pytest.mark.parametrize(
    "url",
    ["", "x", "http://h/x", "ftp://h/", "https://", "https://a b/", "https://u@h/", "https://h:x/",
     "https://[::1/", "https://h/\n", "https://h/" + "x" * 2000, "https://\u00e9/"],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(KeyUrlError, match=r"^is "):
        check_url(url)
    with pytest.raises(KeySourceError):
        fetch_keys(url, SystemClock())


def test_what_a_url_asks_for() -> None:
    """With its question, without its fragment."""
    assert parts_of("https://h:8443/a?b=c#d") == ("h", 8443, "/a?b=c")
    assert parts_of("https://h") == ("h", 443, "/")
