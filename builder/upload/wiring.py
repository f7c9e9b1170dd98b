"""Gives the hands of uploads the clouds that their task names, in the configuration of now."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from builder import outcomes
from builder.hands import blame
from builder.hands.held_record import hold_upload
from builder.hands.means import NOT_WRITTEN, HandMeans, writer_of
from builder.hands.patience import Patience
from builder.log.build_log import BuildLog
from builder.log.progress import ProgressLog
from builder.place.clouds import Clouds, NoSuchProviderError
from builder.place.sites import Sites
from builder.upload import hand_copy, hand_retire, hand_validate
from builder.upload.actions import CondemnUpload, RetireUpload
from builder.upload.events import CopyEnded, RetirementEnded, TrialEnded
from builder.upload.tasks import CopyTask, EraseTask, TrialTask
from remuda.cloud.api import CloudConfigError
from remuda.model.build import Blame
from remuda.model.upload import Upload

#: A candidate may wait for room so long; then the next provider of its place is tried.
TRIAL_ROOM_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Validating:
    """Tries candidates, and writes the logs of that; the records say what was found."""

    means: HandMeans
    hand: hand_validate.ValidatingHand

    def validate(self, order: TrialTask) -> TrialEnded:
        """See :class:`CandidateJudge`."""
        with self.means.clouds.used():
            return self._validate(order)

    def _validate(self, order: TrialTask) -> TrialEnded:
        try:
            cloud = self.means.clouds.of(order.provider)
        except NoSuchProviderError as exc:
            return TrialEnded(id=order.upload.value.id, provider=order.provider, why=str(exc))
        return self.hand.validate(
            hand_validate.TrialInCloud(
                upload=order.upload,
                build=order.build.value,
                provider=order.provider,
                recipe=order.recipe,
                policy=order.policy,
                owner=cloud.owner,
                cloud=cloud.cloud,
                images=cloud.images,
                wanted=order.wanted,
                checks=order.checks,
                avoid=order.avoid,
                room_s=TRIAL_ROOM_S,
            ),
            self._log(order),
            order.stop.is_set,
        )

    def _log(self, order: TrialTask) -> ProgressLog:
        return BuildLog(
            self.means.store,
            order.build.value.id,
            writer=writer_of(order.upload.value.owner),
            provider=order.provider,
            clock=self.means.clock,
        )


@dataclass(frozen=True, slots=True)
class Copying:
    """Brings builds to other places."""

    means: HandMeans
    sites: Sites
    hand: hand_copy.CopyingHand

    def copy(self, order: CopyTask) -> CopyEnded:
        """See :class:`UploadCopier`."""
        with self.means.clouds.used():
            return self._copy(order)

    def _copy(self, order: CopyTask) -> CopyEnded:
        try:
            here, there = self.sites.of(order.here), self.sites.of(order.there)
        except CloudConfigError as exc:
            return self._given_back(order, str(exc))
        return self.hand.copy(
            hand_copy.CopyBetweenSites(
                upload=order.upload,
                source=order.source,
                here=here,
                there=there,
                policy=order.policy,
                stopped=order.stop.is_set,
                carried_sha512=order.carried_sha512,
            )
        )

    def _given_back(self, order: CopyTask, why: str) -> CopyEnded:
        """Write that it comes to nothing for now, which is no attempt."""
        patience = Patience(self.means.clock, order.stop.is_set)
        record = hold_upload(self.means.store, patience, order.upload)
        mishap = blame.mishap("begin", Blame.CLOUD, why)

        def after(upload: Upload) -> Upload:
            return outcomes.uncopied(upload, mishap, order.policy, now_s=self.means.clock.now_s())

        with suppress(*NOT_WRITTEN):
            record.write(after)
        return CopyEnded(id=order.upload.value.id, why=why)


@dataclass(frozen=True, slots=True)
class Retiring:
    """Ends uploads."""

    clouds: Clouds
    hand: hand_retire.RetiringHand

    def retire(self, action: RetireUpload) -> RetirementEnded:
        """See :class:`ImageKeeper`."""
        with self.clouds.used():
            return self.hand.retire(action)

    def condemn(self, action: CondemnUpload) -> RetirementEnded:
        """See :class:`ImageKeeper`."""
        with self.clouds.used():
            return self.hand.condemn(action)

    def erase(self, order: EraseTask) -> RetirementEnded:
        """See :class:`ImageKeeper`."""
        with self.clouds.used():
            return self.hand.erase(order.action, order.provider)
