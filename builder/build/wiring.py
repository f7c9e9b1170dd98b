"""Gives the hands of builds the cloud that their task names, in the configuration of now."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from builder.build import hand_adopt, hand_file, hand_make
from builder.build import outcome as build_outcome
from builder.build.events import AdoptionEnded, MakingEnded
from builder.build.tasks import AdoptTask, MakeTask
from builder.hands import blame
from builder.hands.held_record import hold_build
from builder.hands.means import LOG_FILES_MAX, LOGS, NOT_WRITTEN, HandMeans, writer_of
from builder.log.build_log import BuildLog
from builder.log.log_file import prune
from builder.machine.hand_enter import JobMachine
from builder.place.clouds import NoSuchProviderError, ProviderCloud
from builder.place.sites import Sites
from remuda.cloud.api import CloudConfigError
from remuda.config.model import Provider
from remuda.images.buildlog import erase_log
from remuda.model.build import Blame, Build
from remuda.model.image import BuildId
from remuda.runtime.waiting import Waiting
from remuda.store.api import Store

_UNKNOWN_LABEL: Final = "how its machine is logged in to is not in the configuration any more"


@dataclass(frozen=True, slots=True)
class Making:
    """Makes builds, and writes their logs."""

    means: HandMeans
    hand: hand_make.MakingHand
    files: hand_file.FileHand

    def make(self, task: MakeTask) -> MakingEnded:
        """See :class:`builder.build.tasks.BuildMaker`."""
        with self.means.clouds.used():
            return self._make(task)

    def close(self) -> None:
        """See :class:`builder.build.tasks.BuildMaker`."""
        self.files.commands.close()

    def _make(self, task: MakeTask) -> MakingEnded:
        build, means = task.build.value, self.means
        provider = build.provider or ""
        one = means.config().providers.get(provider)
        parent = None if task.parent is None else task.parent.value.cloud_image
        try:
            cloud = means.clouds.of(provider)
        except NoSuchProviderError as exc:
            return self._given_back(task, str(exc))
        if one is None or (task.parent is not None and parent is None):
            return self._given_back(task, "there is nothing that it could start from")
        if task.recipe.command is not None:
            return self._make_file(task, cloud)
        job = _job_machine(task, cloud, one)
        if job is None and build.captured is not None:
            return self._given_back(task, _UNKNOWN_LABEL)
        return self.hand.make(
            hand_make.MakeInCloud(
                build=task.build,
                recipe=task.recipe,
                policy=task.policy,
                owner=cloud.owner,
                cloud=cloud.cloud,
                images=cloud.images,
                parent=parent,
                also=task.also,
                places=task.places,
                key_file=one.ssh_key_file,
                job=job,
                signing_key_file=means.config().image_signing.key_file,
            ),
            self._log(build),
            task.stop.is_set,
        )

    def _make_file(self, task: MakeTask, cloud: ProviderCloud) -> MakingEnded:
        return self.files.make(
            hand_file.FileInCloud(
                build=task.build,
                recipe=task.recipe,
                policy=task.policy,
                owner=cloud.owner,
                images=cloud.images,
                also=task.also,
                places=task.places,
                signing_key_file=self.means.config().image_signing.key_file,
            ),
            self._log(task.build.value),
            task.stop.is_set,
        )

    def _given_back(self, task: MakeTask, why: str) -> MakingEnded:
        """Write that it comes to nothing here, which is no attempt; else it stays ours for ever."""
        waiting = Waiting(self.means.clock, task.stop.is_set)
        record = hold_build(self.means.store, waiting, task.build)
        mishap = blame.mishap("begin", Blame.CLOUD, why)

        def after(build: Build) -> Build:
            return build_outcome.unmade(build, mishap, task.policy, now_s=self.means.clock.now_s())

        with suppress(*NOT_WRITTEN):
            record.write(after)
        return MakingEnded(id=task.build.value.id, why=why)

    def _log(self, build: Build) -> BuildLog:
        folder = self.means.work_dir / LOGS
        prune(folder, LOG_FILES_MAX - 1)
        return BuildLog(
            self.means.store,
            build.id,
            writer=writer_of(build.owner),
            folder=folder,
            clock=self.means.clock,
        )


def _job_machine(task: MakeTask, cloud: ProviderCloud, provider: Provider) -> JobMachine | None:
    """Return the job's machine that a build is made of, as our own configuration knows it."""
    captured = task.build.value.captured
    pool = None if captured is None else provider.pools.get(captured.pool)
    making = None if pool is None or captured is None else pool.labels.get(captured.label)
    if captured is None or making is None:
        return None
    return JobMachine(
        build=task.build.value.id,
        captured=captured,
        cloud=cloud.cloud,
        owner=cloud.owner,
        user=making.username,
        port=making.connection_port,
        secret=bool(task.recipe.needed_secrets),
    )


@dataclass(frozen=True, slots=True)
class Adopting:
    """Finishes builds of dead builders."""

    means: HandMeans
    sites: Sites
    hand: hand_adopt.AdoptingHand

    def adopt(self, task: AdoptTask) -> AdoptionEnded:
        """See :class:`builder.build.tasks.SnapshotAdopter`."""
        with self.means.clouds.used():
            return self._adopt(task)

    def _adopt(self, task: AdoptTask) -> AdoptionEnded:
        try:
            here = self.sites.of(task.provider)
        except CloudConfigError as exc:
            return AdoptionEnded(action=task.action, why=str(exc))
        return self.hand.adopt(
            hand_adopt.AdoptAtSite(
                action=task.action,
                build=task.build,
                policy=task.policy,
                here=here,
                me=task.me,
                signing_key_file=self.means.config().image_signing.key_file,
            )
        )


@dataclass(frozen=True, slots=True)
class Logs:
    """Keeps the logs of builds."""

    store: Store

    def erase(self, build: BuildId) -> None:
        """See :class:`builder.build.tasks.BuildLogs`."""
        erase_log(self.store, build)
