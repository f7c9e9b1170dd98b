"""Which builds are due and why, and why the others wait."""

from dataclasses import replace

import pytest

from builder.actions import Plan
from builder.alarm.actions import RaiseAlarm
from builder.build.actions import BeginBuild, Supersede, TakeBuild
from builder.decide import decide
from builder.place.view import ProviderFacts
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.images.library import Library
from remuda.model.build import Base, Blame, Build, BuildState, Mishap, Why
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word
from remuda.model.pointer import Pointer
from remuda.model.upload import Upload, UploadState
from remuda.store.api import Stored

ME = ReplicaId("me")
HERE = "0" * 12
POLICY = ImagePolicy(image="a", fingerprint="f", groups=(("p",),), backoff_s=60.0)
WORD = Word(who="ada", why="y", at_s=1.0)


def build(number: int, state: BuildState = BuildState.BUILT, **more: object) -> Build:
    """Return a build that was begun at a hundred seconds."""
    first = Build(
        id=BuildId("a", number),
        state=state,
        why=Why.SCHEDULE,
        requested_s=100.0,
        since_s=100.0,
        fingerprint="f",
        group=("p",),
        provider="p",
        place=HERE,
        base=Base(id="old"),
    )
    return replace(first, **more)  # type: ignore[arg-type]


def world(*builds: Build, policy: ImagePolicy = POLICY, **more: object) -> WorldView:
    """Return what is known at a thousand seconds; what is built has an upload on trial."""
    image = ImageRecord(name="a", last_build=len(builds))
    uploads = {
        UploadId(one.id, HERE): UploadState.VALIDATING
        for one in builds
        if one.state is BuildState.BUILT
    }
    library = Library(
        images={"a": Stored(path="/a", value=image, version=1)},
        builds={one.id: Stored(path="/b", value=one, version=1) for one in builds},
        uploads={
            one: Stored(
                path="/u",
                value=Upload(id=one, state=state, since_s=1.0, owner=ME, trying="p"),
                version=1,
            )
            for one, state in uploads.items()
        },
    )
    first = WorldView(
        now_s=1000.0,
        me=ME,
        builders=frozenset({ME}),
        mine=lambda _thing: True,
        library=library,
        policies={"a": policy},
        providers={"p": ProviderFacts(name="p", place=HERE)},
        bases={("a", "p"): Base(id="old")},
        busy=frozenset(map(str, uploads)),
    )
    return replace(first, **more)  # type: ignore[arg-type]


def recorded(one: WorldView, **more: object) -> WorldView:
    """Return the world with something in the image's own record."""
    stored = one.library.images["a"]
    changed = replace(stored, value=replace(stored.value, **more))  # type: ignore[arg-type]
    return replace(one, library=replace(one.library, images={"a": changed}))


def why(plan: Plan) -> Why | None:
    """Return why a build is begun, if one is."""
    return next((one.why for one in plan.actions if isinstance(one, BeginBuild)), None)


OCCASIONS = [
    (world(), Why.RECIPE_CHANGED),
    (world(build(1)), None),
    (world(build(1, fingerprint="g")), Why.RECIPE_CHANGED),
    (world(build(1), policy=replace(POLICY, age_s_max=900.0)), Why.AGE),
    (world(build(1), policy=replace(POLICY, age_s_max=901.0)), None),
    (world(build(1), policy=replace(POLICY, next_due_s=lambda s: s + 900.0)), Why.SCHEDULE),
    (world(build(1), policy=replace(POLICY, next_due_s=lambda s: s + 901.0)), None),
    (world(build(1), bases={("a", "p"): Base(id="new")}), Why.BASE_CHANGED),
    (world(build(1), bases={}), None),
    (world(build(1, requested_s=9e9), policy=replace(POLICY, age_s_max=1.0)), Why.AGE),
    (world(build(1, requested_s=1500.0), policy=replace(POLICY, age_s_max=1.0)), None),
    (recorded(world(build(1)), wanted=WORD, wanted_above=1), Why.COMMAND),
    (recorded(world(build(1)), wanted=WORD, wanted_above=0), None),
    (recorded(world(), paused=WORD), None),
    (world(policy=replace(POLICY, paused=True)), None),
    (world(build(1, BuildState.REQUESTED), policy=replace(POLICY, age_s_max=1.0)), None),
    (world(build(1, BuildState.FAILED)), Why.SCHEDULE),
    (world(build(1, BuildState.FAILED, since_s=950.0)), None),
    (world(build(1, BuildState.SUPERSEDED)), Why.SCHEDULE),
    (world(build(1, BuildState.SUPERSEDED, unwanted=WORD)), None),
    # One that was the same is as good as any: by it the next one is judged.
    (world(build(1), build(2, BuildState.SAME, same_as=1)), None),
    (
        world(
            build(1, requested_s=10.0),
            build(2, BuildState.SAME, same_as=1),
            policy=replace(POLICY, age_s_max=901.0),
        ),
        None,
    ),
    (
        world(
            build(1),
            build(2, BuildState.SAME, same_as=1, base=Base(id="new")),
            bases={("a", "p"): Base(id="new")},
        ),
        None,
    ),
]


@pytest.mark.parametrize(("known", "expected"), OCCASIONS)
def test_what_makes_a_build_due(known: WorldView, expected: Why | None) -> None:
    """Each occasion, and one second before it."""
    plan = decide(known)

    assert why(plan) == expected
    assert expected is not None or any("a" in name for name in plan.waits)


def test_failing_builds_back_off_and_alarm() -> None:
    """The wait doubles; a good one ends it, and a change of the recipe is tried at once."""
    failed = [build(number, BuildState.FAILED, since_s=990.0) for number in (1, 2, 3)]
    plan = decide(world(*failed))

    said = "3 builds in a row came to nothing; the next begins 4m after it"
    assert plan.waits["a for p"] == said
    once = decide(world(build(1, BuildState.FAILED, since_s=990.0))).waits["a for p"]
    assert once == "the last build came to nothing; the next begins 1m after it"
    assert plan.wake_at_s == 990.0 + 240.0
    assert [one.text for one in plan.actions if isinstance(one, RaiseAlarm)] == [
        "3 builds in a row for p came to nothing"
    ]
    changed = world(*failed, policy=replace(POLICY, fingerprint="g"))
    assert why(decide(changed)) is Why.RECIPE_CHANGED


@pytest.mark.parametrize("blame", list(Blame))
def test_a_broken_recipe_is_told_at_once_and_a_mirror_is_not(blame: Blame) -> None:
    """The next build will fail alike; a mirror may be back by then. A good build ends the alarm."""
    mishap = Mishap(step="packages", blame=blame, message="E: no such package")
    failed = build(2, BuildState.FAILED, since_s=990.0, mishap=mishap, fingerprint="f")
    alarms = [
        one.text for one in decide(world(build(1), failed)).actions if isinstance(one, RaiseAlarm)
    ]
    said = (
        "build 2 for p failed (packages: E: no such package); "
        "neither base nor recipe has changed since build 1, the last good one"
    )
    assert alarms == ([said] if blame is Blame.RECIPE else [])

    mended = decide(world(build(1), failed, build(3)))
    assert not [one for one in mended.actions if isinstance(one, RaiseAlarm)]


def test_a_night_without_a_change_ends_a_row_of_failures() -> None:
    """What was broken is whole again, although nothing came of it."""
    failed = build(
        2,
        BuildState.FAILED,
        mishap=Mishap(step="fill", blame=Blame.RECIPE, message="no"),
    )
    same = build(3, BuildState.SAME, same_as=1)
    told = [one for one in decide(world(build(1), failed)).actions if isinstance(one, RaiseAlarm)]
    after = decide(world(build(1), failed, same))

    assert [one.text for one in told]
    assert not any(isinstance(one, RaiseAlarm) for one in after.actions)


def test_a_night_that_was_slept_through_is_one_build() -> None:
    """Clocks that jump start no storm."""
    late = world(build(1), policy=replace(POLICY, next_due_s=lambda s: s + 1.0))
    plan = decide(replace(late, now_s=1e9))

    assert len([one for one in plan.actions if isinstance(one, BeginBuild)]) == 1


def test_a_requested_build_is_taken_or_says_why_not() -> None:
    """In the first provider of its group that can."""
    policy = replace(POLICY, groups=(("p", "q"),))
    one = build(1, BuildState.REQUESTED, group=("p", "q"), provider=None, place=None)
    both = {
        "p": ProviderFacts(name="p", place=HERE, trouble="the cloud is away"),
        "q": ProviderFacts(name="q", place="1" * 12),
    }
    bases = {("a", "p"): Base(id="x"), ("a", "q"): Base(id="x")}
    taken = decide(world(one, policy=policy, providers=both, bases=bases))
    full = {**both, "q": replace(both["q"], full="20 of 20 images")}
    waits = decide(world(one, policy=policy, providers=full, bases=bases))

    assert [a.provider for a in taken.actions if isinstance(a, TakeBuild)] == ["q"]
    assert waits.waits["a/1"] == "p: the cloud is away; q: 20 of 20 images"


def test_a_requested_build_of_an_old_recipe_is_superseded() -> None:
    """Nobody has begun it."""
    old = build(1, BuildState.REQUESTED, fingerprint="old")

    assert [type(one) for one in decide(world(old)).actions] == [Supersede]


def test_there_is_an_alarm_about_what_is_served_not_about_builds() -> None:
    """A build that hangs says nothing; the age of current does."""
    pointer = Pointer(image="a", provider="p", place=HERE, current=1)
    policy = replace(POLICY, fresh_s_max=900.0)
    first = world(build(1), policy=policy)
    pointers = {("a", "p"): Stored(path="/p", value=pointer, version=1)}
    known = replace(first, library=replace(first.library, pointers=pointers))

    assert any(
        "older than its limit" in one.text
        for one in decide(known).actions
        if isinstance(one, RaiseAlarm)
    )
    renewed = replace(first.library.builds[BuildId("a", 1)], value=build(1, renewed_s=200.0))
    library = replace(known.library, builds={BuildId("a", 1): renewed})
    again = decide(replace(known, library=library))
    assert not any(isinstance(one, RaiseAlarm) for one in again.actions)
    assert again.wake_at_s == 1100.0
    early = decide(replace(known, now_s=999.0))
    assert not any(isinstance(one, RaiseAlarm) for one in early.actions)
    assert early.wake_at_s == 1000.0


def test_no_number_is_given_while_a_build_is_being_read() -> None:
    """Another builder has taken it at once: its number is known, and nothing else of it yet."""
    wanted = recorded(world(build(1)), wanted=WORD, wanted_above=1)
    reading = replace(wanted, reading=frozenset({"a"}))

    assert why(decide(wanted)) is Why.COMMAND
    assert why(decide(reading)) is None
    assert decide(reading).waits["a"] == "a build of it is being read"
