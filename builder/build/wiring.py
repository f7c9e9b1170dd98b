"""Gives the hands of builds the cloud that their task names, in the configuration of now."""

from contextlib import suppress
from dataclasses import dataclass

from builder import outcomes
from builder.build import hand_adopt, hand_make
from builder.build.events import AdoptionEnded, MakingEnded
from builder.build.tasks import AdoptTask, MakeTask
from builder.hands import blame
from builder.hands.held_record import hold_build
from builder.hands.means import LOG_FILES_MAX, LOGS, NOT_WRITTEN, HandMeans, writer_of
from builder.hands.patience import Patience
from builder.log.build_log import BuildLog
from builder.log.log_file import prune
from builder.place.clouds import Clouds, NoSuchProviderError
from builder.place.sites import Sites
from remuda.cloud.api import CloudConfigError
from remuda.images.buildlog import erase_log
from remuda.model.build import Blame, Build
from remuda.model.image import BuildId
from remuda.store.api import Store


@dataclass(frozen=True, slots=True)
class Making:
    """Makes builds, and writes their logs."""

    means: HandMeans
    hand: hand_make.MakingHand

    def make(self, order: MakeTask) -> MakingEnded:
        """See :class:`BuildMaker`."""
        with self.means.clouds.used():
            return self._make(order)

    def _make(self, order: MakeTask) -> MakingEnded:
        build, means = order.build.value, self.means
        provider = build.provider or ""
        one = means.config().providers.get(provider)
        parent = None if order.parent is None else order.parent.value.cloud_image
        try:
            cloud = means.clouds.of(provider)
        except NoSuchProviderError as exc:
            return self._given_back(order, str(exc))
        if one is None or (order.parent is not None and parent is None):
            return self._given_back(order, "there is nothing that it could start from")
        return self.hand.make(
            hand_make.MakeInCloud(
                build=order.build,
                recipe=order.recipe,
                policy=order.policy,
                owner=cloud.owner,
                cloud=cloud.cloud,
                images=cloud.images,
                parent=parent,
                also=order.also,
                key_file=one.ssh_key_file,
            ),
            self._log(build),
            order.stop.is_set,
        )

    def _given_back(self, order: MakeTask, why: str) -> MakingEnded:
        """Write that it comes to nothing here, which is no attempt; else it stays ours for ever."""
        patience = Patience(self.means.clock, order.stop.is_set)
        record = hold_build(self.means.store, patience, order.build)
        mishap = blame.mishap("begin", Blame.CLOUD, why)

        def after(build: Build) -> Build:
            return outcomes.unmade(build, mishap, order.policy, now_s=self.means.clock.now_s())

        with suppress(*NOT_WRITTEN):
            record.write(after)
        return MakingEnded(id=order.build.value.id, why=why)

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


@dataclass(frozen=True, slots=True)
class Adopting:
    """Finishes builds of dead builders."""

    clouds: Clouds
    sites: Sites
    hand: hand_adopt.AdoptingHand

    def adopt(self, order: AdoptTask) -> AdoptionEnded:
        """See :class:`SnapshotAdopter`."""
        with self.clouds.used():
            return self._adopt(order)

    def _adopt(self, order: AdoptTask) -> AdoptionEnded:
        try:
            here = self.sites.of(order.provider)
        except CloudConfigError as exc:
            return AdoptionEnded(action=order.action, why=str(exc))
        return self.hand.adopt(
            hand_adopt.AdoptAtSite(
                action=order.action, build=order.build, policy=order.policy, here=here
            )
        )


@dataclass(frozen=True, slots=True)
class Logs:
    """Keeps the logs of builds."""

    store: Store

    def erase(self, build: BuildId) -> None:
        """See :class:`BuildLogs`."""
        erase_log(self.store, build)
