"""The hand that ends uploads: what nothing refers to retires, and goes from its cloud.

It believes nothing that was known before. Who refers is read anew, after the upload itself
(docs/adr/0018); an image is deleted only if its record says so to this moment, and if the cloud
says by the image's own tags that it is that build, of this installation.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from builder.actions import CondemnUpload, EraseImage, JudgedAction, RetireUpload, SweepImage
from builder.events import Kept
from builder.hands import blame
from builder.place.sites import Site, Sites, build_of, call_fence
from builder.upload import retire
from builder.view import ListedImage, WorldView
from remuda.cloud.api import BadOrderError, CloudError, GoneError, InUseError
from remuda.cloud.image_store import ImageStatus, StoredImage
from remuda.images import library, references
from remuda.images.library import Library
from remuda.images.references import ReferenceKind
from remuda.model import tags
from remuda.model.build import Blame
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
#: A membership that could not be ended.
SHARED_S: Final = 60.0
_RETIRED_FROM: Final = frozenset({UploadState.USABLE, UploadState.REJECTED, UploadState.FAILED})


class _SparedError(Exception):
    """Nothing is to be done; the message says why."""


class _NobodyCanError(_SparedError):
    """The cloud that has to be asked cannot be asked by us; that may change."""


@dataclass(frozen=True, slots=True)
class KeepingHand:
    """Ends one upload, or one image, at a time.

    Attributes:
        installation: Whose images are ours.
        sites: Where images lie.
    """

    store: Store
    clock: Clock
    installation: str
    sites: Sites

    def retire(self, action: RetireUpload) -> Kept:
        """Let nothing new refer to an upload, if nothing but launches does."""
        return self._spared_or(action, lambda: self._end(action.id, _RETIRED_FROM, _why_in_use))

    def condemn(self, action: CondemnUpload) -> Kept:
        """Let a retiring upload be deleted, if nothing at all refers to it."""
        states = frozenset({UploadState.RETIRING})
        return self._spared_or(action, lambda: self._end(action.id, states, references.why_kept))

    def erase(self, action: EraseImage, provider: str) -> Kept:
        """Delete the image of a condemned upload; one that is shared, its membership.

        Args:
            action: Which.
            provider: One of the upload's place.
        """
        return self._spared_or(action, lambda: self._erase(action, self.sites.of(provider)))

    def sweep(
        self, action: SweepImage, image: ListedImage, provider: str, *, listed_s: float
    ) -> Kept:
        """Delete an image of ours that two listings show and no record knows.

        Args:
            action: Which.
            image: As the last listing of its place shows it.
            provider: One of its place.
            listed_s: When the first of the two listings was begun, wall clock.
        """
        return self._spared_or(
            action, lambda: self._sweep(action, image, self.sites.of(provider), listed_s)
        )

    def _spared_or(self, action: JudgedAction, work: Callable[[], None]) -> Kept:
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

    def _erase(self, action: EraseImage, here: Site) -> None:
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
                self._leave(image, upload, here)
            else:
                self._delete(here, image)
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

    def _sweep(self, action: SweepImage, one: ListedImage, here: Site, listed_s: float) -> None:
        if one.id != action.cloud_image:
            raise _SparedError(f"it was listed as {one.id}")
        # After the listings: whoever made it since then has a record of it.
        known = self._world(library.read(self.store))
        if retire.expected(known, action.place, one, listed_s=listed_s):
            raise _SparedError(f"a record of {one.build} may know it")
        self._check_installation(self.store.read_fresh([paths.INSTALLATION])[0])
        image = self._image(here, action.place, action.cloud_image)
        if image is None:
            return
        self._check_marks(image, one.build)
        # A project may be two places, if somebody calls its region otherwise: each has its own.
        maker = image.properties.get(tags.PROVIDER)
        if image.name != one.name or maker not in self._providers(action.place):
            raise _SparedError(f"it is {image.name!r} of {maker}, which does not lie here")
        self._delete(here, image)

    def _providers(self, place: str) -> set[str]:
        return {one.provider for one in self.sites.at(place)}

    def _world(self, known: Library) -> WorldView:
        return WorldView(
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

    def _leave(self, image: StoredImage, upload: Upload, here: Site) -> None:
        """End a membership; the bytes are the source's, and stay."""
        project = here.images.project()
        sources = self.sites.at(upload.source or "")
        if not sources:
            raise _NobodyCanError("no provider that can be asked has the place it is shared from")
        there = sources[0].images
        if image.owner != there.project() or image.owner == project:
            raise _SparedError(f"image {image.id} is not shared from {sources[0].provider}")
        there.unshare(image.id, project, fence=call_fence(self.store, self.clock))


def _why_in_use(upload_id: UploadId, holders: references.Holders) -> str | None:
    """Return why an upload may not retire yet; launches hinder only its deletion."""
    if odd := references.unknown(holders):
        return f"{odd[0]} cannot be read, and may refer to it"
    some = references.index(holders).get(upload_id, ())
    holding = [one for one in some if one.kind is not ReferenceKind.LAUNCH]
    return f"{holding[0].by} refers to it" if holding else None
