"""How builds end that nobody wants, or of which nobody can learn what became of them."""

from dataclasses import replace
from typing import Any

import pytest

from builder.build import outcome as build_outcome
from builder.build.actions import KeepSnapshot, LoseBuild, Make, Supersede, TakeBuild
from builder.decide import decide
from builder.place.view import ImageListing, ListedImage
from remuda.model.build import Base, Blame, BuildState, Mishap, Revocation
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId
from tests.unit.builder.judging import (
    HERE,
    ME,
    NOW_S,
    POLICY,
    REVOKED,
    WORD,
    build,
    some,
    world,
)

UNWANTED: list[dict[str, Any]] = [
    {"revoked": REVOKED},
    {"revoked": Revocation(word=WORD, inherited=BuildId("parent", 1))},
    {"unwanted": WORD},
]
ASKED = build(1, BuildState.SNAPSHOTTING, cloud_name="n", owner=ReplicaId("dead"))
SHOWN = {"i": ListedImage(id="i", name="n", build=ASKED.id, active=True)}
WHOLE = {HERE: ImageListing(begun_s=2.0, before_s=1.0, images=SHOWN, images_before=SHOWN)}


@pytest.mark.parametrize("later_s", [0.0, 1e6])
def test_a_whole_snapshot_is_kept_whenever_and_signed_in_time(later_s: float) -> None:
    """Whoever cannot sign it knows until when others are waited for."""
    since_s = NOW_S - later_s
    (keep,) = some(decide(world([replace(ASKED, since_s=since_s)], listings=WHOLE)), KeepSnapshot)

    assert keep.sign_by_s == since_s + 7200.0


@pytest.mark.parametrize("why", UNWANTED)
def test_nobody_begins_what_is_not_wanted(why: dict[str, Any]) -> None:
    """Else what a parent has left behind would end in an image that nobody may boot."""
    plan = decide(world([build(1, BuildState.REQUESTED, **why)]))

    assert some(plan, Supersede)
    assert not some(plan, TakeBuild)


@pytest.mark.parametrize("why", UNWANTED)
@pytest.mark.parametrize("owner", [ME, ReplicaId("dead")])
def test_what_is_made_ends_when_nobody_wants_it(owner: ReplicaId, why: dict[str, Any]) -> None:
    """It has failed, for that reason; a snapshot that is whole changes nothing."""
    made = decide(world([build(1, BuildState.BUILDING, owner=owner, **why)]))
    asked = decide(world([replace(ASKED, owner=owner, **why)], listings=WHOLE))

    for plan in (made, asked):
        (lost,) = some(plan, LoseBuild)
        assert lost.last
        assert "ada" in lost.mishap.message
        assert not some(plan, Make)
        assert not some(plan, KeepSnapshot)
    assert some(decide(world([ASKED], listings=WHOLE)), KeepSnapshot)


def test_what_another_one_makes_is_its_own_affair() -> None:
    """Its builder sees the word, too."""
    other = ReplicaId("other")
    one = build(1, BuildState.BUILDING, owner=other, unwanted=WORD)
    plan = decide(world([one], builders=frozenset({ME, other})))

    assert not some(plan, LoseBuild)


@pytest.mark.parametrize(
    "unlisted", [{"away": {"p": "the cloud is away"}}, {"providers": {}}], ids=["away", "gone"]
)
def test_a_snapshot_in_a_place_that_nobody_can_list_is_given_up(unlisted: dict[str, Any]) -> None:
    """In the time that an unfinished one has; while it can be listed the listings decide."""
    late = replace(ASKED, since_s=NOW_S - POLICY.snapshot_s_max)
    early = replace(late, since_s=late.since_s + 1.0)

    assert some(decide(world([late], **unlisted)), LoseBuild)
    assert not some(decide(world([late])), LoseBuild)
    waits = decide(world([early], **unlisted))
    assert not some(waits, LoseBuild)
    assert waits.wake_at_s is not None
    assert waits.wake_at_s <= NOW_S + 1.0


def test_a_clock_that_was_ahead_holds_no_build_up() -> None:
    """Neither its next try nor its end; a pause that somebody may honestly have written counts."""
    base = {("a", "p"): Base(id="b"), ("a", "q"): Base(id="b")}
    ahead_s = NOW_S + 1e8
    ahead = build(1, BuildState.REQUESTED, retry_s=ahead_s)
    longest = replace(ahead, retry_s=NOW_S + POLICY.backoff_s_max)
    asked = replace(ASKED, since_s=ahead_s, asked_by_s=ahead_s)
    nothing = {HERE: ImageListing(begun_s=2.0, before_s=1.0)}

    assert some(decide(world([ahead], bases=base)), TakeBuild)
    assert not some(decide(world([longest], bases=base)), TakeBuild)
    assert some(decide(world([asked], listings=nothing)), LoseBuild)
    failed = build(1, BuildState.FAILED, since_s=ahead_s)
    assert "came to nothing" not in str(decide(world([failed])).waits.values())


def test_a_build_that_failed_very_often_waits_the_longest() -> None:
    """The doubling ends before the numbers do."""
    failed = [build(n, BuildState.FAILED, since_s=NOW_S) for n in range(1, 1200)]
    plan = decide(world(failed))

    assert "1199 builds in a row came to nothing" in plan.waits["a for p, q"]


def test_a_build_that_is_lost_keeps_its_word_until_it_is_superseded() -> None:
    """The parent goes; why it must not be booted stays."""
    child = build(1, BuildState.BUILDING, parent=BuildId("b", 1), revoked=REVOKED)
    died = Mishap(step="fill", blame=Blame.BUILDER, message="its builder died")
    lost = build_outcome.lost(child, died, POLICY, last=False, now_s=NOW_S)

    assert (lost.parent, lost.revoked) == (None, REVOKED)
    assert some(decide(world([lost])), Supersede)
