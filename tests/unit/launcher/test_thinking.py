"""The brain's order: what somebody waits for is under way before the rest is thought of."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import launcher.brain
from launcher.actions import KINDS, Action, Plan
from launcher.brain import REST_LATER_S, Brain
from launcher.claim.actions import Claim
from launcher.decide import go_on
from launcher.provider.actions import DropPermit
from launcher.provider.cloud import Permitted
from launcher.request.actions import Allocate
from launcher.world import Agenda, World
from remuda.frame.work import Written
from remuda.model.permit import Permit
from remuda.runtime.now import Now
from remuda.store.api import Session
from tests.fakes.clock import ManualClock
from tests.unit.launcher.works import Quiet, Works
from tests.unit.launcher.worlds import (
    NOW,
    add_node,
    add_request,
    add_stray,
    of_kind,
    think,
    world,
)


@dataclass(slots=True)
class Writer:
    """Keeps nothing ahead."""

    made_keys: int = 0

    def make_keys(self) -> None:
        """Count it."""
        self.made_keys += 1

    def forget_keys(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Recorder:
    """Starts nothing, but notes what it was told to, and marks what that would.

    Attributes:
        counts: What is lent counts as being on its way, until the answer comes.
    """

    world: World
    writer: Writer = field(default_factory=Writer)
    counts: bool = False
    begun: list[Action] = field(default_factory=list)

    def start(self, action: Action, _now: Now) -> None:
        """Note it; what is lent is busy."""
        self.begun.append(action)
        if isinstance(action, Allocate):
            view = self.world.queue.views[action.request]
            if self.counts:
                self.world.allocating[view.id] = view
            for subject in KINDS[Allocate].subjects(action):
                self.world.busy.enter(subject, action)
            for node in action.nodes:
                self.world.touch_node(self.world.nodes.views[node])


def make_brain(
    made: World, recorder: Recorder, clock: ManualClock, log: Quiet | None = None
) -> Brain:
    """Return a brain that starts nothing."""
    works = Works(made)
    works.results.log = log or Quiet()
    works.results.dispatch.ground = replace(works.ground, log=works.results.log)
    return works.brain(recorder, clock)


def present() -> ManualClock:
    """Return a clock that shows NOW."""
    clock = ManualClock(NOW.wall_s - NOW.mono_s)
    clock.advance(NOW.mono_s)
    return clock


def test_ready_nodes_are_sent_before_the_plan_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for them waits at this moment; the rest may take its time to be thought of."""
    made = world()
    add_node(made, 1)
    allocated, claimed = add_request(made, 1, "small"), add_request(made, 2, "large")
    recorder, sent = Recorder(made), list[Action]()

    def watched(made: World, agenda: Agenda, now: Now, plan: Plan) -> None:
        sent.extend(recorder.begun)
        go_on(made, agenda, now, plan)

    monkeypatch.setattr(launcher.brain, "go_on", watched)
    brain = make_brain(made, recorder, present())

    plan = brain.turn(wait_s_max=0.0)

    assert [allocated.id] == [action.request for action in sent if isinstance(action, Allocate)]
    assert len(sent) == 1
    assert recorder.begun == plan.actions
    assert [claimed.id] == [one.request for one in recorder.begun if isinstance(one, Claim)]


def begun(recorder: Recorder) -> list[str]:
    """Return the requests that were lent to or claimed, in order."""
    return [one.request for one in recorder.begun if isinstance(one, Allocate | Claim)]


def test_the_rest_waits_for_the_answers_to_what_was_handed_out() -> None:
    """It is thought of once, when they are in, and not for ever if they do not come."""
    for answered in (True, False):
        made = world()
        add_node(made, 1)
        allocated, claimed = add_request(made, 1, "small"), add_request(made, 2, "large")
        recorder, clock = Recorder(made, counts=True), present()
        brain = make_brain(made, recorder, clock)

        brain.turn(wait_s_max=0.0)

        assert begun(recorder) == [allocated.id]
        assert 0 < brain.loop.wait_s() <= REST_LATER_S
        if answered:
            made.queue.forget(allocated.id)  # as the mirror tells before the answer
            action = next(one for one in recorder.begun if isinstance(one, Allocate))
            brain.ground.inbox.event(Written(action=action, result=()))
        else:
            clock.advance(brain.loop.wait_s())
        brain.turn(wait_s_max=0.0)
        assert begun(recorder) == [allocated.id, claimed.id]
        assert list(made.allocating) == ([] if answered else [allocated.id])


def test_an_answer_that_does_not_wake_us_is_looked_for_until_it_is_there() -> None:
    """However late it comes: what was handed out is not left marked as busy."""
    made = world()
    node, allocated = add_node(made, 1), add_request(made, 1, "small")
    recorder, clock = Recorder(made, counts=True), present()
    brain = make_brain(made, recorder, clock)
    for _ in range(4):
        brain.turn(wait_s_max=0.0)
        assert 0 < brain.loop.wait_s() <= REST_LATER_S
        clock.advance(brain.loop.wait_s())

    (action,) = recorder.begun
    made.queue.forget(allocated.id)  # as the mirror tells before the answer
    brain.ground.inbox.event(Written(action=action, result=()), urgent=False)
    brain.turn(wait_s_max=0.0)

    assert (made.allocating, node.busy) == ({}, None)
    assert brain.loop.wait_s() > REST_LATER_S


def test_the_rest_does_not_starve_while_nodes_are_handed_out_all_the_time() -> None:
    """Each turn lends, no answer ever comes in between; the rest has its turn all the same."""
    made = world()
    claimed = add_request(made, 1, "large")
    recorder, clock = Recorder(made, counts=True), present()
    brain = make_brain(made, recorder, clock)
    waited_s = 0.0
    for number in range(2, 40):
        add_node(made, number)
        add_request(made, number, "small")
        brain.turn(wait_s_max=0.0)
        if claimed.id in begun(recorder):
            break
        clock.advance(REST_LATER_S / 8)
        waited_s += REST_LATER_S / 8

    assert claimed.id in begun(recorder)
    assert REST_LATER_S / 2 <= waited_s <= 1.5 * REST_LATER_S


@pytest.mark.parametrize("session", [Session.SUSPENDED, Session.LOST, Session.CONNECTED])
def test_what_was_seen_without_a_record_is_forgotten_with_the_session(session: Session) -> None:
    """Meanwhile others may have written any number of records. What an operator permits stays."""
    made = world()
    permit = Permit(servers=frozenset({add_stray(made, 1)}), until_s=NOW.wall_s + 900.0)
    made.cloud.permit = Permitted(permit=permit, version=4, listing=made.cloud.listing - 1)
    brain = make_brain(made, Recorder(made), ManualClock())

    brain.ground.inbox.session(session)
    brain.turn(wait_s_max=0.0)

    assert made.cloud.strays == {}
    assert of_kind(think(made), DropPermit) == []


@dataclass(slots=True)
class Buggy(Recorder):
    """Cannot start what is to be lent."""

    def start(self, action: Action, now: Now) -> None:
        """Fail halfway: nothing is busy with it yet."""
        if isinstance(action, Allocate):
            raise ZeroDivisionError("a bug of ours")
        Recorder.start(self, action, now)


@dataclass(slots=True)
class Loud(Quiet):
    """Keeps errors."""

    errors: list[dict[str, Any]] = field(default_factory=list)

    def error(self, event: str, **fields: Any) -> None:
        """Keep it."""
        self.errors.append({"event": event, **fields})


def test_an_action_that_cannot_be_started_ends_nothing_and_is_loud() -> None:
    """As a hand that crashes in a thread: told with its traceback, and tried again later."""
    made, clock, log = world(), present(), Loud()
    ready = add_node(made, 1)
    request, other = add_request(made, 1, "small"), add_request(made, 2, "large")
    starter = Buggy(made)
    brain = make_brain(made, starter, clock, log)
    brain.turn(wait_s_max=0.0)
    brain.turn(wait_s_max=0.0)

    assert other.id in [one.request for one in starter.begun if isinstance(one, Claim)]
    assert [(one["event"], one["action"]) for one in log.errors] == [("hand.crashed", "Lend")]
    assert "ZeroDivisionError: a bug of ours" in log.errors[0]["why"]
    assert (request.busy, ready.busy) == (None, None)
    assert request.retry_s > clock.monotonic_s()
