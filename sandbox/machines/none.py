"""Machines that are not there: for thousands of servers."""

from __future__ import annotations

from pathlib import Path

from sandbox.machines.base import MachineError, Order


class NoMachines:
    """Keeps a line of console per machine and nothing else; a snapshot is an empty file."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}

    def create(self, order: Order) -> None:
        """Remember the order."""
        self._orders[order.id] = order

    def start(self, machine_id: str) -> int | None:
        """Nothing to start."""
        if machine_id not in self._orders:
            raise MachineError(f"no machine {machine_id}")
        return None

    def stop(self, machine_id: str) -> None:
        """Nothing to end."""

    def destroy(self, machine_id: str) -> None:
        """Forget it."""
        self._orders.pop(machine_id, None)

    def snapshot(self, machine_id: str, target: Path) -> None:
        """Write an empty file."""
        if machine_id not in self._orders:
            raise MachineError(f"no machine {machine_id}")
        target.write_bytes(b"")

    def console(self, machine_id: str) -> str:
        """Return one line."""
        order = self._orders.get(machine_id)
        return f"[boot] {order.plan.hostname} {order.address} (no real machine)\n" if order else ""

    def close(self) -> None:
        """Forget all."""
        self._orders.clear()
