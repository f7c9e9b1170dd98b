"""Machines that run and let nobody in: their provider is not counted on, long before they fail."""

from typing import Any

import pytest

from launcher.node.progress import LATE_SHARE, late
from launcher.node.view import NodeView
from launcher.provider.actions import Publish
from launcher.provider.status import our_status
from launcher.reporting import SLOW_MAX, Reporter
from launcher.request.actions import Release
from launcher.request.bids import bids
from launcher.request.view import RequestView
from launcher.world import World
from remuda.insight.explanation import expected_in_s
from remuda.metrics.sink import NullMetrics
from remuda.model.launch import Step
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus, ProviderStatus
from remuda.runtime.now import Now
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_request,
    doom,
    of_kind,
    think,
    world,
)

LATE_S = 120.0 * LATE_SHARE
SILENT = "no TCP connection within 5 s"


def at(seconds: float) -> Now:
    """Return the time so long after the machines ran."""
    return Now(wall_s=NOW.wall_s + seconds, mono_s=NOW.mono_s + seconds)


def add_silent(made: World, number: int, **changes: Any) -> NodeView:
    """Add a machine that runs since NOW and does not answer."""
    launch = {
        "active_s": NOW.wall_s,
        "planned_s": NOW.wall_s - 20.0,
        "proof_step": "connect",
        "proof_since_s": NOW.wall_s,
        "proof_words": SILENT,
        **changes,
    }
    return add_node(made, number, step=Step.PROVING, launch=launch)


def claimed(made: World, *labels: str) -> RequestView:
    """Add a request of ours."""
    view = add_request(made, 1, *labels, state=RequestState.PENDING)
    add_claim(made, view)
    return view


def label(made: World, seconds: float) -> LabelStatus:
    """Return our standing so long after."""
    return our_status(made, at(seconds)).labels["small"]


def test_a_late_machine_is_no_supply_and_trouble() -> None:
    """For all who ask which provider is soonest."""
    made = world()
    add_silent(made, 1)

    early, late = label(made, LATE_S - 0.1), label(made, LATE_S)

    assert (early.coming, early.broken) == (1, None)
    assert (late.coming, late.broken) == (0, f"1 machines run, but let nobody in: {SILENT}")


@pytest.mark.parametrize(
    "changes",
    [
        {"proof_step": "setup"},
        {"proof_step": "check"},
        {"proof_step": "address"},
        {"proof_step": None},
        {"active_s": None},
    ],
)
def test_others_are_not_late(changes: dict[str, Any]) -> None:
    """Whoever is in, has no address yet, or is not slow so far."""
    made = world()
    add_silent(made, 1, **changes)

    assert label(made, 10 * LATE_S).broken is None


def test_where_machines_take_long_as_a_rule_none_is_late_so_soon() -> None:
    """The usual time is known."""
    made = world()
    made.cloud.boot_s["main", "small"] = 100.0
    add_silent(made, 1)

    assert label(made, 129.0).broken is None
    assert label(made, 130.0).broken is not None


def test_one_that_became_ready_since_speaks_for_the_network() -> None:
    """A single machine may be bad."""
    made = world()
    add_silent(made, 1)
    made.cloud.ready_s["main", "small"] = NOW.wall_s + 1.0

    assert label(made, LATE_S).broken is None


def test_everybody_prefers_another_provider_at_once() -> None:
    """Three nodes are wanted, and three are late here."""
    made = world()
    add_provider(made, "there", priority=200, small=LabelStatus(room=5))
    for number in (1, 2, 3):
        add_silent(made, number)
    wanted = add_request(made, 9, "small", "small", "small")

    def ranked(seconds: float) -> list[str]:
        found: ProviderStatus = our_status(made, at(seconds))
        return [one.provider for one in bids(made, wanted, found)]

    assert ranked(LATE_S - 1) == ["here", "there"]
    assert ranked(LATE_S) == ["there", "here"]


def test_a_request_goes_elsewhere_when_its_machines_are_late() -> None:
    """All of it, and once: if it comes back, it stays until they have failed."""
    made = world()
    add_provider(made, "there", priority=200, small=LabelStatus(room=5))
    view = claimed(made, "small", "small", "small")
    for number in (1, 2, 3):
        add_silent(made, number, on_account_of=view.id)

    def released(seconds: float) -> list[str]:
        return [one.request for one in of_kind(think(made, at(seconds)), Release)]

    assert released(LATE_S - 1) == []
    assert released(LATE_S) == [view.id]
    view.returned_s = NOW.mono_s + LATE_S
    assert released(LATE_S + 5) == []


def test_without_anybody_better_it_stays() -> None:
    """The late may come yet."""
    made = world()
    add_provider(made, "there", small=LabelStatus(broken="no image"))
    view = claimed(made)
    add_silent(made, 1, on_account_of=view.id)

    assert of_kind(think(made, at(LATE_S)), Release) == []


def test_lateness_is_an_alarm_and_is_told_at_once() -> None:
    """Of requests and of the supply."""
    made = world()
    made.publish_due_s = 0.0
    add_silent(made, 1)
    plan = think(made)
    made.outlined = of_kind(plan, Publish)[0].outline

    assert NOW.mono_s + LATE_S in [one.due_s for one in plan.alarms if one.kind == "supply"]
    assert of_kind(think(made, at(LATE_S)), Publish)


@pytest.mark.parametrize(
    ("after_s", "words", "expected_s"),
    [
        (0.0, "which usually takes 40 s", 40.0),
        (39.0, "which usually takes 40 s", 1.0),
        (45.0, "which usually takes 40 s", 0.0),
        (51.0, "later than the usual 40 s", None),
        (161.0, "later than the usual 40 s by more than 120 s", None),
    ],
)
def test_a_verdict_tells_what_is_usual_as_long_as_that_tells_anything(
    after_s: float, words: str, expected_s: float | None
) -> None:
    """Its words stay true however late they are read."""
    made = world()
    made.cloud.boot_s["main", "small"] = 40.0
    view = claimed(made)
    add_node(made, 1, step=Step.BOOTING, launch={"on_account_of": view.id})

    verdict = think(made, at(after_s)).verdicts[view.id]

    assert verdict.reason == f"0 of 1 nodes are ready, {words}"
    assert verdict.eta_s == expected_s
    assert expected_in_s(verdict, verdict.at_s + 41.0) is None


def test_when_it_gets_late_the_verdict_is_judged_again() -> None:
    """By an alarm; it is another one then."""
    made = world()
    made.cloud.boot_s["main", "small"] = 40.0
    view = claimed(made)
    add_node(made, 1, step=Step.BOOTING, launch={"on_account_of": view.id})

    plan = think(made)

    assert NOW.mono_s + 50.0 in [one.due_s for one in plan.alarms if one.name == view.id]
    early, late = plan.verdicts[view.id], think(made, at(51.0)).verdicts[view.id]
    assert early.numbers != late.numbers


def test_the_status_page_shows_what_slow_machines_are_waited_for() -> None:
    """Those of all replicas, the oldest first, and no more than a screen takes."""
    made = world()
    for number in range(SLOW_MAX + 5):
        add_silent(made, number, proof_since_s=NOW.wall_s - number)
    add_node(made, 999, step=Step.PROVING)
    reporter = Reporter(made, NullMetrics())

    reporter.report(NOW)

    slow = reporter.snapshot["slow"]
    assert len(slow) == SLOW_MAX
    assert slow[0] == {
        "node": f"{SLOW_MAX + 4:010d}",
        "part": "connect",
        "began_at_s": NOW.wall_s - SLOW_MAX - 4,
        "words": SILENT,
    }


def test_one_that_is_given_up_is_late_no_more() -> None:
    """Its failure counts by itself."""
    made = world()
    view = add_silent(made, 1)
    assert list(late(made, at(LATE_S))) == [view.key]
    doom(made, view)

    assert late(made, at(LATE_S)) == {}
