"""Gives the hands of uploads the clouds that their task names, in the configuration of now."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from builder.hands import blame
from builder.hands.held_record import hold_upload
from builder.hands.means import NOT_WRITTEN, HandMeans, writer_of
from builder.log.build_log import BuildLog
from builder.log.progress import ProgressLog
from builder.place.clouds import Clouds, NoSuchProviderError
from builder.place.sites import Sites
from builder.upload import hand_copy, hand_retire, hand_validate
from builder.upload import outcome as upload_outcome
from builder.upload.actions import CondemnUpload, RetireUpload
from builder.upload.events import CopyEnded, RetirementEnded, TrialEnded
from builder.upload.tasks import CopyTask, EraseTask, TrialTask
from remuda.cloud.api import CloudConfigError
from remuda.model.build import Blame
from remuda.model.upload import Upload
from remuda.runtime.waiting import Waiting

#: A candidate may wait for room so long; then the next provider of its place is tried.
TRIAL_ROOM_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Validating:
    """Tries candidates, and writes the logs of that; the records say what was found."""

    means: HandMeans
    hand: hand_validate.ValidatingHand

    def validate(self, task: TrialTask) -> TrialEnded:
        """See :class:`builder.upload.tasks.CandidateJudge`."""
        with self.means.clouds.used():
            return self._validate(task)

    def _validate(self, task: TrialTask) -> TrialEnded:
        try:
            cloud = self.means.clouds.of(task.provider)
        except NoSuchProviderError as exc:
            return TrialEnded(id=task.upload.value.id, provider=task.provider, why=str(exc))
        return self.hand.validate(
            hand_validate.TrialInCloud(
                upload=task.upload,
                build=task.build.value,
                provider=task.provider,
                recipe=task.recipe,
                policy=task.policy,
                owner=cloud.owner,
                cloud=cloud.cloud,
                images=cloud.images,
                wanted=task.wanted,
                checks=task.checks,
                avoid=task.avoid,
                room_s=TRIAL_ROOM_S,
            ),
            self._log(task),
            task.stop.is_set,
        )

    def _log(self, task: TrialTask) -> ProgressLog:
        return BuildLog(
            self.means.store,
            task.build.value.id,
            writer=writer_of(task.upload.value.owner),
            provider=task.provider,
            clock=self.means.clock,
        )


@dataclass(frozen=True, slots=True)
class Copying:
    """Brings builds to other places."""

    means: HandMeans
    sites: Sites
    hand: hand_copy.CopyingHand

    def copy(self, task: CopyTask) -> CopyEnded:
        """See :class:`builder.upload.tasks.UploadCopier`."""
        with self.means.clouds.used():
            return self._copy(task)

    def _copy(self, task: CopyTask) -> CopyEnded:
        try:
            here, there = self.sites.of(task.here), self.sites.of(task.there)
        except CloudConfigError as exc:
            return self._given_back(task, str(exc))
        return self.hand.copy(
            hand_copy.CopyBetweenSites(
                upload=task.upload,
                source=task.source,
                here=here,
                there=there,
                policy=task.policy,
                stopped=task.stop.is_set,
                carried_sha512=task.carried_sha512,
                statement=task.statement,
            )
        )

    def _given_back(self, task: CopyTask, why: str) -> CopyEnded:
        """Write that it comes to nothing for now, which is no attempt."""
        waiting = Waiting(self.means.clock, task.stop.is_set)
        record = hold_upload(self.means.store, waiting, task.upload)
        mishap = blame.mishap("begin", Blame.CLOUD, why)

        def after(upload: Upload) -> Upload:
            return upload_outcome.uncopied(
                upload, mishap, task.policy, now_s=self.means.clock.now_s()
            )

        with suppress(*NOT_WRITTEN):
            record.write(after)
        return CopyEnded(id=task.upload.value.id, why=why)


@dataclass(frozen=True, slots=True)
class Retiring:
    """Ends uploads."""

    clouds: Clouds
    hand: hand_retire.RetiringHand

    def retire(self, action: RetireUpload) -> RetirementEnded:
        """See :class:`builder.upload.tasks.UploadRetirer`."""
        with self.clouds.used():
            return self.hand.retire(action)

    def condemn(self, action: CondemnUpload) -> RetirementEnded:
        """See :class:`builder.upload.tasks.UploadRetirer`."""
        with self.clouds.used():
            return self.hand.condemn(action)

    def erase(self, task: EraseTask) -> RetirementEnded:
        """See :class:`builder.upload.tasks.UploadRetirer`."""
        with self.clouds.used():
            return self.hand.erase(task.action, task.provider)
