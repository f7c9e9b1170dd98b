"""Demand: what is claimed, started, declined and given back."""

from collections import Counter

import pytest

from launcher.actions import Plan
from launcher.claim.actions import Claim
from launcher.node.actions import Condemn, Grow, Intent
from launcher.provider.breaker import Breaker
from launcher.request.actions import Decline, Normalise, Release, WriteVerdict
from remuda.cloud.api import Quota
from remuda.model.ids import RequestId
from remuda.model.launch import Step
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from remuda.runtime.now import Now
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_pool,
    add_provider,
    add_request,
    charge,
    doom,
    of_kind,
    think,
    world,
)


def intents(plan: Plan) -> list[Intent]:
    """Return everything that a plan starts."""
    return [one for action in of_kind(plan, Claim, Grow) for one in action.intents]


def started(plan: Plan) -> Counter[str]:
    """Return how many nodes of which label a plan starts."""
    return Counter(one.label for one in intents(plan))


def test_an_open_request_is_claimed_with_what_is_missing() -> None:
    """One node is there, two are made, in one transaction with the claim."""
    made = world()
    add_node(made, 1)
    view = add_request(made, 1, "small", "small", "large")

    (claim,) = of_kind(think(made), Claim)

    assert (view.id, "main") == (claim.request, claim.pool)
    assert Counter(small=1, large=1) == Counter(one.label for one in claim.intents)
    assert {None} == {one.for_request for one in claim.intents}


def test_who_wants_new_machines_gets_intents_of_its_own() -> None:
    """Free nodes do not count, nodes of an earlier claim of the same request do."""
    made = world()
    add_node(made, 1)
    view = add_request(made, 1, "small", "small", reuse=False)
    add_node(made, 2, allocated_to=view.id, launch={"for_request": view.id})

    (claim,) = of_kind(think(made), Claim)

    assert [view.id] == [one.for_request for one in claim.intents]


def test_coming_nodes_count_once() -> None:
    """Two requests and one node on its way: only one more is started."""
    made = world()
    add_node(made, 1, step=Step.BOOTING)
    add_request(made, 1)
    add_request(made, 2)

    assert Counter(small=1) == started(think(made))


def test_a_failed_node_of_a_claimed_request_is_replaced() -> None:
    """The claim stays, one more node is started."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, view)

    (grow,) = of_kind(think(made), Grow)

    assert [one.label for one in grow.intents] == ["small"]


def test_claimed_new_machines_do_not_count_as_demand_for_shared_ones() -> None:
    """What is made for one request alone is neither shared nor made twice."""
    made = world()
    view = add_request(made, 1, reuse=False, state=RequestState.PENDING)
    add_claim(made, view)
    add_node(made, 1, step=Step.BOOTING, allocated_to=view.id, launch={"for_request": view.id})

    assert intents(think(made)) == []


def test_a_request_that_failed_too_often_is_declined() -> None:
    """``launch-attempts`` per node, then others may try, or it fails."""
    made = world(**{"launch-attempts": 2})
    view = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, view)
    charge(made, view, 2, why="no luck")

    plan = think(made)

    why = "2 launches for it failed; the last: no luck"
    assert [Decline(request=view.id, cause=why)] == of_kind(plan, Decline)
    assert intents(plan) == []


def test_a_request_that_never_fits_is_declined_at_once() -> None:
    """The verdict names the number that decided it, and is there before the request fails."""
    made = world(pools={"main": {"max-servers": 2}})
    view = add_request(made, 1, "small", "small", "small")

    plan = think(made)

    assert [WriteVerdict, Decline] == [
        type(action) for action in of_kind(plan, WriteVerdict, Decline)
    ]
    assert [view.id] == [action.request for action in of_kind(plan, Decline)]
    assert "never fit" in plan.verdicts[view.id].reason
    assert plan.verdicts[view.id].numbers["instances_max"] == 2


@pytest.mark.parametrize(
    ("limits", "quota", "reason"),
    [
        ({"max-servers": 2}, {}, "3 instances needed, pool main allows 2"),
        ({"max-cores": 5}, {}, "6 cores needed, pool main allows 5"),
        ({"max-ram": "8GiB"}, {}, "10240 MiB of RAM needed, pool main allows 8192"),
        ({}, {"instances_max": 2}, "3 instances needed, the cloud's quota allows 2"),
        ({}, {"cores_max": 5}, "6 cores needed, the cloud's quota allows 5"),
        ({}, {"ram_mib_max": 9000}, "10240 MiB of RAM needed, the cloud's quota allows 9000"),
    ],
)
def test_the_reason_says_how_much_is_too_much(
    limits: dict[str, object], quota: dict[str, int], reason: str
) -> None:
    """Even when the rest is in use at the moment: waiting would not help."""
    made = world(pools={"main": limits})
    made.cloud.quota = Quota(**quota)
    add_node(made, 1, label="large", allocated_to=RequestId("200-0000000099"))
    view = add_request(made, 1, "small", "small", "large")

    plan = think(made)

    assert [view.id] == [action.request for action in of_kind(plan, Decline)]
    assert plan.verdicts[view.id].reason == f"3 nodes at once never fit: {reason}"


def test_one_node_too_large_is_told_so() -> None:
    """In the singular."""
    made = world(pools={"main": {"max-cores": 3}})
    view = add_request(made, 1, "large")

    reason = think(made).verdicts[view.id].reason

    assert reason == "1 node never fits: 4 cores needed, pool main allows 3"


def test_the_quota_counts_what_others_use() -> None:
    """And says the cloud's own numbers."""
    made = world()
    made.cloud.quota = Quota(instances_max=5, instances_used=4)
    view = add_request(made, 1, "small", "small")

    verdict = think(made).verdicts[view.id]

    assert verdict.reason == (
        "the cloud's quota has 4 of 5 instances in use (4 of them not by us), 2 more needed"
    )


def test_labels_that_nobody_makes_fail_and_those_of_others_are_left_to_them() -> None:
    """Only a request that nobody else could serve is declined."""
    made = world()
    add_provider(made, "there", odd=LabelStatus(room=1))
    nobodys = add_request(made, 1, "unheard-of")
    theirs = add_request(made, 2, "odd")

    plan = think(made)

    assert [nobodys.id] == [action.request for action in of_kind(plan, Decline)]
    assert plan.verdicts[theirs.id].ruling == "declined"


def test_a_claim_without_prospects_goes_back_if_another_provider_has_room() -> None:
    """Without anybody else it is kept."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, view)
    made.cloud.trouble = "HTTP 503"
    alone = of_kind(think(made), Release)
    add_provider(made, "there", small=LabelStatus(room=3))

    assert alone == []
    assert [view.id] == [action.request for action in of_kind(think(made), Release)]


def test_a_claim_that_only_waits_for_its_turn_is_kept() -> None:
    """The limit of launches under way is no reason to give a request away."""
    made = world(**{"max-concurrency": 1})
    add_provider(made, "there", small=LabelStatus(room=3))
    view = add_request(made, 1, "small", "small", state=RequestState.PENDING)
    add_claim(made, view)
    add_node(made, 1, step=Step.BOOTING)

    assert of_kind(think(made), Release, Claim, Grow) == []


def test_more_nodes_than_may_be_launched_at_once_are_begun_with_a_part() -> None:
    """Such a request would never be taken otherwise."""
    made = world(**{"max-concurrency": 2})
    add_request(made, 1, "small", "small", "small")

    assert Counter(small=2) == started(think(made))


def test_the_rest_of_a_begun_claim_keeps_its_room() -> None:
    """A newcomer does not get the room that a claim still needs."""
    made = world(pools={"main": {"max-servers": 3}}, **{"max-concurrency": 2})
    view = add_request(made, 1, "small", "small", "small", state=RequestState.PENDING)
    add_claim(made, view)
    add_node(made, 1, step=Step.BOOTING)
    add_node(made, 2, step=Step.BOOTING)
    made.take_agenda()
    add_request(made, 2, "large")

    assert of_kind(think(made, everything=False), Claim) == []


def test_an_idle_node_makes_room_for_a_request_that_has_none() -> None:
    """The most superfluous one goes, one at a time."""
    made = world(
        labels={"small": {"min-ready": 1, "recheck": None}}, pools={"main": {"max-servers": 2}}
    )
    first = add_node(made, 1)
    add_node(made, 2)
    view = add_request(made, 1, "large")
    plan = think(made)
    doom(made, first)

    assert [first.id] == [action.node for action in of_kind(plan, Condemn)]
    assert view.id in of_kind(plan, Condemn)[0].cause
    assert of_kind(think(made), Condemn) == []


def test_nodes_that_are_wanted_make_no_room() -> None:
    """Neither those of a claimed request nor those of the request itself."""
    made = world(pools={"main": {"max-servers": 2}})
    add_node(made, 1)
    add_node(made, 2, label="large")
    claimed = add_request(made, 1, "small", "odd", state=RequestState.PENDING)
    add_claim(made, claimed)
    add_request(made, 2, "large", "small")

    assert of_kind(think(made), Condemn) == []


def test_an_old_request_that_needs_room_is_not_overtaken() -> None:
    """After its patience the room that becomes free is kept for it."""
    made = world(pools={"main": {"max-servers": 3}})
    for number in (1, 2):
        add_node(made, number, state=None, allocated_to="200-0000000099")
    old = add_request(made, 1, "large", "large", seen_s=NOW.mono_s - 31.0)
    young = add_request(made, 2, "small")

    plan = think(made)

    assert of_kind(plan, Claim) == []
    assert f"{old.id} is older" in plan.verdicts[young.id].reason
    assert {"main": old.id} == plan.blocked


def test_before_its_patience_ends_smaller_requests_overtake() -> None:
    """Room that nobody can use would be wasted."""
    made = world(pools={"main": {"max-servers": 3}})
    for number in (1, 2):
        add_node(made, number, allocated_to="200-0000000099")
    add_request(made, 1, "large", "large")
    young = add_request(made, 2, "small")

    assert [young.id] == [action.request for action in of_kind(think(made), Claim)]


def test_newcomers_do_not_overtake_between_two_whole_plans() -> None:
    """Who is blocked by whom is remembered; only those behind it are."""
    made = world(pools={"main": {"max-servers": 3}})
    for number in (1, 2):
        add_node(made, number, allocated_to="200-0000000099")
    old = add_request(made, 1, "large", "large", seen_s=NOW.mono_s - 31.0)
    made.blocked = {"main": old.id}
    made.take_agenda()
    add_request(made, 2, "small")
    urgent = add_request(made, 3, "small", priority="100")

    plan = think(made, everything=False)

    assert [urgent.id] == [action.request for action in of_kind(plan, Claim)]


def test_a_broken_label_holds_up_nobody_else() -> None:
    """However old its requests are: they lack no room."""
    made = world()
    key = ("main", "large")
    del made.cloud.recipes[key]
    made.cloud.broken[key] = "no such image"
    add_request(made, 1, "large", seen_s=NOW.mono_s - 1000.0)
    other = add_request(made, 2, "small")

    assert [other.id] == [action.request for action in of_kind(think(made), Claim)]


def test_an_open_breaker_lets_one_try_through() -> None:
    """Even of a request for two nodes, when its pause is over."""
    made = world()
    made.cloud.breakers["main", "small"] = Breaker(failures=3, opened=1, open_until_s=NOW.mono_s)
    add_request(made, 1, "small", "small")
    early = Now(wall_s=NOW.wall_s, mono_s=NOW.mono_s - 1.0)

    assert Counter() == started(think(made, early))
    assert Counter(small=1) == started(think(made))


def test_we_yield_to_a_provider_that_can_serve_sooner_until_its_grace_is_over() -> None:
    """Then we take the request ourselves."""
    made = world()
    add_provider(made, "there", priority=1, small=LabelStatus(room=3))
    view = add_request(made, 1)
    plan = think(made)
    later = Now(wall_s=NOW.wall_s + 1.0, mono_s=NOW.mono_s + 1.0)

    assert of_kind(plan, Claim) == []
    assert plan.verdicts[view.id].ruling == "yielding"
    assert [view.id] == [action.request for action in of_kind(think(made, later), Claim)]


def test_a_record_that_lacks_keys_is_completed_first() -> None:
    """Zuul's scheduler trips over it."""
    made = world()
    view = add_request(made, 1)
    object.__setattr__(view.request, "doc", {})

    plan = think(made)

    assert [Normalise(request=view.id)] == of_kind(plan, Normalise, Claim)


def test_min_ready_is_topped_up_with_what_room_is_left() -> None:
    """Requests come first; what is there or coming counts."""
    made = world(
        labels={"small": {"min-ready": 4, "recheck": None}}, pools={"main": {"max-servers": 4}}
    )
    add_node(made, 1)
    add_node(made, 2, step=Step.BOOTING)
    add_request(made, 1, "large")

    assert Counter(large=1, small=1) == started(think(made))


def test_min_ready_is_shared_with_other_providers() -> None:
    """Each computes the same shares."""
    made = world(labels={"small": {"min-ready": 4, "recheck": None}})
    add_provider(made, "there", small=LabelStatus(ready=1, room=9))

    assert Counter(small=2) == started(think(made))


def test_min_ready_leaves_room_to_an_old_request() -> None:
    """It would eat up what a large request waits for."""
    made = world(
        labels={"small": {"min-ready": 9, "recheck": None}}, pools={"main": {"max-servers": 3}}
    )
    for number in (1, 2):
        add_node(made, number, allocated_to="200-0000000099")
    add_request(made, 1, "large", "large", seen_s=NOW.mono_s - 31.0)

    assert Counter() == started(think(made))


def test_pools_that_are_paused_elsewhere_make_no_bid() -> None:
    """Another program's pool that waits for quota is not waited for."""
    made = world()
    add_pool(made, "there", "main", "small", priority=1, paused=True)
    view = add_request(made, 1)

    assert [view.id] == [action.request for action in of_kind(think(made), Claim)]
