"""`remuda capsule NODE --out`: the whole, from Swift or a folder, or what there is and why."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.capsule.hand_places import FolderStore, SwiftStore
from remuda.cli.capsule import capsule
from remuda.cli.capsule_whole import FETCH_S, FILE_BYTES_MAX, NotFetchedError, fetch_whole
from remuda.cloud.api import DamagedError
from remuda.cloud.objects import ObjectOrder, ObjectStore, StoredObject
from remuda.model.capsule import Capsule, Kept, encode_capsule
from remuda.model.capsulefile import pack
from remuda.model.ids import NodeId
from remuda.store import paths
from remuda.store.api import Create
from tests.fakes.clock import ManualClock
from tests.fakes.object_store import FakeObjects, FakeSwift, Fate
from tests.support.commands import CommandHarness

NODE = "0000000007"
BARE = Capsule(node=NODE, label="a", pool="b", result="error.ssh", why="no", at_s=1.0, console="x")
WHOLE = pack(replace(BARE, console="all of it\n" * 50))


class Scene:
    """A capsule in an object store, and a record that says so."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.swift = FakeSwift(self.clock)
        self.harness = CommandHarness()
        self.asked: list[tuple[Any, ...]] = []
        self.harness.open_objects = self.open
        place = SwiftStore(
            where="logs:box",
            container="box",
            prefix="capsules",
            keep_s=None,
            open_store=lambda: FakeObjects(self.swift),
            clock=self.clock,
            region="two",
        )
        self.kept = place.put("here", NODE, WHOLE)

    def open(self, *account: str | None) -> ObjectStore:
        """Open it, and keep whose it was said to be."""
        self.asked.append(account)
        return FakeObjects(self.swift)

    def home(self, out: Path, *kept: Kept) -> str:
        """Take the capsule home, with such a record; return what is said."""
        store = self.harness.zookeeper.connect()
        path = f"{paths.failures('here')}/{NODE}"
        store.ensure(path.rpartition("/")[0])
        store.commit([Create(path=path, data=encode_capsule(replace(BARE, kept=kept)))])
        done = self.harness.call(capsule, NODE, "--out", str(out))
        assert done.exit_code == 0, done.output
        return done.output


def test_it_is_fetched_from_swift(tmp_path: Path) -> None:
    """From the cloud and the region that its record names."""
    scene, out = Scene(), tmp_path / "x.tar.gz"
    said = scene.home(out, scene.kept)

    assert "1 KiB, the whole capsule" in said
    assert out.read_bytes() == WHOLE
    assert out.stat().st_mode & 0o777 == 0o600
    assert scene.asked == [("logs", "two")]


def test_a_folder_of_this_host_is_asked_first(tmp_path: Path) -> None:
    """And Swift if it is not there any more."""
    scene = Scene()
    folder = FolderStore(folder=tmp_path / "kept", bytes_max=10**6, keep_s=None)
    kept = folder.put("here", NODE, WHOLE)
    assert "the whole" in scene.home(tmp_path / "x.tar.gz", scene.kept, kept)
    assert scene.asked == []

    Path(kept.place).unlink()
    scene.harness = replace_zookeeper(scene)
    assert "the whole" in scene.home(tmp_path / "y.tar.gz", scene.kept, kept)
    assert len(scene.asked) == 1


def replace_zookeeper(scene: Scene) -> CommandHarness:
    """Return a harness that knows no record."""
    harness = CommandHarness()
    harness.open_objects = scene.open
    return harness


@pytest.mark.parametrize(
    "fates", [(Fate.CUT,), (Fate.GARBLED,), (Fate.LOST_CALL, Fate.BROKEN)], ids=str
)
def test_a_swift_that_goes_away_meanwhile_leaves_what_zookeeper_has(
    tmp_path: Path, fates: tuple[Fate, ...]
) -> None:
    """One sentence; never half a file."""
    scene, out = Scene(), tmp_path / "x.tar.gz"
    scene.swift.next_fates.extend(fates)
    said = scene.home(out, scene.kept)

    assert "with the ends of its texts; not fetched from swift logs:box/capsules/" in said
    assert out.read_bytes() == pack(replace(BARE, kept=(scene.kept,)))
    assert len([line for line in said.splitlines() if "swift" in line]) == 1


def test_a_cloud_that_is_not_in_clouds_yaml_is_said(tmp_path: Path) -> None:
    """It may be another one's clouds.yaml than the launcher's."""
    scene = Scene()
    scene.harness = CommandHarness()
    said = scene.home(tmp_path / "x.tar.gz", scene.kept)

    assert "there is no cloud 'logs'" in said


@pytest.mark.parametrize(
    "place",
    [
        "",
        "x",
        "logs:box",
        f":box/capsules/here/{NODE}-{'0' * 32}.tar.gz",
        f"logs:box/capsules/there/{NODE}-{'0' * 32}.tar.gz",
        f"logs:box/capsules/here/0000000008-{'0' * 32}.tar.gz",
        f"logs:box/capsules/here/{NODE}-{'0' * 31}.tar.gz",
        f"logs:box/capsules/here/{NODE}-{'0' * 32}.tar.gz/secret",
        f"logs:b x/capsules/here/{NODE}-{'0' * 32}.tar.gz",
        f"logs:box/../here/{NODE}-{'0' * 32}.tar.gz",
    ],
)
@pytest.mark.parametrize("store", ["swift", "folder"])
def test_a_record_names_no_other_file_or_object(place: str, store: str) -> None:
    """Whoever wrote it."""
    scene = Scene()
    found = replace(BARE, kept=(Kept(store=store, place=place),))
    data, whys = fetch_whole("here", found, scene.open, scene.clock)

    assert data is None
    assert len(whys) == 1


def test_a_place_of_a_kind_that_is_not_known_is_passed_over() -> None:
    """Of a newer launcher."""
    found = replace(BARE, kept=(Kept(store="tape", place="7"),))
    assert fetch_whole("here", found, Scene().open, ManualClock()) == (None, [])


def test_what_is_no_capsule_is_not_taken_home(tmp_path: Path) -> None:
    """In Swift, in a folder; nor what is no file, or too large."""
    scene = Scene()
    name = f"capsules/here/{NODE}-{'1' * 32}.tar.gz"
    objects = FakeObjects(scene.swift)
    order = ObjectOrder(name=name, bytes_max=9, size_bytes=4, content_type="text/plain")
    objects.put("box", order, [b"root"])
    file = tmp_path / f"here-{NODE}-{'1' * 16}.tar.gz"
    file.write_text("root:x:0:0")
    places = [Kept(store="swift", place=f"logs:box/{name}"), Kept(store="folder", place=str(file))]
    data, whys = fetch_whole("here", replace(BARE, kept=tuple(places)), scene.open, scene.clock)
    assert data is None
    assert [why.endswith("what lies there is no capsule") for why in whys] == [True, True]

    for number, (make, why) in enumerate(_odd_files().items()):
        other = tmp_path / f"here-{NODE}-{number:016x}.tar.gz"
        make(other)
        found = replace(BARE, kept=(Kept(store="folder", place=str(other)),))
        data, whys = fetch_whole("here", found, scene.open, scene.clock)
        assert (data, why in whys[0]) == (None, True), whys


def test_the_capsule_of_another_machine_is_not_taken_home() -> None:
    """A store may answer with anything; what is said to be whole is of the node that was asked."""
    scene = Scene()
    other = pack(replace(BARE, node=NodeId("0000000008")))
    places = []
    for number, bad in enumerate((other, b"\x1f\x8b" + bytes(64), other[:60])):
        name = f"capsules/here/{NODE}-{str(number) * 32}.tar.gz"
        order = ObjectOrder(
            name=name, bytes_max=9999, size_bytes=len(bad), content_type="application/gzip"
        )
        FakeObjects(scene.swift).put("box", order, [bad])
        places.append(Kept(store="swift", place=f"logs:box/{name}"))
    data, whys = fetch_whole("here", replace(BARE, kept=tuple(places)), scene.open, scene.clock)
    assert data is None
    assert [one.rpartition(": ")[2] for one in whys] == [
        "what lies there is the capsule of node 0000000008",
        "what lies there is no capsule",
        "what lies there is no capsule",
    ]


def _odd_files() -> dict[Callable[[Path], object], str]:
    def large(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(FILE_BYTES_MAX + 1)

    return {
        large: "too large",
        os.mkfifo: "it is no file",
        lambda path: path.mkdir(): "directory",
        lambda path: path.symlink_to("/etc/passwd"): "symbolic links",
        lambda _path: None: "not on this host",
    }


class Trickling(FakeObjects):
    """Sends for ever, a piece each minute."""

    clock: ManualClock

    @contextmanager
    def read(
        self, container: str, name: str, *, bytes_max: int, going: Callable[[], str | None] = str
    ) -> Iterator[tuple[StoredObject, Iterator[bytes]]]:
        """Ask before each piece, as all stores do."""
        del bytes_max

        def pieces() -> Iterator[bytes]:
            while (why := going()) is None:
                yield b"\x1f\x8b"
                self.clock.advance(FETCH_S / 3)
            raise DamagedError(why)

        yield self.get(container, name), pieces()


def test_nobody_waits_for_a_store_that_never_ends() -> None:
    """A minute for all of it."""
    scene = Scene()
    slow = Trickling(scene.swift)
    slow.clock = scene.clock
    found = replace(BARE, kept=(scene.kept,))
    data, whys = fetch_whole("here", found, lambda *_account: slow, scene.clock)

    assert data is None
    assert "it takes more than 60 s" in whys[0]
    assert issubclass(NotFetchedError, Exception)
