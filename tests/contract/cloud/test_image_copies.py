"""The hands of a builder at work in a cloud: between two projects, shared or carried; and ended."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.place.actions import SweepImage
from builder.place.events import SweepEnded
from builder.place.hand_look import LookingHand
from builder.place.hand_sweep import SweepingHand
from builder.place.sites import Site, Sites, image_tags
from builder.place.view import ListedImage
from builder.upload.actions import EraseImage
from builder.upload.events import RetirementEnded
from builder.upload.hand_copy import CopyBetweenSites, CopyingHand
from builder.upload.hand_retire import RetiringHand
from remuda.cloud.api import GoneError
from remuda.cloud.image_store import ImageOrder, Membership, StoredImage, Visibility
from remuda.model import tags
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.model.upload import Method, Upload, UploadState, decode_upload, encode_upload
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from remuda.store.api import Create, Set, Stored
from tests.contract.cloud.bench import NAMES, OWNER, Bench, Fault
from tests.contract.cloud.image_means import neighbour, ordered, ready, running
from tests.fakes.store import FakeZookeeper

BUILD = BuildId("contract", 7)
CLOCK = SystemClock()


@dataclass
class Two:
    """A build in one project, and another project that is to have it."""

    bench: Bench
    here: Site
    there: Site
    folder: Path

    def __post_init__(self) -> None:
        """Make the records."""
        self.store = FakeZookeeper().connect()
        self.store.ensure(paths.uploads(BUILD))
        self.store.commit([Create(path=paths.INSTALLATION, data=OWNER.installation.encode())])
        build = Build(id=BUILD, state=BuildState.BUILT, why=Why.AGE, requested_s=1.0, since_s=1.0)
        self.put(paths.image(BUILD.image), encode_image(ImageRecord(name=BUILD.image)))
        self.put(paths.build(BUILD), encode_build(build))

    def put(self, path: str, data: bytes) -> None:
        """Write a record."""
        self.store.ensure(path)
        found = self.store.read(path)
        assert found is not None
        self.store.commit([Set(path=path, data=data, version=found.version)])

    def upload(self, site: Site, **record: object) -> Stored[Upload]:
        """Write the record of an upload."""
        upload_id = UploadId(BUILD, site.images.location().place)
        upload = Upload(id=upload_id, since_s=1.0, **record)  # type: ignore[arg-type]
        self.put(paths.upload(upload_id), encode_upload(upload))
        return self.stored(site)

    def stored(self, site: Site) -> Stored[Upload]:
        """Return it."""
        upload_id = UploadId(BUILD, site.images.location().place)
        raw = self.store.read(paths.upload(upload_id))
        assert raw is not None
        value = decode_upload(upload_id, raw.value)
        return Stored(path=raw.path, value=value, version=raw.version)

    def copy(self, source: Stored[Upload], method: Method) -> str | None:
        """Copy the build, and return why not."""
        upload = self.upload(
            self.here,
            state=UploadState.MAKING,
            method=method,
            source=source.value.id.place,
            owner=ReplicaId("me"),
        )
        hand = CopyingHand(
            store=self.store,
            clock=CLOCK,
            installation=OWNER.installation,
            folder=self.folder,
            new_token=lambda: uuid.uuid4().hex[:8],
        )
        order = CopyBetweenSites(upload=upload, source=source, here=self.here, there=self.there)
        return hand.copy(order).why

    def erase(self, upload: Upload) -> RetirementEnded:
        """End the copy."""
        assert upload.cloud_image is not None
        self.upload(
            self.here,
            state=UploadState.DELETING,
            method=upload.method,
            source=upload.source,
            cloud_image=upload.cloud_image,
        )
        action = EraseImage(id=upload.id, cloud_image=upload.cloud_image)
        return self.keeping().erase(action, self.here.provider)

    def sweep(self, image: ListedImage, place: str, *, listed_s: float) -> SweepEnded:
        """Delete an image of the first project, unless a record knows it."""
        action = SweepImage(place=place, cloud_image=image.id)
        return SweepingHand(self.store, CLOCK, OWNER.installation, self.sites()).sweep(
            action, image, self.there.provider, listed_s=listed_s
        )

    def keeping(self) -> RetiringHand:
        """Return the hand that ends uploads."""
        return RetiringHand(self.store, CLOCK, OWNER.installation, self.sites())

    def sites(self) -> Sites:
        """Return both clouds."""
        known = {one.provider: one.images for one in (self.here, self.there)}
        return Sites(lambda: known)

    def order(self, build: BuildId) -> ImageOrder:
        """Return an order for an image of a build, as that of a snapshot would be."""
        name = f"{NAMES}{uuid.uuid4().hex}"
        ours = image_tags(OWNER.installation, OWNER.provider, build, name)
        properties = {"os_distro": "x", **ours}
        return ordered(self.bench, name=name, properties=properties, hidden=True)


@pytest.fixture
def two(bench: Bench, tmp_path: Path) -> Two:
    """Two projects of one cloud."""
    _, images = neighbour(bench)
    return Two(
        bench=bench,
        here=Site(provider="other", images=images),
        there=Site(provider=OWNER.provider, images=bench.images),
        folder=tmp_path / "copies",
    )


@pytest.fixture
def built(two: Two, source: Path) -> tuple[StoredImage, Stored[Upload]]:
    """An image of the build in the first project, and its record."""
    image = two.bench.images.upload(two.order(BUILD), source)
    record = two.upload(
        two.there, state=UploadState.USABLE, method=Method.NATIVE, cloud_image=image.id
    )
    return image, record


def _gone(find: Callable[[], object]) -> bool:
    try:
        find()
    except GoneError:
        return True
    return False


def test_build_is_shared_with_a_project_and_taken_back(
    two: Two, built: tuple[StoredImage, Stored[Upload]]
) -> None:
    """No bytes move; the image stays where it is."""
    image, record = built

    assert two.copy(record, Method.SHARE) is None
    upload = two.stored(two.here).value
    members = two.bench.images.members(image.id)
    seen = two.here.images.get_image(image.id)
    ended = two.erase(upload)

    assert (upload.state, upload.cloud_image) == (UploadState.STORED, image.id)
    assert upload.size_bytes == image.size_bytes
    assert members == {two.here.images.project(): Membership.ACCEPTED}
    assert (seen.hidden, seen.visibility) == (True, Visibility.SHARED)
    assert ended.why is None
    assert two.bench.images.members(image.id) == {}
    assert _gone(lambda: two.here.images.get_image(image.id))


def test_build_is_carried_to_a_project_and_deleted(
    two: Two, built: tuple[StoredImage, Stored[Upload]]
) -> None:
    """Although the first download breaks; the copy is found by its own tags."""
    image, record = built
    two.bench.fault(Fault.DOWNLOAD_CUT)

    broke = two.copy(record, Method.CARRY)
    assert broke is not None
    assert two.copy(record, Method.CARRY) is None
    upload = two.stored(two.here).value
    made = two.here.images.get_image(upload.cloud_image or "")
    looking = LookingHand(CLOCK, OWNER.installation)
    listed = looking.list_images(two.here, upload.id.place).images
    ended = two.erase(upload)

    assert upload.state is UploadState.STORED
    assert upload.os_hash == f"{image.hash_algo}:{image.hash_value}"
    assert (made.hidden, made.visibility) == (True, Visibility.PRIVATE)
    assert (made.size_bytes, made.properties["os_distro"]) == (image.size_bytes, "x")
    assert listed is not None
    assert [one.build for one in listed.values()] == [BUILD]
    assert list(two.folder.iterdir()) == []
    assert ended.why is None
    two.bench.until(lambda: _gone(lambda: two.here.images.get_image(made.id)), "the copy to go")
    assert two.bench.images.get_image(image.id).id == image.id


def test_image_that_no_record_knows_is_swept_and_what_is_made_of_it_stays(
    two: Two, built: tuple[StoredImage, Stored[Upload]], source: Path
) -> None:
    """A snapshot inherits our tags, under a name of its own; what is on record stays, too."""
    recorded, _ = built
    lost = two.bench.images.upload(two.order(BuildId("contract", 8)), source)
    server = running(two.bench, image=recorded)
    theirs = two.bench.images.snapshot(server, f"{NAMES}{uuid.uuid4().hex}", {})
    ready(two.bench, theirs)
    place = two.there.images.location().place
    looking = LookingHand(CLOCK, OWNER.installation)
    listed_s = CLOCK.now_s()
    listed = looking.list_images(two.there, place).images or {}

    swept = {
        image_id: two.sweep(one, place, listed_s=listed_s).why for image_id, one in listed.items()
    }

    assert {image_id: why is None for image_id, why in swept.items()} == {
        lost.id: True,
        recorded.id: False,
    }
    two.bench.until(lambda: _gone(lambda: two.bench.images.get_image(lost.id)), "it to go")
    assert two.bench.images.get_image(theirs).properties[tags.BUILD] == str(BUILD.number)
