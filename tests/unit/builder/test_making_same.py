"""The hand of a build that turns out to be what is booted already."""

from collections.abc import Callable
from typing import Any

import pytest

from builder.quiet.files import measure_of
from remuda.images.inventory import Folder, MachineContents, take
from remuda.known_secrets import KNOWN
from remuda.model.build import Build, BuildState, Why, decode_build, encode_build
from remuda.model.image import BuildId, UploadId, Word
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import Trial, TrialResult, Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Create, Set
from tests.unit.builder.handbench import BUILD, PLACE, PROVIDER, Bench, ran, report
from tests.unit.builder.makings import make, nothing_held

CURRENT = BuildId(BUILD.image, 6)
FOLDER = f"folder\t/opt\t1 2 {'a' * 64}  -"
PACKAGES = "git 1\nremuda-packages 1\n"
HAD = take(
    [("git", "1")],
    MachineContents(
        measure=measure_of("contents"),
        folders=(Folder(name="/opt", files=1, bytes=2, digest="a" * 64),),
    ),
)
WORD = Word(who="ada", why="bad", at_s=1.0)


def listed(*lines: str) -> str:
    """Return what a machine prints of its files."""
    return report("inventory", *lines, end=len(lines))


@pytest.fixture
def same(bench: Bench) -> Bench:
    """Return a bench whose machine has what the current build has."""
    bench.session.ends["packages"] = ran(output=PACKAGES)
    bench.session.ends["files"] = ran(output=listed(FOLDER))
    bench.others.ensure(paths.pointers(BUILD.image), paths.uploads(CURRENT))
    put_current(bench, inventory=HAD.digest)
    put_pointer(bench)
    bench.put_build()
    return bench


def put(bench: Bench, path: str, data: bytes) -> None:
    """Write a record, whatever is there."""
    found = bench.others.read(path)
    op = Create(path=path, data=data)
    bench.others.commit([op if found is None else Set(path=path, data=data, version=found.version)])


def put_current(bench: Bench, **changes: Any) -> None:
    """Write a build that is usable."""
    fields: dict[str, Any] = {"fingerprint": "", **changes}
    one = Build(
        id=CURRENT,
        state=BuildState.BUILT,
        why=Why.AGE,
        requested_s=0.5,
        since_s=0.5,
        group=(PROVIDER,),
        provider=PROVIDER,
        place=PLACE,
        **fields,
    )
    put(bench, paths.build(CURRENT), encode_build(one))
    put_usable(bench, CURRENT)


def put_usable(bench: Bench, build_id: BuildId) -> None:
    """Write an upload that has passed its checks."""
    one = Upload(
        id=UploadId(build_id, PLACE),
        state=UploadState.USABLE,
        since_s=0.5,
        cloud_image="i6",
        trials={PROVIDER: Trial(result=TrialResult.PASSED)},
    )
    put(bench, paths.upload(one.id), encode_upload(one))


def put_pointer(bench: Bench, **changes: Any) -> None:
    """Let launches boot it."""
    fields: dict[str, Any] = {"current": CURRENT.number, **changes}
    one = Pointer(image=BUILD.image, provider=PROVIDER, place=PLACE, **fields)
    put(bench, paths.pointer(BUILD.image, PROVIDER), encode_pointer(one))


def current(bench: Bench) -> Build:
    """Return the current build."""
    stored = bench.others.read(paths.build(CURRENT))
    assert stored is not None
    return decode_build(CURRENT, stored.value)


def make_again(bench: Bench) -> Build:
    """Make the build; return what is on record of it."""
    make(bench, places={PROVIDER: PLACE})
    nothing_held(bench)
    return bench.build().value


def test_what_is_booted_already_is_not_kept(same: Bench) -> None:
    """Neither stopped nor quieted: its machine goes as it is, and what is booted is new again."""
    stopped = same.cloud.calls["stop_server"]
    build = make_again(same)

    assert (build.state, build.same_as, build.owner) == (BuildState.SAME, 6, None)
    assert build.inventory == current(same).inventory
    assert current(same).renewed_s == build.requested_s
    assert same.cloud.calls["stop_server"] == stopped
    assert same.images.snapshots == []
    assert same.log.steps[-1] == "compare"
    assert "the same as build 6: not kept" in same.log.text


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda bench: put_current(bench, inventory="0" * 64), "not as build 6"),
        (lambda bench: put_pointer(bench, withdrawn={6: WORD}), "was withdrawn there"),
        (lambda bench: put_pointer(bench, current=5), "not on record"),
        (lambda bench: put(bench, paths.pointer("debian", PROVIDER), b"{}"), "not compared"),
        (lambda bench: put(bench, paths.build(CURRENT), b"odd"), "not compared"),
        (lambda bench: bench.put_build(why=Why.COMMAND), "another reason"),
    ],
)
def test_in_any_doubt_it_is_kept(same: Bench, spoil: Callable[[Bench], None], why: str) -> None:
    """The log says which."""
    spoil(same)
    build = make_again(same)

    assert build.state is BuildState.BUILT
    assert build.same_as is None
    assert len(same.images.snapshots) == 1
    assert why in same.log.text


def test_a_newer_one_that_may_become_current_hinders(same: Bench) -> None:
    """It is proven, and waits for its time."""
    put_pointer(same, current=5)
    other = BuildId(BUILD.image, 5)
    same.others.ensure(paths.uploads(other))
    found = current(same)
    put(same, paths.build(other), encode_build(found))
    put_usable(same, other)

    assert make_again(same).state is BuildState.BUILT
    assert "build 6 may become current" in same.log.text


def put_newer(bench: Bench, **changes: Any) -> BuildId:
    """Let build 5 be current, and return 6, of which nothing may become current any more."""
    put_pointer(bench, current=5)
    other = BuildId(BUILD.image, 5)
    bench.others.ensure(paths.uploads(other))
    put(bench, paths.build(other), encode_build(current(bench)))
    put_usable(bench, other)
    put_current(bench, **changes)
    return other


def test_a_newer_one_that_is_restored_meanwhile_hinders(same: Bench) -> None:
    """The transaction proves of it, too, that what was found is still so."""
    other = put_newer(same, inventory=HAD.digest, unwanted=WORD)
    same.before_write(paths.build(other), 1, lambda: put_current(same, inventory=HAD.digest))

    assert make_again(same).state is BuildState.BUILT
    assert "build 6 may become current" in same.log.text


def test_a_newer_one_that_is_tried_again_meanwhile_hinders(same: Bench) -> None:
    """Its upload had been rejected."""
    other = put_newer(same, inventory=HAD.digest)
    rejected = Upload(id=UploadId(CURRENT, PLACE), state=UploadState.REJECTED, since_s=0.5)
    put(same, paths.upload(rejected.id), encode_upload(rejected))
    same.before_write(paths.build(other), 1, lambda: put_usable(same, CURRENT))

    assert make_again(same).state is BuildState.BUILT
    assert "build 6 may become current" in same.log.text


def test_a_newer_one_that_is_taken_away_does_not_hinder(same: Bench) -> None:
    """As long as that stays so."""
    put_newer(same, inventory=HAD.digest, unwanted=WORD)

    assert make_again(same).same_as == 5


def test_a_pointer_that_moves_meanwhile_is_looked_at_anew(same: Bench) -> None:
    """The transaction proves that what was found is still so."""
    writes = []

    def move() -> None:
        writes.append(1)
        put_pointer(same, generation=len(writes))

    same.before_write(paths.build(CURRENT), 1, move)
    build = make_again(same)

    assert build.state is BuildState.SAME
    assert writes == [1]


def test_one_that_moves_all_the_time_is_given_up(same: Bench) -> None:
    """Then it is kept, as all are."""

    def move(number: int) -> None:
        put_pointer(same, generation=number)
        same.before_write(paths.build(CURRENT), 1, lambda: move(number + 1))

    same.before_write(paths.build(CURRENT), 1, lambda: move(1))

    assert make_again(same).state is BuildState.BUILT
    assert "changes all the time" in same.log.text


@pytest.mark.parametrize(
    "end",
    [
        ran("killed after 1200 s"),
        ran(output=""),
        ran(output=listed()),
        ran(output=listed(FOLDER).replace("end\tinventory\t1", "end\tinventory\t2")),
        ran(output=listed("folder\t/opt\t1 2")),
        ran(output=listed("folder\t/opt\t1 -2 " + "a" * 64 + " -")),
        ran(output=listed("folder\t/o pt\t1 2 " + "a" * 64 + " -")),
        ran(output=listed("folder\t/opt\t1 2 " + "-" * 64 + " -")),
        ran(output=listed(FOLDER, "service\ta b\tc")),
        ran(output=listed(FOLDER, "other\ta\tc")),
    ],
)
def test_no_build_fails_for_a_list_that_is_not_whole(same: Bench, end: Any) -> None:
    """It is kept, and has its packages on record."""
    same.session.ends["files"] = end
    build = make_again(same)

    assert build.state is BuildState.BUILT
    assert build.inventory == take([("git", "1")]).digest
    assert "its files are not known" in same.log.text
    assert "nobody knows what is in it" in same.log.text


def test_no_name_that_holds_a_secret_is_on_record(same: Bench) -> None:
    """No step has the right to put it there."""
    KNOWN.note(("hunter2hunter2",))
    same.session.ends["files"] = ran(
        output=listed(f"folder\t/opt/hunter2hunter2\t1 2 {'a' * 64} -")
    )

    assert make_again(same).inventory == take([("git", "1")]).digest
    assert "holds a secret" in same.log.text


def test_the_recipe_says_how_files_are_told_apart(same: Bench) -> None:
    """What was listed in another way is another inventory."""
    make_again(same)
    script = next(one for one in same.session.scripts if one.name == "files")
    environment = dict(script.environment)

    assert script.as_root
    assert environment["REMUDA_INVENTORY"] == "contents"
    assert "/etc/machine-id" in environment["REMUDA_IGNORED"].split("\n")
    one, other = (take([], MachineContents(measure=word)) for word in ("a", "b"))
    assert one.digest != other.digest
