"""A ZooKeeper of a few lines, for what a real one does at the wrong moment only."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: How one connection is served once it has been greeted: its number, from 0, and the socket.
Serve = Callable[[int, socket.socket], None]


def take(connection: socket.socket) -> bytes:
    """Return one packet, empty at the end."""
    head = _exactly(connection, 4)
    return _exactly(connection, struct.unpack("!i", head)[0]) if head else b""


def _exactly(connection: socket.socket, length: int) -> bytes:
    """Return *length* bytes, none at the end."""
    found = b""
    while len(found) < length:
        more = connection.recv(length - len(found))
        if not more:
            return b""
        found += more
    return found


def give(connection: socket.socket, body: bytes) -> None:
    """Send one packet."""
    connection.sendall(struct.pack("!i", len(body)) + body)


def answer(connection: socket.socket, request: bytes, code: int = 0) -> None:
    """Answer *request* with an error, or with success and nothing more."""
    (xid,) = struct.unpack_from("!i", request)
    give(connection, struct.pack("!iqi", xid, 1, code))


@contextmanager
def standin_server(serve: Serve, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Listen on a free port, greet every client and leave it to *serve*; give host:port."""

    def speak(number: int, connection: socket.socket) -> None:
        take(connection)
        give(connection, struct.pack("!iiqi", 0, 4000, 0x17, 16) + b"\0" * 17)
        serve(number, connection)

    def run(listener: socket.socket) -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                if tls is None:
                    speak(number, connection)
                else:
                    with tls.wrap_socket(connection, server_side=True) as secured:
                        speak(number, secured)
            number += 1

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5.0)
