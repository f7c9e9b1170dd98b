"""Machines with a network of their own: a mirror here for them, and what of them is here."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.support.stage import Doc

BLOB: Final = b"x" * (2 * 2**20)
#: Where an image has it.
CACHE: Final = "/var/cache/blob"
_COMMAND_S: Final = 60.0
#: As ip(7) has it; Python has no name for it. The host has the address only while machines run.
_IP_FREEBIND: Final = 15


class _Mirror(BaseHTTPRequestHandler):
    """Gives everybody the same."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(BLOB)))
        self.end_headers()
        self.wfile.write(BLOB)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """Listens at one address, whether or not the host has it yet."""

    def server_bind(self) -> None:
        """Bind."""
        self.socket.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        super().server_bind()


@contextmanager
def serve_blob(address: str) -> Iterator[str]:
    """Serve :data:`BLOB` at an address of this host; give the command by which it is fetched.

    It prints the blob, unless ``-o FILE`` follows.
    """
    server = _Server((address, 0), _Mirror)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"curl -sSf --max-time 60 http://{address}:{server.server_port}/blob"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def cached_checks(fetch: str) -> list[Doc]:
    """Return what has to hold on a machine that has the cache, and no network."""
    return [
        {"name": "cache", "script": {"inline": f"test $(wc -c <{CACHE}) = {len(BLOB)}"}},
        {"name": "no mirror", "script": {"inline": f"! {fetch} -o /dev/null"}},
    ]


def fetching_check(fetch: str) -> Doc:
    """Return what passes wherever the mirror can be reached."""
    return {"name": "fetches", "script": {"inline": f"{fetch} -o /tmp/blob"}}


def ends() -> set[str]:
    """Return the interfaces of this host that belong to such machines."""
    command = ["ip", "-brief", "link"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_COMMAND_S)
    return {line.split("@")[0] for line in told.stdout.splitlines() if line.startswith("sb")}
