"""The brain's order: what somebody waits for is under way before the rest is thought of."""

from dataclasses import dataclass, field

import pytest

import launcher.brain
from launcher.actions import Action, Claim, Lend, Plan
from launcher.brain import Brain
from launcher.decide.decide import go_on
from launcher.fold import Fold
from launcher.world import Agenda, Now, World
from remuda.metrics.sink import NullMetrics
from remuda.runtime.inbox import Inbox
from tests.fakes.clock import ManualClock
from tests.unit.launcher.works import Quiet, Works
from tests.unit.launcher.worlds import NOW, add_node, add_request, world


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
    """Starts nothing, but notes what it was told to, and marks what that would."""

    world: World
    writer: Writer = field(default_factory=Writer)
    begun: list[Action] = field(default_factory=list)

    def start(self, action: Action, _now: Now) -> None:
        """Note it; what is lent is busy."""
        self.begun.append(action)
        if isinstance(action, Lend):
            self.world.queue.views[action.request].busy = "lend"
            for node in action.nodes:
                self.world.herd.views[node].busy = "lend"
                self.world.touch_node(self.world.herd.views[node])


def test_ready_nodes_are_sent_before_the_plan_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for them waits at this moment; the rest may take its time to be thought of."""
    made = world()
    add_node(made, 1)
    lent, claimed = add_request(made, 1, "small"), add_request(made, 2, "large")
    recorder, works, clock = Recorder(made), Works(made), ManualClock(NOW.wall_s - NOW.mono_s)
    clock.advance(NOW.mono_s)
    sent: list[Action] = []

    def watched(made: World, agenda: Agenda, now: Now, plan: Plan) -> None:
        sent.extend(recorder.begun)
        go_on(made, agenda, now, plan)

    monkeypatch.setattr(launcher.brain, "go_on", watched)
    brain = Brain(
        world=made,
        inbox=Inbox(),
        fold=Fold(world=made, log=Quiet(), mine=set(), read_node=lambda _node: None),
        settle=works.settle,
        starter=recorder,  # type: ignore[arg-type]
        clock=clock,
        log=Quiet(),
        metrics=NullMetrics(),
        reregister=lambda **_: None,
        lost=lambda: None,
    )

    plan = brain.turn(wait_s_max=0.0)

    assert [lent.id] == [action.request for action in sent if isinstance(action, Lend)]
    assert len(sent) == 1
    assert recorder.begun == plan.actions
    assert [claimed.id] == [one.request for one in recorder.begun if isinstance(one, Claim)]
