"""A harness with images on record, for the commands of `remuda image`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from builder.log.build_log import BuildLog
from remuda.images.inventory import encode_inventory, take
from remuda.model import launch as launches
from remuda.model.build import Blame, Build, BuildState, Mishap, Why, encode_build
from remuda.model.builderstatus import BuilderStatus, encode_builder
from remuda.model.component import Replica
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word, decode_image, encode_image
from remuda.model.launch import Launch, Step
from remuda.model.pointer import Pointer, decode_pointer, encode_pointer
from remuda.model.upload import Trial, TrialResult, Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Create, Op, Set
from tests.fakes.clock import ManualClock
from tests.support.commands import CommandHarness
from tests.support.standin import StandIn

PLACES: Final = {"alpha": "a" * 12, "beta": "b" * 12}
NOW_S: Final = 1_700_000_000.0
ADA: Final = Word(who="ada@host", why="it is bad", at_s=NOW_S)
FAILED: Final = Mishap(step="packages", blame=Blame.RECIPE, message="mirror down")
PASSED: Final = Trial(result=TrialResult.PASSED, at_s=NOW_S)


class ImageHarness(CommandHarness):
    """Runs commands over records of images."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.launcher.store
        self.store.ensure(paths.IMAGES, paths.BUILDERS, *map(paths.launches, PLACES))

    def launchers(self) -> None:
        """Have both providers' launchers say that they are there."""
        self.launcher.register("small")
        StandIn(self.zookeeper.connect(), "beta").register("small")

    def image(self, name: str = "debian", **fields: Any) -> None:
        """Put an image on record."""
        self.store.ensure(paths.builds(name), paths.pointers(name))
        record = ImageRecord(name=name, **fields)
        self.put(paths.image(name), encode_image(record))

    def build(
        self, number: int, image: str = "debian", providers: Iterable[str] = PLACES, **fields: Any
    ) -> BuildId:
        """Put a build on record that is proven in *providers*."""
        build_id = BuildId(image, number)
        first = Build(
            id=build_id,
            state=BuildState.BUILT,
            why=Why.SCHEDULE,
            requested_s=NOW_S + number,
            since_s=NOW_S + number,
            group=tuple(PLACES),
            provider="alpha",
            place=PLACES["alpha"],
            snapshot=f"snapshot-{number}",
        )
        build = replace(first, **fields)
        self.store.ensure(paths.uploads(build_id))
        self.put(paths.build(build_id), encode_build(build))
        for provider in providers:
            self.upload(build_id, provider)
        return build_id

    def upload(self, build_id: BuildId, provider: str, **fields: Any) -> None:
        """Put an upload on record."""
        first = Upload(
            id=UploadId(build_id, PLACES[provider]),
            state=UploadState.USABLE,
            since_s=NOW_S,
            cloud_image="7f3d",
            trials={provider: PASSED},
        )
        self.put(paths.upload(first.id), encode_upload(replace(first, **fields)))

    def pointer(
        self, current: int, image: str = "debian", provider: str = "alpha", **fields: Any
    ) -> None:
        """Put a pointer on record."""
        one = Pointer(
            image=image, provider=provider, place=PLACES[provider], current=current, **fields
        )
        self.put(paths.pointer(image, provider), encode_pointer(one))

    def shelf(self, *numbers: int, image: str = "debian", current: int | None = None) -> None:
        """Put an image with proven builds on record, the last of which is current everywhere."""
        self.image(image, last_build=max(numbers, default=0))
        for number in numbers:
            self.build(number, image)
        now = max(numbers) if current is None else current
        older = max((one for one in numbers if one < now), default=None)
        for provider in PLACES:
            self.pointer(now, image, provider, previous=older)

    def node(self, node: str, upload_id: UploadId, provider: str = "alpha") -> None:
        """Put a launch of an upload on record."""
        one = Launch(
            id=NodeId(node),
            pool="main",
            label="small",
            step=Step.PLANNED,
            owner=ReplicaId("me"),
            planned_s=NOW_S,
            asked_by_s=NOW_S,
            image_build=str(upload_id.build),
            image_place=upload_id.place,
        )
        self.put(paths.launch(provider, one.id), launches.encode(one))

    def builder(self, name: str = "b1", **words: Any) -> None:
        """Let a builder be alive, with what it says."""
        replica = Replica(id=ReplicaId(name), hostname="h", pid=7, version="1", started_s=5.0)
        status = BuilderStatus(replica=replica, **words)
        self.put(paths.builder(replica.id), encode_builder(status))

    def put(self, path: str, data: bytes) -> None:
        """Write a record, whatever is there."""
        there = self.store.read(path)
        lives = path.startswith(f"{paths.BUILDERS}/")
        op: Op = Create(path=path, data=data, ephemeral=lives)
        if there is not None:
            op = Set(path=path, data=data, version=there.version)
        self.store.commit([op])

    def read_pointer(self, provider: str = "alpha", image: str = "debian") -> Pointer:
        """Return a pointer."""
        stored = self.store.read(paths.pointer(image, provider))
        assert stored is not None
        return decode_pointer(image, provider, stored.value)

    def read_image(self, image: str = "debian") -> ImageRecord:
        """Return an image's own record."""
        stored = self.store.read(paths.image(image))
        assert stored is not None
        return decode_image(image, stored.value)


def write_log(
    harness: ImageHarness, build_id: BuildId, text: bytes, *, close: bool = True
) -> BuildLog:
    """Write a log of two steps."""
    one = BuildLog(harness.zookeeper.connect(), build_id, writer="me", clock=ManualClock())
    one.step("files")
    one.step("packages")
    one.write(text)
    if close:
        one.close(ok=False)
        assert one.settle(10)
    return one


def put_packages(harness: ImageHarness, number: int, found: list[tuple[str, str]]) -> None:
    """Put a build on record with what is in it."""
    inventory = take(found)
    build_id = harness.build(number, inventory=inventory.digest)
    harness.store.ensure(paths.image_log(build_id))
    harness.put(paths.image_inventory(build_id), encode_inventory(inventory))
