"""An absolute end, and a bound, for an answer of a cloud, however slowly it comes.

The time-outs of ``requests`` hold for each read of a socket: a server that sends a byte now and
then keeps a thread for ever. Here the headers and the body of an answer have one deadline
together. What comes before them is bounded by Python itself: connecting, the TLS handshake and
sending have one time-out each (``ssl.SSLSocket.do_handshake``, ``socket.sendall``).
"""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from keystoneauth1.session import TCPKeepAliveAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from remuda.runtime.clock import SystemClock
from remuda.visible import visible

#: Longer answers are refused: a page of a thousand servers has a few million bytes.
ANSWER_BYTES_MAX: Final = 64 << 20
_PIECE_BYTES: Final = 1 << 16
_REDIRECT: Final = 3
#: Each has the time of an answer; a proxy needs one.
REDIRECTS_MAX: Final = 3

_clock = SystemClock()
#: How long an answer to what this thread sends may take; None: as long as it is not silent.
_answer_s: ContextVar[float | None] = ContextVar("answer_s", default=None)


class LedAwayError(requests.RequestException):
    """The answer leads on to another host: that gets neither our token nor our password."""


class TooLongError(requests.RequestException):
    """The body of an answer has more bytes than we take."""


@contextmanager
def answer_within(seconds: float) -> Iterator[None]:
    """Let the answer to what this block sends be complete so many seconds after it was sent.

    Its body may be read after the block; the deadline stays.
    """
    token = _answer_s.set(seconds)
    try:
        yield
    finally:
        _answer_s.reset(token)


def body_of(response: requests.Response) -> bytes:
    """Return the body of an answer that was asked for as a stream.

    Raises:
        requests.RequestException: If it ends too early, comes too slowly or is too long.
    """
    body = bytearray()
    for piece in response.iter_content(_PIECE_BYTES):
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            response.close()
            raise TooLongError(f"the answer has more than {ANSWER_BYTES_MAX >> 20} MiB")
    return bytes(body)


class _Reader(io.RawIOBase):
    """Reads from a socket, never for longer than the deadline allows."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        # A file of the socket keeps it open until this is closed, as http.client relies on.
        self._raw = sock.makefile("rb", buffering=0)
        self._silence_s = sock.gettimeout()
        seconds = _answer_s.get()
        self._until_s = None if seconds is None else _clock.monotonic_s() + seconds

    def readable(self) -> bool:
        """Return True: that is what it is for."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read what is there, or wait for it until the deadline."""
        if self._until_s is not None:
            left_s = self._until_s - _clock.monotonic_s()
            if left_s <= 0.0:
                raise TimeoutError("the answer came too slowly")
            silence_s = left_s if self._silence_s is None else self._silence_s
            self._sock.settimeout(min(left_s, silence_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer that is read with a deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _port(url: SplitResult) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _leads_away(url: str, location: str) -> bool:
    """Whether a redirect leads to another host or port, or out of TLS; into TLS it may."""
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, location))
        same = (here.scheme, _port(here)) == (there.scheme, _port(there))
    except ValueError:
        return True
    into_tls = (here.scheme, there.scheme) == ("http", "https")
    return here.hostname != there.hostname or not (same or into_tls)


class BoundedAdapter(TCPKeepAliveAdapter):
    """Makes connections whose answers keep to :func:`answer_within`, and lead nowhere else."""

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send, and return the answer.

        Raises:
            LedAwayError: It is a redirect to elsewhere; whoever asked would follow it.
        """
        response = super().send(request, *args, **kwargs)
        location = response.headers.get("Location")
        if (
            response.status_code // 100 == _REDIRECT
            and location
            and _leads_away(request.url or "", location)
        ):
            response.close()
            raise LedAwayError(f"it leads on to another host: {visible(location[:200])}")
        return response

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, of our connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools for a proxy, of our connections."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
