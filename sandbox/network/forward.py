"""Floating IPs at work: TCP to a floating address's SSH port reaches the fixed address."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from sandbox.network.tables import Row

_LOG = logging.getLogger(__name__)
_CHUNK = 65536
_CONNECT_S = 10.0


class Forwarder:
    """One listener per associated floating IP, on loopback, in this process's event loop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wanted: dict[str, str] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()

    def changed(self, floating: Row, _port_before: str | None) -> None:
        """Follow a floating IP: see :attr:`NetworkState.floating_changed`."""
        outside, inside = floating["floating_ip_address"], floating["fixed_ip_address"]
        if self._wanted.get(outside) == inside:
            return
        if inside:
            self._wanted[outside] = inside
        else:
            self._wanted.pop(outside, None)
        task = asyncio.get_running_loop().create_task(self._adjust(outside))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _adjust(self, outside: str) -> None:
        async with self._lock:
            listening = outside in self._servers
            if outside in self._wanted and not listening:
                try:
                    self._servers[outside] = await asyncio.start_server(
                        lambda r, w: self._relay(outside, r, w), outside, self._port
                    )
                except OSError as exc:
                    _LOG.warning("floatingip.unusable address=%s cause=%s", outside, exc)
            elif outside not in self._wanted and listening:
                self._servers.pop(outside).close()

    async def _relay(
        self, outside: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        inside = self._wanted.get(outside, "")
        try:
            there = await asyncio.wait_for(asyncio.open_connection(inside, self._port), _CONNECT_S)
        except OSError:  # refused, or TimeoutError: the client sees a closed connection
            writer.close()
            return
        await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

    async def close(self) -> None:
        """Stop listening."""
        self._wanted.clear()
        for server in self._servers.values():
            server.close()
        self._servers.clear()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
