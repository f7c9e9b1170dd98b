"""The brain: the one thread that owns the world.

It takes turns as every process of ours does (:mod:`remuda.frame.loop`): changes and results are
folded into the world, the judgements decide, the actions are started. Ready nodes are handed out
before anything else is thought of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from launcher.actions import Action, Plan
from launcher.decide import go_on, hand_out
from launcher.events import Event
from launcher.fold import Fold
from launcher.results import Results
from launcher.start import Starter
from launcher.world import World
from remuda.frame.loop import Loop, start_all
from remuda.membership.membership import Membership
from remuda.runtime.ground import Ground
from remuda.runtime.now import Now
from remuda.store.api import Change, Session

#: For so long at most does the rest of a plan wait after something was handed out. Mostly news
#: come sooner, from the requestor who takes the nodes.
REST_LATER_S: Final = 0.05


@dataclass(slots=True)
class Brain:
    """The one thread that knows and judges for a launcher.

    Attributes:
        plan: What was decided in the last turn.
    """

    ground: Ground[Event]
    world: World
    membership: Membership
    fold: Fold
    results: Results
    starter: Starter
    rest_due_s: float | None = None
    away_s: float | None = None
    plan: Plan = field(default_factory=Plan)
    loop: Loop[Event] = field(init=False)

    def __post_init__(self) -> None:
        """Make the loop, whose mind we are."""
        self.loop = Loop(self, self.ground, self.world.alarms, self.membership)

    def turn(self, *, wait_s_max: float | None = None) -> Plan:
        """Wait for news, think once, start what follows, and return the plan."""
        self.plan = Plan()
        self.loop.turn(wait_s_max=wait_s_max)
        return self.plan

    def session_changed(self, session: Session, now: Now) -> None:
        """Begin anew to see which servers have no record, and note since when we are away."""
        if session is not Session.CONNECTED and self.away_s is None:
            self.away_s = now.mono_s
        self.world.cloud.forget_strays()

    def take_change(self, change: Change, now: Now) -> None:
        """Fold a change into the world."""
        self.fold.fold(change, now_s=now.mono_s)

    def take_event(self, event: Event, now: Now) -> None:
        """Take in what an action did."""
        self.results.take(event, now)

    def registered(self, *, there: bool) -> None:
        """Judge everything again, now that we may."""
        self.world.agenda.everything |= there

    def ring(self, kind: str, name: str) -> None:
        """Put on the agenda whose alarm has come."""
        self.world.ring(kind, name)

    def resync(self) -> None:
        """Judge everything again, and doubt what only this process remembers."""
        self.world.agenda.everything = True
        self.fold.nodes.look_for_nodes()
        self.starter.writer.forget_keys()
        self.world.queue.charges.keep(self.world.queue.claims)
        self.world.doubt_status()

    def due_s(self) -> float:
        """Return when there is something to judge though nothing comes."""
        if self.world.agenda.empty and not self.world.allocating:
            return float("inf")
        return 0.0 if self.rest_due_s is None else self.rest_due_s

    def think(self, now: Now) -> None:
        """Judge what is on the agenda."""
        if self.world.awake_since_s == 0.0:
            self.world.awake_since_s = now.mono_s
        self._come_back(now)
        self.plan = self._think(now)

    def _come_back(self, now: Now) -> None:
        """Count no time against machines being made in which we could do nothing for them."""
        if self.away_s is not None:
            for view in self.world.nodes.views.values():
                view.patience.waited_s += (now.mono_s - self.away_s) * view.coming
            self.away_s = None

    def _think(self, now: Now) -> Plan:
        """Make a plan in its two parts, and start each.

        While nodes that were handed out are on their way, the second part waits for the answers,
        which do not wake us (see Writer.send): it would be made once more when they come, and
        until then it would take the processor from those who carry them.
        """
        agenda, begun_s = self.world.take_agenda(), self.ground.clock.monotonic_s()
        plan = hand_out(self.world, agenda, now)
        handed_out, paused_s = len(plan.actions), self.ground.clock.monotonic_s()
        self._start(plan.actions, now)
        if self._rest_waits(now.mono_s):
            self._heed(plan)
            self.world.agenda.add(agenda)
            self.ground.metrics.observe_turn("decide", paused_s - begun_s)
            return plan
        agenda.add(self.world.take_agenda())
        resumed_s = self.ground.clock.monotonic_s()
        go_on(self.world, agenda, now, plan)
        thought_s = paused_s - begun_s + self.ground.clock.monotonic_s() - resumed_s
        self._heed(plan)
        self._start(plan.actions[handed_out:], now)
        self.world.offer_places(now)
        self.starter.writer.make_keys()
        self.ground.metrics.observe_turn("decide", thought_s)
        return plan

    def _rest_waits(self, now_s: float) -> bool:
        """Whether the second part of a plan is better made when the answers are there."""
        due = self.rest_due_s is not None and now_s >= self.rest_due_s
        if not self.world.allocating:
            self.rest_due_s = None
        elif due or self.rest_due_s is None:
            self.rest_due_s = now_s + REST_LATER_S
        return not due and bool(self.world.allocating)

    def _heed(self, plan: Plan) -> None:
        """Take into the world what a plan says besides its actions."""
        if plan.swept and plan.brake != self.world.cloud.brake:
            self.world.cloud.brake = plan.brake
            if plan.brake is not None:
                self.ground.log.warning("sweep.stopped", why=plan.brake)
        for alarm in plan.alarms:
            self.world.alarms.set(alarm.kind, alarm.name, alarm.due_s)
        if plan.blocked is not None:
            self.world.blocked = plan.blocked
        self.world.uncounted |= plan.uncounted

    def _start(self, actions: Sequence[Action], now: Now) -> None:
        start_all(actions, lambda action: self.starter.start(action, now), self.ground)
