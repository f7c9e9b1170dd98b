"""Overtaking: a claimed request goes to a provider that has its nodes ready, if that helps."""

from dataclasses import replace

import pytest

from launcher.claim.actions import Claim
from launcher.request.actions import Release
from launcher.request.overtaking import KEPT_S, SOON_S
from launcher.request.view import RequestView
from launcher.world import World
from remuda.frame.work import Written
from remuda.model.launch import Step
from remuda.model.request import RequestEvent, RequestState
from remuda.model.status import LabelStatus
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_request,
    later,
    of_kind,
    think,
    world,
)

BOOT_S = 20.0


def served(*, ready: int = 1, boot_s: float | None = BOOT_S, count: int = 1) -> World:
    """Return a world with claimed requests whose launches began now, and a provider beside it."""
    made = world()
    add_provider(made, "there", small=LabelStatus(ready=ready))
    if boot_s is not None:
        made.cloud.boot_s["main", "small"] = boot_s
    for number in range(1, count + 1):
        view = add_request(made, number, state=RequestState.PENDING)
        add_claim(made, view)
        launch = {"planned_s": NOW.wall_s, "on_account_of": view.id}
        add_node(made, number, step=Step.BOOTING, launch=launch)
    return made


def released(made: World, seconds: float) -> list[str]:
    """Return what is given back so long after the claim."""
    return [action.request for action in of_kind(think(made, later(seconds)), Release)]


def first(made: World) -> RequestView:
    """Return the first request."""
    return next(made.queue.in_order())


@pytest.mark.parametrize(
    ("ready", "boot_s", "waited_s", "gone"),
    [
        (1, BOOT_S, KEPT_S, True),
        (1, BOOT_S, KEPT_S - 0.1, False),  # whoever had them before would have taken it
        (0, BOOT_S, KEPT_S, False),
        (1, BOOT_S, BOOT_S - SOON_S, False),  # ours come at any moment
        (1, BOOT_S, BOOT_S + 5.0, False),
        (1, BOOT_S, 2 * BOOT_S + 0.1, True),  # or not
        (1, None, KEPT_S, True),
    ],
)
def test_a_claim_is_given_back_when_another_has_the_nodes_and_ours_take_longer(
    ready: int,
    boot_s: float | None,
    waited_s: float,
    gone: bool,  # noqa: FBT001
) -> None:
    """Not after half a minute and three boots."""
    made = served(ready=ready, boot_s=boot_s)

    assert released(made, waited_s) == ([first(made).id] if gone else [])


def test_it_is_looked_at_again_when_that_may_change() -> None:
    """Nobody tells anything at that moment."""
    made = served()
    view = first(made)
    made.queue.claims[view.id].since_s = NOW.mono_s - 1.0

    alarms = [(one.kind, one.name, one.due_s) for one in think(made).alarms]

    assert ("request", view.id, NOW.mono_s - 1.0 + KEPT_S) in alarms


def test_a_launch_that_began_anew_takes_its_whole_time() -> None:
    """What counts is the age of the launch, not of the claim."""
    made = served()
    (node,) = made.nodes.own(first(made).id, "small")
    assert node.launch is not None
    node.launch = replace(node.launch, planned_s=NOW.wall_s + BOOT_S - 3.0)
    made.touch_node(node)

    assert released(made, BOOT_S - 1.0) == [first(made).id]


def test_no_more_are_given_back_than_the_other_has_nodes_for() -> None:
    """Also not in the next plan, before it tells how many are left."""
    made = served(ready=2, count=4)
    ids = [view.id for view in made.queue.in_order()]
    works = Works(made)
    plan = think(made, later(KEPT_S))
    gone = of_kind(plan, Release)
    for action in gone:
        view = made.queue.views[action.request]
        works.hear(Written(action=action, result=()), later(KEPT_S))
        made.queue.claims.pop(view.id)
        view.request = view.request.after(RequestEvent.RELEASED, now_s=1.0)
        made.touch_request(view)

    assert ids[:2] == [action.request for action in gone]
    assert released(made, KEPT_S + 0.5) == []


def test_a_request_that_came_back_does_not_go_to_and_fro() -> None:
    """What the other tells may be wrong; then it is kept as long as before."""
    made = served()
    view = first(made)
    view.returned_s = NOW.mono_s - 2.0
    usual_s = made.policy.patience_s + 3 * BOOT_S

    assert released(made, usual_s - 0.1) == []
    assert released(made, usual_s) == [view.id]


def test_what_was_given_back_is_left_to_the_other_for_a_moment() -> None:
    """Else we would claim it again before it was seen."""
    made = served()
    view = first(made)
    works = Works(made)
    (action,) = of_kind(think(made, later(KEPT_S)), Release)
    works.hear(Written(action=action, result=()), later(KEPT_S))
    made.queue.claims.pop(view.id)
    view.request = view.request.after(RequestEvent.RELEASED, now_s=1.0)
    made.touch_request(view)

    assert of_kind(think(made, later(KEPT_S + 1.0)), Claim) == []
