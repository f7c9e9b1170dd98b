"""The hand that ends uploads: what nothing refers to retires, and goes from its cloud.

It believes nothing that was known before. Who refers is read anew, after the upload itself
(docs/adr/0018); an image is deleted only if its record says so to this moment, and if the cloud
says by the image's own tags that it is that build, of this installation.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from builder.decide import keeping
from builder.decide.actions import (
    BuilderAction,
    CondemnUpload,
    EraseImage,
    RetireUpload,
    SweepImage,
)
from builder.decide.world import BuilderWorld, ImageListing
from builder.events import Kept
from builder.hands.sites import Site, build_of, call_fence, named
from remuda.cloud.api import BadOrderError, CloudError, GoneError, InUseError
from remuda.cloud.image_store import ImageStatus, StoredImage
from remuda.images import library, references
from remuda.images.library import Library
from remuda.images.references import ReferenceKind
from remuda.model import tags
from remuda.model.build import Blame, Mishap
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import (
    Method,
    Upload,
    UploadEvent,
    UploadState,
    decode_upload,
    encode_upload,
)
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Set, Store, Stored, StoreError

#: An image stays in use as long as any server that was cloned from it, on some clouds.
IN_USE_S: Final = 900.0
#: Somebody has to change something first.
REFUSED_S: Final = 3600.0
_RETIRED_FROM: Final = frozenset({UploadState.USABLE, UploadState.REJECTED, UploadState.FAILED})


class _SparedError(Exception):
    """Nothing is to be done; the message says why."""


@dataclass(frozen=True, slots=True)
class KeepingHand:
    """Ends one upload, or one image, at a time.

    Attributes:
        installation: Whose images are ours.
    """

    store: Store
    clock: Clock
    installation: str

    def retire(self, action: RetireUpload) -> Kept:
        """Let nothing new refer to an upload, if nothing but launches does."""
        return self._spared_or(action, lambda: self._end(action.id, _RETIRED_FROM, _why_in_use))

    def condemn(self, action: CondemnUpload) -> Kept:
        """Let a retiring upload be deleted, if nothing at all refers to it."""
        states = frozenset({UploadState.RETIRING})
        return self._spared_or(action, lambda: self._end(action.id, states, references.why_kept))

    def erase(self, action: EraseImage, here: Site, there: Site | None) -> Kept:
        """Delete the image of a condemned upload; one that is shared, its membership.

        Args:
            action: Which.
            here: A provider of the upload's place.
            there: One of the place that it is shared from, if it is, and there is one.
        """
        return self._spared_or(action, lambda: self._erase(action, here, there))

    def sweep(
        self, action: SweepImage, here: Site, listing: ImageListing, providers: Collection[str]
    ) -> Kept:
        """Delete an image of ours that two listings show and no record knows.

        Args:
            action: Which.
            here: A provider of its place.
            listing: The two listings of that place.
            providers: The names of all providers that have the place: what another one made is
                an orphan, and kept.
        """
        return self._spared_or(action, lambda: self._sweep(action, here, listing, providers))

    def _spared_or(self, action: BuilderAction, work: Callable[[], None]) -> Kept:
        try:
            work()
        except (_SparedError, CloudError, StoreError, CorruptRecordError) as exc:
            return Kept(action=action, why=str(exc))
        return Kept(action=action)

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
            raise _SparedError(f"{upload_id} is {stored.value.state} now")
        known = library.read(self.store)
        if why := why_not(upload_id, known.holders()):
            raise _SparedError(why)
        retires = stored.value.state is not UploadState.RETIRING
        event = UploadEvent.RETIRED if retires else UploadEvent.UNREFERENCED
        self._write(stored, stored.value.after(event, now_s=self.clock.now_s()))

    def _upload(self, upload_id: UploadId) -> Stored[Upload]:
        """Return an upload as it is this moment."""
        path = paths.upload(upload_id)
        raw, whose = self.store.read_fresh([path, paths.INSTALLATION])
        self._check_installation(whose)
        if raw is None:
            raise _SparedError(f"{upload_id} is not on record any more")
        return Stored(path=path, value=decode_upload(upload_id, raw.value), version=raw.version)

    def _check_installation(self, whose: Stored[bytes] | None) -> None:
        if whose is None or whose.value != self.installation.encode():
            raise _SparedError("the id of the installation has changed")

    def _write(self, before: Stored[Upload], after: Upload) -> None:
        data = encode_upload(after)
        self.store.commit([Set(path=before.path, data=data, version=before.version)])

    # Images.

    def _erase(self, action: EraseImage, here: Site, there: Site | None) -> None:
        stored = self._upload(action.id)
        upload = stored.value
        if upload.state is not UploadState.DELETING or upload.cloud_image != action.cloud_image:
            raise _SparedError(
                f"{action.id} is {upload.state}, with the image {upload.cloud_image}"
            )
        try:
            image = self._image(here, action.id.place, action.cloud_image)
            if image is None:
                return
            self._check_marks(image, action.id.build)
            if upload.method is Method.SHARE:
                self._leave(image, upload, here, there)
            else:
                self._delete(here, image)
        except (InUseError, BadOrderError) as exc:
            self._put_off(stored, here, exc)
            raise

    def _put_off(self, stored: Stored[Upload], here: Site, exc: CloudError) -> None:
        """Let the record say when the cloud is asked again, slowly, and why not before."""
        wait_s = IN_USE_S if isinstance(exc, InUseError) else REFUSED_S
        mishap = Mishap(step="delete", blame=Blame.CLOUD, message=named(here, exc))
        retry_s = self.clock.now_s() + wait_s
        self._write(stored, replace(stored.value, retry_s=retry_s, mishap=mishap))

    def _sweep(
        self, action: SweepImage, here: Site, listing: ImageListing, providers: Collection[str]
    ) -> None:
        one = listing.images.get(action.cloud_image)
        if one is None or action.cloud_image not in listing.images_before:
            raise _SparedError("two listings have to show it")
        # After the listings: whoever made it since then has a record of it.
        known = self._world(library.read(self.store))
        if keeping.expected(known, action.place, one, listed_s=listing.before_s):
            raise _SparedError(f"a record of {one.build} may know it")
        self._check_installation(self.store.read_fresh([paths.INSTALLATION])[0])
        image = self._image(here, action.place, action.cloud_image)
        if image is None:
            return
        self._check_marks(image, one.build)
        maker = image.properties.get(tags.PROVIDER)
        if image.name != one.name or maker not in providers:
            raise _SparedError(f"it is {image.name!r} of {maker}, which does not lie here")
        self._delete(here, image)

    def _world(self, known: Library) -> BuilderWorld:
        return BuilderWorld(
            now_s=self.clock.now_s(),
            me=ReplicaId(""),
            builders=frozenset(),
            mine=lambda _thing: False,
            library=known,
        )

    def _image(self, here: Site, place: str, image_id: str) -> StoredImage | None:
        """Return an image as the cloud has it; None: it is gone, or going."""
        if why := here.elsewhere(place):
            raise _SparedError(why)
        try:
            image = here.images.get_image(image_id)
        except GoneError:
            return None
        return None if image.status is ImageStatus.DELETING else image

    def _check_marks(self, image: StoredImage, build_id: BuildId) -> None:
        found = build_of(image, self.installation)
        if found != build_id:
            raise _SparedError(f"the tags of image {image.id} name {found or 'no build of ours'}")

    def _delete(self, here: Site, image: StoredImage) -> None:
        if image.owner != here.images.project():
            raise _SparedError(f"image {image.id} belongs to another project")
        here.images.delete_image(image.id, fence=call_fence(self.store, self.clock))

    def _leave(self, image: StoredImage, upload: Upload, here: Site, there: Site | None) -> None:
        """End a membership; the bytes are the source's, and stay."""
        if there is None or there.elsewhere(upload.source or ""):
            raise _SparedError("no provider of the configuration has the place it is shared from")
        project = here.images.project()
        if image.owner != there.images.project() or image.owner == project:
            raise _SparedError(f"image {image.id} is not shared from {there.provider}")
        there.images.unshare(image.id, project, fence=call_fence(self.store, self.clock))


def _why_in_use(upload_id: UploadId, holders: references.Holders) -> str | None:
    """Return why an upload may not retire yet; launches hinder only its deletion."""
    if odd := references.unknown(holders):
        return f"{odd[0]} cannot be read, and may refer to it"
    some = references.index(holders).get(upload_id, ())
    holding = [one for one in some if one.kind is not ReferenceKind.LAUNCH]
    return f"{holding[0].by} refers to it" if holding else None
