"""What happens to a server after the API said yes: boots, deletes, reboots, snapshots, deaths.

One asyncio task per server and errand; only the event loop touches the store, worker threads
touch the machines.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sandbox.compute.errands import Errands
from sandbox.compute.model import Fault, Server
from sandbox.compute.states import ServerEvent, ServerState
from sandbox.compute.watch import ProcessWatch
from sandbox.config import Timing
from sandbox.faults import BOOT, Effect, EffectKind, FaultPlan, SshMode, Subject
from sandbox.image.model import ImageEvent, ImageState, digest
from sandbox.machines.base import Listen, MachineError, Order
from sandbox.machines.bootplan import BootPlan
from sandbox.machines.keys import STRANGER
from sandbox.machines.packing import is_spoiled, spoil
from sandbox.stores import Stores

_LOG = logging.getLogger(__name__)
_FOREVER_S: Final = 10.0**8
_NO_HOST: Final = "No valid host was found. There are not enough hosts available."
_LISTEN: Final[Mapping[SshMode | None, Listen]] = {
    SshMode.REFUSE: Listen.NOTHING,
    SshMode.BLACKHOLE: Listen.BLACKHOLE,
    SshMode.MUTE: Listen.MUTE,
    SshMode.NO_ROUTE: Listen.NOTHING,
    SshMode.NO_ADDRESS: Listen.NOTHING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What one boot needs beyond the server's record."""

    plan: BootPlan
    image_timing: Timing
    image_file: str
    effects: tuple[Effect, ...] = ()

    def effect(self, kind: EffectKind) -> Effect | None:
        """Return the first effect of that kind."""
        return next((each for each in self.effects if each.kind is kind), None)

    @property
    def ssh_mode(self) -> SshMode | None:
        """How the machine is unreachable, if it is to be."""
        effect = self.effect(EffectKind.SSH)
        return effect.mode if effect else None


def boot_effects(
    faults: FaultPlan, server: Server, region: str, project: str
) -> tuple[Effect, ...]:
    """Ask the plan what goes wrong with the boot of *server*."""
    return faults.take(
        Subject(
            operation=BOOT,
            service="compute",
            region=region,
            project=project,
            name=server.name,
            flavor=server.flavor.name,
            image=server.image_name,
            metadata=server.metadata,
        )
    )


def longest(*times_s: float | None) -> float:
    """Return the longest of the times that are given."""
    return max((each for each in times_s if each is not None), default=0.0)


class Lifecycle:
    """The errands of one region's servers."""

    def __init__(self, stores: Stores, draws: random.Random) -> None:
        self._config = stores.config
        self._store = stores.servers
        self._images = stores.images
        self._network = stores.network
        self._machines = stores.machines
        self._workers = stores.workers
        self._draws = draws
        self._errands = Errands(stores.workers)
        self._watch = ProcessWatch()
        self._doomed: dict[str, list[str]] = {}  # images that go with a server
        self.gone: list[Callable[[Server], None]] = []

    # ---------------------------------------------------------------- errands

    def launch(self, server: Server, boot: Boot) -> None:
        """Begin to boot a server that was just added."""
        self._errands.begin(server.id, self._boot(server, boot))

    def delete(self, server: Server, effect: Effect | None) -> None:
        """Begin to delete; everything else that goes on with the server ends."""
        self._errands.cancel(server.id)
        self._store.change(server.id, task="deleting")
        self._errands.begin(server.id, self._delete(server.id, effect))

    def start(self, server: Server) -> None:
        """Begin to start a server that is stopped."""
        self._store.change(server.id, task="powering-on")
        self._errands.begin(server.id, self._start(server.id))

    def stop(self, server: Server, effect: Effect | None) -> None:
        """Begin to shut a server down."""
        self._store.change(server.id, task="powering-off")
        self._errands.begin(server.id, self._stop(server, effect))

    def reboot(self, server: Server, *, hard: bool) -> None:
        """Begin to reboot."""
        event = ServerEvent.HARD_REBOOT if hard else ServerEvent.SOFT_REBOOT
        self._store.step(server.id, event, task="rebooting_hard" if hard else "rebooting")
        self._errands.begin(server.id, self._reboot(server.id))

    def snapshot(self, server: Server, image_id: str, effect: Effect | None) -> None:
        """Begin to pack a server into a queued image."""
        self._store.change(server.id, task="image_snapshot_pending")
        self._errands.begin(server.id, self._snapshot(server.id, image_id, effect))

    async def close(self) -> None:
        """End all errands; the machines are closed by their owner."""
        await self._errands.close()
        self._watch.close()

    # ---------------------------------------------------------------- machines

    async def _start_machine(self, server_id: str) -> None:
        pid = await self._errands.on_machine(server_id, lambda: self._machines.start(server_id))
        if pid is not None:
            self._watch.add(server_id, pid, lambda: self._went_down(server_id))

    async def _stop_machine(self, server_id: str) -> None:
        self._watch.drop(server_id)
        await self._errands.on_machine(server_id, lambda: self._machines.stop(server_id))

    def _went_down(self, server_id: str) -> None:
        """A machine ended by itself, as after ``poweroff``: Nova finds it SHUTOFF."""
        server = self._store.servers.get(server_id)
        if server is not None and server.state is ServerState.ACTIVE and server.task is None:
            self._store.step(server_id, ServerEvent.STOPPED)
            self._errands.begin(server_id, self._stop_machine(server_id))

    # ---------------------------------------------------------------- boot

    async def _boot(self, server: Server, boot: Boot) -> None:
        if boot.effect(EffectKind.BOOT_HANG):
            self._store.change(server.id, task="spawning")
            return
        error = boot.effect(EffectKind.BOOT_ERROR)
        try:
            await asyncio.gather(
                asyncio.sleep(self._boot_s(server, boot)),
                *(() if error else (self._create_machine(server, boot),)),
            )
            if error:
                self._fail(server.id, error.text or _NO_HOST)
                return
            await self._start_machine(server.id)
        except MachineError as exc:
            self._fail(server.id, str(exc))
            return
        now_s = self._store.clock.now_s()
        self._store.step(server.id, ServerEvent.BUILT, task=None, launched_s=now_s)
        dies = boot.effect(EffectKind.DIES)
        if dies:
            await asyncio.sleep(dies.seconds)
            await self.die(server.id)

    async def die(self, server_id: str) -> None:
        """Let a machine that runs end, as by a failure of its host."""
        await self._stop_machine(server_id)
        if self._is(server_id, ServerState.ACTIVE):
            self._store.step(server_id, ServerEvent.STOPPED)

    def _is(self, server_id: str, state: ServerState) -> bool:
        server = self._store.servers.get(server_id)
        return server is not None and server.state is state

    def _boot_s(self, server: Server, boot: Boot) -> float:
        slow = boot.effect(EffectKind.BOOT_SLOW)
        usual_s = longest(
            boot.image_timing.boot_s, server.flavor.timing.boot_s, self._config.timing.boot_s
        )
        jitter = 1 + self._config.boot_jitter * (2 * self._draws.random() - 1)
        return usual_s * jitter + (slow.seconds if slow else 0.0)

    async def _create_machine(self, server: Server, boot: Boot) -> None:
        self._store.change(server.id, task="spawning", host="sandbox")
        plan = boot.plan
        if boot.effect(EffectKind.NO_KEY):
            plan = plan.with_keys(())
        if boot.effect(EffectKind.WRONG_KEY):
            plan = plan.with_keys((STRANGER,))
        if boot.effect(EffectKind.WRONG_HOST_KEY):
            plan = replace(plan, host_keys=(), keep_host_keys=False)
        image = Path(boot.image_file) if boot.image_file else None
        spoiled = image is not None and await self._workers.run(lambda: is_spoiled(image))
        if spoiled:  # the kernel panics: ACTIVE, and nothing ever happens
            plan = replace(plan, scripts=(), files=())
        unreachable = boot.ssh_mode in (SshMode.NO_ROUTE, SshMode.NO_ADDRESS)
        order = Order(
            id=server.id,
            plan=plan,
            image=image,
            address="" if unreachable else server.address,
            listen=Listen.NOTHING if spoiled else _LISTEN.get(boot.ssh_mode, Listen.SSHD),
            ssh_delay_s=longest(
                boot.image_timing.ssh_s, server.flavor.timing.ssh_s, self._config.timing.ssh_s
            ),
        )
        await self._errands.on_machine(server.id, lambda: self._machines.create(order))

    def _fail(self, server_id: str, message: str) -> None:
        fault = Fault(code=500, message=message, created_s=self._store.clock.now_s())
        self._store.step(server_id, ServerEvent.FAILED, task=None, fault=fault)
        _LOG.info("server.failed server=%s cause=%s", server_id, message)

    # ---------------------------------------------------------------- the rest of life

    async def _delete(self, server_id: str, effect: Effect | None) -> None:
        if effect and effect.kind is EffectKind.DELETE_HANG:
            await asyncio.sleep(effect.seconds or _FOREVER_S)
        await asyncio.sleep(self._config.delete_s)
        if effect and effect.kind is EffectKind.DELETE_ERROR:
            self._fail(server_id, effect.text or "injected fault: the delete failed")
            return
        self._watch.drop(server_id)
        await self._errands.on_machine(server_id, lambda: self._machines.destroy(server_id))
        server = self._store.step(server_id, ServerEvent.DELETED, task=None)
        if server is None:
            return
        for nic in server.nics:
            if nic.own_port:
                self._network.drop_port(nic.port_id)
        for image_id in self._doomed.pop(server_id, ()):
            self._images.drop(image_id)
        for told in self.gone:
            told(server)
        self._errands.forget(server_id)

    async def _start(self, server_id: str) -> None:
        try:
            await self._start_machine(server_id)
        except MachineError as exc:
            self._fail(server_id, str(exc))
            return
        self._store.step(server_id, ServerEvent.STARTED, task=None)

    async def _stop(self, server: Server, effect: Effect | None) -> None:
        """Let the machine end by itself; after the limit it loses its power, and is marked."""
        limit_s = self._shutdown_s(server)
        try:
            if effect:
                await asyncio.sleep(effect.seconds or limit_s)
                await self._stop_machine(server.id)
            if effect or not await self._shut_down(server.id, limit_s):
                await self._errands.on_machine(server.id, lambda: self._machines.mark(server.id))
        except MachineError as exc:
            self._fail(server.id, str(exc))
            return
        self._store.step(server.id, ServerEvent.STOPPED, task=None)

    async def _shut_down(self, server_id: str, limit_s: float) -> bool:
        self._watch.drop(server_id)
        job = lambda: self._machines.shut_down(server_id, limit_s)  # noqa: E731
        return bool(await self._errands.on_machine(server_id, job))

    def _shutdown_s(self, server: Server) -> float:
        """Return Nova's ``shutdown_timeout``, or what the image says instead."""
        image = self._images.images.get(server.image_id)
        own = str(image.properties.get("os_shutdown_timeout", "")) if image else ""
        return float(own) if own.isdecimal() else self._config.shutdown_s

    async def _reboot(self, server_id: str) -> None:
        await self._stop_machine(server_id)
        await self._start(server_id)

    async def _snapshot(self, server_id: str, image_id: str, effect: Effect | None) -> None:
        images = self._images
        try:
            await asyncio.sleep(self._config.snapshot_s)
            if image_id not in images.images:  # deleted before it began
                return
            # Nova reads the name now and writes it back with the data (nova/image/glance.py).
            name = images.step(image_id, ImageEvent.UPLOAD_STARTED).name
            self._store.change(server_id, task="image_uploading")
            data = await self._packed(server_id, image_id, effect)
            if image_id in images.images:
                images.step(image_id, ImageEvent.UPLOADED, name=name, **data)
            if effect and effect.kind is EffectKind.SNAPSHOT_VANISH:
                self._vanish(server_id, image_id, effect.seconds)
        except MachineError as exc:
            # Nova deletes the image of a snapshot that failed (compute/utils.py,
            # snapshot_instance's cleanup); the client waits in vain.
            _LOG.info("snapshot.failed server=%s image=%s cause=%s", server_id, image_id, exc)
            images.drop(image_id)
        except asyncio.CancelledError:  # the server is being deleted
            # Before it has begun, Nova leaves the image queued for ever; later it cleans up.
            if image_id in images.images and images.get(image_id).state is ImageState.SAVING:
                images.drop(image_id)
            raise
        finally:
            server = self._store.servers.get(server_id)
            if server is not None and server.task != "deleting":
                self._store.change(server_id, task=None)

    def _vanish(self, server_id: str, image_id: str, seconds: float) -> None:
        """Let an image go some time after it has become active, or with its server."""
        if not seconds:
            self._doomed.setdefault(server_id, []).append(image_id)
            return

        async def later() -> None:
            await asyncio.sleep(seconds)
            self._images.drop(image_id)

        # Not an errand of the server's: it must not end with it.
        self._errands.begin(image_id, later())

    async def _packed(self, server_id: str, image_id: str, effect: Effect | None) -> dict[str, Any]:
        """Pack a server; return the attributes of its image."""
        if effect and effect.kind is EffectKind.SNAPSHOT_HANG:
            await asyncio.sleep(effect.seconds or _FOREVER_S)
        if effect and effect.kind is EffectKind.SNAPSHOT_ERROR:
            raise MachineError(effect.text or "injected fault: the snapshot failed")
        path = self._images.path(image_id)
        await self._errands.on_machine(server_id, lambda: self._machines.snapshot(server_id, path))
        if effect and effect.kind is EffectKind.SNAPSHOT_UNBOOTABLE:
            await self._workers.run(lambda: spoil(path))
        size, md5, sha512 = await self._workers.run(lambda: digest(path))
        hashed = not (effect and effect.kind is EffectKind.SNAPSHOT_UNHASHED)
        return {
            "file": str(path),
            "size": size,
            "checksum": md5 if hashed else None,
            "sha512": sha512 if hashed else None,
            "disk_format": "raw",
            "container_format": "bare",
        }
