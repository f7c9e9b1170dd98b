"""What every kind of machine offers, and what a machine is made from.

All methods block and are called from worker threads; for one server never two at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from sandbox.machines.bootplan import BootPlan


class Listen(StrEnum):
    """What answers on the machine's SSH port."""

    SSHD = "sshd"
    NOTHING = "nothing"  # connection refused
    BLACKHOLE = "blackhole"  # SYNs are dropped
    MUTE = "mute"  # accepts, never speaks


class MachineError(Exception):
    """A machine cannot be made, started or packed; the message becomes Nova's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One machine to make.

    Attributes:
        image: A tar to unpack into it; None: nothing.
        ssh_delay_s: How long sshd comes up after the machine.
    """

    id: str
    address: str
    plan: BootPlan
    image: Path | None = None
    listen: Listen = Listen.SSHD
    ssh_delay_s: float = 0.0


class Machines(Protocol):
    """The machines of one kind."""

    def create(self, order: Order) -> None:
        """Make the machine's disk; nothing runs yet.

        Raises:
            MachineError: If that fails.
        """

    def start(self, machine_id: str) -> int | None:
        """Start it; return the process whose end is the machine's end, None if it has none.

        Raises:
            MachineError: If that fails.
        """

    def stop(self, machine_id: str) -> None:
        """End it at once, with everything that runs in it; the disk stays."""

    def shut_down(self, machine_id: str, limit_s: float) -> bool:
        """Let it end by itself, then end it; the disk stays.

        Returns:
            Whether all that ran in it had ended within the limit.

        Raises:
            MachineError: If there is no such machine.
        """

    def mark(self, machine_id: str) -> None:
        """Leave on its disk what says that it lost its power while it ran.

        Raises:
            MachineError: If there is no such machine.
        """

    def destroy(self, machine_id: str) -> None:
        """End it and remove its disk; one that is unknown is no error."""

    def snapshot(self, machine_id: str, target: Path) -> None:
        """Pack what the machine's disk has beyond the host's into the tar *target*.

        Raises:
            MachineError: If that fails.
        """

    def console(self, machine_id: str) -> str:
        """Return what the machine printed so far."""

    def close(self) -> None:
        """End all machines and remove what was made for them."""
