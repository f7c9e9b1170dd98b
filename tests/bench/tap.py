"""A tap on the way to a cloud's compute service: when was which call sent?

A TCP forwarder in this process, so that its clock is the one that the requests were made by. It
passes bytes on as they come and only looks at the first line of each request.
"""

import contextlib
import re
import socket
import threading
import time
from typing import Final

_FIRST_LINE: Final = re.compile(rb"^(GET|POST|PUT|DELETE) (\S+) HTTP/1\.1\r\n")
_CHUNK_BYTES: Final = 65536


class Tap:
    """Forwards to a port of loopback.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._news = threading.Condition()
        self._calls: list[tuple[float, str, str]] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="tap", daemon=True).start()

    def close(self) -> None:
        """Listen no more; what is connected ends with its client."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            outer = socket.create_connection(("127.0.0.1", self._target))
            for one in (inner, outer):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target, look in ((inner, outer, True), (outer, inner, False)):
                threading.Thread(
                    target=self._pump, args=(source, target, look), name="tap-pump", daemon=True
                ).start()

    def _pump(self, source: socket.socket, target: socket.socket, look: bool) -> None:  # noqa: FBT001
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if look:
                    self._look(chunk, time.perf_counter())
                target.sendall(chunk)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _look(self, chunk: bytes, now_s: float) -> None:
        found = _FIRST_LINE.match(chunk)
        if found is None:
            return
        with self._news:
            self._calls.append((now_s, found[1].decode(), found[2].decode()))
            self._news.notify_all()

    def first(self, method: str, *, since_s: float, timeout_s: float) -> float:
        """Return when the first call of *method* since then came, by ``time.perf_counter``.

        Raises:
            TimeoutError: If none came in time.
        """
        found: list[float] = []

        def came() -> bool:
            found[:] = [at for at, what, _ in self._calls if what == method and at >= since_s]
            return bool(found)

        with self._news:
            if not self._news.wait_for(came, timeout_s):
                raise TimeoutError(f"no {method} within {timeout_s:g} s")
        return found[0]
