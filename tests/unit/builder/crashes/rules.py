"""What must hold of every write and every deletion, and what must be true in the end."""

from collections.abc import Iterator, Sequence
from typing import Final

from remuda.images import references, writes
from remuda.images.library import Library
from remuda.images.statement import INTERNAL, decode_statement, part_of, record_part
from remuda.model import tags
from remuda.model.build import UNDER_WAY, BuildState
from remuda.model.image import BuildId
from remuda.model.upload import Method, TrialResult, UploadState
from remuda.store import paths
from remuda.store.api import Op
from tests.fakes.store import FakeZookeeper
from tests.support.imagerecords import ImageRecords
from tests.unit.builder.crashes.land import Land

#: The image that is also to be proven without a network.
OFFLINE: Final = "child"
_WATCHED: Final = (f"{paths.IMAGES}/", f"{paths.PROVIDERS}/")


class Rules:
    """Watches over the invariants of docs/adr/0018 and 0019.

    Attributes:
        begun: Builds whose numbers were ever given.
    """

    def __init__(self, zookeeper: FakeZookeeper) -> None:
        self.records = ImageRecords(zookeeper)
        self.begun = set(self.library.builds)

    @property
    def library(self) -> Library:
        """What is on record."""
        return self.records.library

    def written(self, ops: Sequence[Op]) -> None:
        """Fail if a write that was made breaks a rule."""
        if not any(one.path.startswith(_WATCHED) for one in ops):
            return
        before, after = self.library, self.records.written(ops)
        for build_id in set(after.builds) - set(before.builds):
            assert build_id not in self.begun, f"{build_id} was given twice"
            self.begun.add(build_id)
        found = references.index(after.holders())
        for upload_id, upload in after.uploads.items():
            if upload.value.state is UploadState.DELETING:
                assert upload_id not in found, f"5: {found[upload_id]} refers to {upload_id}"
        for key, pointer in after.pointers.items():
            for one in writes.named(pointer.value):
                assert after.uploads[one].value.state is UploadState.USABLE, f"2: {one}"
                assert after.uploads[one].value.passed(key[1]), f"2: {one} in {key[1]}"
        _tried_offline(after)
        groups = [
            (one.value.id.image, one.value.group)
            for one in after.builds.values()
            if one.value.state in UNDER_WAY
        ]
        assert len(groups) == len(set(groups)), "7: one build at a time"

    def deleted(self, land: Land, provider: str, image_id: str) -> None:
        """Fail if an image is about to go that anybody uses, or that is not ours."""
        kept = land.images[provider].glance.kept.get(image_id)
        if kept is None:
            return
        found = tags.read_image(kept.image.name, kept.image.properties)
        pending = kept.name is not None  # a snapshot: Nova names it when it is whole
        assert found is not None or pending, f"5: {image_id} is not ours"
        referred = references.index(self.library.holders())
        for one in self.library.uploads.values():
            if one.value.cloud_image == image_id:
                assert one.value.state is UploadState.DELETING, f"5: {one.value.id}"
                assert one.value.id not in referred, f"5: {one.value.id} is in use"


def _tried_offline(known: Library) -> None:
    """Fail if a build has passed with less than all that its recipe wants proven."""
    for upload_id, upload in known.uploads.items():
        for provider, trial in upload.value.trials.items():
            if trial.result is TrialResult.PASSED:
                names = [] if trial.times is None else [name for name, _ in trial.times.offline]
                wanted = ["cache"] if upload_id.build.image == OFFLINE else []
                assert names == wanted, f"{upload_id} in {provider}: offline {names}"


#: The images of an installation, each with its providers, and the build that is to be current.
Wanted = dict[tuple[str, tuple[str, ...]], int]


def unrest(known: Library, land: Land, zookeeper: FakeZookeeper, wanted: Wanted) -> Iterator[str]:
    """Yield what is not as it is to be in the end."""
    yield from _machines(land, zookeeper)
    yield from _builds(known, wanted)
    yield from _pointers(known, land, wanted)
    yield from _images(known, land)
    yield from _statements(known, land, zookeeper)


def _machines(land: Land, zookeeper: FakeZookeeper) -> Iterator[str]:
    requests = zookeeper.tree.children(paths.REQUESTS)
    yield from (f"request {one} is left" for one in (requests.names if requests else ()))
    yield from (f"node {one.node} is left" for one in land.machines if one.request is not None)


def _builds(known: Library, wanted: Wanted) -> Iterator[str]:
    for build_id, build in known.builds.items():
        if build.value.state is not BuildState.BUILT:
            yield f"{build_id} is {build.value.state}: {build.value.mishap}"
    for upload_id, upload in known.uploads.items():
        if upload.value.state is not UploadState.USABLE or upload.value.owner is not None:
            yield f"{upload_id} is {upload.value.state}: {upload.value.mishap}"
    if set(known.builds) != {BuildId(image, number) for (image, _), number in wanted.items()}:
        yield f"there are the builds {sorted(map(str, known.builds))}"
    if len(known.uploads) != sum(len(providers) for _, providers in wanted):
        yield f"there are the uploads {sorted(map(str, known.uploads))}"


def _pointers(known: Library, land: Land, wanted: Wanted) -> Iterator[str]:
    for (image, providers), number in wanted.items():
        for provider in providers:
            pointer = known.pointers.get((image, provider))
            if pointer is None or pointer.value.served(land.clock.now_s()) != number:
                yield f"{provider} does not boot {image}/{number}"


def _images(known: Library, land: Land) -> Iterator[str]:
    """Yield what the clouds have that no record knows, or lack."""
    uploads = [one.value for one in known.uploads.values()]
    recorded = {one.cloud_image for one in uploads if one.method is not Method.SHARE}
    shared = {one.cloud_image for one in uploads if one.method is Method.SHARE}
    there, offered = set(), set()
    for glance in (land.one, land.two):
        there |= {key for key, one in glance.kept.items() if one.image.name != "theirs"}
        offered |= {key for key, one in glance.members.items() if one and key in glance.kept}
        if not any(one.image.name == "theirs" for one in glance.kept.values()):
            yield "5: a stranger's image is gone"
    yield from (f"3: image {one} is left" for one in there - recorded)
    yield from (f"image {one} is missing" for one in recorded - there)
    yield from (f"3: image {one} is still offered" for one in offered - shared)


def _statements(known: Library, land: Land, zookeeper: FakeZookeeper) -> Iterator[str]:
    """Yield what is stated of builds and is not true, or not there, whoever finished them."""
    for build_id, build in known.builds.items():
        found = zookeeper.tree.get(paths.image_statement(build_id))
        stated = None if found is None else decode_statement(build_id, found.data)
        if stated is None or not stated.complete or stated.digest != build.value.statement:
            yield f"nothing is stated of {build_id} that its record knows"
        elif part_of(stated.doc, *INTERNAL, "record") != record_part(build.value):
            yield f"what is stated of {build_id} is not what is on record"
    for upload in (one.value for one in known.uploads.values()):
        build_id, image_id = upload.id.build, upload.cloud_image
        statement = known.builds[build_id].value.statement
        for glance in (land.one, land.two):
            kept = glance.kept.get(image_id or "")
            if kept is not None and kept.image.properties.get(tags.STATEMENT) != statement:
                yield f"image {image_id} does not carry the hash of what is stated of {build_id}"
