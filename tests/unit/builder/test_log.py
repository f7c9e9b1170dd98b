"""Writing the log of a build: into ZooKeeper and a file, whatever happens to either."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.log import log_file
from builder.log.build_log import BuildLog
from builder.log.log_file import LogFile, prune
from builder.log.pages import LogPages
from remuda.images.buildlog import (
    MAKING_ROOM,
    PART_BYTES,
    STEPS_MAX,
    Gap,
    Heading,
    LogTeller,
    LogView,
    Output,
    Piece,
    erase_log,
    read_log,
)
from remuda.known_secrets import KNOWN
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.image import BuildId
from remuda.redaction import BLANK
from remuda.store import paths
from remuda.store.api import Create, Delete
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.support.deadline import wait_for

BUILD = BuildId("debian", 7)
SECRETS = ("hunter2-hunter2", "correct horse battery")
CAP = sum(MAKING_ROOM) * PART_BYTES


@pytest.fixture(autouse=True)
def _secrets() -> Iterator[None]:
    """Know some secrets, and none of another test."""
    KNOWN.forget()
    KNOWN.hold("test", SECRETS)
    yield
    KNOWN.forget()


@pytest.fixture
def zookeeper() -> FakeZookeeper:
    """A ZooKeeper with the record of a build."""
    zookeeper = FakeZookeeper()
    store = zookeeper.connect()
    store.ensure(paths.builds(BUILD.image))
    build = Build(
        id=BUILD, state=BuildState.BUILDING, why=Why.COMMAND, requested_s=1.0, since_s=1.0
    )
    store.commit([Create(path=paths.build(BUILD), data=encode_build(build))])
    return zookeeper


def begin(store: FakeStore, writer: str = "one", **more: object) -> BuildLog:
    """Begin a log that is written quickly."""
    return BuildLog(store, BUILD, writer=writer, interval_s=0.01, **more)  # type: ignore[arg-type]


def view(zookeeper: FakeZookeeper) -> LogView:
    """Return the log as it is there."""
    found = read_log(zookeeper.connect(), BUILD)
    assert found is not None
    return found


def pieces(zookeeper: FakeZookeeper) -> list[Piece]:
    """Return the log as a reader tells it."""
    return list(LogTeller().news(view(zookeeper)))


def text(zookeeper: FakeZookeeper) -> bytes:
    """Return all output that is kept."""
    return b"".join(one.data for one in pieces(zookeeper) if isinstance(one, Output))


def test_steps_and_output_are_there_in_order(zookeeper: FakeZookeeper) -> None:
    """With how long each step took, and whether it was done."""
    clock = ManualClock(100.0)
    log = begin(zookeeper.connect(), clock=clock)
    log.step("packages")
    log.write(b"fetching\n")
    clock.advance(2.5)
    log.step("command")
    log.write("gr\u00fc\u00df".encode())
    log.close(ok=False)
    assert log.settle(60)

    first, said, second, last = pieces(zookeeper)
    assert isinstance(first, Heading)
    assert (first.step.name, first.step.seconds, first.step.ok) == ("packages", 2.5, True)
    assert said == Output(b"fetching\n")
    assert isinstance(second, Heading)
    assert (second.step.name, second.step.since_s, second.step.ok) == ("command", 102.5, False)
    assert last == Output("gr\u00fc\u00df".encode())
    assert view(zookeeper).progress.ended_s == 102.5
    assert view(zookeeper).progress.step is None


def test_what_is_under_way_can_be_read(zookeeper: FakeZookeeper) -> None:
    """Before the end, too."""
    log = begin(zookeeper.connect())
    log.step("slow")
    log.write(b"a line\nand half of ")

    wait_for(lambda: text(zookeeper) == b"a line\n", deadline_s=60, what="the line")
    step = view(zookeeper).progress.step
    assert step is not None
    assert step.name == "slow"
    log.close()


def test_the_middle_of_long_output_is_dropped(zookeeper: FakeZookeeper) -> None:
    """The beginning and the end stay, whatever the size of what is written."""
    log = begin(zookeeper.connect())
    lines = [f"line {number:06d}\n".encode() for number in range(60_000)]
    log.step("noise")
    for start in range(0, len(lines), 700):
        log.write(b"".join(lines[start : start + 700]))
    log.close()
    assert log.settle(30)

    found = view(zookeeper)
    kept = text(zookeeper)
    assert len(kept) <= CAP
    assert kept.startswith(b"line 000000\n")
    assert len(kept) > CAP - 2 * PART_BYTES
    assert kept.endswith(lines[-1])
    (gap,) = [one for one in pieces(zookeeper) if isinstance(one, Gap)]
    assert abs(gap.size - found.progress.dropped) <= PART_BYTES * 60
    assert found.progress.dropped + len(kept) == sum(map(len, lines))
    assert max(map(len, found.parts.values())) <= PART_BYTES


def test_steps_are_limited(zookeeper: FakeZookeeper) -> None:
    """A log is no place for ten thousand of them."""
    log = begin(zookeeper.connect())
    for number in range(STEPS_MAX + 5):
        log.step(f"step {number}")
    log.close()
    assert log.settle(60)

    progress = view(zookeeper).progress
    assert (len(progress.steps), progress.steps_dropped) == (STEPS_MAX, 5)
    assert progress.steps[-1].name == f"step {STEPS_MAX + 4}"
    assert isinstance(pieces(zookeeper)[0], Heading)


def test_a_store_that_is_away_loses_nothing(zookeeper: FakeZookeeper) -> None:
    """Nor does one that answers nothing while something was done all the same."""
    store = zookeeper.connect()
    log = begin(store)
    log.write(b"one\n")
    wait_for(lambda: read_log(zookeeper.connect(), BUILD), deadline_s=60, what="the log")
    store.suspend()
    log.write(b"two\n")
    store.expire()
    wait_for(lambda: text(zookeeper) == b"one\ntwo\n", deadline_s=60, what="the second line")
    store.away_after_next_commit()
    log.write(b"three\n")
    store.away_before_next_commit()
    log.write(b"four\n")
    log.close()
    assert log.settle(60)

    assert text(zookeeper) == b"one\ntwo\nthree\nfour\n"


def test_a_store_that_stays_away_is_given_up(zookeeper: FakeZookeeper) -> None:
    """A minute after the end."""
    clock = ManualClock()
    store = zookeeper.connect()
    store.suspend()
    log = begin(store, clock=clock)
    log.write(b"one\n")
    log.close()
    assert not log.settle(0.05)
    clock.advance(61.0)

    assert log.settle(60)


def test_a_taken_over_log_is_left_alone(zookeeper: FakeZookeeper) -> None:
    """Whoever begins last writes; the other notices."""
    old = begin(zookeeper.connect())
    old.step("old")
    old.write(b"old\n" * 20_000)
    wait_for(lambda: read_log(zookeeper.connect(), BUILD), deadline_s=60, what="the old log")
    new = begin(zookeeper.connect(), "two")
    new.write(b"new\n")
    wait_for(lambda: text(zookeeper) == b"new\n", deadline_s=60, what="the new log")
    old.write(b"older\n")
    assert old.settle(60)
    old.write(b"nobody reads this\n")
    new.close()
    assert new.settle(60)

    assert text(zookeeper) == b"new\n"


def test_a_trial_has_a_log_of_its_own(zookeeper: FakeZookeeper) -> None:
    """In each provider, smaller, beside the build's; the last one stays, and all go with it."""
    making, store = begin(zookeeper.connect()), zookeeper.connect()
    making.write(b"made\n")
    for provider, writer in (("north", "one"), ("south", "two"), ("north", "three")):
        trial = begin(zookeeper.connect(), writer, provider=provider)
        trial.step("candidate")
        trial.write(f"{writer} in {provider}\n".encode() * 20_000)
        trial.close(ok=True)
        assert trial.settle(60)
    making.close()
    assert making.settle(60)
    found = {one: read_log(store, BUILD, one) for one in ("north", "south")}

    assert text(zookeeper) == b"made\n"
    for provider, writer in (("north", "three"), ("south", "two")):
        log = found[provider]
        assert log is not None
        assert all(f"{writer} in".encode() in one for one in log.parts.values())
        assert sum(map(len, log.parts.values())) <= 3 * PART_BYTES
        assert log.progress.dropped > 0
        assert log.progress.ended_s is not None
    erase_log(store, BUILD)
    assert not [one for one in zookeeper.tree.paths() if one.startswith(paths.image_log(BUILD))]


def test_a_trial_may_be_the_first_to_print(zookeeper: FakeZookeeper) -> None:
    """Its build's own log may never have come so far, and may still come."""
    trial = begin(zookeeper.connect(), provider="north")
    trial.write(b"tried\n")
    trial.close()
    assert trial.settle(60)
    assert read_log(zookeeper.connect(), BUILD) is None
    making = begin(zookeeper.connect())
    making.write(b"made\n")
    making.close()
    assert making.settle(60)

    assert text(zookeeper) == b"made\n"
    assert read_log(zookeeper.connect(), BUILD, "north") is not None


@pytest.mark.parametrize("gone", ["log", "build"])
def test_a_log_does_not_outlive_its_build(zookeeper: FakeZookeeper, gone: str) -> None:
    """What was erased does not come back."""
    store = zookeeper.connect()
    log = begin(zookeeper.connect())
    log.write(b"x\n" * PART_BYTES)
    wait_for(lambda: read_log(store, BUILD), deadline_s=60, what="the log")
    if gone == "build":
        store.commit([Delete(path=paths.build(BUILD))])
    else:
        erase_log(store, BUILD)
        erase_log(store, BUILD)
    log.write(b"y\n")
    assert log.settle(60)
    log.close()
    erase_log(store, BUILD)

    assert not [one for one in zookeeper.tree.paths() if one.startswith(paths.image_log(BUILD))]


def test_the_file_is_complete_and_ours_alone(zookeeper: FakeZookeeper, tmp_path: Path) -> None:
    """Whatever ZooKeeper keeps."""
    folder = tmp_path / "logs"
    log = begin(zookeeper.connect(), folder=folder, clock=ManualClock(5.0))
    log.step("one")
    log.write(b"0123456789abcde\n" * 40_000 + b"the password is hunter2-hunter2\n")
    log.close()
    assert log.settle(30)
    (path,) = folder.iterdir()

    assert path.name == "debian-000007-5.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    told = path.read_text()
    assert told.startswith("== one ==\n0123456789abcde\n")
    assert told.endswith(f"the password is {BLANK}\n")
    assert len(told) > 16 * 40_000


def test_the_file_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    monkeypatch.setattr(log_file, "FILE_BYTES_MAX", 1 << 20)
    file = LogFile(tmp_path, BUILD, now_s=1.0)
    for _ in range(20):
        file.write(b"x" * 100_000)

    assert file.full
    assert file.path is not None
    told = file.path.read_bytes()
    assert told[: 1 << 20] == b"x" * (1 << 20)
    assert told[1 << 20 :].decode() == "\n\u2026 the rest is not kept: 1 MiB \u2026\n"


def test_a_flood_ends_with_its_last_lines(
    zookeeper: FakeZookeeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When file and beginning are full most of it is dropped unseen, but never half a line."""
    monkeypatch.setattr(log_file, "FILE_BYTES_MAX", 1 << 20)
    log = begin(zookeeper.connect(), folder=tmp_path)
    line = b"the password is hunter2-hunter2 or so\n"
    for _ in range(300):
        log.write(line * 1000)
    log.write(b"the last word")
    log.close()
    assert log.settle(30)

    lines = set(text(zookeeper).removesuffix(b"the last word").splitlines())
    assert f"the password is {BLANK} or so".encode() in lines
    assert len(text(zookeeper)) > CAP - 2 * PART_BYTES
    assert b"hunter2" not in text(zookeeper)
    assert text(zookeeper).endswith(b"or so\nthe last word")
    assert view(zookeeper).progress.dropped > 300 * 1000 * len(line) // 2


def test_a_folder_that_cannot_be_used_ends_nothing(
    zookeeper: FakeZookeeper, tmp_path: Path
) -> None:
    """The log in ZooKeeper is written all the same."""
    (tmp_path / "file").write_text("")
    log = begin(zookeeper.connect(), folder=tmp_path / "file" / "logs")
    log.write(b"x\n")
    log.close()
    assert log.settle(60)

    assert text(zookeeper) == b"x\n"


def test_old_files_are_pruned_and_others_are_left_alone(tmp_path: Path) -> None:
    """The newest stay."""
    for number in range(1, 6):
        LogFile(tmp_path, BuildId("debian", number), now_s=float(number)).close()
        path = tmp_path / f"debian-{number:06d}-{number}.log"
        path.touch()
        os.utime(path, (number, number))
    (tmp_path / "notes.log").write_text("mine")
    (tmp_path / "debian-000009-9.log").symlink_to(tmp_path / "notes.log")
    prune(tmp_path, 2)
    prune(tmp_path / "missing", 2)

    assert sorted(one.name for one in tmp_path.iterdir()) == [
        *("debian-000004-4.log", "debian-000005-5.log", "debian-000009-9.log", "notes.log")
    ]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * PART_BYTES), st.booleans()), max_size=40))
def test_pages_keep_beginning_and_end(writes: list[tuple[int, bool]]) -> None:
    """And count what they do not keep."""
    pages = LogPages()
    total = 0
    for size, skips in writes:
        if skips and pages.head_full:
            pages.skip(size + 1)
            total += 1
        else:
            pages.append(b"x" * size)
        total += size
        kept = sum(map(len, pages.parts.values()))
        assert kept + pages.dropped == total
        assert kept <= CAP
        assert kept >= min(total, MAKING_ROOM.head_parts * PART_BYTES)
        assert all(0 < len(one) <= PART_BYTES for one in pages.parts.values())
