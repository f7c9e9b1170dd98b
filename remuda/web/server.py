"""The status endpoint of a process: a few read-only pages that cost nothing while nobody asks.

The standard library's server is used on purpose: it blocks in the kernel until somebody calls,
while uvicorn's loop looks at its flags ten times a second (measured: 0.25 % of a core and 10 MiB
more), which a process that waits for a watch all day should not pay.
"""

import errno
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Final, Self

from remuda import logs
from remuda.web.pages import Reply, Sources, answer

#: Callers served at once; more are dropped, a monitoring system comes again.
CALLERS_MAX: Final = 16
#: A caller that says nothing for so long is dropped.
CALLER_TIMEOUT_S: Final = 10.0
_WAKE_TIMEOUT_S: Final = 1.0


class ListenError(OSError):
    """The endpoint cannot listen where it was told to."""


class PortInUseError(ListenError):
    """Somebody else listens there already."""


class WebServer:
    """Serves the pages of *sources*; ``with WebServer(...) as server: server.url``.

    Attributes:
        url: Where it listens, with the port that was really bound.
    """

    def __init__(self, sources: Sources, *, listen: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the port; nothing is answered before :meth:`start`.

        Args:
            sources: What the pages show.
            listen: Address of this host.
            port: 0 takes any free one.

        Raises:
            PortInUseError: If the port is taken.
            ListenError: If the address is not ours, or the port not allowed to us.
        """
        self._server = _bind(listen, port, sources)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._listen = listen
        self._port: int = self._server.server_address[1]
        host = f"[{listen}]" if ":" in listen else listen
        self.url = f"http://{host}:{self._port}"

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
            self._wake()
            self._thread.join()
        self._server.server_close()

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
            self._server.handle_request()

    def _wake(self) -> None:
        """Call ourselves: the accepting thread sits in the kernel and sees no flags."""
        own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._listen, self._listen)  # noqa: S104
        try:
            socket.create_connection((own, self._port), timeout=_WAKE_TIMEOUT_S).close()
        except OSError as exc:
            # Its backlog is full: then it is awake anyway.
            logs.get_logger().debug("web.wake", cause=str(exc))


class _Server(ThreadingMixIn, TCPServer):
    """One thread per caller, at most :data:`CALLERS_MAX` of them."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = CALLERS_MAX
    timeout = None

    def __init__(self, address: tuple[str, int], sources: Sources) -> None:
        self.sources = sources
        self._room = threading.BoundedSemaphore(CALLERS_MAX)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Caller)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a caller in a thread of its own, or drop it if there are too many."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had: the library closes the connection
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one caller."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what a page or a caller did wrong; the caller sees a closed connection."""
        logs.get_logger().exception("web.failed", caller=str(client_address))


class _Caller(BaseHTTPRequestHandler):
    """One connection with one request (HTTP/1.0: no connection is kept open)."""

    timeout = CALLER_TIMEOUT_S
    server: _Server
    server_version = "remuda"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page."""
        self._send(answer(self.path, self.server.sources), with_body=True)

    def do_HEAD(self) -> None:
        """Answer with the page's headers."""
        self._send(answer(self.path, self.server.sources), with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Keep no access log."""

    def _send(self, reply: Reply, *, with_body: bool) -> None:
        self.send_response(HTTPStatus(reply.status))
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(reply.body)


def _bind(listen: str, port: int, sources: Sources) -> _Server:
    try:
        return _Server((listen, port), sources)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} of {listen} is in use by another process: "
                "choose another for web: port, or 0 for any free one"
            ) from exc
        raise ListenError(f"cannot listen on port {port} of {listen}: {exc.strerror}") from exc
