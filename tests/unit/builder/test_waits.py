"""Why builds, copies and deletions wait, in words, and what each waits for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from builder.alarm.actions import RaiseAlarm
from builder.build import outcome as build_outcome
from builder.build.actions import BeginBuild, Supersede, TakeBuild
from builder.decide import decide
from builder.place.actions import SweepImage
from builder.place.view import ImageListing, ListedImage
from builder.pointer.actions import MovePointer
from builder.policy import ImagePolicy
from builder.upload.actions import TakeUpload, TryUpload
from builder.view import WorldView
from remuda.model.build import Base, Blame, Build, BuildState, Mishap
from remuda.model.image import BUILD_NUMBER_MAX, BuildId, ImageRecord, UploadId
from remuda.model.pointer import Pointer
from remuda.model.upload import Upload, UploadState
from remuda.store import paths
from remuda.store.api import Stored
from tests.unit.builder.judging import (
    HERE,
    NOW_S,
    POLICY,
    REVOKED,
    WORD,
    build,
    pending,
    some,
    upload,
    world,
)

BASES = {("a", name): Base(id="debian") for name in ("p", "q")}
REQUESTED = build(1, BuildState.REQUESTED, provider=None, place=None)
PARENT = BuildId("base", 1)
CHILD: Mapping[str, ImagePolicy] = {"a": replace(POLICY, parent="base")}


def test_an_image_whose_numbers_are_used_up_is_not_built_any_more() -> None:
    """And says so: no two builds have one number."""
    known = world([])
    full = Stored(
        path=paths.image("a"), value=ImageRecord(name="a", last_build=BUILD_NUMBER_MAX), version=7
    )
    plan = decide(replace(known, library=replace(known.library, images={"a": full})))

    assert some(decide(known), BeginBuild)
    assert not some(plan, BeginBuild)
    assert plan.waits["a"] == "its numbers are used up"


def test_what_is_being_swept_is_not_swept_once_more() -> None:
    """A hand of ours is at it."""
    image = ListedImage(id="i9", name="remuda-a-9", build=BuildId("a", 9), active=True)
    shown = {image.id: image}
    twice = ImageListing(begun_s=2.0, before_s=1.0, images=shown, images_before=shown)
    known = world([build(1)], listings={HERE: twice})

    assert [one.cloud_image for one in some(decide(known), SweepImage)] == ["i9"]
    assert not some(decide(replace(known, busy=frozenset({f"{HERE} i9"}))), SweepImage)


def taken_in(known: WorldView) -> list[str]:
    """Return where the build that is requested is begun."""
    return [one.provider for one in some(decide(known), TakeBuild)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"policies": {}}, "its recipe is not in the configuration"),
        ({"policies": {"a": replace(POLICY, paused=True)}}, "paused in the configuration"),
        (
            {"providers": {}},
            "p: nobody knows yet where its images lie; q: nobody knows yet where its images lie",
        ),
        ({"bases": {}}, "p: its base is not there; q: its base is not there"),
    ],
)
def test_a_requested_build_says_what_it_waits_for(more: dict[str, Any], says: str) -> None:
    """It begins as soon as that is there."""
    whole = world([REQUESTED], bases=BASES)
    lacking = replace(whole, **more)

    assert taken_in(whole) == ["p"]
    assert taken_in(lacking) == []
    assert decide(lacking).waits[str(REQUESTED.id)] == says


def test_a_build_for_other_providers_than_the_recipes_is_not_begun() -> None:
    """They were changed since it was requested: one for those that are named now is due."""
    changed = replace(POLICY, groups=(("p",), ("q",)))
    (gone,) = some(decide(world([REQUESTED], bases=BASES, policies={"a": changed})), Supersede)

    assert (gone.id, gone.because) == (
        REQUESTED.id,
        "the providers of the recipe have changed",
    )


def child_of(parent: Build, made: Upload) -> WorldView:
    """Return what is known when a build is to start from one of another image."""
    known = world([REQUESTED, parent], [made], policies=CHILD)
    pointer = Pointer(image="base", provider="p", place=HERE, current=1)
    stored = Stored(path=paths.pointer("base", "p"), value=pointer, version=1)
    return replace(
        known, library=replace(known.library, pointers={(pointer.image, pointer.provider): stored})
    )


@pytest.mark.parametrize(
    ("parent", "state", "says"),
    [
        ({}, UploadState.USABLE, None),
        ({}, UploadState.RETIRING, "p: base/1, which it starts from, is not usable"),
        ({"revoked": REVOKED}, UploadState.USABLE, "p: base/1, which it starts from, is revoked"),
    ],
)
def test_a_build_starts_from_a_usable_parent_that_nobody_revoked(
    parent: dict[str, Any], state: UploadState, says: str | None
) -> None:
    """A pointer may name what was taken away a moment ago."""
    made = upload(1, id=UploadId(PARENT, HERE), state=state)
    known = child_of(build(1, id=PARENT, **parent), made)

    assert taken_in(known) == (["p"] if says is None else [])
    assert decide(known).waits.get(str(REQUESTED.id), "").partition("; q:")[0] == (says or "")


def test_what_is_whole_waits_for_its_recipe_to_be_proven() -> None:
    """Which says in which providers, and how often it may fail."""
    stored = upload(1, state=UploadState.STORED, trials={})
    known = world([build(1)], [stored])
    without = decide(replace(known, policies={}))

    assert [one.id for one in some(decide(known), TryUpload)] == [stored.id]
    assert not some(without, TryUpload)
    assert without.waits[str(stored.id)] == "its recipe is not in the configuration"


def test_what_serves_nothing_already_is_not_taken_away_again() -> None:
    """Its pointer says that launches wait; to write that once more would only count moves."""
    revoked, pointer = (
        build(1, revoked=REVOKED),
        Pointer(image="a", provider="p", place=HERE, current=1),
    )
    moved = [
        some(decide(world([revoked], [upload(1)], [one])), MovePointer)
        for one in (pointer, replace(pointer, withdrawn={1: WORD}))
    ]

    assert [len(one) for one in moved] == [1, 0]


@pytest.mark.parametrize(("ahead_s", "waits"), [(6 * 3600.0, True), (8 * 3600.0, False)])
def test_a_copy_of_an_image_without_a_recipe_waits_no_longer_than_any_other(
    ahead_s: float,
    waits: bool,  # noqa: FBT001
) -> None:
    """What lies further ahead was written by a clock that was ahead."""
    copy = pending(1, retry_s=NOW_S + ahead_s)
    plan = decide(world([build(1)], [upload(1), copy], policies={}))

    assert bool(some(plan, TakeUpload)) is not waits


def test_a_build_without_a_recipe_that_a_cloud_spoiled_begins_anew_at_once() -> None:
    """How long to wait says the recipe: as soon as that is back, it may."""
    making = build(1, BuildState.BUILDING)
    mishap = Mishap(step="boot", blame=Blame.CLOUD, message="no valid host")
    without = build_outcome.unmade(making, mishap, None, now_s=NOW_S)
    usual = build_outcome.unmade(making, mishap, POLICY, now_s=NOW_S)

    assert (without.state, without.retry_s) == (BuildState.REQUESTED, NOW_S)
    assert usual.retry_s == NOW_S + POLICY.backoff_s


def test_an_alarm_names_the_image_that_it_is_about() -> None:
    """As every action does: it is said once for each."""
    policies = {"a": replace(POLICY, fresh_s_max=1.0)}
    plan = decide(world([build(1)], policies=policies))

    assert {one.id for one in some(plan, RaiseAlarm)} == {"a"}
