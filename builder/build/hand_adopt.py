"""The hand that finishes a build whose builder died when its snapshot was asked for.

The machine is gone, or the file that was sent. The image is treated as that of any other build:
hidden, looked at, and rid of what it inherited, before the record says that it is whole.
"""

from dataclasses import dataclass

from builder.build import outcome as build_outcome
from builder.build import writes
from builder.build.actions import KeepSnapshot
from builder.build.commanding import is_the_file
from builder.build.events import AdoptionEnded
from builder.build.hand_snapshot import check_data, trimmed
from builder.build.hand_statement import Stating
from builder.hands.blame import MishapError, fail
from builder.place.sites import Site, build_of
from builder.policy import ImagePolicy
from builder.upload.outcome import WholeImage, whole_image
from remuda.cloud.api import CloudError, TryLaterError
from remuda.cloud.image_store import ImageEdit, ImageStatus, StoredImage, hash_of
from remuda.model import tags
from remuda.model.build import Blame, Build, Mishap
from remuda.model.ids import ReplicaId
from remuda.runtime.clock import Clock
from remuda.signing import SigningKeyError, read_signing_key
from remuda.store.api import Store, Stored, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptAtSite:
    """A :class:`builder.build.tasks.AdoptTask`, with the way into its place.

    Attributes:
        build: As it was judged; it is written at that version.
        here: A provider of the build's place.
        me: The builder that does.
        signing_key_file: Signs what is stated of the build; None: nothing is signed.
    """

    action: KeepSnapshot
    build: Stored[Build]
    policy: ImagePolicy | None
    here: Site
    me: ReplicaId
    signing_key_file: str | None = None


@dataclass(frozen=True, slots=True)
class AdoptingHand:
    """Finishes one build at a time; several threads may use it."""

    store: Store
    clock: Clock
    installation: str

    def adopt(self, task: AdoptAtSite) -> AdoptionEnded:
        """Finish it; what fails for the cloud's sake is tried again later."""
        try:
            self._adopt(task)
        except MishapError as exc:
            return AdoptionEnded(action=task.action, why=self._refused(task, exc.mishap))
        except SigningKeyError as exc:
            why = f"key file {task.signing_key_file} {exc}"
            return AdoptionEnded(action=task.action, why=self._handed_over(task, why))
        except (CloudError, StoreError) as exc:
            return AdoptionEnded(action=task.action, why=str(exc))
        return AdoptionEnded(action=task.action)

    def _adopt(self, task: AdoptAtSite) -> None:
        images, build, file = task.here.images, task.build, task.signing_key_file
        key = None if file is None else read_signing_key(file)
        image = self._image(task)
        images.edit_image(image.id, ImageEdit(hidden=True))  # nobody finds it from now on
        check_data(image)
        images.edit_image(image.id, trimmed(image))
        # Some clouds show it active, and take it back when the upload has failed.
        whole = _whole(build.value, self._image(task))
        now_s = self.clock.now_s()
        stating = Stating(store=self.store, key=key)
        stated = stating.complete(*writes.whole(build.value, whole, now_s=now_s))
        if stated is not None:
            said = {tags.STATEMENT: stated.digest}
            images.edit_image(image.id, ImageEdit(properties=said))
        self.store.commit(writes.finish(build, whole, task.action.also, stated, now_s=now_s))

    def _image(self, task: AdoptAtSite) -> StoredImage:
        """Return the image, once the cloud says that it is that of the build, and whole."""
        build, here = task.build.value, task.here
        if why := here.elsewhere(build.place or ""):
            raise TryLaterError(why)
        image = here.images.get_image(task.action.snapshot)
        if image.name != build.cloud_name or build_of(image, self.installation) != build.id:
            raise TryLaterError(f"image {image.id} has not the tags of {build.id}")
        if image.owner != here.images.project():
            raise TryLaterError(f"image {image.id} belongs to another project")
        if image.status is not ImageStatus.ACTIVE:
            raise TryLaterError(f"image {image.id} is {image.status}")
        return image

    def _handed_over(self, task: AdoptAtSite, why: str) -> str:
        """Leave it to a builder that can sign: without a signature it would never be verified."""
        stored = task.build
        if task.me in stored.value.cannot_sign:
            return why  # nobody else is there; it is asked again whether the key is
        return self._written(task, build_outcome.handed_over(stored.value, task.me, why), why)

    def _refused(self, task: AdoptAtSite, mishap: Mishap) -> str:
        """Write what is wrong with it, unless time may mend that; return the same."""
        if mishap.blame is not Blame.CLOUD:
            now_s = self.clock.now_s()
            after = build_outcome.unmade(task.build.value, mishap, task.policy, now_s=now_s)
            return self._written(task, after, mishap.message)
        return mishap.message

    def _written(self, task: AdoptAtSite, after: Build, why: str) -> str:
        try:
            self.store.commit([writes.write_build(task.build, after)])
        except StoreError as exc:
            return f"{why}; not written: {exc}"
        return why


def _whole(build: Build, image: StoredImage) -> WholeImage:
    """Return what is put on record of an image that is whole.

    Raises:
        MishapError: It should be a file that is known, and the cloud does not show that it is.
    """
    file = build.file
    if file is None:
        return whole_image(image)
    if not is_the_file(file, image.size_bytes, hash_of(image)):
        message = "the cloud does not show that it has the file: no hash of it, or another one"
        raise fail("upload", Blame.BUILDER, message)
    return whole_image(image, sha256=file.sha256, carried_sha512=file.sha512)
