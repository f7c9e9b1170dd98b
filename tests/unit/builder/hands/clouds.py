"""Records in a ZooKeeper of the tests, and images in three places of two clouds of the tests."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from builder.place.sites import Site, image_tags
from remuda.cloud.image_store import ImageOrder, StoredImage
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.model.upload import Upload, UploadState, decode_upload, encode_upload
from remuda.store import paths
from remuda.store.api import Create, Set, Stored
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance
from tests.fakes.image_store import FakeImages
from tests.fakes.store import FakeStore, FakeZookeeper

INSTALLATION: Final = "ours"
ME: Final = ReplicaId("me")
BUILD: Final = BuildId("debian", 7)
DATA: Final = b"\0" * 70_000 + b"disk" * 40_000


@dataclass
class Setting:
    """One cloud with two projects (pa, pb), another one (pc), and all records."""

    scratch: Path
    clock: ManualClock = field(default_factory=ManualClock)
    clouds: dict[str, FakeCloud] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    images: dict[str, FakeImages] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the clouds and the store."""
        self.zookeeper = FakeZookeeper(self.clock)
        self.store: FakeStore = self.zookeeper.connect()
        self.one, self.two = FakeGlance(), FakeGlance(region="RegionTwo")
        for name, glance in (("pa", self.one), ("pb", self.one), ("pc", self.two)):
            self.clouds[name] = FakeCloud(self.clock)
            self.images[name] = FakeImages(self.clouds[name], glance, project=f"project-{name}")
            self.places[name] = self.images[name].location().place
            self.sites[name] = Site(provider=name, images=self.images[name])
        self.store.ensure(paths.uploads(BUILD), paths.pointers(BUILD.image), paths.PROVIDERS)
        self.store.commit([Create(path=paths.INSTALLATION, data=INSTALLATION.encode())])
        self.put(paths.image(BUILD.image), encode_image(ImageRecord(name=BUILD.image)))
        self.build(state=BuildState.BUILT, place=self.place("pa"))

    def place(self, name: str) -> str:
        """Return where a provider's images lie."""
        return self.places[name]

    def id(self, name: str) -> UploadId:
        """Return the upload of the build in a provider's place."""
        return UploadId(BUILD, self.place(name))

    # Records.

    def put(self, path: str, data: bytes) -> None:
        """Write a record, whatever is there."""
        found = self.store.read(path)
        if found is None:
            self.store.ensure(path)
            found = self.store.read(path)
        assert found is not None
        self.store.commit([Set(path=path, data=data, version=found.version)])

    def build(self, **more: Any) -> Build:
        """Write the record of the build."""
        first = Build(
            id=BUILD, state=BuildState.REQUESTED, why=Why.AGE, requested_s=1.0, since_s=1.0
        )
        after = replace(first, **more)
        self.put(paths.build(after.id), encode_build(after))
        return after

    def upload(self, name: str, **more: Any) -> Stored[Upload]:
        """Write the record of an upload."""
        first = Upload(id=self.id(name), state=UploadState.USABLE, since_s=1.0)
        after = replace(first, **more)
        self.put(paths.upload(after.id), encode_upload(after))
        return self.stored(after.id)

    def stored(self, upload_id: UploadId) -> Stored[Upload]:
        """Return an upload as it is on record."""
        path = paths.upload(upload_id)
        raw = self.store.read(path)
        assert raw is not None
        return Stored(path=path, value=decode_upload(upload_id, raw.value), version=raw.version)

    def now(self, name: str) -> Upload:
        """Return the record of the upload in a provider's place."""
        return self.stored(self.id(name)).value

    # Images.

    def image(self, name: str, called: str = "ours-1", **more: Any) -> StoredImage:
        """Make an image of ours in a provider's place."""
        given: dict[str, Any] = {
            "name": called,
            "disk_format": "raw",
            "properties": {"os_distro": "debian", **self.tags(name, called)},
            "hidden": True,
            "min_disk_gib": 2,
        }
        file = self.scratch / f"file-of-{called}"
        file.write_bytes(more.pop("data", DATA))
        return self.images[name].upload(ImageOrder(**(given | more)), file)

    def tags(self, name: str, called: str, build: BuildId = BUILD) -> dict[str, str]:
        """Return what marks an image as ours."""
        return dict(image_tags(INSTALLATION, name, build, called))

    def there(self, name: str) -> set[str]:
        """Return the images that a provider's project has."""
        return {one.id for one in self.images[name].list_images()}
