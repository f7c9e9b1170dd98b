"""Swift in one process: its proxy, and behind it a server each for accounts, containers, objects.

They are Swift's own applications under Swift's own HTTP server, of which there is one per green
thread. One device, one replica; the rings name ports that are free when we start. Objects lie on
disk as Swift keeps them, or in memory where the file system keeps no extended attributes.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from swift.common import utils, wsgi

_KINDS = ("account", "container", "object")
_DEVICE = "lab"
_IDLE_S = 60
#: Partitions of a ring: two to this power; one device needs few.
_PART_POWER = 2

App = Callable[..., Iterable[bytes]]


def serve(state: Path, port: int, gate: Callable[[App], App]) -> None:
    """Serve until killed.

    Args:
        state: Of the lab.
        port: The proxy's.
        gate: What stands before the proxy.
    """
    utils.monkey_patch()
    import eventlet  # noqa: PLC0415 - after the patches
    from swift.common.http_protocol import SwiftHttpProtocol  # noqa: PLC0415

    etc, devices = state / "etc", state / "swift"
    (devices / _DEVICE).mkdir(parents=True, exist_ok=True)
    utils.set_swift_dir(str(etc))
    utils.validate_hash_conf()
    sockets = {kind: eventlet.listen(("127.0.0.1", 0)) for kind in _KINDS}
    served = []
    for kind in _KINDS:
        _ring(etc, kind, sockets[kind].getsockname()[1])
        served.append((sockets[kind], _backend(etc, devices, kind)))
    proxy = wsgi.loadapp(str(etc / "swift-proxy.conf"))
    served.append((eventlet.listen(("127.0.0.1", port), backlog=256), _Closing(gate(proxy))))
    threads = [
        eventlet.spawn(
            eventlet.wsgi.server,
            each,
            app,
            log_output=False,
            protocol=SwiftHttpProtocol,
            socket_timeout=_IDLE_S,
            log=_Log(),
            debug=False,
        )
        for each, app in served
    ]
    for thread in threads:
        thread.wait()


class _Log:
    """What eventlet says, on our standard error."""

    def write(self, text: str) -> None:
        """Say it."""
        sys.stderr.write(text)

    info = debug = error = write


class _Closing:
    """Closes the connection where the gate says that it is dropped, as the other server does."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Handle one request."""
        sock = environ["wsgi.input"].get_socket()
        try:
            return self._guarded(self._app(environ, start_response), sock)
        except ConnectionResetError:
            _hang_up(sock)
            raise

    @staticmethod
    def _guarded(answer: Iterable[bytes], sock: socket.socket) -> Iterator[bytes]:
        try:
            yield from answer
        except ConnectionResetError:
            _hang_up(sock)
            raise
        finally:
            getattr(answer, "close", lambda: None)()


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _ring(etc: Path, kind: str, port: int) -> None:
    from swift.common.ring import RingBuilder  # noqa: PLC0415 - after the patches

    builder = RingBuilder(_PART_POWER, 1, 0)
    place = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": _DEVICE}
    builder.add_dev({**place, "weight": 1.0})
    builder.rebalance()
    builder.get_ring().save(str(etc / f"{kind}.ring.gz"))


def _backend(etc: Path, devices: Path, kind: str) -> App:
    name = "mem_object" if kind == "object" and not _keeps_attributes(devices) else kind
    conf = etc / f"swift-{kind}.conf"
    conf.write_text(
        f"[DEFAULT]\nswift_dir = {etc}\ndevices = {devices}\nmount_check = false\n"
        f"fallocate_reserve = 0\n[app:main]\nuse = egg:swift#{name}\n"
    )
    return wsgi.loadapp(str(conf))  # type: ignore[no-any-return]


def _keeps_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.lab", b"1")
    except OSError:
        return False
    return True
