"""The hand that ends uploads: what nothing refers to retires, and goes from its cloud.

It believes nothing that was known before. Who refers is read anew, after the upload itself
(docs/adr/0018); an image is deleted only if its record says so to this moment, and if the cloud
says by the image's own tags that it is that build, of this installation.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from builder.hands import blame
from builder.place.hand_delete import (
    SparedError,
    check_installation,
    check_marks,
    delete,
    find_image,
)
from builder.place.sites import Site, Sites, call_fence
from builder.upload.actions import CondemnUpload, EraseImage, RetireUpload
from builder.upload.events import RetirementEnded
from builder.upload.writes import write_upload
from remuda.cloud.api import BadOrderError, CloudError, InUseError
from remuda.cloud.image_store import StoredImage
from remuda.images import library, references
from remuda.images.references import ReferenceKind
from remuda.model.build import Blame
from remuda.model.codec import CorruptRecordError
from remuda.model.image import UploadId
from remuda.model.upload import (
    Method,
    Upload,
    UploadEvent,
    UploadState,
    decode_upload,
)
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Store, Stored, StoreError

#: An image stays in use as long as any server that was cloned from it, on some clouds.
IN_USE_S: Final = 900.0
#: Somebody has to change something first.
REFUSED_S: Final = 3600.0
#: A membership that could not be ended.
SHARED_S: Final = 60.0
_RETIRED_FROM: Final = frozenset({UploadState.USABLE, UploadState.REJECTED, UploadState.FAILED})


class _NobodyCanError(SparedError):
    """The cloud that has to be asked cannot be asked by us; that may change."""


@dataclass(frozen=True, slots=True)
class RetiringHand:
    """Ends one upload at a time.

    Attributes:
        installation: Whose images are ours.
        sites: Where images lie.
    """

    store: Store
    clock: Clock
    installation: str
    sites: Sites

    def retire(self, action: RetireUpload) -> RetirementEnded:
        """Let nothing new refer to an upload, if nothing but launches does."""
        return self._spared_or(action, lambda: self._end(action.id, _RETIRED_FROM, _why_in_use))

    def condemn(self, action: CondemnUpload) -> RetirementEnded:
        """Let a retiring upload be deleted, if nothing at all refers to it."""
        states = frozenset({UploadState.RETIRING})
        return self._spared_or(action, lambda: self._end(action.id, states, references.why_kept))

    def erase(self, action: EraseImage, provider: str) -> RetirementEnded:
        """Delete the image of a condemned upload; one that is shared, its membership.

        Args:
            action: Which.
            provider: One of the upload's place.
        """
        return self._spared_or(action, lambda: self._erase(action, self.sites.of(provider)))

    def _spared_or(
        self, action: RetireUpload | CondemnUpload | EraseImage, work: Callable[[], None]
    ) -> RetirementEnded:
        try:
            work()
        except (SparedError, CloudError, StoreError, CorruptRecordError) as exc:
            return RetirementEnded(action=action, why=str(exc))
        return RetirementEnded(action=action)

    # Records.

    def _end(
        self,
        upload_id: UploadId,
        states: Collection[UploadState],
        why_not: Callable[[UploadId, references.Holders], str | None],
    ) -> None:
        """Move an upload on at the version that was read before what may refer to it."""
        stored = self._upload(upload_id)
        if stored.value.state not in states:
            raise SparedError(f"{upload_id} is {stored.value.state} now")
        known = library.read(self.store)
        if why := why_not(upload_id, known.holders()):
            raise SparedError(why)
        retires = stored.value.state is not UploadState.RETIRING
        event = UploadEvent.RETIRED if retires else UploadEvent.UNREFERENCED
        self._write(stored, stored.value.after(event, now_s=self.clock.now_s()))

    def _upload(self, upload_id: UploadId) -> Stored[Upload]:
        """Return an upload as it is this moment."""
        path = paths.upload(upload_id)
        raw, whose = self.store.read_fresh([path, paths.INSTALLATION])
        check_installation(whose, self.installation)
        if raw is None:
            raise SparedError(f"{upload_id} is not on record any more")
        return Stored(path=path, value=decode_upload(upload_id, raw.value), version=raw.version)

    def _write(self, before: Stored[Upload], after: Upload) -> None:
        self.store.commit([write_upload(before, after)])

    # Images.

    def _erase(self, action: EraseImage, here: Site) -> None:
        stored = self._upload(action.id)
        upload = stored.value
        if upload.state is not UploadState.DELETING or upload.cloud_image != action.cloud_image:
            raise SparedError(f"{action.id} is {upload.state}, with the image {upload.cloud_image}")
        try:
            image = find_image(here, action.id.place, action.cloud_image)
            if image is None:
                return
            check_marks(image, action.id.build, self.installation)
            if upload.method is Method.SHARE:
                self._leave(image, upload, here)
            else:
                delete(here, image, self.store, self.clock)
        except (InUseError, BadOrderError) as exc:
            self._put_off(stored, here, exc)
            raise
        except (CloudError, _NobodyCanError) as exc:
            if upload.method is Method.SHARE:
                self._put_off(stored, here, exc)
            raise

    def _put_off(
        self, stored: Stored[Upload], here: Site, exc: "CloudError | _NobodyCanError"
    ) -> None:
        """Let the record say when the cloud is asked again, slowly, and why not before.

        A membership may be in no listing: of one that is shared the record says besides that only
        listings which are begun after the next attempt tell that it is gone.
        """
        wait_s = REFUSED_S if isinstance(exc, BadOrderError | _NobodyCanError) else SHARED_S
        wait_s = IN_USE_S if isinstance(exc, InUseError) else wait_s
        mishap = blame.mishap("delete", Blame.CLOUD, f"{here.provider}: {exc}")
        retry_s = self.clock.now_s() + wait_s
        after = replace(stored.value, retry_s=retry_s, mishap=mishap)
        if after.method is Method.SHARE:
            after = replace(after, since_s=retry_s)
        self._write(stored, after)

    def _leave(self, image: StoredImage, upload: Upload, here: Site) -> None:
        """End a membership; the bytes are the source's, and stay."""
        project = here.images.project()
        sources = self.sites.at(upload.source or "")
        if not sources:
            raise _NobodyCanError("no provider that can be asked has the place it is shared from")
        there = sources[0].images
        if image.owner != there.project() or image.owner == project:
            raise SparedError(f"image {image.id} is not shared from {sources[0].provider}")
        there.unshare(image.id, project, fence=call_fence(self.store, self.clock))


def _why_in_use(upload_id: UploadId, holders: references.Holders) -> str | None:
    """Return why an upload may not retire yet; launches hinder only its deletion."""
    if odd := references.unknown(holders):
        return f"{odd[0]} cannot be read, and may refer to it"
    some = references.index(holders).get(upload_id, ())
    holding = [one for one in some if one.kind is not ReferenceKind.LAUNCH]
    return f"{holding[0].by} refers to it" if holding else None
