"""What ends images: each step reads the upload first, and all that may refer to it after that."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remuda.images import references
from remuda.images.library import Library
from remuda.images.references import ReferenceKind
from remuda.model.build import Build, BuildEvent, BuildState, encode_build
from remuda.model.image import BuildId
from remuda.model.upload import Upload, UploadEvent, UploadState
from remuda.store import paths
from remuda.store.api import Delete, Set, Stored
from tests.simulation import firstuse

if TYPE_CHECKING:
    from tests.simulation.librarian import Librarian

#: Between two steps.
STEP_S_MAX = 2.0
_BAD = (UploadState.REJECTED, UploadState.FAILED)
_OVER = (BuildState.BUILT, BuildState.SAME, BuildState.FAILED, BuildState.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Weeder:
    """The part of a librarian that removes."""

    librarian: "Librarian"

    def retire(self) -> None:
        """Choose an upload that nobody should boot any more."""
        seen = self.librarian.look()
        some = [one for one in seen.uploads.values() if self._is_past(seen, one.value)]
        if some:
            chosen = self.librarian.rng.choice(some)
            self.librarian.then(STEP_S_MAX, lambda: self._retire(chosen))

    def _is_past(self, seen: Library, upload: Upload) -> bool:
        if upload.state is not UploadState.USABLE:
            return upload.state in _BAD
        if seen.builds[upload.id.build].value.revoked is not None:
            return True
        image, number = upload.id.build
        here = self.librarian.images.providers_of(upload.id.place)
        pointers = [seen.pointers.get((image, provider)) for provider in here]
        if image == firstuse.FIRST and not any(pointers):
            return firstuse.over(seen, self.librarian.now_s())
        return all(one is not None and number < one.value.current for one in pointers)

    def _retire(self, chosen: Stored[Upload]) -> None:
        """See that only launches refer to it, and write at the version that was known before."""
        holders = self.librarian.fresh().holders()
        found = references.index(holders).get(chosen.value.id, ())
        others = [one for one in found if one.kind is not ReferenceKind.LAUNCH]
        if not others and not references.unknown(holders):
            self._write_later(chosen, UploadEvent.RETIRED)

    def condemn(self) -> None:
        """Choose an upload that is retiring."""
        chosen = self._some(UploadState.RETIRING)
        if chosen is not None:
            self.librarian.then(STEP_S_MAX, lambda: self._condemn(chosen))

    def _condemn(self, chosen: Stored[Upload]) -> None:
        """See that nothing refers to it, and write at the version that was known before."""
        if references.why_kept(chosen.value.id, self.librarian.fresh().holders()) is None:
            self._write_later(chosen, UploadEvent.UNREFERENCED)

    def _write_later(self, chosen: Stored[Upload], event: UploadEvent) -> None:
        after = chosen.value.after(event, now_s=self.librarian.now_s())
        self.librarian.then(STEP_S_MAX, lambda: self.librarian.write(chosen, after))

    def _some(self, state: UploadState) -> Stored[Upload] | None:
        uploads = self.librarian.look().uploads.values()
        some = [one for one in uploads if one.value.state is state]
        return self.librarian.rng.choice(some) if some else None

    def erase(self) -> None:
        """Let the clouds delete an image that nothing refers to, and forget it then."""
        chosen = self._some(UploadState.DELETING)
        if chosen is None:
            return
        librarian, image_id = self.librarian, chosen.value.cloud_image or ""
        librarian.rules.erase(image_id)
        for provider in librarian.images.providers_of(chosen.value.id.place):
            cloud = librarian.simulation.skies[provider].cloud
            cloud.images = [one for one in cloud.images if one.id != image_id]
        librarian.note("erases", chosen.value.id)
        gone = Delete(path=chosen.path, version=chosen.version)
        librarian.then(STEP_S_MAX, lambda: librarian.store.commit([gone]) and None)

    def forget(self) -> None:
        """Remove the record of a build of which nothing is left."""
        seen, librarian = self.librarian.look(), self.librarian
        for build_id, stored in self._empty(seen):
            if stored.value.state is BuildState.RETIRING:
                librarian.store.commit([Delete(path=stored.path, version=stored.version)])
            else:
                after = stored.value.after(BuildEvent.RETIRED, now_s=librarian.now_s())
                data = encode_build(after)
                librarian.store.commit(
                    [
                        Delete(path=paths.uploads(build_id)),
                        Set(path=stored.path, data=data, version=stored.version),
                    ]
                )
            librarian.note("forgets", build_id)

    def _empty(self, seen: Library) -> Iterator[tuple[BuildId, Stored[Build]]]:
        for build_id, stored in seen.builds.items():
            over = stored.value.state in (*_OVER, BuildState.RETIRING)
            # Records of captures stay for days: as long as there is who could ask for another.
            asks = stored.value.captured is not None and not self._gone(seen, stored.value)
            if over and not asks and not any(one.build == build_id for one in seen.uploads):
                yield build_id, stored

    def _gone(self, seen: Library, build: Build) -> bool:
        machine = build.captured
        return machine is None or not any(
            (provider, one.id) == (machine.provider, machine.node)
            for provider, one in seen.launches
        )
