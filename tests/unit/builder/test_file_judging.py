"""Images that a command writes, as judgements see them: policy, start, takeover, share, same."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.actions import Plan
from builder.build import same
from builder.build.actions import KeepSnapshot, LoseBuild, Make, TakeBuild
from builder.build.lifecycle import step
from builder.capacity import COMMANDS_MAX
from builder.place.view import ImageListing, ListedImage
from builder.recipe.compile import compile_policy, groups_of
from builder.view import WorldView
from remuda.config.sources import UnreadableError
from remuda.config.trees import TreeEntry
from remuda.model.build import Build, BuildState, Why
from remuda.model.builtfile import BuiltFile
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId
from remuda.model.pointer import Pointer
from tests.unit.builder.bench import Bench, config
from tests.unit.builder.filebench import file_recipe
from tests.unit.builder.judging import HERE, NOW_S, POLICY, build, some, upload, world

FILES = replace(POLICY, on_host=True)
FILE = BuiltFile(
    sha256="a" * 64, sha512="b" * 128, size_bytes=512, virtual_bytes=512, disk_format="raw"
)
DEAD = ReplicaId("dead")


def none(_path: Path) -> Sequence[TreeEntry]:
    """Return what stands at a path: nothing."""
    return ()


def test_its_providers_share_one_making() -> None:
    """Whichever of them can be reached gets the file, and the others a copy."""
    made = file_recipe("p", "q")
    assert groups_of(made) == (("p", "q"),)
    policy = compile_policy(made, none)
    assert policy.on_host
    assert (policy.groups, policy.copies, policy.parent) == ((("p", "q"),), frozenset(), None)


def test_another_content_of_what_it_reads_is_another_recipe() -> None:
    """And so is another command; how long it may take is not."""
    prints = set()
    for content in ("one", "two"):
        entry = TreeEntry(path="", mode=0o100644, size=3, content=content)
        made = file_recipe(command={"reads": [{"path": "/x"}]})
        prints.add(compile_policy(made, lambda _, entry=entry: (entry,)).fingerprint)  # type: ignore[misc]
    assert len(prints) == 2
    usual = compile_policy(file_recipe(), none).fingerprint
    for other in ({"run": "x"}, {"environment": {"A": "1"}}, {"disk-format": "qcow2"}):
        changed = compile_policy(file_recipe(command=other), none)
        assert changed.fingerprint != usual, other
    same_of = compile_policy(file_recipe(command={"timeout": "2h", "max-size": "9GiB"}), none)
    assert same_of.fingerprint == usual


def test_what_it_reads_and_is_not_there_makes_it_unusable() -> None:
    """It is named."""

    def away(_path: Path) -> Sequence[TreeEntry]:
        raise UnreadableError("is not there")

    with pytest.raises(UnreadableError, match="'/x', which it copies or reads, is not there"):
        compile_policy(file_recipe(command={"reads": [{"path": "/x"}]}), away)


def judged(one: Build, **more: Any) -> tuple[Plan, WorldView]:
    """Return what is to be done for a build."""
    view = world([one], **{"policies": {"a": FILES}, **more})
    plan = Plan()
    step(view, one, plan)
    return plan, view


def test_it_starts_from_nothing_wherever_its_file_can_go() -> None:
    """No base is looked for, and no machine waited for."""
    requested = build(1, BuildState.REQUESTED, provider=None, place=None)
    (take,) = some(judged(requested)[0], TakeBuild)
    assert take.on_host
    assert (take.provider, take.parent, take.base) == ("p", None, None)
    assert take.instead is not None
    (other,) = some(judged(requested, away={"p": "away"})[0], TakeBuild)
    assert other.provider == "q"


def listed(*, active: bool, steady: bool = True) -> ImageListing:
    """Return two listings with the image."""
    one = {"i": ListedImage(id="i", name="n", build=BuildId("a", 1), active=active)}
    return ImageListing(
        begun_s=NOW_S - 1, before_s=NOW_S - 2, images=one, images_before=one if steady else {}
    )


@pytest.mark.parametrize(
    ("file", "listing", "found"),
    [
        (FILE, listed(active=True), KeepSnapshot),
        (FILE, listed(active=True, steady=False), None),
        # Of a snapshot the cloud may still finish it; of a file nobody sends more.
        (FILE, listed(active=False), LoseBuild),
        (None, listed(active=False), None),
        (FILE, ImageListing(begun_s=NOW_S - 1, before_s=NOW_S - 2), LoseBuild),
        (FILE, ImageListing(), None),
    ],
)
def test_what_a_dead_builder_had_sent(
    file: BuiltFile | None, listing: ImageListing, found: type | None
) -> None:
    """It is kept if all of it came; else the build begins anew."""
    dying = build(
        1, BuildState.SNAPSHOTTING, owner=DEAD, cloud_name="n", asked_by_s=NOW_S - 50, file=file
    )
    plan, _ = judged(dying, listings={HERE: listing})
    assert [type(one) for one in plan.actions] == ([] if found is None else [found])


def test_so_many_commands_run_at_once_in_one_builder() -> None:
    """They wait for no machine, and take no share of those that do."""
    making = {"command": {"run": "true"}, "base": None, "providers": {"p": {}}}
    bench = Bench(config(**{f"i{number}": making for number in range(5)}, machine={}))
    bench.held = (Make,)
    bench.launchers("p", "q")
    bench.go(200)

    begun = [bench.build(f"i{number}", 1) for number in range(5)]
    assert sum(one.state is BuildState.BUILDING for one in begun) == COMMANDS_MAX
    assert sum(one.state is BuildState.REQUESTED for one in begun) == 5 - COMMANDS_MAX
    assert bench.build("machine", 1).state is BuildState.BUILDING
    capacity = bench.worker.brain.starter.capacity
    one = TakeBuild(
        id=BuildId("i4", 1), provider="p", place=HERE, parent=None, base=None, on_host=True
    )
    assert "runs 2 commands already" in (capacity.full(one, place=True) or "")
    # The recipe that it was begun by counts, whatever is configured by now.
    bench.known.configured = replace(bench.known.configured, policies={})
    assert "runs 2 commands already" in (capacity.full(one, place=True) or "")
    bench.known.build_recipes.begun.clear()
    assert capacity.full(one, place=True) is None


def current(**more: Any) -> same.Current:
    """Return a build that is current in p and q."""
    pointers = {name: Pointer(image="a", provider=name, place=HERE, current=1) for name in "pq"}
    other = build(1, **{"file": FILE, **more})
    return same.Current(
        build=other, pointers=pointers, uploads={"p": upload(1), "q": _proven_in_q()}
    )


def _proven_in_q() -> Any:
    one = upload(1)
    return replace(one, trials={"q": one.trials["p"]})


def test_the_same_file_is_the_same_build() -> None:
    """By its hash; another one is another build, and so is a snapshot."""
    night = build(2, BuildState.BUILDING, why=Why.SCHEDULE)
    assert same.why_kept(night, FILE, FILES) is None
    assert same.why_other(night, FILE, current()) is None
    other = replace(FILE, sha256="c" * 64)
    assert same.why_other(night, other, current()) == "it is not as build 1"
    assert same.why_other(night, FILE, current(file=None)) == "it is not as build 1"
