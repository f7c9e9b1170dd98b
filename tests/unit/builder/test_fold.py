"""What a builder takes in of ZooKeeper: every kind of record, and what cannot be read."""

from typing import Any

import pytest

from builder.fold import Fold, wanted_of_providers
from builder.recipe.compile import ConfiguredImages
from builder.world import World
from remuda.frame.set_aside import SetAside
from remuda.images import kinds
from remuda.images.kinds import RecordKind
from remuda.images.library import Library, read
from remuda.metrics.sink import NullMetrics
from remuda.model import launch as launches
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.model.launch import Launch, Step
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.status import ProviderStatus, encode_status
from remuda.model.upload import Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put, Set, Stored, Synced
from tests.fakes.store import FakeZookeeper
from tests.unit.builder.bench import Quiet

HERE = "a" * 12
BUILD = BuildId("a", 7)
UPLOAD = UploadId(BUILD, HERE)
NODE = NodeId("3000000001")


def launch(image_build: str | None = "a/7") -> bytes:
    """Return a launch that boots a build."""
    return launches.encode(
        Launch(
            id=NODE,
            pool="main",
            label="small",
            step=Step.PLANNED,
            owner=ReplicaId("l"),
            planned_s=1.0,
            asked_by_s=1.0,
            image_build=image_build,
            image_place=HERE if image_build else None,
        )
    )


def build(state: BuildState = BuildState.BUILT) -> Build:
    """Return a build."""
    return Build(id=BUILD, state=state, why=Why.AGE, requested_s=1.0, since_s=1.0)


#: One record of each kind that refers to images, or is one.
RECORDS: dict[str, bytes] = {
    paths.image("a"): encode_image(ImageRecord(name="a", last_build=7)),
    paths.build(BUILD): encode_build(build()),
    paths.upload(UPLOAD): encode_upload(Upload(id=UPLOAD, state=UploadState.USABLE, since_s=1.0)),
    paths.pointer("a", "p"): encode_pointer(
        Pointer(image="a", provider="p", place=HERE, current=7)
    ),
    paths.launch("p", NODE): launch(),
}
FOLDERS = (paths.builds("a"), paths.uploads(BUILD), paths.pointers("a"), paths.launches("p"))


class Scene:
    """A fold, and what it knows."""

    def __init__(self) -> None:
        self.known = World(me=ReplicaId("me"), configured=ConfiguredImages())
        self.log = Quiet()
        self.moved: list[tuple[BuildState, BuildState]] = []
        self.fold = Fold(
            world=self.known,
            aside=SetAside(log=self.log, metrics=NullMetrics()),
            on_build=lambda before, after: self.moved.append((before.state, after.state)),
        )

    def put(
        self, path: str, data: bytes, version: int = 0, *, own: bool = False, owner: int = 0
    ) -> bool:
        """Tell a record, and say whether that was worth a judgement."""
        self.known.dirty = False
        stored = Stored(path=path, value=data, version=version, owner=owner)
        self.fold.fold(Put(path=path, stored=stored, own=own))
        return self.known.dirty

    def tell(self, change: Any) -> bool:
        """Tell another change, and say the same."""
        self.known.dirty = False
        self.fold.fold(change)
        return self.known.dirty

    def all(self) -> "Scene":
        """Tell everything."""
        for path in FOLDERS:
            self.put(path, b"")
        for path, data in RECORDS.items():
            self.put(path, data, 3)
        return self


def parts(library: Library) -> dict[str, Any]:
    """Return what is in a library, comparably."""
    return {
        "images": {key: one.value for key, one in library.images.items()},
        "builds": {key: one.value for key, one in library.builds.items()},
        "uploads": {key: one.value for key, one in library.uploads.items()},
        "pointers": {key: one.value for key, one in library.pointers.items()},
        "launches": library.launches,
        "unreadable": library.unreadable,
    }


def test_what_is_folded_is_what_is_read_anew() -> None:
    """Two ways to the same; hands read anew what the judgements saw."""
    store = FakeZookeeper().connect()
    for path, data in RECORDS.items():
        store.ensure(path)
        stored = store.read(path)
        assert stored is not None
        store.commit([Set(path=path, data=data, version=stored.version)])

    assert parts(Scene().all().known.records.library()) == parts(read(store))


@pytest.mark.parametrize("path", RECORDS)
@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"schema": 99}', b"\xff" * 8])
def test_a_bad_record_is_unreadable_and_named(path: str, raw: bytes) -> None:
    """Nothing is deleted then; the others stay, and a good one mends it."""
    scene = Scene().all()
    assert scene.put(path, raw, 4)

    library = scene.known.records.library()
    assert library.unreadable == (path,)
    assert scene.log.count("record.set-aside") == 1
    counts = [
        len(library.images) + len(library.builds) + len(library.uploads),
        len(library.pointers) + len(library.launches),
    ]
    assert sum(counts) == len(RECORDS) - 1
    assert scene.put(path, RECORDS[path], 5)
    assert parts(scene.known.records.library()) == parts(Scene().all().known.records.library())


@pytest.mark.parametrize("path", RECORDS)
def test_a_record_that_is_closed_to_us_is_unreadable_too(path: str) -> None:
    """It is there, and may refer to anything; when it is gone it refers to nothing."""
    scene = Scene().all()
    assert scene.tell(Put(path=path, stored=None, closed=True))
    assert scene.known.records.library().unreadable == (path,)
    assert scene.tell(Gone(path=path))
    assert scene.known.records.library().unreadable == ()


def test_versions_are_those_of_the_records() -> None:
    """Each write names one, and waits end when one changes."""
    records = Scene().all().known.records

    assert records.builds[BUILD].version == 3
    assert records.versions[paths.upload(UPLOAD)] == 3
    assert records.versions[paths.pointers("a")] == 0
    assert paths.launch("p", NODE) not in records.versions


def test_an_image_of_which_only_folders_are_there_is_no_bad_record() -> None:
    """A builder writes its record."""
    scene = Scene()
    scene.put(paths.image("a"), b"")

    library = scene.known.records.library()
    assert (library.images, library.unreadable) == ({}, ())


def test_names_that_cannot_be_ours_are_passed_over() -> None:
    """As by whoever reads anew."""
    scene = Scene()
    for path in (
        f"{paths.IMAGES}/-odd",
        f"{paths.builds('a')}/7",
        f"{paths.uploads(BUILD)}/nowhere",
        f"{paths.IMAGES}/a/else/x",
    ):
        scene.put(path, b"{")

    assert scene.known.records.library().unreadable == ()


def test_launches_of_other_images_are_no_reason_to_judge() -> None:
    """They come and go all day; nor are they kept."""
    scene = Scene()
    path = paths.launch("p", NODE)

    assert not scene.put(path, launch(None))
    assert scene.known.records.launches == {}
    assert scene.put(path, launch())
    assert scene.put(path, launch(None), 1)
    assert not scene.tell(Gone(path=path))


def test_only_launches_are_read_of_what_launchers_write() -> None:
    """Ledgers and claims are nothing to us."""
    assert wanted_of_providers(paths.launch("p", NODE))
    assert not wanted_of_providers(paths.launches("p"))
    assert not wanted_of_providers(paths.ledger("p"))
    assert not wanted_of_providers(f"{paths.claims('p')}/100-1")


def test_builders_and_launchers_live_as_long_as_their_znodes_are_there() -> None:
    """Whatever these say; that they say something else is no reason to judge."""
    scene = Scene()
    me, launcher = f"{paths.BUILDERS}/b1", f"{paths.replicas('p')}/l1"

    assert scene.put(me, b"", owner=7)
    assert not scene.put(me, b"x", owner=7)
    assert not scene.tell(Put(path=me, stored=None, closed=True))
    assert scene.put(launcher, b"nonsense", owner=8)
    assert scene.known.builders == {"b1"}
    assert scene.known.unserved("p") is None
    assert scene.tell(Gone(path=launcher))
    assert scene.tell(Gone(path=me))
    assert scene.known.builders == set()
    assert scene.known.unserved("p") == "no launcher of p is running"


def test_who_goes_with_no_session_does_not_live() -> None:
    """Somebody wrote it, or it came from a backup: work would be left to it for ever."""
    scene = Scene()

    assert not scene.put(f"{paths.BUILDERS}/b1", b"{}")
    assert not scene.put(f"{paths.replicas('p')}/l1", b"{}")
    assert not scene.tell(Put(path=f"{paths.BUILDERS}/b2", stored=None, closed=True))
    assert scene.known.builders == set()
    assert scene.known.unserved("p") == "no launcher of p is running"


def test_a_folder_of_images_that_is_closed_to_us_may_hold_what_refers_to_anything() -> None:
    """Nothing is deleted then."""
    scene, folder = Scene().all(), paths.builds("other")
    scene.tell(Put(path=folder, stored=None, closed=True))

    assert scene.known.records.library().unreadable == (folder,)
    assert scene.tell(Gone(path=folder))
    assert scene.known.records.library().unreadable == ()


def test_what_launchers_say_counts_only_if_it_is_trouble() -> None:
    """They write every minute; what cannot be read any more stands for nothing."""
    scene, path = Scene(), paths.status("p")
    scene.put(f"{paths.replicas('p')}/l1", b"{}", owner=8)

    assert not scene.put(path, b"")
    assert not scene.put(path, encode_status(ProviderStatus(provider="p")))
    bad = encode_status(ProviderStatus(provider="p", trouble="away"))
    assert scene.put(path, bad)
    assert not scene.put(path, bad, 2)
    assert scene.known.unserved("p") == "away"
    assert scene.put(path, b"{", 3)
    assert scene.known.unserved("p") is None


def test_our_own_writes_of_builds_are_told() -> None:
    """They are counted once, by whom they were written."""
    scene, path = Scene().all(), paths.build(BUILD)
    scene.put(path, encode_build(build(BuildState.SNAPSHOTTING)), 4)
    scene.put(path, encode_build(build()), 5, own=True)
    scene.put(path, encode_build(build()), 6, own=True)

    assert scene.moved == [(BuildState.SNAPSHOTTING, BuildState.BUILT)]


def test_a_change_under_way_tells_nothing_yet() -> None:
    """What follows does."""
    scene = Scene().all()
    assert not scene.tell(Dirty(path=paths.build(BUILD)))
    assert scene.tell(Synced(root=paths.IMAGES))
    assert BUILD in scene.known.records.builds


@pytest.mark.parametrize("after", ["read", "gone", "closed", "corrupt"])
def test_a_new_build_that_is_being_read_is_known_to_be(after: str) -> None:
    """Until what it says has come, or that it is gone, or cannot be read."""
    scene, path = Scene(), paths.build(BUILD)
    scene.tell(Dirty(path=path))
    assert scene.known.view(1.0).reading == {"a"}

    if after == "read":
        scene.put(path, encode_build(build()))
    elif after == "gone":
        scene.tell(Gone(path=path))
    elif after == "closed":
        scene.tell(Put(path=path, stored=None, closed=True))
    else:
        scene.put(path, b"{")
    assert scene.known.view(1.0).reading == frozenset()


def test_a_bug_of_ours_ends_no_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported with its traceback, and the record counts as unreadable."""

    def broken(*_args: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(kinds, "BUILDS", RecordKind(paths.build, broken))
    scene = Scene()
    scene.put(paths.build(BUILD), encode_build(build()))

    assert scene.log.count("record.unforeseen") == 1
    assert scene.known.records.library().unreadable == (paths.build(BUILD),)


def test_what_a_bug_of_ours_meets_is_unreadable_until_it_is_told_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also by its end; and whatever refers to no image stops no deletion."""

    def broken(*_args: object) -> None:
        raise RuntimeError("boom")

    scene = Scene()
    unusable = {paths.build(BUILD), paths.launch("p", NODE), paths.builds("a")}
    with monkeypatch.context() as patch:
        patch.setattr("builder.fold.Fold._by_place", broken)
        for path in unusable:
            assert scene.put(path, b"x")
        for path in (paths.status("p"), paths.builder(ReplicaId("b")), "/remuda/providers/p"):
            scene.put(path, b"x")
        scene.tell(Dirty(path=paths.build(BUILD)))
    assert scene.known.records.unreadable == unusable

    assert scene.put(paths.build(BUILD), encode_build(build()))
    assert scene.tell(Gone(path=paths.launch("p", NODE)))
    assert scene.put(paths.builds("a"), b"")
    assert scene.known.records.unreadable == set()
