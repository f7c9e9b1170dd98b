"""Machines that are not there: for thousands of servers."""

from __future__ import annotations

from pathlib import Path

from sandbox.machines.base import MachineError, Order
from sandbox.machines.packing import write_noise
from sandbox.machines.shutdown import RECOVERY


class NoMachines:
    """Keeps a line of console per machine and nothing else; a snapshot is noise."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._unclean: set[str] = set()

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

    def shut_down(self, machine_id: str, limit_s: float) -> bool:
        """Nothing to end."""
        del machine_id, limit_s
        return True

    def mark(self, machine_id: str) -> None:
        """Remember it for the console."""
        self._unclean.add(machine_id)

    def destroy(self, machine_id: str) -> None:
        """Forget it."""
        self._orders.pop(machine_id, None)
        self._unclean.discard(machine_id)

    def snapshot(self, machine_id: str, target: Path) -> None:
        """Write what its disk may hold."""
        if machine_id not in self._orders:
            raise MachineError(f"no machine {machine_id}")
        write_noise(target, machine_id)

    def console(self, machine_id: str) -> str:
        """Return one line."""
        order = self._orders.get(machine_id)
        if order is None:
            return ""
        line = f"[boot] {order.plan.hostname} {order.address} (no real machine)\n"
        return line + (f"{RECOVERY}\n" if machine_id in self._unclean else "")

    def close(self) -> None:
        """Forget all."""
        self._orders.clear()
