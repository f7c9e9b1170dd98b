"""An SSH banner for servers without machines."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from sandbox.cloud import Cloud
from sandbox.compute.states import ServerState

_BANNER = b"SSH-2.0-OpenSSH_9.2 sandbox\r\n"
_HELD_S = 10.0


class BannerListener:
    """One listener for all addresses; who connects to an ACTIVE server's gets a banner.

    Bound to the wildcard address but to the device ``lo`` (socket(7), SO_BINDTODEVICE; needs
    no privilege since Linux 5.7), so nothing outside this machine can reach it.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to listen on the SSH port."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listener.bind(("0.0.0.0", self._cloud.host.ssh_port))  # noqa: S104 - lo only, see above
        self._server = await asyncio.start_server(self._greet, sock=listener)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        if self._is_up(address):
            writer.write(_BANNER)
            with contextlib.suppress(OSError):  # TimeoutError too: enough of waiting
                await asyncio.wait_for(reader.read(1024), _HELD_S)
        writer.close()

    def _is_up(self, address: str) -> bool:
        return any(
            server.state is ServerState.ACTIVE and server.address == address
            for region in self._cloud.regions
            for server in region.stores.servers.servers.values()
        )

    def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()
