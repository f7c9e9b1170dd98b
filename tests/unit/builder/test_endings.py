"""How builds end that nobody wants, or of which nobody can learn what became of them."""

from dataclasses import replace
from typing import Any

import pytest

from builder.build import outcome as build_outcome
from builder.build.actions import KeepSnapshot, LoseBuild, Make, Supersede, TakeBuild
from builder.decide import decide
from builder.place.view import ImageListing, ListedImage
from remuda.model.build import (
    UNABLE_MAX,
    Base,
    Blame,
    Build,
    BuildState,
    Mishap,
    Revocation,
)
from remuda.model.capture import Captured
from remuda.model.ids import NodeId, ReplicaId
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
BASES = {("a", "p"): Base(id="debian")}
WHOLE = {HERE: ImageListing(begun_s=2.0, before_s=1.0, images=SHOWN, images_before=SHOWN)}


@pytest.mark.parametrize("later_s", [0.0, 1e6])
def test_a_whole_snapshot_is_kept_whenever(later_s: float) -> None:
    """All builders may have been down for long."""
    asked = replace(ASKED, since_s=NOW_S - later_s)

    assert some(decide(world([asked], listings=WHOLE)), KeepSnapshot)


def unsigned(*who: str, **more: Any) -> Build:
    """Return a build whose snapshot these could not sign."""
    mishap = Mishap(step="signature", blame=Blame.BUILDER, message="no key file")
    names = tuple(map(ReplicaId, who))
    return replace(ASKED, owner=None, cannot_sign=names, mishap=mishap, **more)


def test_a_builder_that_can_sign_goes_before_those_that_cannot() -> None:
    """Whoever it would have been otherwise; this one waits, and says why."""
    living: dict[str, Any] = {
        "builders": frozenset({ME, ReplicaId("able")}),
        "listings": WHOLE,
        "bases": BASES,
    }

    for one in (unsigned(ME), replace(unsigned(ME), state=BuildState.REQUESTED, retry_s=0.0)):
        plan = decide(world([one], **living))
        assert not [*some(plan, KeepSnapshot), *some(plan, LoseBuild), *some(plan, TakeBuild)]
        assert "another builder" in plan.waits[str(one.id)]
        able = decide(world([one], me=ReplicaId("able"), **living))
        assert [*some(able, KeepSnapshot), *some(able, TakeBuild)]


def test_nobody_waits_for_a_key_that_nobody_has() -> None:
    """The attempt ends at once, with the reason; a builder that comes may have it."""
    (lost,) = some(decide(world([unsigned("gone", ME)], listings=WHOLE)), LoseBuild)

    assert (lost.last, lost.mishap.step, lost.mishap.blame) == (False, "signature", Blame.BUILDER)
    assert lost.mishap.message == "no key file"
    anew = build_outcome.lost(unsigned(ME), lost.mishap, POLICY, last=False, now_s=NOW_S)
    assert (anew.state, anew.cannot_sign) == (BuildState.REQUESTED, (ME,))
    # Where none can, one of those tries: its key may be there by now.
    assert some(decide(world([replace(anew, retry_s=0.0)], bases=BASES)), TakeBuild)


def test_a_captured_machine_is_waited_for_as_it_cannot_be_made_again() -> None:
    """Its snapshot is all that is left of it: until a snapshot has to be whole."""
    captured = Captured(
        node=NodeId("1"), provider="p", pool="main", label="job", requestor="ci", token="t"
    )
    one = unsigned(ME, captured=captured, quieted_s=1.0, since_s=NOW_S - 7100.0)
    assert some(decide(world([one], listings=WHOLE)), KeepSnapshot)
    (lost,) = some(decide(world([replace(one, since_s=NOW_S - 7300.0)], listings=WHOLE)), LoseBuild)
    assert lost.mishap.step == "signature"


def test_who_begins_a_build_without_its_key_leaves_it_to_others() -> None:
    """Nothing was paid for yet; the next attempt is another builder's, if there is one."""
    making = build(1, BuildState.BUILDING, owner=ME)
    mishap = Mishap(step="signature", blame=Blame.BUILDER, message="no key file")

    anew = build_outcome.unmade(making, mishap, POLICY, now_s=NOW_S)

    assert (anew.state, anew.owner, anew.cannot_sign) == (BuildState.REQUESTED, None, (ME,))
    plan = decide(world([anew], builders=frozenset({ME, ReplicaId("able")}), bases=BASES))
    assert not some(plan, TakeBuild)


def test_the_builders_that_cannot_sign_are_bounded() -> None:
    """Each restart is another one; the last of them are known."""
    one = ASKED
    for number in range(UNABLE_MAX + 8):
        one = build_outcome.handed_over(one, ReplicaId(f"b{number}"), "no key file")
        one = build_outcome.handed_over(one, ReplicaId(f"b{number}"), "no key file")
    assert len(one.cannot_sign) == UNABLE_MAX
    assert (one.cannot_sign[0], one.cannot_sign[-1]) == ("b8", "b39")


FULL = Mishap(step=build_outcome.ROOM, blame=Blame.CLOUD, message="0 MiB left")


def full(one: Build, name: str) -> Build:
    """Return a build that a builder has begun whose host has no room for it."""
    begun = replace(one, state=BuildState.BUILDING, owner=ReplicaId(name))
    return build_outcome.unmade(begun, FULL, POLICY, now_s=NOW_S)


def test_a_host_without_room_leaves_a_build_to_one_that_may_have_some() -> None:
    """At once, and as often as it has to go round: it is no attempt, and nobody's verdict."""
    other = ReplicaId("other")
    living: dict[str, Any] = {"builders": frozenset({ME, other}), "bases": BASES}

    once = full(build(1, BuildState.REQUESTED), str(ME))
    assert (once.state, once.owner, once.attempt) == (BuildState.REQUESTED, None, 0)
    assert (once.no_room, once.retry_s) == ((ME,), NOW_S)
    plan = decide(world([once], **living))
    assert not some(plan, TakeBuild)
    assert "another builder" in plan.waits[str(once.id)]
    assert some(decide(world([once], me=other, **living)), TakeBuild)

    # None has any: they are asked in turn, later; alone, this one is asked again.
    twice = replace(full(once, str(other)), retry_s=NOW_S)
    assert twice.no_room == (ME, other)
    assert some(decide(world([twice], **living)), TakeBuild)
    assert not some(decide(world([twice], me=other, **living)), TakeBuild)
    thrice = full(twice, str(ME))
    assert thrice.no_room == (other, ME)
    assert thrice.retry_s > NOW_S
    again = replace(thrice, retry_s=NOW_S)
    assert some(decide(world([again], me=other, **living)), TakeBuild)
    assert some(decide(world([again], bases=BASES)), TakeBuild)


def test_a_whole_image_is_kept_by_one_whose_host_is_full() -> None:
    """For that it needs no room there."""
    one = replace(ASKED, owner=None, no_room=(ME,))
    assert some(decide(world([one], listings=WHOLE)), KeepSnapshot)
    assert build_outcome.kept(one, "i", now_s=NOW_S).no_room == ()


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
