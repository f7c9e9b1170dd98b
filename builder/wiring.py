"""Wiring: the hands that a builder works with, and what they need."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder import outcomes
from builder.actions import CondemnUpload, RetireUpload
from builder.build import hand_adopt, hand_make
from builder.errands import ListPlace, Look
from builder.events import CopyEnded, ImagesListed, Kept, MakingEnded, ProviderSeen, TrialEnded
from builder.hands import blame
from builder.hands.held_record import TakenOverError, hold_build, hold_upload
from builder.hands.patience import HandStoppedError, Patience
from builder.hands_api import AdoptTask, CopyTask, EraseTask, Hands, MakeTask, SweepTask, TrialTask
from builder.log.build_log import BuildLog
from builder.log.log_file import prune
from builder.log.progress import ProgressLog
from builder.machine.hand_borrow import Machines
from builder.machine.hand_login_keys import remove_left_keys
from builder.place import hand_look
from builder.place.clouds import Clouds, NoSuchProviderError
from builder.place.sites import Sites
from builder.upload import hand_copy, hand_retire, hand_validate
from remuda.cloud.api import CloudConfigError
from remuda.cloud.image_store import ImageStore
from remuda.config.model import Config
from remuda.images.buildlog import erase_log
from remuda.model.build import Blame, Build
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId
from remuda.model.upload import Upload
from remuda.runtime.clock import Clock
from remuda.runtime.log import Log
from remuda.ssh.prover import ParamikoProver
from remuda.store.api import Store, StoreError
from requestor.client import Client

#: Complete logs on this host; each has 64 MiB at most, and mostly far less.
LOG_FILES_MAX: Final = 100
#: Folders of ours in a builder's own.
LOGS: Final = "logs"
KEYS: Final = "keys"
#: A candidate may wait for room so long; then the next provider of its place is tried.
TRIAL_ROOM_S: Final = 900.0
#: It is somebody else's, or nothing is known: whoever comes next looks at the record.
_NOT_WRITTEN: Final = (TakenOverError, StoreError, HandStoppedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandMeans:
    """What hands work with.

    Attributes:
        config: Returns the configuration of now: providers' keys and timeouts.
        work_dir: Where files may be made, for us alone.
    """

    store: Store
    clouds: Clouds
    clock: Clock
    log: Log
    installation: str
    config: Callable[[], Config]
    work_dir: Path

    def images(self) -> Mapping[str, ImageStore]:
        """Return the images of all providers."""
        return {name: one.images for name, one in self.clouds.known().items()}


#: Makes the hands of a builder.
WireHands = Callable[[HandMeans], Hands]


def tidy(work_dir: Path) -> int:
    """Remove what builders of this host have left: keys of dead ones, and logs beyond the newest.

    Returns:
        How many keys there were.
    """
    prune(work_dir / LOGS, LOG_FILES_MAX)
    return remove_left_keys(work_dir / KEYS)


def wire(means: HandMeans) -> Hands:
    """Return the real hands."""
    store, clock, installation = means.store, means.clock, means.installation
    client = Client(store, requestor="builder", clock=clock)
    machines = Machines(client, clock, means.work_dir / KEYS)
    sites = Sites(means.images)
    return Hands(
        making=Making(means, hand_make.MakingHand(machines=machines, clock=clock)),
        adopting=Adopting(means.clouds, sites, hand_adopt.AdoptingHand(store, clock, installation)),
        validating=Validating(
            means,
            hand_validate.ValidatingHand(
                machines=machines, prover=ParamikoProver(clock), clock=clock
            ),
        ),
        copying=Copying(
            means,
            sites,
            hand_copy.CopyingHand(
                store=store,
                clock=clock,
                installation=installation,
                folder=means.work_dir / "carried",
                new_token=lambda: uuid.uuid4().hex[:12],
                log=means.log,
            ),
        ),
        keeping=Keeping(means.clouds, hand_retire.KeepingHand(store, clock, installation, sites)),
        looking=Looking(means, sites, hand_look.LookingHand(clock, installation)),
        logs=Logs(store),
    )


@dataclass(frozen=True, slots=True)
class Making:
    """Makes builds, and writes their logs."""

    means: HandMeans
    hand: hand_make.MakingHand

    def make(self, order: MakeTask) -> MakingEnded:
        """See :class:`builder.hands_api.BuildMaker`."""
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

        with suppress(*_NOT_WRITTEN):
            record.write(after)
        return MakingEnded(id=order.build.value.id, why=why)

    def _log(self, build: Build) -> BuildLog:
        folder = self.means.work_dir / LOGS
        prune(folder, LOG_FILES_MAX - 1)
        return BuildLog(
            self.means.store,
            build.id,
            writer=_writer(build.owner),
            folder=folder,
            clock=self.means.clock,
        )


def _writer(owner: ReplicaId | None) -> str:
    """Return a name that no other attempt writes its log by."""
    return f"{owner}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class Validating:
    """Tries candidates, and writes the logs of that; the records say what was found."""

    means: HandMeans
    hand: hand_validate.ValidatingHand

    def validate(self, order: TrialTask) -> TrialEnded:
        """See :class:`builder.hands_api.CandidateJudge`."""
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
            writer=_writer(order.upload.value.owner),
            provider=order.provider,
            clock=self.means.clock,
        )


@dataclass(frozen=True, slots=True)
class Adopting:
    """Finishes builds of dead builders."""

    clouds: Clouds
    sites: Sites
    hand: hand_adopt.AdoptingHand

    def adopt(self, order: AdoptTask) -> Kept:
        """See :class:`builder.hands_api.SnapshotAdopter`."""
        with self.clouds.used():
            return self._adopt(order)

    def _adopt(self, order: AdoptTask) -> Kept:
        try:
            here = self.sites.of(order.provider)
        except CloudConfigError as exc:
            return Kept(action=order.action, why=str(exc))
        return self.hand.adopt(
            hand_adopt.AdoptAtSite(
                action=order.action, build=order.build, policy=order.policy, here=here
            )
        )


@dataclass(frozen=True, slots=True)
class Copying:
    """Brings builds to other places."""

    means: HandMeans
    sites: Sites
    hand: hand_copy.CopyingHand

    def copy(self, order: CopyTask) -> CopyEnded:
        """See :class:`builder.hands_api.UploadCopier`."""
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

        with suppress(*_NOT_WRITTEN):
            record.write(after)
        return CopyEnded(id=order.upload.value.id, why=why)


@dataclass(frozen=True, slots=True)
class Keeping:
    """Ends references, and deletes images."""

    clouds: Clouds
    hand: hand_retire.KeepingHand

    def retire(self, action: RetireUpload) -> Kept:
        """See :class:`builder.hands_api.ImageKeeper`."""
        with self.clouds.used():
            return self.hand.retire(action)

    def condemn(self, action: CondemnUpload) -> Kept:
        """See :class:`builder.hands_api.ImageKeeper`."""
        with self.clouds.used():
            return self.hand.condemn(action)

    def erase(self, order: EraseTask) -> Kept:
        """See :class:`builder.hands_api.ImageKeeper`."""
        with self.clouds.used():
            return self.hand.erase(order.action, order.provider)

    def sweep(self, order: SweepTask) -> Kept:
        """See :class:`builder.hands_api.ImageKeeper`."""
        with self.clouds.used():
            return self.hand.sweep(
                order.action, order.image, order.provider, listed_s=order.listed_s
            )


@dataclass(frozen=True, slots=True)
class Looking:
    """Looks at clouds."""

    means: HandMeans
    sites: Sites
    hand: hand_look.LookingHand

    def look(self, errand: Look) -> ProviderSeen:
        """See :class:`builder.hands_api.CloudLooker`."""
        with self.means.clouds.used():
            return self._look(errand)

    def _look(self, errand: Look) -> ProviderSeen:
        try:
            site, cloud = self.sites.of(errand.provider), self.means.clouds.of(errand.provider)
        except (CloudConfigError, NoSuchProviderError) as exc:
            return ProviderSeen(provider=errand.provider, trouble=str(exc))
        return self.hand.look(site, cloud.cloud, errand.bases, errand.image_bytes)

    def list_images(self, errand: ListPlace) -> ImagesListed:
        """See :class:`builder.hands_api.CloudLooker`."""
        with self.means.clouds.used():
            return self._list_images(errand)

    def _list_images(self, errand: ListPlace) -> ImagesListed:
        try:
            site = self.sites.of(errand.provider)
        except CloudConfigError as exc:
            now_s = self.means.clock.now_s()
            return ImagesListed(place=errand.place, begun_s=now_s, why=str(exc))
        return self.hand.list_images(site, errand.place)


@dataclass(frozen=True, slots=True)
class Logs:
    """Keeps the logs of builds."""

    store: Store

    def erase(self, build: BuildId) -> None:
        """See :class:`builder.hands_api.BuildLogs`."""
        erase_log(self.store, build)
