"""A floating IP: a listener whose TCP connections end at a server's fixed address."""

import contextlib
import socket
import threading

_BACKLOG = 64
_CONNECT_S = 10.0
_CHUNK = 65536


class Forward:
    """Forwards one port from one address to another until it is closed."""

    def __init__(self, outside: str, inside: str, port: int) -> None:
        self.inside = inside
        self._port = port
        self._listener = socket.create_server((outside, port), backlog=_BACKLOG)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accept()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection((self.inside, self._port), timeout=_CONNECT_S)
            except OSError:
                return
            with server:
                server.settimeout(None)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
