"""SSH ports that never answer."""

from __future__ import annotations

import socket
from typing import Final

from sandbox.machines.base import Listen, MachineError

_MUTE_BACKLOG: Final = 128
#: A backlog of 0 holds one connection; two more fill it for good, and the kernel then drops
#: SYNs instead of refusing them (listen(2), tcp(7) tcp_abort_on_overflow).
_FILLERS: Final = 2


class Traps:
    """Listeners that stand in for a machine's sshd, by machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._held: dict[str, list[socket.socket]] = {}

    def set(self, machine_id: str, address: str, kind: Listen) -> None:
        """Put up a trap; nothing to do for other kinds than mute and blackhole.

        Raises:
            MachineError: If the address is taken.
        """
        if kind not in (Listen.MUTE, Listen.BLACKHOLE) or not address:
            return
        listener = socket.socket()
        held = self._held.setdefault(machine_id, [])
        held.append(listener)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, self._port))
            listener.listen(_MUTE_BACKLOG if kind is Listen.MUTE else 0)
        except OSError as exc:
            self.drop(machine_id)
            raise MachineError(f"cannot listen on {address}: {exc}") from exc
        for _ in range(_FILLERS if kind is Listen.BLACKHOLE else 0):
            filler = socket.socket()
            filler.settimeout(0)
            filler.connect_ex((address, self._port))
            held.append(filler)

    def drop(self, machine_id: str) -> None:
        """Take a machine's trap away."""
        for each in self._held.pop(machine_id, []):
            each.close()

    def close(self) -> None:
        """Take all traps away."""
        for machine_id in list(self._held):
            self.drop(machine_id)
