"""A server of the fake cloud: what becomes of it as time passes, and how a listing shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

from remuda.cloud.api import (
    BadOrderError,
    GoneError,
    Server,
    ServerSpec,
    ServerStatus,
    TryLaterError,
)
from remuda.model.ids import ServerId
from tests.fakes.cloud_fates import Boot, BootEnd

POWERING_OFF = "powering-off"
#: As Nova calls what the statuses reduce; what is being deleted keeps the state that it had.
VM_STATES: Mapping[ServerStatus, str] = {
    ServerStatus.BUILDING: "building",
    ServerStatus.ACTIVE: "active",
    ServerStatus.ERROR: "error",
    ServerStatus.STOPPED: "stopped",
}


@dataclass(slots=True)
class Machine:
    """One server as the fake remembers it."""

    id: ServerId
    number: int
    order: ServerSpec
    created_s: float
    boot: Boot
    ready_s: float
    gone_s: float | None = None
    deleting: bool = False
    forced: ServerStatus | None = None
    fault: str | None = None
    stopped_s: float | None = None

    def changes_s(self) -> list[float]:
        """Return when it changes, or changed, by itself."""
        return [t for t in (self.ready_s, self.stopped_s, self.gone_s) if t is not None]

    def task(self, now_s: float) -> str | None:
        """Return what is being done with it."""
        if self.deleting:
            return "deleting"
        if self.stopped_s is not None and now_s < self.stopped_s:
            return POWERING_OFF
        return "spawning" if self.status(now_s) is ServerStatus.BUILDING else None

    def status(self, now_s: float) -> ServerStatus | None:
        """Return the status, or None if the cloud lists it no more."""
        if self.gone_s is not None and now_s >= self.gone_s:
            return None
        if self.deleting:
            return ServerStatus.DELETING
        if self.forced is not None:
            return self.forced
        if self.stopped_s is not None and now_s >= self.stopped_s:
            return ServerStatus.STOPPED
        if now_s < self.ready_s or self.boot.end is BootEnd.HANG:
            return ServerStatus.BUILDING
        return {
            BootEnd.ERROR: ServerStatus.ERROR,
            BootEnd.VANISH: None,
            BootEnd.STOP: ServerStatus.STOPPED,
        }.get(self.boot.end, ServerStatus.ACTIVE)


def needs_stop(seen: Server | None) -> bool:
    """Whether there is something to stop.

    Raises:
        GoneError, TryLaterError, BadOrderError: It cannot be stopped.
    """
    if seen is None:
        raise GoneError("fake: HTTP 404: the instance could not be found")
    if seen.status is ServerStatus.STOPPED or seen.task == POWERING_OFF:
        return False
    if seen.status is ServerStatus.BUILDING or seen.task is not None:
        raise TryLaterError(f"fake: HTTP 409: in task_state {seen.task}", retry_after_s=1.0)
    if seen.status is not ServerStatus.ACTIVE:
        raise BadOrderError(f"fake: HTTP 409: in vm_state {seen.vm_state}")
    return True


def needs_start(seen: Server | None) -> bool:
    """Whether there is something to start; raises as :func:`needs_stop`."""
    if seen is None:
        raise GoneError("fake: HTTP 404: the instance could not be found")
    if seen.status is ServerStatus.BUILDING or seen.task is not None:
        raise TryLaterError(f"fake: HTTP 409: in task_state {seen.task}", retry_after_s=1.0)
    if seen.status is ServerStatus.ACTIVE:
        return False
    if seen.status is not ServerStatus.STOPPED:
        raise BadOrderError(f"fake: HTTP 409: in vm_state {seen.vm_state}")
    return True


def view(
    machine: Machine, now_s: float, *, zone: str, floating: str | None, task: str | None
) -> Server:
    """Return a server as a listing shows it.

    Args:
        machine: The server.
        now_s: By the cloud's clock.
        zone: Where it is, if its order does not say.
        floating: Its floating IP.
        task: What is being done with it for the sake of an image.
    """
    status = machine.status(now_s) or ServerStatus.UNKNOWN
    fault = machine.fault or machine.boot.fault if status is ServerStatus.ERROR else None
    tail = f"{machine.number >> 8 & 255}.{machine.number & 255}"
    has_address = status in {ServerStatus.ACTIVE, ServerStatus.STOPPED}
    floating = floating if has_address else None
    return Server(
        id=machine.id,
        name=machine.order.name,
        status=status,
        tags=dict(machine.order.tags),
        public_ipv4=(floating or f"198.18.{tail}") if has_address else None,
        private_ipv4=f"10.0.{tail}" if has_address else None,
        floating_ipv4=floating,
        az=machine.order.az or zone,
        host_id=f"host{machine.number % 3}",
        image_id=machine.order.image.id if machine.order.volume_gib is None else None,
        flavor_id=machine.order.flavor.id,
        fault=fault,
        created_s=machine.created_s,
        vm_state=VM_STATES.get(status),
        task=machine.task(now_s) or task,
    )
