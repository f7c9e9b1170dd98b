"""Callers that are slow, silent, huge or many: whoever calls now is answered all the same.

Where the time limit of a caller is :data:`NEVER`, an answer cannot be owed to it.
"""

import contextlib
import random
import resource
import socket
from collections.abc import Callable, Iterator

import pytest

from remuda.web.pages import PageSources, Readiness
from remuda.web.server import CALLERS_MAX, WebServer
from tests.support.deadline import wait_for

NEVER = 3600.0
ANSWER_S = 60.0  # what a test waits at most for an answer, on however slow a machine
BIG = b"x" * 6_000_000


@contextlib.contextmanager
def serving(*, caller_timeout_s: float = NEVER) -> Iterator[int]:
    """Serve small pages and huge metrics; yield the port."""
    sources = PageSources(
        title="launcher of east",
        metrics=lambda: BIG,
        ready=lambda: Readiness(ok=True, reason="all is well"),
        status=dict,
    )
    with WebServer(sources, caller_timeout_s=caller_timeout_s) as server:
        yield int(server.url.rpartition(":")[2])


def call(port: int) -> socket.socket:
    """Connect."""
    sock = socket.create_connection(("127.0.0.1", port), ANSWER_S)
    sock.settimeout(ANSWER_S)
    return sock


def ask(port: int, path: str, wanted: int = 200) -> bytes:
    """Return the first *wanted* bytes of an answer."""
    with call(port) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = bytearray()
        while len(got) < wanted and (more := sock.recv(65536)):
            got += more
    return bytes(got)


def silent(_sock: socket.socket) -> None:
    """Say nothing."""


def half(sock: socket.socket) -> None:
    """Begin a request."""
    sock.sendall(b"GET /live HTTP/1.1\r\nHost: ")


def reads_nothing(sock: socket.socket) -> None:
    """Ask for a large page and leave it where it is."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Allow both ends of a thousand connections in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
@pytest.mark.parametrize(
    ("behave", "count"),
    [(silent, 16), (silent, 1000), (half, CALLERS_MAX), (reads_nothing, CALLERS_MAX + 16)],
)
def test_live_ready_and_metrics_are_answered_beside_slow_callers(
    behave: Callable[[socket.socket], None], count: int
) -> None:
    """None of them is overdue yet; where all places are taken, the oldest makes room."""
    with serving() as port, contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(ConnectionError):  # dropped already for a newer one
                behave(stack.enter_context(call(port)))

        live, ready, metrics = (ask(port, path) for path in ("/live", "/ready", "/metrics"))

    assert live.startswith(b"HTTP/1.0 200 OK")
    assert b'"ready": true' in ready
    assert metrics.startswith(b"HTTP/1.0 200 OK")


def test_the_oldest_is_dropped_for_the_newest() -> None:
    """The others stay."""
    with serving() as port, contextlib.ExitStack() as stack:
        first, *others = (stack.enter_context(call(port)) for _ in range(CALLERS_MAX))
        stack.enter_context(call(port))

        assert first.recv(1) == b""
        others[0].sendall(b"GET /live HTTP/1.1\r\n\r\n")
        assert others[0].recv(4) == b"HTTP"


@pytest.mark.parametrize("behave", [silent, half, reads_nothing])
def test_a_slow_caller_is_dropped_in_the_end(behave: Callable[[socket.socket], None]) -> None:
    """However many bytes it still sends; the descriptors are given back."""
    with serving(caller_timeout_s=0.2) as port, call(port) as sock:
        behave(sock)

        def dropped() -> bool:
            try:
                sock.send(b"x")
            except OSError:
                return True
            return False

        assert wait_for(dropped, ANSWER_S, "the caller to be dropped")


def test_a_whole_answer_reaches_a_reader_that_keeps_up() -> None:
    """In as many pieces as it takes."""
    with serving() as port:
        assert ask(port, "/metrics", wanted=2**62).endswith(BIG)


def test_a_huge_head_is_refused_at_its_limit() -> None:
    """Not collected."""
    with serving() as port, call(port) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000)
        assert b"431" in sock.recv(4096)


def test_half_closed_and_vanished_callers_are_forgotten() -> None:
    """One that says it has ended is answered if it asked for something, else dropped at once."""
    with serving() as port, call(port) as asked, call(port) as silent_one, call(port) as gone:
        gone.close()
        silent_one.shutdown(socket.SHUT_WR)
        assert silent_one.recv(1) == b""
        asked.sendall(b"GET /live HTTP/1.1\r\n\r\n")
        asked.shutdown(socket.SHUT_WR)
        assert b"200 OK" in asked.recv(4096)


@pytest.mark.parametrize("seed", range(50))
def test_any_bytes_get_an_answer_or_an_end(seed: int) -> None:
    """And the next caller its own."""
    rng = random.Random(seed)  # noqa: S311
    line = rng.choice(
        [b"GET /live HTTP/1.1\r\n", b"GET  \x00 HTTP/9\r\n", b"\xff\xfe\r\n", b" \r\n"]
    )
    with serving() as port:
        with call(port) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(line + rng.randbytes(rng.randrange(200)) + b"\r\n\r\n")
            assert sock.recv(65536)[:5] in {b"HTTP/", b""}
        assert ask(port, "/live").startswith(b"HTTP/1.0 200 OK")
