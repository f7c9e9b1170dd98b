"""Listing, sweep, claims, rescue, status and verdicts."""

import pytest

from launcher.claim.actions import AdoptClaim, DropClaim
from launcher.lanes import LISTING, STATUS, SURVEY
from launcher.provider.actions import Publish, Rescue, Survey, Tidy
from launcher.provider.status import our_status
from launcher.request.actions import WriteVerdict
from launcher.request.verdicts import gist
from launcher.server.actions import ListServers
from remuda.cloud.api import Quota
from remuda.model.launch import Step
from remuda.model.request import RequestState
from remuda.model.status import Ruling, Verdict
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_replica,
    add_request,
    later,
    of_kind,
    think,
    world,
)


@pytest.mark.parametrize(("busy", "due_s"), [(False, 60.0), (True, 3.0)])
def test_the_listing_is_frequent_only_while_a_node_waits_for_it(
    busy: bool,  # noqa: FBT001
    due_s: float,
) -> None:
    """One call for all nodes, at one of two periods."""
    made = world()
    if busy:
        add_node(made, 1, step=Step.BOOTING)
    early, late = think(made, later(due_s - 0.1)), think(made, later(due_s))

    assert of_kind(early, ListServers) == []
    assert [ListServers(number=6)] == of_kind(late, ListServers)


def test_a_listing_or_survey_under_way_is_not_begun_again() -> None:
    """One at a time."""
    made = world()
    for subject in (LISTING, SURVEY):
        made.busy.enter(subject, Tidy())

    assert of_kind(think(made, later(1e6)), ListServers, Survey) == []


@pytest.mark.parametrize("state", [RequestState.FULFILLED, RequestState.REQUESTED, None])
def test_a_claim_ends_with_what_it_was_for(state: RequestState | None) -> None:
    """The request is gone, settled, or was given back."""
    made = world()
    view = add_request(made, 1, state=state or RequestState.PENDING)
    add_claim(made, view)
    if state is None:
        made.queue.forget(view.id)

    assert [DropClaim(request=view.id)] == of_kind(think(made), DropClaim)


def test_a_claim_on_a_request_that_is_not_read_yet_is_kept() -> None:
    """It is older than our knowledge of it."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, view)
    made.queue.forget(view.id)
    made.queue.unread.add(view.id)

    assert of_kind(think(made), DropClaim) == []


@pytest.mark.parametrize(("owner", "lives", "adopted"), [("other", True, 0), ("other", False, 1)])
def test_claims_of_dead_replicas_are_taken_over(
    owner: str,
    lives: bool,  # noqa: FBT001
    adopted: int,
) -> None:
    """The living keep theirs."""
    made = world()
    if lives:
        add_replica(made, "here", owner)
    for number in range(4):
        view = add_request(made, number, state=RequestState.PENDING)
        add_claim(made, view, owner=owner)

    assert 4 * adopted == len(of_kind(think(made), AdoptClaim))


def test_our_own_claims_of_an_older_session_are_taken_over_whoever_is_on_duty() -> None:
    """To others we look alive."""
    made = world()
    add_replica(made, "here", "other")
    for number in range(8):
        view = add_request(made, number, state=RequestState.PENDING)
        add_claim(made, view)
    made.attendance.stem = "another session"

    assert len(of_kind(think(made), AdoptClaim)) == 8


def test_dead_providers_are_rescued_once_nobody_of_them_lives() -> None:
    """What they had claimed goes back."""
    made = world()
    made.rescues = {"dead", "alive"}
    add_replica(made, "alive", "somebody")

    assert [Rescue(provider="dead")] == of_kind(think(made), Rescue)


def test_the_status_is_told_when_it_is_due_and_changed() -> None:
    """Never while the last one is on its way."""
    made = world()
    made.publish_due_s = NOW.mono_s
    (publish,) = of_kind(think(made), Publish)
    made.busy.enter(STATUS, Tidy())
    on_its_way = of_kind(think(made), Publish)
    made.busy.give_up(STATUS)
    made.published, made.outlined = publish.status, publish.outline
    unchanged = of_kind(think(made, later(1e4)), Publish)

    assert (on_its_way, unchanged) == ([], [])


def test_no_status_is_told_before_it_is_known_what_can_be_made() -> None:
    """After a start or a reload: that there is no room would have others fill the stock alone."""
    made = world()
    made.publish_due_s = NOW.mono_s
    known = dict(made.cloud.recipes)
    made.cloud.recipes.clear()
    unknown = of_kind(think(made), Publish)
    made.cloud.survey_failed, made.cloud.trouble = True, "no answer"
    failed = of_kind(think(made), Publish)
    made.cloud.survey_failed, made.cloud.trouble = False, None
    made.cloud.recipes.update(known)

    assert unknown == []
    assert len(failed) == len(of_kind(think(made), Publish)) == 1


def verdict(reason: str, **numbers: int) -> Verdict:
    """Return a verdict."""
    return Verdict(provider="here", ruling=Ruling.WAITING, reason=reason, numbers=numbers)


def test_only_what_matters_makes_a_verdict_new() -> None:
    """Neither its place in the queue nor the seconds to go."""
    one = gist(verdict("full; next try in 5 s", retry_in_s=5, position=3, used=1))

    assert one == gist(verdict("full; next try in 4 s", retry_in_s=4, position=2, used=1))
    assert one != gist(verdict("full; next try in 4 s", retry_in_s=4, position=2, used=2))


def test_a_verdict_is_written_after_a_moment_and_again_only_in_other_words() -> None:
    """Most requests are served before."""
    made = world(pools={"main": {"max-servers": 1}})
    add_node(made, 1, allocated_to="200-0000000009")
    view = add_request(made, 1)
    early = of_kind(think(made), WriteVerdict)
    (rule,) = of_kind(think(made, later(1.0)), WriteVerdict)
    made.told_verdicts[view.id] = gist(rule.verdict)

    assert early == []
    assert of_kind(think(made, later(2.0)), WriteVerdict) == []


def test_the_verdict_goes_with_the_request() -> None:
    """Nobody reads it any more."""
    made = world()
    view = add_request(made, 1, state=RequestState.FULFILLED)
    made.told_verdicts[view.id] = "words"

    assert [WriteVerdict(request=view.id, verdict=None)] == of_kind(think(made), WriteVerdict)


def test_the_quota_is_told_with_our_present_use() -> None:
    """Others' use and the limits are as old as the survey, and it is told when that was."""
    made = world()
    made.cloud.quota = Quota(instances_max=10, cores_max=None, instances_used=4, cores_used=9)
    made.cloud.quota_ours = (1, 4, 8192)
    made.cloud.quota_seen_s = 9_876.0
    add_node(made, 1)
    add_node(made, 2)

    status = our_status(made, NOW)

    assert status.quota["instances"] == (2 + 3, 10)
    assert status.quota["cores"] == (2 + 5, None)
    assert status.quota_seen_s == 9_876.0
