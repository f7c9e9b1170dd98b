"""A server before 3.6, played by a few lines: it answers "unimplemented" and hangs up."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from remuda.store.api import StoreRefusedError
from remuda.store.options import StoreOptions
from remuda.store.zookeeper import ZookeeperStore

UNIMPLEMENTED = -6


def take(connection: socket.socket) -> bytes:
    """Return one packet, empty at the end."""
    head = connection.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return b""
    return connection.recv(struct.unpack("!i", head)[0], socket.MSG_WAITALL)


def give(connection: socket.socket, body: bytes) -> None:
    """Send one packet."""
    connection.sendall(struct.pack("!i", len(body)) + body)


def serve(listener: socket.socket) -> None:
    """Greet each client, and answer its first request like a server that does not know it."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            take(connection)
            password = b"\0" * 16
            give(connection, struct.pack("!iiqi", 0, 4000, 0x17, len(password)) + password + b"\0")
            if request := take(connection):
                (xid,) = struct.unpack_from("!i", request)
                give(connection, struct.pack("!iqi", xid, 1, UNIMPLEMENTED))


@pytest.fixture
def old_server() -> Iterator[str]:
    """Listen on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5.0)


def test_a_server_that_cannot_watch_trees_is_refused_by_name_of_the_version(
    old_server: str,
) -> None:
    """At connecting, not at the first mirror."""
    with pytest.raises(StoreRefusedError, match=r"3\.6 or newer"):
        ZookeeperStore.connect(StoreOptions(hosts=(old_server,), session_s=4.0), wait_s=10.0)
