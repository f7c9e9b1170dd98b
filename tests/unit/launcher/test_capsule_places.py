"""The places for whole capsules: one that is away is asked again, and harms nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.capsule.hand_places import FolderStore, SwiftStore
from launcher.capsule.storing import PAUSES_S
from remuda.cloud.api import TryLaterError
from remuda.cloud.objects import ObjectStore
from remuda.store import paths
from tests.fakes.clock import ManualClock
from tests.fakes.object_store import FakeObjects, FakeSwift, Fate
from tests.fakes.prover import Exit
from tests.unit.launcher.test_capsules import SECRET, Scene


def test_a_place_that_takes_nothing_harms_nothing(tmp_path: Path) -> None:
    """Swift is away: one sentence; the folder has it, the machine is gone, the record says both."""

    def away() -> ObjectStore:
        raise TryLaterError(f"connection lost in mid-upload, X-Auth-Token: {SECRET}")

    swift = SwiftStore(
        where="c:box", container="box", prefix="p", keep_s=9.0, open_store=away, clock=ManualClock()
    )
    scene = Scene(tmp_path, swift)
    scene.prover.setup = Exit(code=3)
    scene.client.request("small")
    scene.solo.play(30.0)

    (told,) = scene.records(paths.FAILURES)
    folder, other = told.kept
    assert folder.why is None
    assert other.why == "connection lost in mid-upload, X-Auth-Token: [redacted]"
    assert scene.solo.cloud.truth() == {}
    assert "capsule.not-stored" not in scene.solo.log.getvalue()  # it is tried again
    scene.solo.play(sum(PAUSES_S) + 10.0)
    (told,) = scene.records(paths.FAILURES)
    assert [(one.store, one.tries) for one in told.kept] == [("folder", 1), ("swift", 3)]
    assert scene.solo.log.getvalue().count("capsule.waits") == 2
    assert scene.solo.log.getvalue().count("capsule.not-stored") == 1
    assert scene.solo.log.getvalue().count("capsule.stored") == 1  # in the folder, once
    assert len(list(scene.kept.iterdir())) == 1
    assert SECRET not in scene.solo.log.getvalue()


def test_a_place_that_comes_back_gets_what_it_did_not_take(tmp_path: Path) -> None:
    """Once more after a while; the record says so, and nothing is stored twice."""
    swift, clock = FakeSwift(ManualClock()), ManualClock()
    swift.next_fates.append(Fate.CUT)
    place = SwiftStore(
        where="c:box",
        container="box",
        prefix="p",
        keep_s=None,
        open_store=lambda: FakeObjects(swift),
        clock=clock,
        region="two",
    )
    scene = Scene(tmp_path, place)
    scene.prover.setup = Exit(code=3)
    scene.client.request("small")
    scene.solo.play(20.0)
    (told,) = scene.records(paths.FAILURES)
    assert [one.why is None for one in told.kept] == [True, False]

    scene.solo.play(PAUSES_S[0])
    (told,) = scene.records(paths.FAILURES)
    (_, other) = told.kept
    assert (other.why, other.tries, other.region) == (None, 2, "two")
    (stored,) = FakeObjects(swift).list_objects("box")
    assert other.place == f"c:box/{stored.name}"
    scene.solo.play(sum(PAUSES_S))
    assert len(FakeObjects(swift).list_objects("box")) == 1
    assert scene.solo.brain.world.capsules == {}
    assert "capsule.not-stored" not in scene.solo.log.getvalue()


def folder_store(path: Path, bytes_max: int = 10_000, keep_s: float | None = None) -> FolderStore:
    """Return a place of some size at the time 1,000,000."""
    return FolderStore(folder=path, bytes_max=bytes_max, keep_s=keep_s, now_s=lambda: 1e6)


def test_a_folder_is_bounded_and_keeps_what_is_not_ours(tmp_path: Path) -> None:
    """The oldest go for room, the old ones by age; a stranger's file stays."""
    place = folder_store(tmp_path / "a" / "kept", bytes_max=100)
    first, second, third = (place.put("here", str(one), b"x" * 40) for one in range(3))
    assert [one.why for one in (first, second, third)] == [None, None, None]
    assert len(list(place.folder.iterdir())) == 2
    assert Path(third.place).exists()
    (place.folder / "notes.txt").write_text("mine" * 100)
    assert "more than max-size" in (place.put("here", "4", b"x" * 101).why or "")

    aged = replace(place, keep_s=60.0, now_s=lambda: 1e12)
    assert aged.put("here", "5", b"y").why is None
    assert {one.name for one in place.folder.iterdir()} >= {"notes.txt"}
    assert len(list(place.folder.iterdir())) == 2


def test_a_folder_that_cannot_be_used_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open to others, no folder at all, a full disk: which leaves no half of a file."""
    tmp_path.joinpath("open").mkdir(mode=0o755)
    assert "chmod 700" in (folder_store(tmp_path / "open").put("here", "1", b"x").why or "")
    tmp_path.joinpath("file").write_text("")
    assert "Not a directory" in (folder_store(tmp_path / "file" / "x").put("p", "1", b"").why or "")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    place = folder_store(tmp_path / "full")
    monkeypatch.setattr("os.fsync", full)
    assert place.put("here", "1", b"x").why == "No space left on device"
    assert list(place.folder.iterdir()) == []
