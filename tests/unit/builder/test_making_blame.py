"""Whose failure it is when a build comes to nothing: the machine, the recipe, the cloud, or us."""

from dataclasses import replace
from typing import Any

import pytest

from builder.build.hand_snapshot import DIRTY_STOP_S
from builder.quiet.kinds import quiet_kinds
from remuda.cloud.api import BadOrderError, CloudError, Server, TryLaterError, UnauthorizedError
from remuda.model.build import Blame, BuildState
from remuda.model.ids import ServerId
from remuda.model.status import Ruling
from remuda.ssh.errors import LoginRefusedError, NotSshError
from remuda.ssh.runner import STOPPED
from remuda.store import paths
from remuda.store.api import Delete
from tests.fakes.glance import Snapshot
from tests.unit.builder.handbench import (
    PROVIDER,
    Bench,
    ran,
    report,
)
from tests.unit.builder.makings import failure, make, mishap, nothing_held


@pytest.mark.parametrize(
    ("results", "blame"),
    [
        (["error.ssh", "error.keyscan", "error.ssh"], Blame.MACHINE),
        (["error.ssh", "error.capacity", "error.ssh"], Blame.CLOUD),
        (["error.quota"], Blame.CLOUD),
        (["error.status"], Blame.CLOUD),
        (["error.servercreatetimeout"], Blame.CLOUD),
        (["error.nodepool"], Blame.CLOUD),
        (["error.network"], Blame.CLOUD),
        ([], Blame.CLOUD),
    ],
)
def test_the_evidence_of_launches_says_whose_failure_a_request_is(
    bench: Bench, results: list[str], blame: Blame
) -> None:
    """A machine's only if every launch failed by what the machine did."""

    def refuse(name: str) -> None:
        failure(bench, "another", "error.ssh" if blame is Blame.CLOUD else "error.quota")
        for one in results:
            failure(bench, name, one)
        bench.launcher.refuse(name)

    bench.serve = refuse
    make(bench)

    assert mishap(bench).blame is blame
    assert not results or results[-1] in mishap(bench).message or blame is Blame.CLOUD


def test_a_machine_with_an_address_where_nobody_answers_is_to_blame(bench: Bench) -> None:
    """Somebody knocked."""

    def refuse(name: str) -> None:
        failure(bench, name, "error.network", transcript=({"step": "connect", "ok": False},))
        bench.launcher.refuse(name)

    bench.serve = refuse
    make(bench)

    assert mishap(bench).blame is Blame.MACHINE


def test_a_build_waits_for_room_and_says_why(bench: Bench) -> None:
    """Whatever the provider says of the request; at last it gives up."""

    def say(name: str) -> None:
        if not bench.others.children(paths.verdicts(PROVIDER)):
            bench.launcher.say(name, Ruling.WAITING, "16 of 16 cores are used")

    bench.serve = say
    make(bench, room_s=300.0)

    assert bench.log.text.count("16 of 16 cores are used") >= 1
    assert mishap(bench).blame is Blame.CLOUD
    assert "16 of 16 cores are used" in mishap(bench).message


def test_a_session_that_is_lost_takes_the_machine_along(bench: Bench) -> None:
    """It is ours to blame, whatever broke: launchers delete such a machine at once."""
    bench.session.before = lambda name: bench.store.expire() if name == "prepare" else None
    bench.session.ends["fill"] = ran("the connection was closed", lost=True)

    make(bench)

    assert mishap(bench).blame is Blame.BUILDER


def test_a_session_that_is_lost_takes_the_request_along(bench: Bench) -> None:
    """The same while it waits."""
    bench.serve = None
    bench.on_wait = bench.store.expire

    make(bench)

    assert mishap(bench).blame is Blame.BUILDER


def test_a_request_that_somebody_deletes_is_asked_for_later(bench: Bench) -> None:
    """Nobody's fault."""

    def delete(name: str) -> None:
        bench.others.commit([Delete(path=f"{paths.REQUESTS}/{name}")])

    bench.serve = delete

    make(bench)

    assert mishap(bench).blame is Blame.CLOUD


@pytest.mark.parametrize("when", ["waiting", "on the machine"])
def test_a_hand_that_is_stopped_gives_everything_back(bench: Bench, when: str) -> None:
    """The next builder begins anew."""

    def stop(_: str = "") -> None:
        bench.stop = True

    if when == "waiting":
        bench.serve = stop
    else:
        bench.session.before = stop
        bench.session.ends["prepare"] = ran(STOPPED)

    make(bench)

    assert mishap(bench).blame is Blame.BUILDER


def test_a_hand_that_is_stopped_at_the_snapshot_leaves_it_to_whoever_comes(bench: Bench) -> None:
    """There may be a whole one: the record says its name."""
    bench.glance.snapshot_s = 1000.0

    def stop() -> None:
        bench.stop = bench.build().value.state is BuildState.SNAPSHOTTING

    bench.on_wait = stop
    ended = make(bench)

    assert ended.why is not None
    assert bench.build().value.state is BuildState.SNAPSHOTTING
    assert len(bench.images.list_images()) == 1
    nothing_held(bench)


@pytest.mark.parametrize(
    ("script", "end", "blame"),
    [
        ("fill", ran("no such file"), Blame.RECIPE),
        ("fill", ran("the connection was closed", lost=True), Blame.MACHINE),
        ("prepare", ran("x", report("prepare", "failed\tlock-held\tapt")), Blame.MACHINE),
        ("prepare", ran("x", report("prepare", "failed\tcloud-init-unfinished\t-")), Blame.MACHINE),
        ("prepare", ran("x", report("prepare", "failed\tnot-root\tdebian")), Blame.RECIPE),
        ("prepare", ran("sudo: a password is required", code=1), Blame.RECIPE),
        ("prepare", ran("no end after 900 s"), Blame.MACHINE),
        ("identity", ran("no whole report"), Blame.MACHINE),
        ("host keys", ran("exit code 1"), Blame.MACHINE),
        ("quiet", ran("x", "gibberish"), Blame.MACHINE),
        ("quiet", ran("x", report("quiet", "failed\tother-machine\th")), Blame.MACHINE),
        ("quiet", ran("x", report("quiet", "failed\ttool-missing\tawk")), Blame.RECIPE),
    ],
)
def test_what_happens_on_the_machine_says_whose_failure_it_is(
    bench: Bench, script: str, end: Any, blame: Blame
) -> None:
    """The recipe's own steps, the machine, or a base that is too small."""
    bench.session.ends[script] = end

    make(bench)

    assert mishap(bench).blame is blame
    assert bench.images.snapshots == []


def test_a_residue_is_refused_by_its_file(bench: Bench) -> None:
    """And never becomes an image."""
    kinds = (*map(str, quiet_kinds()), "secret")
    found = report("assert", "residue\tsecret\t/root/.netrc", kinds=kinds, end=1)
    bench.session.ends["quiet"] = ran("x", report("quiet") + found)

    make(bench)

    assert mishap(bench).blame is Blame.RESIDUE
    assert "/root/.netrc" in mishap(bench).message
    assert bench.images.snapshots == []


@pytest.mark.parametrize(
    ("error", "blame"),
    [(NotSshError("it speaks HTTP"), Blame.MACHINE), (LoginRefusedError("no"), Blame.MACHINE)],
)
def test_a_machine_that_does_not_let_us_in_is_to_blame(
    bench: Bench, error: Exception, blame: Blame
) -> None:
    """Though the launcher has just been in it; what may pass is tried again for a while."""

    def refuse(_: Any) -> Any:
        raise error

    bench.machines._connect = refuse

    make(bench)

    assert mishap(bench).blame is blame


def test_a_node_that_is_not_what_was_asked_for_is_given_back(bench: Bench) -> None:
    """Nothing is done to it."""

    def give(name: str) -> None:
        bench.give(name, provider="beta")

    bench.serve = give

    make(bench)

    assert mishap(bench).blame is Blame.BUILDER
    assert bench.session.scripts == []


def test_a_machine_that_does_not_shut_down_by_itself_becomes_no_image(bench: Bench) -> None:
    """Its power was taken: nobody says so, but it took so long."""
    bench.cloud.stop_s = DIRTY_STOP_S + 5

    make(bench)

    assert mishap(bench).blame is Blame.MACHINE
    assert bench.images.snapshots == []


def test_a_cloud_that_is_away_while_a_machine_stops_does_not_make_it_dirty(bench: Bench) -> None:
    """It may have shut down at once: nobody has seen it run for so long."""
    stop, later = bench.cloud.stop_server, TryLaterError("busy", retry_after_s=1.0)

    def stopped(*args: Any, **more: Any) -> None:
        stop(*args, **more)
        look, until_s = bench.cloud.get_server, bench.clock.monotonic_s() + DIRTY_STOP_S + 5

        def away(server: ServerId) -> Server:
            if bench.clock.monotonic_s() < until_s:
                raise later
            return look(server)

        bench.cloud.get_server = away  # type: ignore[method-assign]

    bench.cloud.stop_server = stopped  # type: ignore[method-assign]

    make(bench)

    assert mishap(bench).blame is Blame.CLOUD
    assert "does not tell" in mishap(bench).message
    assert bench.images.snapshots == []


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("get_server", UnauthorizedError("401")),
        ("stop_server", BadOrderError("it is locked")),
        ("snapshot", BadOrderError("not allowed")),
        ("edit_image", BadOrderError("no such field")),
        ("get_image", CloudError("what is this")),
    ],
)
def test_a_cloud_that_refuses_is_to_blame(bench: Bench, operation: str, error: CloudError) -> None:
    """What was made of the image is deleted once the record says that nobody wants it."""
    bench.cloud.fail(operation, error)

    make(bench)

    assert mishap(bench).blame is Blame.CLOUD


@pytest.mark.parametrize(
    "operation",
    ["stop_server", "snapshot", "edit_image"],
)
def test_a_cloud_that_asks_to_wait_is_asked_again(bench: Bench, operation: str) -> None:
    """Every call that may be repeated."""
    later = TryLaterError("busy", retry_after_s=3.0)
    bench.cloud.fail(operation, later, later)

    assert make(bench).why is None


@pytest.mark.parametrize("fate", [Snapshot.FAILS, Snapshot.HANGS, Snapshot.LOST_CALL])
def test_a_snapshot_that_comes_to_nothing_is_the_clouds_fault(bench: Bench, fate: Snapshot) -> None:
    """And begun anew later."""
    bench.glance.next_snapshots.append(fate)
    bench.policy = replace(bench.policy, snapshot_s_max=600.0)

    make(bench)

    assert mishap(bench).blame is Blame.CLOUD


def test_a_snapshot_whose_id_was_lost_is_found_by_its_name(bench: Bench) -> None:
    """The call had arrived."""
    bench.glance.next_snapshots.append(Snapshot.LOST_REPLY)

    assert make(bench).why is None

    assert len(bench.images.snapshots) == 1
    assert bench.build().value.state is BuildState.BUILT
