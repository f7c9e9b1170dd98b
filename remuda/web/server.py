"""The status endpoint of a process: a few read-only pages that cost nothing while nobody asks.

One thread serves all callers: it sleeps in the kernel until somebody calls (uvicorn's loop looks at
its flags ten times a second, measured as 0.25 % of a core and 10 MiB more), and no caller can hold
it, for nothing in it waits for one. Each has an absolute time limit, and where all places are taken
the longest-served makes room: whoever calls now is answered, whatever others do.
"""

import errno
import os
import selectors
import socket
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from remuda import logs
from remuda.runtime.clock import Clock, SystemClock
from remuda.web.http import (
    HEAD_BYTES_MAX,
    HttpRequest,
    is_whole,
    read_request,
    write_refusal,
    write_reply,
)
from remuda.web.pages import PageSources, answer

#: Callers served at once; of more, the oldest is dropped: a monitoring system comes again.
CALLERS_MAX: Final = 64
#: For a caller to send its request, and again to take the answer.
CALLER_TIMEOUT_S: Final = 3.0
#: When no connection can be accepted (no descriptors left), so long nobody is heard.
_DEAF_S: Final = 1.0
_BACKLOG: Final = 128
_CHUNK: Final = 64 * 1024


class ListenError(OSError):
    """The endpoint cannot listen where it was told to."""


class PortInUseError(ListenError):
    """Somebody else listens there already."""


@dataclass(slots=True, eq=False)
class _Caller:
    """One connection with one request.

    Attributes:
        ends_s: It is dropped then (monotonic seconds).
        heard: What came of its request so far.
        left: What is still to be sent of the answer, once there is one.
    """

    sock: socket.socket
    ends_s: float
    heard: bytearray = field(default_factory=bytearray)
    left: memoryview | None = None


class WebServer:
    """Serves the pages of *sources*; ``with WebServer(...) as server: server.url``.

    Attributes:
        url: Where it listens, with the port that was really bound.
    """

    def __init__(
        self,
        sources: PageSources,
        *,
        listen: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        caller_timeout_s: float = CALLER_TIMEOUT_S,
    ) -> None:
        """Bind the port; nothing is answered before :meth:`start`.

        Args:
            sources: What the pages show.
            listen: Address of this host.
            port: 0 takes any free one.
            clock: The time.
            caller_timeout_s: For a caller to send its request, and again to take the answer.

        Raises:
            PortInUseError: If the port is taken.
            ListenError: If the address is not ours, or the port not allowed to us.
        """
        self._sources = sources
        self._clock: Clock = clock or SystemClock()
        self._caller_timeout_s = caller_timeout_s
        self._listener = _bind(listen, port)
        self._listener.setblocking(False)  # noqa: FBT003 - its only argument
        self._ear, self._mouth = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._callers: dict[int, _Caller] = {}  # oldest first
        self._deaf_until_s: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        host = f"[{listen}]" if ":" in listen else listen
        self.url = f"http://{host}:{self._listener.getsockname()[1]}"

    def start(self) -> str:
        """Begin to answer; return the URL."""
        self._thread.start()
        return self.url

    def stop(self) -> None:
        """Stop answering and free the port; returns at once, may be called twice."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread.is_alive():
            self._mouth.send(b"x")
            self._thread.join()
        for caller in tuple(self._callers.values()):
            self._drop(caller)
        self._selector.close()
        for sock in (self._listener, self._ear, self._mouth):
            sock.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(self._wait_s()):
                if key.fileobj is self._listener:
                    self._accept()
                elif caller := self._callers.get(key.fd):
                    self._attend(caller)
            self._end_what_is_due()

    def _wait_s(self) -> float | None:
        """Return how long nothing can become due; None: until somebody calls."""
        due = [caller.ends_s for caller in self._callers.values()]
        if self._deaf_until_s is not None:
            due.append(self._deaf_until_s)
        return max(0.0, min(due) - self._clock.monotonic_s()) if due else None

    def _end_what_is_due(self) -> None:
        now_s = self._clock.monotonic_s()
        for caller in [one for one in self._callers.values() if one.ends_s <= now_s]:
            self._drop(caller)
        if self._deaf_until_s is not None and self._deaf_until_s <= now_s:
            self._deaf_until_s = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self) -> None:
        """Take one caller, so that those who are here have their turn between two."""
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # it went away again
        except OSError as exc:
            logs.get_logger().warning("web.deaf", cause=exc.strerror)
            self._selector.unregister(self._listener)
            self._deaf_until_s = self._clock.monotonic_s() + _DEAF_S
            return
        if len(self._callers) >= CALLERS_MAX:
            self._drop(next(iter(self._callers.values())))
        sock.setblocking(False)  # noqa: FBT003 - its only argument
        caller = _Caller(sock, self._clock.monotonic_s() + self._caller_timeout_s)
        self._callers[sock.fileno()] = caller
        self._selector.register(sock, selectors.EVENT_READ)

    def _attend(self, caller: _Caller) -> None:
        """Go on with one caller as far as it goes without waiting."""
        try:
            if caller.left is None:
                self._hear(caller)
            if caller.left is not None:
                caller.left = caller.left[caller.sock.send(caller.left) :]
        except BlockingIOError:
            return
        except OSError:
            self._drop(caller)
            return
        if caller.left is not None and not caller.left:
            self._drop(caller)

    def _hear(self, caller: _Caller) -> None:
        """Take what has come of the request; once it is whole, have the answer ready."""
        data = caller.sock.recv(_CHUNK)
        caller.heard += data
        if len(caller.heard) > HEAD_BYTES_MAX:
            reply = write_refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif is_whole(caller.heard):
            reply = self._reply(bytes(caller.heard))
        elif data:
            return
        else:
            raise ConnectionError("it went away before it had asked")
        caller.left = memoryview(reply)
        caller.ends_s = self._clock.monotonic_s() + self._caller_timeout_s
        self._selector.modify(caller.sock, selectors.EVENT_WRITE)

    def _reply(self, head: bytes) -> bytes:
        """Return the answer; empty if the page failed: its caller sees a closed connection."""
        match read_request(head):
            case HttpRequest(method, target):
                try:
                    return write_reply(answer(target, self._sources), with_body=method != "HEAD")
                except Exception:  # noqa: BLE001 - a bug in a page must not end the endpoint
                    logs.get_logger().exception("web.failed", page=target[:100])
                    return b""
            case status:
                return write_refusal(status)

    def _drop(self, caller: _Caller) -> None:
        del self._callers[caller.sock.fileno()]
        self._selector.unregister(caller.sock)
        caller.sock.close()


def _bind(listen: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    both = listen == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            (listen, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} of {listen} is in use by another process: "
                "choose another for web: port, of the provider where several share a host, or 0 "
                "for any free one"
            ) from exc
        why = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
        raise ListenError(f"cannot listen on port {port} of {listen}: {why}") from exc
