"""A TCP connection that has met an SSH banner, in the shape paramiko wants a socket to have.

Everything that waits for the peer waits here, so that one deadline ends every kind of wait: when
it has passed, reading and writing fail, however much comes and goes meanwhile; paramiko's thread
ends, and whoever waits for an answer is woken.
"""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from remuda.runtime.clock import Clock
from remuda.ssh.errors import NotSshError, NotYetError

#: How often a silent connection looks at its deadline and keepalive: the cost of idling, and how
#: late a deadline may be noticed.
SLICE_S: Final = 1.0

#: A server may send lines of text before its banner (RFC 4253 section 4.2); no more than this.
BANNER_BYTES_MAX: Final = 8 * 1024

#: Of a name with many addresses no more are tried.
ADDRESSES_MAX: Final = 4

#: A peer that takes nothing of what we send for so long is dead, deadline or not.
STALL_S: Final = 60.0

#: Read so much at once; a multiple of the largest SSH packet saves system calls.
CHUNK: Final = 128 * 1024

#: A dead peer is noticed by the kernel after about half a minute, idle or not.
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class SshSocket:
    """The connection; ``recv``, ``send``, ``close`` and ``settimeout`` are for paramiko."""

    def __init__(self, sock: socket.socket, clock: Clock, early: bytes = b"") -> None:
        """Take over *sock*; *early* was read from it already and is read again."""
        self._sock = sock
        self._clock = clock
        self._early = early
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._deadlines: dict[int, float] = {}
        self._deadline_s = float("inf")
        self._stalled_s: float | None = None
        self._timeout_s: float | None = None
        self._closed = False  # paramiko looks at this name
        self.heard_s = clock.monotonic_s()
        self.expired = False

    @contextmanager
    def ends_by(self, deadline_s: float) -> Iterator[None]:
        """Make reading and writing fail after *deadline_s*, unless this is left before.

        Several threads may be inside at once, and one thread several times: the first one ends all.
        """
        number = next(self._numbers)
        with self._lock:
            self._deadlines[number] = deadline_s
            self._deadline_s = min(self._deadlines.values())
        try:
            yield
        finally:
            with self._lock:
                del self._deadlines[number]
                self._deadline_s = min(self._deadlines.values(), default=float("inf"))

    def recv(self, size: int) -> bytes:
        """Return at most *size* bytes; empty at the end.

        Raises:
            TimeoutError: Nothing came for a slice of time; call again.
            EOFError: The deadline has passed.
        """
        if not self._early:
            self._early = self._receive()
        taken, self._early = self._early[:size], self._early[size:]
        return taken

    def _receive(self) -> bytes:
        self._limit_wait()
        data = self._sock.recv(CHUNK)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.heard_s = self._clock.monotonic_s()
        return data

    def send(self, data: bytes) -> int:
        """Send some of *data*; return how much.

        Raises:
            TimeoutError: The peer takes nothing for a slice of time; call again.
            EOFError: The deadline has passed, or the peer has taken nothing for very long.
        """
        self._limit_wait()
        try:
            sent = self._sock.send(data)
        except TimeoutError:
            now_s = self._clock.monotonic_s()
            if self._stalled_s is None:
                self._stalled_s = now_s
            if now_s - self._stalled_s >= STALL_S:
                raise EOFError("it takes nothing of what we send") from None
            raise
        self._stalled_s = None
        return sent

    def _limit_wait(self) -> None:
        """Let the next wait for the peer end after a slice of time, or at the deadline.

        Raises:
            EOFError: The deadline has passed. Looked at before every wait, not only after vain
                ones: a peer that sends a byte now and then would never be overdue.
        """
        left_s = self._deadline_s - self._clock.monotonic_s()
        if left_s <= 0:
            self.expired = True
            raise EOFError("no answer in time")
        timeout_s = min(SLICE_S, left_s)
        if timeout_s != self._timeout_s:  # a system call each time
            self._timeout_s = timeout_s
            self._sock.settimeout(timeout_s)

    def settimeout(self, seconds: float | None) -> None:
        """Ignore what paramiko asks (0.1 s: ten wake-ups a second); we slice time ourselves."""

    def getpeername(self) -> object:
        """Return the address of the peer."""
        return self._sock.getpeername()

    def hang_up(self) -> None:
        """Wake whoever reads or writes; they then see the end. Closing alone would not."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back; may be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self.hang_up()
        self._sock.close()


def dial(address: str, port: int, *, timeout_s: float, clock: Clock) -> SshSocket:
    """Connect and meet the banner, both within *timeout_s*.

    Raises:
        NotYetError: Refused, no route, no name, silence, or closed at once.
        NotSshError: Something else than SSH answers.
    """
    deadline_s = clock.monotonic_s() + timeout_s
    try:
        sock = _connect(address, port, deadline_s, clock)
    except TimeoutError:
        raise NotYetError(f"no TCP connection within {timeout_s:g} s") from None
    except OSError as exc:
        raise NotYetError(exc.strerror or str(exc)) from exc
    try:
        early = _read_banner(sock, deadline_s, clock, timeout_s)
        for level, option, value in _KEEPALIVE:
            sock.setsockopt(level, option, value)
    except OSError as exc:
        sock.close()
        raise NotYetError(f"connected, then: {exc.strerror or exc}") from exc
    except BaseException:
        sock.close()
        raise
    return SshSocket(sock, clock, early)


def _connect(address: str, port: int, deadline_s: float, clock: Clock) -> socket.socket:
    """Connect to the first address that answers, with one deadline for all of them.

    Raises:
        OSError: None does, or there is none.
    """
    try:
        places = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except (ValueError, OverflowError) as exc:  # no text or number that could be one
        raise OSError(f"there is no such address or port ({exc})") from exc
    failed = OSError("the name has no address")
    for family, kind, protocol, _, place in places[:ADDRESSES_MAX]:
        left_s = deadline_s - clock.monotonic_s()
        if left_s <= 0:
            raise TimeoutError
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left_s)
            sock.connect(place)
        except OSError as exc:
            sock.close()
            failed = exc
            continue
        return sock
    raise failed


def _read_banner(sock: socket.socket, deadline_s: float, clock: Clock, timeout_s: float) -> bytes:
    """Read up to the line that begins with ``SSH-``; return all that was read."""
    got = b""
    while not _holds_banner(got):
        left_s = deadline_s - clock.monotonic_s()
        if left_s <= 0:
            raise NotYetError(f"connected, but no SSH banner within {timeout_s:g} s")
        sock.settimeout(left_s)
        try:
            more = sock.recv(BANNER_BYTES_MAX)
        except TimeoutError:
            continue
        if not more:
            raise NotYetError("connected, and closed before the SSH banner")
        got += more
        if len(got) >= BANNER_BYTES_MAX and not _holds_banner(got):
            raise NotSshError(f"not an SSH server: it says {got[:40]!r}")
    return got


def _holds_banner(got: bytes) -> bool:
    whole, found, _ = got.rpartition(b"\n")
    return bool(found) and any(line.startswith(b"SSH-") for line in whole.split(b"\n"))
