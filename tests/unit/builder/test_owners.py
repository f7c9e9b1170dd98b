"""What becomes of uploads and builds that somebody works on: us, another builder, a dead one."""

from dataclasses import replace
from typing import Any

import pytest

from builder.build.actions import KeepSnapshot, LoseBuild
from builder.decide import decide
from builder.upload import outcome as upload_outcome
from builder.upload.actions import (
    Copy,
    DropUpload,
    EndTrial,
    RetireUpload,
    TakeUpload,
    TryUpload,
    Validate,
)
from builder.view import WorldView
from remuda.model.build import Blame, BuildState, Mishap
from remuda.model.ids import ReplicaId
from remuda.model.image import UploadId
from remuda.model.upload import Method, Trial, TrialResult, Upload, UploadEvent, UploadState
from tests.unit.builder.judging import (
    HERE,
    ME,
    NOW_S,
    POLICY,
    REVOKED,
    THERE,
    build,
    pending,
    some,
    upload,
    world,
)

OTHER = ReplicaId("other")
BOTH = frozenset({ME, OTHER})
COPYING = pending(1, state=UploadState.MAKING, method=Method.CARRY, source=HERE, owner=OTHER)
TRIED = pending(
    1,
    state=UploadState.VALIDATING,
    method=Method.CARRY,
    cloud_image="c1",
    owner=OTHER,
    trying="q",
    trials={"q": Trial(failures=1, hosts=("h1",))},
)
WHOLE = replace(TRIED, state=UploadState.STORED, owner=None, trying=None, trials={})


def with_copy(copy: Upload, **more: Any) -> WorldView:
    """Return a proven build with what there is of it in q."""
    return world([build(1)], [upload(1), copy], **more)


def waits(known: WorldView, copy: Upload) -> str | None:
    """Return why the copy waits."""
    return decide(known).waits.get(str(copy.id))


def not_ours(_thing: str) -> bool:
    """Leave everything that nobody has taken to another builder."""
    return False


def test_a_copy_is_made_by_whoever_has_taken_it() -> None:
    """And nobody begins it beside him."""
    ours = with_copy(replace(COPYING, owner=ME))
    theirs = with_copy(COPYING, builders=BOTH)

    assert [one.id for one in some(decide(ours), Copy)] == [COPYING.id]
    assert not some(decide(theirs), Copy)
    assert waits(theirs, COPYING) == "other makes it"


def test_a_dead_builders_copy_is_made_again_when_its_last_call_has_arrived() -> None:
    """As often as the recipe lets it be lost; then it comes to nothing."""
    soon = replace(COPYING, asked_by_s=NOW_S + 60.0)
    last = replace(COPYING, attempt=POLICY.attempts_max - 1)

    def event(known: WorldView) -> UploadEvent | None:
        drops = [one.event for one in some(decide(known), DropUpload) if one.id == COPYING.id]
        return drops[0] if drops else None

    assert event(with_copy(soon)) is None
    assert waits(with_copy(soon), soon) == "its dead maker's calls may still arrive"
    assert event(with_copy(COPYING)) is UploadEvent.BROKEN
    assert event(with_copy(last)) is UploadEvent.GIVEN_UP
    assert event(with_copy(COPYING, policies={})) is UploadEvent.GIVEN_UP


def test_a_trial_goes_on_with_its_builder_and_ends_with_it() -> None:
    """A candidate does not run where one has failed, if it can be."""
    (ours,) = some(decide(with_copy(replace(TRIED, owner=ME))), Validate)
    fresh = replace(TRIED, owner=ME, trials={})
    theirs, dead = with_copy(TRIED, builders=BOTH), with_copy(TRIED)

    assert (ours.id, ours.provider, ours.avoid) == (TRIED.id, "q", ("h1",))
    assert [one.avoid for one in some(decide(with_copy(fresh)), Validate)] == [()]
    assert waits(theirs, TRIED) == "other tries it in q"
    assert [one.id for one in some(decide(dead), EndTrial)] == [TRIED.id]


@pytest.mark.parametrize(
    ("copy", "says"),
    [
        (pending(1), "another builder takes it"),
        (WHOLE, "another builder tries it"),
        (replace(WHOLE, state=UploadState.FAILED), "another builder sees to it"),
    ],
)
def test_what_falls_to_another_builder_is_left_to_it(copy: Upload, says: str) -> None:
    """Its owner's word is not needed: all reckon alike who that is."""
    known = with_copy(copy, mine=not_ours)

    assert not some(decide(known), TakeUpload)
    assert not some(decide(known), TryUpload)
    assert not some(decide(known), RetireUpload)
    assert waits(known, copy) == says


def test_an_upload_without_the_record_of_its_build_is_left_alone() -> None:
    """It may be there, and say that it is revoked."""
    plan = decide(world([], [upload(1)]))

    assert plan.waits[str(upload(1).id)] == "the record of its build cannot be read"


def rejected(known: WorldView) -> list[tuple[UploadId, str]]:
    """Return what nobody will prove any more, and why."""
    drops = some(decide(known), DropUpload)
    return [(one.id, one.mishap.message) for one in drops if one.event is UploadEvent.REJECTED]


def test_what_is_whole_and_not_wanted_any_more_is_not_tried() -> None:
    """By whoever revoked it; one builder says so."""
    revoked = world([build(1, revoked=REVOKED)], [WHOLE])
    failed = replace(WHOLE, trials={"q": Trial(result=TrialResult.FAILED)})

    assert rejected(revoked) == [(WHOLE.id, "revoked by ada: bad kernel")]
    assert rejected(replace(revoked, mine=not_ours)) == []
    assert rejected(with_copy(failed)) == [(WHOLE.id, "it failed everywhere")]
    assert rejected(with_copy(WHOLE)) == []


def test_what_is_overtaken_is_given_up_by_one_builder() -> None:
    """A newer build is whole where it is not proven yet."""
    newer = replace(WHOLE, id=pending(2).id, cloud_image="c2")
    known = world([build(1), build(2)], [upload(1), upload(2), WHOLE, newer])

    assert [one for one, _ in rejected(known)] == [WHOLE.id]
    assert rejected(replace(known, mine=not_ours)) == []


def test_what_lies_where_its_recipe_looks_no_more_is_not_tried() -> None:
    """It waits, for it may be named again."""
    only_here = {"a": replace(POLICY, groups=(("p",),))}
    known = with_copy(WHOLE, policies=only_here)

    assert not some(decide(known), TryUpload)
    assert waits(known, WHOLE) == "no provider of its recipe lies there"


@pytest.mark.parametrize(
    ("source", "more", "says"),
    [
        ({"state": UploadState.MAKING}, {}, "no other place has it whole yet"),
        ({"method": Method.SHARE}, {}, "no other place has it whole yet"),
        ({}, {"away": {"p": "the cloud is away"}}, "p: the cloud is away"),
        ({}, {"away": {"q": "the cloud is away"}}, "q: the cloud is away"),
    ],
)
def test_a_copy_says_what_it_could_not_be_made_from(
    source: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    """What is shared has no bytes of its own to give."""
    copy = pending(1)
    known = world([build(1)], [upload(1, owner=ME, **source), copy], **more)

    assert not some(decide(known), TakeUpload)
    assert waits(known, copy) == says


def test_a_snapshot_is_another_builders_affair_until_it_is_dead() -> None:
    """And then until the cloud can have heard its last call."""
    snapshot = build(1, BuildState.SNAPSHOTTING, owner=OTHER, cloud_name="n")
    soon = replace(snapshot, asked_by_s=NOW_S + 60.0)
    theirs, dead = decide(world([snapshot], builders=BOTH)), decide(world([soon]))

    for plan in (theirs, dead):
        assert not some(plan, LoseBuild)
        assert not some(plan, KeepSnapshot)
    assert theirs.waits[str(snapshot.id)] == "other makes it"
    assert dead.waits[str(soon.id)] == "the cloud may still be asked for its snapshot"
    assert dead.wake_at_s == NOW_S + 60.0


def test_a_trial_that_ends_without_a_word_says_nothing_of_the_upload() -> None:
    """Neither of one that is to be proven, nor of one that is proven for another provider."""
    again = upload_outcome.untried(TRIED, now_s=NOW_S)
    proven = replace(TRIED, state=UploadState.USABLE)
    still = upload_outcome.untried(proven, now_s=NOW_S)

    assert (again.state, again.owner, again.trying) == (UploadState.STORED, None, None)
    assert (still.state, still.owner, still.trying) == (UploadState.USABLE, None, None)
    assert again.trials == still.trials == TRIED.trials


def test_what_is_proven_for_one_provider_stays_usable_whatever_a_neighbour_finds() -> None:
    """Only its own trial is written."""
    shared = upload(1, THERE, trying="q2", owner=ME)
    mishap = Mishap(step="boot", blame=Blame.RECIPE, message="no login")
    policy = replace(POLICY, tries_max=1)
    after = upload_outcome.judged(shared, mishap, "h1", policy, ("q", "q2"), now_s=NOW_S)

    assert (after.state, after.owner, after.trying) == (UploadState.USABLE, None, None)
    assert after.trials["q"].result is TrialResult.PASSED
    assert after.trials["q2"].result is TrialResult.FAILED
