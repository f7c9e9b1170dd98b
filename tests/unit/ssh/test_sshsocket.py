"""A socket's deadlines on a clock that a test moves: what comes and goes puts none of them off."""

import socket
from collections.abc import Iterator

import pytest

from remuda.ssh.sshsocket import STALL_S, SshSocket
from tests.fakes.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def ends(clock: ManualClock) -> Iterator[tuple[SshSocket, socket.socket]]:
    """Return a socket and its other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    sock = SshSocket(ours, clock)
    with theirs:
        yield sock, theirs
    sock.close()


def test_a_peer_that_speaks_is_overdue_all_the_same(
    ends: tuple[SshSocket, socket.socket], clock: ManualClock
) -> None:
    """The byte that has come after the deadline is not read any more."""
    sock, peer = ends
    with sock.ends_by(5.0):
        peer.sendall(b"a")
        heard = sock.recv(1)
        clock.advance(5.0)
        peer.sendall(b"b")
        with pytest.raises(EOFError, match="no answer in time"):
            sock.recv(1)

    assert heard == b"a"
    assert sock.expired


def test_a_peer_that_reads_is_overdue_all_the_same(
    ends: tuple[SshSocket, socket.socket], clock: ManualClock
) -> None:
    """Sending has the same deadline."""
    sock, _ = ends
    with sock.ends_by(5.0):
        assert sock.send(b"a") == 1
        clock.advance(5.0)
        with pytest.raises(EOFError, match="no answer in time"):
            sock.send(b"b")


def test_of_several_deadlines_the_first_one_holds_until_it_is_left(
    ends: tuple[SshSocket, socket.socket], clock: ManualClock
) -> None:
    """Threads share a connection, and each has its own."""
    sock, peer = ends
    peer.sendall(b"abc")
    outer, inner = sock.ends_by(10.0), sock.ends_by(20.0)
    outer.__enter__()
    inner.__enter__()
    clock.advance(9.0)
    first = sock.recv(1)
    outer.__exit__(None, None, None)
    clock.advance(9.0)
    sock.send(b"x")
    clock.advance(9.0)
    with pytest.raises(EOFError):
        sock.send(b"x")
    inner.__exit__(None, None, None)
    assert sock.send(b"x") == 1
    assert first == b"a"


class Stuck:
    """A socket whose peer takes bytes only when a test says so."""

    def __init__(self) -> None:
        self.takes = False

    def settimeout(self, _seconds: float) -> None:
        """Wait for nobody."""

    def send(self, data: bytes) -> int:
        """Take a byte, or time out."""
        if not self.takes:
            raise TimeoutError
        return len(data[:1])


def test_a_peer_that_takes_nothing_for_long_is_dead(clock: ManualClock) -> None:
    """Without any deadline, as in a session that lasts; a single byte taken begins anew."""
    stuck = Stuck()
    sock = SshSocket(stuck, clock)  # type: ignore[arg-type]  # as far as it sends

    def times_out() -> None:
        with pytest.raises(TimeoutError):
            sock.send(b"x")

    times_out()
    clock.advance(STALL_S - 1)
    times_out()
    stuck.takes = True
    assert sock.send(b"xyz") == 1
    stuck.takes = False
    clock.advance(STALL_S - 1)
    times_out()
    clock.advance(STALL_S - 1)
    times_out()
    clock.advance(1)
    with pytest.raises(EOFError, match="takes nothing"):
        sock.send(b"x")
