"""The hand that brings a build to another place: shared there, or carried through this host.

It has the record that was judged, and writes with its version: whoever gets a conflict has been
taken over, cleans up what it has made itself, and says no more. Before each call that makes
something the record says until when that call may still arrive.
"""

import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from builder.hands import blame
from builder.hands.held_record import TakenOverError
from builder.place.sites import ARRIVAL_S, FENCE_S, Site, build_of, call_fence, transfer_fence
from builder.policy import ImagePolicy
from builder.upload import outcome as upload_outcome
from builder.upload.events import CopyEnded
from builder.upload.hand_carry import CarriedFile, check_made, copy_order, free_bytes
from builder.upload.outcome import WholeImage, whole_image
from builder.upload.writes import write_upload
from remuda.cloud.api import BadOrderError, CloudError, Fence, TryLaterError
from remuda.cloud.image_store import ImageStatus, Received, StoredImage, Visibility
from remuda.cloud.transfer import transfer_s_max
from remuda.model.build import Blame
from remuda.model.codec import CorruptRecordError
from remuda.model.upload import Method, Upload, UploadState, decode_upload
from remuda.runtime.clock import Clock
from remuda.runtime.log import Log
from remuda.store.api import RejectedError, Store, Stored, StoreError

#: Whoever can change an image can make one of the same.
_WEAK: Final = frozenset({None, "md5"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyBetweenSites:
    """A :class:`builder.upload.tasks.CopyTask`, with the ways into both places.

    Attributes:
        upload: What is to be made, as it was judged: ours, and being made.
        source: What it is made from; it refers to that.
        here, there: Providers of the two places.
        stopped: Whether no transfer is to go on, for we end, or are known to be taken over.
        carried_sha512: Of what was carried of the build before, if anything was.
        statement: Hash of what is stated of the build, if anything is.
    """

    upload: Stored[Upload]
    source: Stored[Upload]
    here: Site
    there: Site
    policy: ImagePolicy | None = None
    stopped: Callable[[], bool] = lambda: False
    carried_sha512: str | None = None
    statement: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyingHand:
    """Copies one upload at a time; several threads may use it.

    Attributes:
        installation: Whose images are ours.
        folder: Where files are kept on the way; made if it is not there, for its owner only.
        new_token: Makes names that nobody has used.
        free: How many bytes there are left for files in a folder.
        log: Is told of images that nobody could verify; None: nobody is.
    """

    store: Store
    clock: Clock
    installation: str
    folder: Path
    new_token: Callable[[], str]
    free: Callable[[Path], int] = free_bytes
    log: Log | None = None

    def copy(self, task: CopyBetweenSites) -> CopyEnded:
        """Make the image, or leave nothing of it, and write what came of it."""
        upload = task.upload.value
        if upload.state is not UploadState.MAKING:
            return CopyEnded(id=upload.id, why=f"it is {upload.state}")
        return _Copying(self, task).run()


class _Copying:
    """One attempt.

    Attributes:
        stored: The record, as we know it.
        made: Id of the image that we have made ourselves, once there is one.
        offered: Whether the source's image may have been offered to the other project.
        carried_sha512: Of what has come, if it is carried.
    """

    def __init__(self, hand: CopyingHand, task: CopyBetweenSites) -> None:
        self.hand = hand
        self.task = task
        self.stored = task.upload
        self.made: str | None = None
        self.offered = False
        self.carried_sha512: str | None = None

    def run(self) -> CopyEnded:
        """Do it, and write what came of it."""
        upload_id = self.task.upload.value.id
        now_s = self.hand.clock.now_s
        try:
            try:
                image = self._make()
            except (CloudError, OSError) as exc:
                return CopyEnded(id=upload_id, why=self._failed(exc))
            self._write(upload_outcome.copied(self.stored.value, image, now_s=now_s()))
        except TakenOverError:
            return CopyEnded(id=upload_id, why=self._lost())
        except StoreError as exc:
            # It may have been written: the next look at the record tells, and the sweep.
            return CopyEnded(id=upload_id, why=f"ZooKeeper: {exc}")
        return CopyEnded(id=upload_id)

    def _make(self) -> WholeImage:
        task = self.task
        upload, source = task.upload.value, task.source.value
        for site, place in ((task.here, upload.id.place), (task.there, source.id.place)):
            if why := site.elsewhere(place):
                raise TryLaterError(why)
        image = self._source_image()
        match upload.method:
            case Method.SHARE:
                made = self._share(image)
            case Method.CARRY:
                made = self._carry(image)
            case _:
                raise BadOrderError(f"nobody can copy by {upload.method}")
        return whole_image(made, sha256=source.sha256, carried_sha512=self.carried_sha512)

    def _source_image(self) -> StoredImage:
        """Return what is copied, once the cloud says that it is what the records say."""
        source, there = self.task.source.value, self.task.there
        image = there.images.get_image(source.cloud_image or "")
        if build_of(image, self.hand.installation) != source.id.build:
            raise BadOrderError(f"{named_image(there, image)} has not the tags of {source.id}")
        if image.owner != there.images.project():
            raise BadOrderError(f"{named_image(there, image)} belongs to another project")
        if image.status is not ImageStatus.ACTIVE:
            raise TryLaterError(f"{named_image(there, image)} is {image.status}")
        return image

    # Shared.

    def _share(self, image: StoredImage) -> StoredImage:
        here, there = self.task.here.images, self.task.there.images
        fence = self._announce()
        if image.visibility is not Visibility.SHARED:
            there.set_visibility(image.id, Visibility.SHARED, fence=fence)
        self.offered = True
        there.share(image.id, here.project(), fence=fence)
        here.accept(image.id, fence=fence)
        seen = here.get_image(image.id)
        if seen.status is not ImageStatus.ACTIVE or seen.size_bytes != image.size_bytes:
            raise TryLaterError(f"{named_image(self.task.here, seen)} is not seen as it is")
        return seen

    # Carried.

    def _carry(self, image: StoredImage) -> StoredImage:
        hand, task = self.hand, self.task
        file = CarriedFile.of(hand.folder, task.upload.value.id, image)
        file.clear_old(hand.clock.now_s())
        with file.held():
            file.check_room(hand.free)
            received = task.there.images.download(
                image.id, file.path, resume=True, going=self._going(image)
            )
            try:
                file.check(received, task.source.value.os_hash, task.carried_sha512)
                self.carried_sha512 = received.sha512
                self._tell(received)
                made = self._send(file, image, received.sha512)
            except BaseException as exc:
                file.put_back(exc)
                raise
            file.drop()
        return made

    def _tell(self, received: Received) -> None:
        """Say what was carried, if no strong hash of the source's cloud vouches for it."""
        if received.verified_by in _WEAK and self.hand.log is not None:
            self.hand.log.warning(
                "image.unverified",
                upload=str(self.task.upload.value.id),
                source=received.image.id,
                verified_by=received.verified_by or "size",
                sha512=received.sha512,
            )

    def _send(self, file: CarriedFile, image: StoredImage, sha512: str) -> StoredImage:
        hand, task = self.hand, self.task
        wanted = copy_order(
            image,
            task.upload.value.id.build,
            installation=hand.installation,
            provider=task.here.provider,
            token=hand.new_token(),
            sha512=sha512,
            statement=task.statement,
        )
        going = self._going(image)
        fence = self._announce()
        made = task.here.images.upload(wanted, file.path, fence=fence, going=going)
        self.made = made.id
        check_made(made, wanted)
        return made

    def _going(self, image: StoredImage) -> Fence:
        hand = self.hand
        return transfer_fence(
            hand.store, hand.clock, self.task.stopped, transfer_s_max(image.size_bytes or 0)
        )

    # The record.

    def _announce(self) -> Fence:
        """Write until when the call that follows may arrive; return what holds it back."""
        fence = call_fence(self.hand.store, self.hand.clock)
        until_s = self.hand.clock.now_s() + FENCE_S + ARRIVAL_S
        asked_s = max(until_s, self.stored.value.asked_by_s)
        self._write(replace(self.stored.value, asked_by_s=asked_s))
        return fence

    def _write(self, after: Upload) -> None:
        try:
            done = self.hand.store.commit([write_upload(self.stored, after)])
        except RejectedError as exc:
            raise TakenOverError(str(exc)) from exc
        self.stored = replace(self.stored, value=after, version=done[0].version)

    # When it went wrong.

    def _failed(self, exc: CloudError | OSError) -> str:
        """Clean up, and let the record say what went wrong; return the same."""
        message = str(exc)
        left = self._clean()
        mishap = blame.mishap(
            f"copy: {self.task.upload.value.method}",
            blame_of(exc),
            f"{message}; {left}" if left else message,
        )
        now_s = self.hand.clock.now_s()
        self._write(
            upload_outcome.uncopied(self.stored.value, mishap, self.task.policy, now_s=now_s)
        )
        return mishap.message

    def _clean(self) -> str | None:
        """Take back what we have made; return what may be left of it: it is swept by its tags."""
        here, there = self.task.here, self.task.there
        fence = call_fence(self.hand.store, self.hand.clock)
        try:
            if self.made is not None:
                here.images.delete_image(self.made, fence=fence)
            if self.offered:
                image_id = self.task.source.value.cloud_image or ""
                there.images.unshare(image_id, here.images.project(), fence=fence)
        except CloudError as exc:
            return f"what was made may be left: {exc}"
        return None

    def _lost(self) -> str:
        """Clean up after somebody took over; what is shared may be theirs by now, and stays."""
        left: str | None = None
        with contextlib.suppress(StoreError, CorruptRecordError):
            # Only what was carried is our own.
            if self.made is not None and not self._recorded(self.made):
                left = self._clean()
        return f"it was taken over; {left}" if left else "it was taken over"

    def _recorded(self, image_id: str) -> bool:
        """Whether the record names an image, this very moment."""
        raw = self.hand.store.read_fresh([self.stored.path])[0]
        upload_id = self.stored.value.id
        return raw is not None and decode_upload(upload_id, raw.value).cloud_image == image_id


def blame_of(exc: CloudError | OSError) -> Blame:
    """Return whose failure it was.

    What asks for patience only is the cloud's, and does not count: also that it was not sent, for
    we end, and that this host has no room. What will fail again, until a human acts, counts.
    """
    if isinstance(exc, BadOrderError):
        return Blame.RECIPE
    no_room = isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT}
    return Blame.CLOUD if no_room or isinstance(exc, CloudError) else Blame.BUILDER


def named_image(site: Site, image: StoredImage) -> str:
    """Return how a sentence names an image."""
    return f"{site.provider}: image {image.id}"
