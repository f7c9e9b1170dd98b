"""The hand that makes a build: its way, whose failure each end is, and who else may write."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.events import MakingEnded
from builder.hands.making import MakingHand, MakingOrder
from builder.hands.snapshots import DIRTY_STOP_S
from builder.quiet.kinds import quiet_kinds
from remuda.cloud.api import BadOrderError, CloudError, Image, TryLaterError, UnauthorizedError
from remuda.cloud.image_store import ImageStatus
from remuda.config.images import SecretFrom
from remuda.model import tags
from remuda.model.build import Base, Blame, BuildState, Mishap, encode_build
from remuda.model.image import BuildId, Word
from remuda.model.imageask import ImageUse
from remuda.model.status import FailureReport, Ruling, encode_failure
from remuda.model.upload import Method, UploadState
from remuda.ssh.errors import LoginRefusedError, NotSshError
from remuda.ssh.runner import STOPPED
from remuda.store import paths
from remuda.store.api import Create, Delete, Set, Store
from tests.fakes.cloud import DEBIAN
from tests.fakes.glance import Snapshot
from tests.support.sshd import make_key
from tests.unit.builder.handbench import (
    BUILD,
    IDENTITY,
    OTHER,
    OWNER,
    PROVIDER,
    UPLOAD,
    Bench,
    ran,
    recipe,
    report,
)

PATH = paths.build(BUILD)
SECRET = "swordfish-and-more"
STEPS = ["secrets", "machine", "base", "login", "prepare", "fill", "quiet", "stop", "snapshot"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory."""
    one = Bench(tmp_path)
    yield one
    one.close()


def make(bench: Bench, *, environ: dict[str, str] | None = None, **changes: Any) -> MakingEnded:
    """Put a build on record, unless there is one, and make it."""
    found = bench.others.read(PATH)
    assert found is not None
    order = MakingOrder(
        **{
            "build": bench.build() if found.value else bench.put_build(),
            "recipe": bench.recipe,
            "policy": bench.policy,
            "owner": OWNER,
            "cloud": bench.cloud,
            "images": bench.images,
            **changes,
        }
    )
    hand = MakingHand(
        machines=bench.machines, clock=bench.clock, environ=environ or {}, wait=bench.wait
    )
    ended = hand.make(order, bench.log, lambda: bench.stop)
    assert bench.log.closed
    assert bench.log.ok is (ended.why is None)
    return ended


def mishap(bench: Bench) -> Mishap:
    """Return what is on record of a failure, with nothing left behind of it."""
    build = bench.build().value
    assert build.mishap is not None
    again = build.mishap.blame in {Blame.CLOUD, Blame.BUILDER}
    assert build.state is (BuildState.REQUESTED if again else BuildState.FAILED)
    nothing_held(bench)
    assert bench.images.list_images() == ()
    return build.mishap


def nothing_held(bench: Bench) -> None:
    """Make sure that no request, node or key of the hand is left."""
    assert bench.others.children(paths.REQUESTS) == ()
    for one in bench.nodes():
        assert one.state == "used" or not bench.launcher.locks(one.id)
    folder = bench.machines._folder
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_build_ends_as_a_hidden_image_on_record(bench: Bench) -> None:
    """Node and base are on record; the snapshot has our tags, and nothing that it inherited."""
    bench.boots = Image(
        id="i-base", name="debian-12", properties={"os_distro": "debian", "owner_specified.x": "1"}
    )
    bench.cloud.images.append(bench.boots)

    ended = make(bench, also=("c" * 12,))

    assert ended == MakingEnded(id=BUILD)
    build = bench.build().value
    (image,) = bench.images.list_images()
    assert (build.state, build.snapshot, build.owner) == (BuildState.BUILT, image.id, None)
    assert build.base == Base(id="i-base")
    assert build.request is not None
    assert build.node == bench.nodes()[0].id
    assert build.identity["machine_id"] == IDENTITY["machine_id"]
    assert build.identity["login_key"].startswith("ssh-ed25519 ")
    upload, other = bench.upload().value, bench.upload("c" * 12).value
    assert (upload.state, upload.method) == (UploadState.STORED, Method.NATIVE)
    assert (upload.cloud_image, upload.min_disk_gib) == (image.id, 5)
    assert upload.os_hash == f"sha512:{image.hash_value}"
    assert other.state is UploadState.PENDING
    assert (image.hidden, image.status) == (True, ImageStatus.ACTIVE)
    ours = tags.read_image(image.name, image.properties)
    assert ours is not None
    assert (ours.owner, ours.image, ours.build) == (OWNER, "debian", "7")
    assert "owner_specified.x" not in image.properties
    assert image.properties["os_distro"] == "debian"
    assert [one for one in bench.log.steps if one in STEPS] == STEPS
    nothing_held(bench)


def test_a_machine_is_asked_for_by_its_label_and_opened_by_a_key_of_its_own(bench: Bench) -> None:
    """Below all users, from one provider, never from ready nodes; the recipe says who logs in."""
    asked = []

    def give(name: str) -> None:
        asked.append(bench.launcher.read_request(name))
        bench.give(name)

    bench.serve = give
    make(bench)

    (request,) = asked
    assert request.labels == ("make/debian",)
    assert (request.provider, request.reuse) == (PROVIDER, False)
    assert request.id.startswith("900-")
    assert request.requestor == "builder/debian"
    assert request.image is not None
    assert (request.image.use, request.image.upload) == (ImageUse.MAKE, None)
    (login,) = bench.logins
    assert (login.user, login.port, login.address) == ("debian", 22, "127.77.0.2")
    assert login.host_keys == (bench.session.host_key,)
    assert request.image.login_key is not None
    assert request.image.login_key == bench.build().value.identity["login_key"]


def test_the_record_is_written_before_the_snapshot_is_asked_for(bench: Bench) -> None:
    """With the very name, and until when the call may arrive; the machine is stopped by then."""
    seen = []
    snapshot = bench.images.snapshot

    def watched(server: Any, name: str, marks: Any) -> str:
        seen.append((bench.build().value, name, str(bench.cloud.truth()[server].status)))
        return snapshot(server, name, marks)

    bench.images.snapshot = watched  # type: ignore[method-assign]
    make(bench)

    ((build, name, status),) = seen
    assert (build.state, build.cloud_name) == (BuildState.SNAPSHOTTING, name)
    assert build.asked_by_s > bench.clock.now_s() - 10
    assert status == "stopped"
    assert name.startswith("remuda-debian-7-a0-")


def test_the_machine_is_kept_until_the_image_is_on_record(bench: Bench) -> None:
    """Nova takes the image along with a server that goes too early."""
    states = []

    def look() -> None:
        if bench.build().value.state is BuildState.SNAPSHOTTING:
            states.extend(str(one.state) for one in bench.nodes())

    bench.glance.snapshot_s = 100.0
    bench.on_wait = look
    make(bench)

    assert set(states) == {"in-use"}
    assert str(bench.nodes()[0].state) == "used"


def test_a_child_starts_from_the_upload_that_its_record_names(bench: Bench) -> None:
    """The request names the upload, and the machine must have booted its image."""
    parent = BuildId("base", 3)
    bench.put_build(parent=parent, base=None)

    assert make(bench, parent=DEBIAN.id).why is None

    assert bench.build().value.parent == parent
    assert bench.build().value.base is None


def test_a_machine_that_boots_something_else_than_the_parent_is_no_machine(bench: Bench) -> None:
    """It is the launchers' mistake, or ours."""
    bench.put_build(parent=BuildId("base", 3), base=None)

    make(bench, parent="another")

    assert mishap(bench).blame is Blame.BUILDER


def failure(bench: Bench, request: str, result: str, **fields: Any) -> None:
    """Write the evidence of a failed launch."""
    number = len(bench.others.children(paths.failures(PROVIDER)))
    one = FailureReport(
        node=f"n{number}",
        label="make/debian",
        pool="main",
        result=result,
        why=f"it was {result}",
        at_s=float(number),
        **{"request": request, **fields},
    )
    path = f"{paths.failures(PROVIDER)}/n{number}"
    bench.launcher.store.commit([Create(path=path, data=encode_failure(one))])


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
        ("prepare", ran("sudo: a password is required"), Blame.MACHINE),
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


def test_secrets_are_read_first_and_looked_for_last(bench: Bench, tmp_path: Path) -> None:
    """Steps get those that they name; the machine's own keys are looked for as well."""
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    bench.recipe = recipe(
        {"command": "one", "name": "fill", "secrets": ["TOKEN"]},
        {"command": "two"},
        secrets={"TOKEN": SecretFrom(file=str(file))},
    )
    key = tmp_path / "launcher"
    public = make_key(key)

    assert make(bench, key_file=str(key)).why is None

    by_name = {one.name: dict(one.environment) for one in bench.session.scripts}
    assert "".join(by_name["fill"]["TOKEN"]) == SECRET
    assert "TOKEN" not in by_name["command"]
    assert by_name["command"]["REMUDA_BUILD"] == "7"
    quiet = by_name["quiet"]
    needles = "".join(quiet["REMUDA_NEEDLES"])
    assert SECRET in needles
    assert "private-part-of-a-key" in needles
    assert public.split()[1] in quiet["REMUDA_LOGIN_KEYS"]
    assert bench.build().value.identity["login_key"].split()[1] in quiet["REMUDA_LOGIN_KEYS"]
    assert SECRET not in bench.log.text
    assert "private-part-of-a-key" not in bench.log.text


@pytest.mark.parametrize("what", ["secret", "key file"])
def test_what_this_host_lacks_another_builder_may_have(bench: Bench, what: str) -> None:
    """No machine is asked for."""
    changes: dict[str, Any] = {"key_file": "/nonexistent/key"}
    if what == "secret":
        bench.recipe = recipe(
            {"command": "one", "secrets": ["TOKEN"]},
            secrets={"TOKEN": SecretFrom(environment="SITE_TOKEN")},
        )
        changes = {}

    make(bench, **changes)

    assert mishap(bench).blame is Blame.BUILDER
    assert bench.nodes() == []


def test_a_machine_that_does_not_shut_down_by_itself_becomes_no_image(bench: Bench) -> None:
    """Its power was taken: nobody says so, but it took so long."""
    bench.cloud.stop_s = DIRTY_STOP_S + 5

    make(bench)

    assert mishap(bench).blame is Blame.MACHINE
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


WRITES = ["request", "node", "base", "quieted", "kept"]


@pytest.mark.parametrize("number", range(1, len(WRITES) + 1), ids=WRITES)
def test_a_build_that_was_taken_over_is_left_alone(bench: Bench, number: int) -> None:
    """At every write: everything is given back, and nothing written or deleted."""
    taken = []

    def take() -> None:
        stored = bench.build()
        one = replace(stored.value, owner=OTHER, started_s=99.0)
        write = Set(path=stored.path, data=encode_build(one), version=stored.version)
        bench.others.commit([write])
        taken.append(bench.build())

    bench.put_build()
    bench.before_write(PATH, number, take)
    ended = make(bench)

    assert ended.why is not None
    assert [bench.build()] == taken
    assert bench.others.read(paths.upload(UPLOAD)) is None
    assert len(bench.images.list_images()) == (number == len(WRITES))
    nothing_held(bench)


def test_a_failure_is_not_written_into_what_was_taken_over(bench: Bench) -> None:
    """Nor is the snapshot deleted, which the other one may keep."""
    bench.glance.next_snapshots.append(Snapshot.HANGS)
    bench.policy = replace(bench.policy, snapshot_s_max=100.0)

    def take() -> None:
        stored = bench.build()
        one = replace(stored.value, owner=OTHER)
        bench.others.commit([Set(path=stored.path, data=encode_build(one), version=stored.version)])

    bench.put_build()
    bench.before_write(PATH, 5, take)
    make(bench)

    assert bench.build().value.owner == OTHER
    assert len(bench.images.list_images()) == 1


def _each_write(bench: Bench, do: Callable[[Store], None]) -> None:
    commit, count = bench.store.commit, 0

    def around(ops: Any) -> Any:
        nonlocal count
        count += any(one.path == PATH for one in ops)
        if count % 2:  # not what is written once more because of it
            do(bench.others)
        return commit(ops)

    bench.store.commit = around  # type: ignore[method-assign]


def test_touches_and_words_of_people_are_no_takeover(bench: Bench) -> None:
    """A record that others write anew, as who refers to it does, is still ours."""

    def touch(store: Store) -> None:
        stored = bench.build()
        word = Word(who="root", why="by mistake", at_s=1.0)
        data = encode_build(replace(stored.value, unwanted=word))
        store.commit([Set(path=stored.path, data=data, version=stored.version)])

    bench.put_build()
    _each_write(bench, touch)

    assert make(bench).why is None
    assert bench.build().value.state is BuildState.BUILT
    assert bench.build().value.unwanted is not None


@pytest.mark.parametrize("number", range(1, len(WRITES) + 1), ids=WRITES)
def test_a_lost_reply_is_no_takeover(bench: Bench, number: int) -> None:
    """What the record says was written by us."""
    bench.put_build()
    bench.lose_reply(PATH, number)

    assert make(bench).why is None
    assert bench.build().value.state is BuildState.BUILT


def test_a_build_is_lost_by_us_only_so_often(bench: Bench) -> None:
    """The last attempt fails it."""
    bench.policy = replace(bench.policy, attempts_max=1)
    bench.put_build()

    make(bench, key_file="/nonexistent/key")

    assert bench.build().value.state is BuildState.FAILED
