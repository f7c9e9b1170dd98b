"""Whatever records say, no builder ends, and no image goes that is not ours by its own tags."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remuda.cloud.image_store import ImageOrder, Visibility
from remuda.model import tags
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.ids import ProviderName, ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.tags import ImageTags, Owner
from remuda.model.upload import Method, Trial, TrialResult, Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Set
from tests.support.badrecords import SEEN, anything, changed, raw_of
from tests.unit.builder.crashes.installation import Installation, Saved
from tests.unit.builder.crashes.land import INSTALLATION
from tests.unit.builder.crashes.process import Builder
from tests.unit.builder.crashes.test_crashes import begun

HERE: Final = "p"
NUMBERS: Final = st.integers(1, 4)
SOON_S: Final = 100.0
#: Beyond all that a deletion has to wait for.
LATER_S: Final = 150.0
#: What nobody may do to a stranger's image.
TOUCHING: Final = frozenset({"delete_image", "edit_image", "set_visibility", "share", "unshare"})


@cache
def saved() -> Saved:
    """Return an installation where all images have their first build."""
    with tempfile.TemporaryDirectory() as scratch:
        return begun(Path(scratch))


def marks(name: str, installation: str = INSTALLATION) -> dict[str, str]:
    """Return the tags of an image of ours, with the name that it should have."""
    owner = Owner(installation=installation, provider=ProviderName(HERE))
    return tags.make_image(ImageTags(owner=owner, image="debian", build="1", name=name))


class Strange(Installation):
    """An installation among images of others that look like ours.

    Attributes:
        theirs: Their ids.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, saved())
        self.zookeeper.watch = lambda _ops: None  # type: ignore[method-assign]
        self.theirs = {
            self.plant("debian-12", {}),
            self.plant("remuda-debian-1-a0-00000000", {}),
            self.plant("renamed", marks("remuda-debian-1-a0-11111111")),
            self.plant("others", marks("others", "them")),
            self.plant("foreign", marks("foreign"), project="project-x"),
        }
        offered = self.plant("offered", {})
        self.land.one.members[offered] = {"project-q": True}
        self.theirs.add(offered)

    def plant(self, name: str, properties: Mapping[str, str], project: str = "project-p") -> str:
        """Put an image into the cloud of p and q, which everybody may see."""
        order = ImageOrder(
            name=name, disk_format="raw", properties=properties, visibility=Visibility.SHARED
        )
        kept = self.land.one.make(order, project, self.clock.now_s())
        kept.ready_s = self.clock.now_s()
        self.land.one.members[kept.image.id] = {"project-p": True, "project-q": True}
        return kept.image.id

    def before_call(self, provider: str, name: str, args: Any) -> None:
        """Fail if it is to a stranger's image."""
        del provider
        assert not (name in TOUCHING and args[0] in self.theirs), f"{name} {args}"

    def put(self, path: str, raw: bytes) -> None:
        """Write a record, whatever is there."""
        self.land.store.ensure(path)
        self.land.store.commit([Set(path=path, data=raw, version=-1)])

    def live(self, seconds: float) -> Builder:
        """Let a builder work; each turn of it looks for crashed hands."""
        one = self.start("b1")
        self.tasks.wait_s_min = 10.0
        try:
            self.run(lambda: False, seconds)
        finally:
            self.close()
        assert one.log.count("record.unforeseen") == 0
        assert self.theirs <= self.land.one.kept.keys()
        assert self.land.one.members[max(self.theirs)].keys() == {"project-q"}
        return one


def live_through(records: Mapping[str, bytes], seconds: float) -> None:
    """Write records, and let a builder live with them, and without them again."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Strange(Path(scratch))
        for path, raw in records.items():
            here.put(path, raw)
        here.live(seconds)


def places_of(kind: str, number: int) -> str:
    """Return a path of our image for a bad record."""
    build = BuildId("debian", 100 + number)
    return {
        "image": paths.image(f"other{number}"),
        "build": paths.build(build),
        "upload": paths.upload(UploadId(BuildId("debian", 1), f"{number:012x}")),
        "pointer": paths.pointer("debian", f"other{number}"),
        "image log": paths.image_log(build),
    }[kind]


def seen() -> Iterator[tuple[str, bytes]]:
    """Yield the records of images that were thought of, each at a place of its own."""
    kinds = {"image", "build", "upload", "pointer", "image log"}
    for number, bad in enumerate(one for one in SEEN if one.kind in kinds):
        yield places_of(bad.kind, number), bad.raw


def test_bad_records_of_all_kinds_end_no_builder() -> None:
    """All that were thought of, at once."""
    live_through(dict(seen()), SOON_S)


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"\xff" * 1000, b'{"schema": NaN}'])
def test_bytes_that_are_no_records_end_no_builder(raw: bytes) -> None:
    """In the place of each of ours, and of what builders say of themselves."""
    here = [*ours(), f"{paths.BUILDERS}/b0", f"{paths.BUILDERS}/\u202e", f"{paths.IMAGES}/x\ny"]
    live_through(dict.fromkeys(here, raw), SOON_S)


def ours() -> tuple[str, ...]:
    """Return the paths of the records of the first build in p."""
    build = BuildId("debian", 1)
    place = next(one for one in saved().tree.paths() if one.startswith(paths.uploads(build) + "/"))
    return (paths.image("debian"), paths.build(build), place, paths.pointer("debian", HERE))


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, bytes]:
    """Return records of ours with some fields replaced."""
    found = {}
    for path in draw(st.lists(st.sampled_from(ours()), min_size=1, max_size=3, unique=True)):
        node = saved().tree.get(path)
        assert node is not None
        doc = json.loads(node.data)
        for field in draw(st.lists(st.sampled_from(sorted(doc)), min_size=1, max_size=3)):
            doc = changed(doc, field, draw(anything))
        found[path] = raw_of(doc)
    return found


@settings(max_examples=25, derandomize=True, deadline=None)
@given(spoiled())
def test_no_spoiled_record_ends_a_builder(records: dict[str, bytes]) -> None:
    """Any wrong values in records that were right."""
    live_through(records, SOON_S)


class Forger:
    """Draws records that are right, and false."""

    def __init__(self, draw: st.DrawFn, here: Strange) -> None:
        self.draw = draw
        self.images = st.sampled_from([*sorted(here.theirs), "gone", None])
        self.states = st.sampled_from([*UploadState, *[UploadState.DELETING] * len(UploadState)])
        self.names = st.sampled_from([one.image.name for one in here.land.one.kept.values()])
        self.places = st.sampled_from(sorted(here.land.places.values()))
        self.owners = st.sampled_from([None, ReplicaId("b1"), ReplicaId("dead")])
        self.now_s = here.clock.now_s()

    def build(self, build_id: BuildId) -> bytes:
        """Return a build in any state."""
        draw = self.draw
        one = Build(
            id=build_id,
            state=draw(st.sampled_from(BuildState)),
            why=Why.COMMAND,
            requested_s=self.now_s,
            since_s=self.now_s - draw(st.sampled_from([0.0, 1e5])),
            group=("p", "q", "r"),
            provider=HERE,
            place=draw(self.places),
            owner=draw(self.owners),
            parent=draw(st.sampled_from([None, BuildId("child", 1), BuildId("debian", 1)])),
            cloud_name=draw(self.names),
            snapshot=draw(self.images),
            identity={"machine_id": "x"},
        )
        return encode_build(one)

    def upload(self, upload_id: UploadId) -> bytes:
        """Return an upload in any state, of any image."""
        draw = self.draw
        one = Upload(
            id=upload_id,
            state=draw(self.states),
            since_s=self.now_s - draw(st.sampled_from([0.0, 1e5])),
            method=draw(st.sampled_from([None, *Method])),
            source=draw(st.none() | self.places),
            owner=draw(self.owners),
            cloud_image=draw(self.images),
            trying=draw(st.sampled_from([None, HERE, "nowhere"])),
            trials={one: Trial(result=TrialResult.PASSED) for one in "pqr"},
        )
        return encode_upload(one)

    def pointer(self) -> bytes:
        """Return a pointer at anything."""
        one = Pointer(
            image="debian",
            provider=HERE,
            place=self.draw(self.places),
            current=self.draw(NUMBERS),
            previous=self.draw(NUMBERS),
        )
        return encode_pointer(one)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.data())
def test_no_forged_record_has_a_strangers_image_deleted(data: st.DataObject) -> None:
    """Condemned, swept, copied, or taken back: the cloud's own tags, name and project count."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Strange(Path(scratch))
        forger = Forger(data.draw, here)
        for number in sorted(data.draw(st.sets(NUMBERS, min_size=1, max_size=3))):
            build_id = BuildId("debian", number)
            here.put(paths.build(build_id), forger.build(build_id))
            here.land.store.ensure(paths.uploads(build_id))
            for place in here.land.places.values():
                upload_id = UploadId(build_id, place)
                here.put(paths.upload(upload_id), forger.upload(upload_id))
        if data.draw(st.booleans()):
            here.put(paths.pointer("debian", HERE), forger.pointer())
        image = replace(ImageRecord(name="debian"), last_build=data.draw(NUMBERS))
        here.put(paths.image("debian"), encode_image(image))
        here.live(LATER_S)
