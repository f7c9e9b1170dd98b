"""The log of a build over the real server and the fake: written, followed and erased in trouble."""

import threading
from dataclasses import replace

from builder.build.hand_inventory import keep_inventory
from builder.log.build_log import BuildLog
from remuda.images.buildlog import PART_BYTES, Output, Piece, erase_log, read_log
from remuda.images.following import LogFollower
from remuda.images.inventory import read_inventory
from remuda.model.build import Build, BuildEvent, BuildState, Why, encode_build
from remuda.model.image import BuildId
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from remuda.store.api import Create, Set, Store
from tests.contract.store.conftest import Rig

BUILD = BuildId("debian", 7)
MAKING = Build(id=BUILD, state=BuildState.BUILDING, why=Why.AGE, requested_s=1.0, since_s=1.0)


def test_a_log_arrives_whole_over_lost_sessions(rig: Rig) -> None:
    """The writer's connection goes, then the reader's session, and nothing is missing or twice."""
    writing, reading, other = rig.connect(), rig.connect(), rig.connect()
    other.ensure(paths.builds(BUILD.image))
    other.commit([Create(path=paths.build(BUILD), data=encode_build(MAKING))])
    pieces: list[Piece] = []
    follower = LogFollower(reading, BUILD, SystemClock(), look_s=0.2)
    thread = threading.Thread(target=lambda: pieces.extend(follower.pieces()), daemon=True)
    thread.start()
    log = BuildLog(writing, BUILD, writer="me", interval_s=0.05)
    log.step("one")
    log.write(b"before\n")
    rig.until(lambda: read_log(other, BUILD), "the log")
    rig.suspend(writing)
    log.write(b"while it was away\n")
    rig.resume(writing)
    log.write(b"0123456789abcde\n" * 3000)
    rig.until(lambda: _size(other) > 48_000, "the rest")
    rig.expire(reading)
    log.write(b"last\n")
    log.close(ok=True)
    rig.until(lambda: log.settle(0.01), "the end of the log")
    stored = other.read(paths.build(BUILD))
    assert stored is not None
    after = encode_build(MAKING.after(BuildEvent.FAILED, now_s=2.0))
    other.commit([Set(path=stored.path, data=after, version=stored.version)])
    rig.until(lambda: not thread.is_alive(), "the end of the reader")

    text = b"".join(one.data for one in pieces if isinstance(one, Output))
    assert text == b"before\nwhile it was away\n" + b"0123456789abcde\n" * 3000 + b"last\n"
    erase_log(other, BUILD)
    assert other.children(paths.image_logs(BUILD.image)) == ()


def test_a_long_log_keeps_to_its_limits(rig: Rig) -> None:
    """Parts come and go in transactions that a server takes."""
    store, other = rig.connect(), rig.connect()
    other.ensure(paths.builds(BUILD.image))
    other.commit([Create(path=paths.build(BUILD), data=encode_build(MAKING))])
    log = BuildLog(store, BUILD, writer="me", interval_s=0.01)
    for number in range(60):
        log.step(f"step {number}")
        log.write(b"0123456789abcde\n" * 1500)
    log.close()
    rig.until(lambda: log.settle(0.01), "the end of the log")
    found = read_log(other, BUILD)

    assert found is not None
    assert sum(map(len, found.parts.values())) <= 256 * 1024
    assert found.progress.size == found.progress.dropped + sum(map(len, found.parts.values()))
    assert len(found.progress.steps) == 60


def test_logs_of_trials_and_packages_go_with_the_build(rig: Rig) -> None:
    """They lie below its own log, which need not be there."""
    store, other = rig.connect(), rig.connect()
    other.ensure(paths.builds(BUILD.image))
    other.commit([Create(path=paths.build(BUILD), data=encode_build(MAKING))])
    for provider in ("north", "south"):
        log = BuildLog(store, BUILD, writer=provider, provider=provider, interval_s=0.01)
        log.step("candidate")
        log.write(provider.encode() * 20_000)
        log.close(ok=True)
        rig.until(lambda log=log: log.settle(0.01), "the end of the log")  # type: ignore[misc]
    kept = keep_inventory(store, BUILD, (("git", "2.39"),), None, _Silent())
    assert kept is not None
    follower = LogFollower(other, BUILD, SystemClock(), provider="south", look_s=0.2)
    making = replace(MAKING, inventory=kept.digest)
    other.commit([Set(path=paths.build(BUILD), data=encode_build(_failed(making)), version=-1)])

    text = b"".join(one.data for one in follower.pieces() if isinstance(one, Output))
    assert 2 * PART_BYTES <= len(text) <= 3 * PART_BYTES
    assert text.startswith(b"southsouth")
    assert text.endswith(b"southsouth")
    found = read_inventory(other, making)
    assert found is not None
    assert found.packages == (("git", "2.39"),)
    erase_log(other, BUILD)
    assert other.children(paths.image_logs(BUILD.image)) == ()


class _Silent:
    """Tells nobody."""

    def step(self, name: str) -> None:
        """Forget it."""

    def write(self, data: bytes) -> None:
        """Forget it."""

    def close(self, *, ok: bool | None = None) -> None:
        """Do nothing."""


def _failed(build: Build) -> Build:
    return build.after(BuildEvent.FAILED, now_s=2.0)


def _size(store: Store) -> int:
    found = read_log(store, BUILD)
    return 0 if found is None else found.progress.size
