"""Gives the hands of take-home images the cloud of their machine, in the configuration of now."""

from contextlib import suppress
from dataclasses import dataclass

from builder.hands.held_record import hold_take_home
from builder.hands.means import NOT_WRITTEN, HandMeans
from builder.log.progress import ProgressLog
from builder.machine.hand_begin import InPhases
from builder.place.clouds import NoSuchProviderError
from builder.takehome.events import TakeHomeEnded
from builder.takehome.hand_end import EndingHand
from builder.takehome.hand_keep import KeepingHand
from builder.takehome.hand_make import TakeHomeInCloud, TakingHand
from builder.takehome.tasks import TakeHomeTask
from remuda.config.model import PoolLabel, Provider
from remuda.config.takehomes import SnapshotRules, rules_of
from remuda.model.ids import NodeId
from remuda.model.takehome import TakeHome, TakeHomeEvent
from remuda.redaction import redact_text
from remuda.runtime.log import Log

#: Of one line of what a machine prints.
_SAID_CHARS_MAX = 500


@dataclass(slots=True)
class HostLog:
    """Tells our own log of steps, and of our own words; what machines print stays untold."""

    log: Log
    node: NodeId

    def step(self, name: str) -> None:
        """See ProgressLog."""
        self.log.info("takehome.step", node=self.node, step=name)

    def write(self, data: bytes) -> None:
        """See ProgressLog."""
        said = redact_text(data.decode(errors="replace").strip()[:_SAID_CHARS_MAX])
        self.log.info("takehome.said", node=self.node, said=said)

    def close(self, *, ok: bool | None = None) -> None:
        """See ProgressLog."""
        self.log.info("takehome.ended", node=self.node, ok=ok)


@dataclass(frozen=True, slots=True)
class TakingHome:
    """Makes, keeps and ends take-home images."""

    means: HandMeans
    hand: TakingHand
    ending: EndingHand
    keeping: KeepingHand

    def make(self, task: TakeHomeTask) -> TakeHomeEnded:
        """See :class:`builder.takehome.tasks.TakeHomeMaker`."""
        with self.means.clouds.used():
            return self._make(task)

    def end(self, task: TakeHomeTask) -> TakeHomeEnded:
        """See :class:`builder.takehome.tasks.TakeHomeMaker`."""
        with self.means.clouds.used():
            return self.ending.end(task)

    def keep(self, task: TakeHomeTask) -> TakeHomeEnded:
        """See :class:`builder.takehome.tasks.TakeHomeMaker`."""
        with self.means.clouds.used():
            return self.keeping.keep(task, rules_of(self.means.config()))

    def _make(self, task: TakeHomeTask) -> TakeHomeEnded:
        one, config = task.record.value, self.means.config()
        provider = config.providers.get(one.provider)
        making = None if provider is None else _making(provider, one)
        log: ProgressLog = HostLog(self.means.log, one.node)
        if provider is None or making is None:
            return self._failed(task, f"label {one.label} of {one.provider} is not configured here")
        try:
            cloud = self.means.clouds.of(one.provider)
        except NoSuchProviderError as exc:
            return self._failed(task, str(exc))
        rules: SnapshotRules = rules_of(config)
        inside = TakeHomeInCloud(
            record=task.record,
            me=task.me,
            owner=cloud.owner,
            cloud=cloud.cloud,
            images=cloud.images,
            user=making.username,
            port=making.connection_port,
            flavor=_flavor(making),
            cloud_name=provider.cloud,
            region=provider.region or "",
            key_file=provider.ssh_key_file,
            secrets=rules.secrets,
            refusal=rules.refusal(one.label, one.requestor, one.wish),
        )
        parts = InPhases(waiting=self.hand.waiting(task.stop.is_set), log=log)
        return self.hand.take(self.hand.work(inside, parts))

    def _failed(self, task: TakeHomeTask, why: str) -> TakeHomeEnded:
        """Write that it comes to nothing here: who waits for it is told."""
        record = hold_take_home(self.means.store, self.hand.waiting(task.stop.is_set), task.record)

        def after(one: TakeHome) -> TakeHome:
            now_s = self.means.clock.now_s()
            return one.after(TakeHomeEvent.BROKEN, now_s=now_s, failure=why)

        with suppress(*NOT_WRITTEN):
            record.write(after)
        return TakeHomeEnded(id=task.record.value.node, why=why)


def _flavor(making: PoolLabel) -> str:
    """Return the name of the flavor; empty: only the cloud can tell which one it was."""
    wanted = making.flavor
    return "" if wanted.ram or wanted.cores or wanted.disk else wanted.name or ""


def _making(provider: Provider, one: TakeHome) -> PoolLabel | None:
    pool = provider.pools.get(one.pool)
    return None if pool is None else pool.labels.get(one.label)
