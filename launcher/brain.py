"""The brain: the one thread that owns the world.

drain the inbox → fold changes and results into the world → decide → start the actions → wait for
the next news or the next alarm. Nothing else waits, and nothing else changes the world. Ready
nodes are handed out before anything else is thought of.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from launcher.actions import Action, Plan
from launcher.decide.decide import go_on, hand_out
from launcher.events import Event, HandCrashed
from launcher.fold import Fold
from launcher.settle import Settle
from launcher.starting import Starter
from launcher.world import Now, World
from remuda.metrics.sink import Metrics
from remuda.runtime.clock import Clock
from remuda.runtime.inbox import Inbox, News
from remuda.runtime.log import Log
from remuda.store.api import Session
from remuda.store.locks import contender_stem

#: Everything is judged again at this period, whatever happened: a missed hint costs a minute.
RESYNC_S: Final = 60.0
#: For so long at most does the rest of a plan wait after something was handed out. Mostly news
#: come sooner, from the requestor who takes the nodes.
REST_LATER_S: Final = 0.05
TRACE_LINES_MAX: Final = 20


class ReRegister(Protocol):
    """Makes our ephemerals: they are gone with the session, or the policy has changed."""

    def __call__(self, *, doubtful: bool = False) -> None:
        """Start it; *doubtful*: some may be there, as the mirrors tell."""


@dataclass(slots=True)
class Brain:
    """One launcher's thread of thought.

    Attributes:
        seen: Whether our ephemerals are as we believe, as far as the mirrors tell.
    """

    world: World
    inbox: Inbox[Event]
    fold: Fold
    settle: Settle
    starter: Starter
    clock: Clock
    log: Log
    metrics: Metrics
    reregister: ReRegister
    seen: Callable[[], bool]
    lost: Callable[[], None]
    resync_s: float = field(default=0.0)
    rest_due_s: float | None = None
    away_s: float | None = None
    _unseen: bool = False

    def now(self) -> Now:
        """Return the present."""
        return Now(wall_s=self.clock.now_s(), mono_s=self.clock.monotonic_s())

    def turn(self, *, wait_s_max: float | None = None) -> Plan:
        """Wait for news, think once, start what follows, and return the plan."""
        news = self.inbox.drain(wait_s_max=wait_s_max)
        now = self.now()
        self._take_in(news, now)
        self.world.ring(now.mono_s)
        if now.mono_s >= self.resync_s:
            self.resync_s = now.mono_s + RESYNC_S
            self._resync()
        if now.mono_s >= self.world.register_due_s and self.world.informed:
            self.world.register_due_s = float("inf")
            self.reregister(doubtful=True)
        if not self.world.awake:
            return Plan()
        if self.world.awake_since_s == 0.0:
            self.world.awake_since_s = now.mono_s
        self._come_back(now)
        return self._think(now)

    def _resync(self) -> None:
        """Judge everything again, and doubt what only this process remembers."""
        self.world.agenda.everything = True
        self.fold.look_for_nodes()
        self.starter.writer.forget_keys()
        self.world.queue.charges.keep(self.world.queue.claims)
        self.world.doubt_status()
        unseen = self.world.awake and not self.seen()
        if unseen and self._unseen:
            # Not just late: somebody removed our ephemerals, or a lost reply left some twice.
            self.reregister(doubtful=True)
        self._unseen = unseen

    def _come_back(self, now: Now) -> None:
        """Count no time against machines being made in which we could do nothing for them."""
        if self.away_s is not None:
            for view in self.world.herd.views.values():
                view.waited_s += (now.mono_s - self.away_s) * view.coming
            self.away_s = None

    def _think(self, now: Now) -> Plan:
        """Make a plan in its two parts, and start each.

        While nodes that were handed out are on their way, the second part waits for the answers,
        which do not wake us (see Writer.send): it would be made once more when they come, and
        until then it would take the processor from those who carry them.
        """
        agenda, begun_s = self.world.take_agenda(), self.clock.monotonic_s()
        plan = hand_out(self.world, agenda, now)
        handed_out, paused_s = len(plan.actions), self.clock.monotonic_s()
        self._start(plan.actions, now)
        if self._rest_waits(now.mono_s):
            self._heed(plan)
            self.world.agenda.add(agenda)
            self.metrics.observe_turn("decide", paused_s - begun_s)
            return plan
        agenda.add(self.world.take_agenda())
        resumed_s = self.clock.monotonic_s()
        go_on(self.world, agenda, now, plan)
        thought_s = paused_s - begun_s + self.clock.monotonic_s() - resumed_s
        self._heed(plan)
        self._start(plan.actions[handed_out:], now)
        self.world.offer_places(now)
        self.starter.writer.make_keys()
        self.metrics.observe_turn("decide", thought_s)
        return plan

    def _rest_waits(self, now_s: float) -> bool:
        """Whether the second part of a plan is better made when the answers are there."""
        due = self.rest_due_s is not None and now_s >= self.rest_due_s
        if not self.world.lending:
            self.rest_due_s = None
        elif due or self.rest_due_s is None:
            self.rest_due_s = now_s + REST_LATER_S
        return not due and self.world.lending > 0

    def _heed(self, plan: Plan) -> None:
        """Take into the world what a plan says besides its actions."""
        if plan.swept and plan.brake != self.world.cloud.brake:
            self.world.cloud.brake = plan.brake
            if plan.brake is not None:
                self.log.warning("sweep.stopped", why=plan.brake)
        for alarm in plan.alarms:
            self.world.alarm(alarm.kind, alarm.name, alarm.due_s)
        if plan.blocked is not None:
            self.world.blocked = plan.blocked

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""
        due_s = [self.resync_s]
        if self.world.awake and (self.world.lending or not self.world.agenda.empty):
            due_s.append(0.0 if self.rest_due_s is None else self.rest_due_s)
        alarm_s = self.world.next_alarm_s()
        if alarm_s is not None:
            due_s.append(alarm_s)
        return max(0.0, min(due_s) - self.clock.monotonic_s())

    def _take_in(self, news: "News[Event]", now: Now) -> None:
        for session in news.session:
            self._session(session, now)
        for change in news.changes:
            self.fold.fold(change, now_s=now.mono_s)
        for event in news.events:
            self.settle.settle(event, now)

    def _session(self, session: Session, now: Now) -> None:
        self.log.info("session.changed", session=str(session))
        self.world.connected = session is Session.CONNECTED
        self.metrics.set_connected(connected=self.world.connected)
        if not self.world.connected and self.away_s is None:
            self.away_s = now.mono_s
        # Until the mirrors have been read again we know nothing for sure.
        self.world.synced.clear()
        # Nor which servers have no record: that begins anew, too.
        self.world.cloud.forget_strays()
        if session is Session.LOST:
            self.metrics.count_session_lost()
            self.lost()
            self.world.stem = contender_stem()
            self.world.registered = False
            self.world.register_due_s = float("inf")
        elif (
            session is Session.CONNECTED
            and not self.world.registered
            and self.world.register_due_s == float("inf")
        ):
            self.reregister()

    def _start(self, actions: Sequence[Action], now: Now) -> None:
        for action in actions:
            try:
                self.starter.start(action, now)
            except Exception:  # noqa: BLE001 - the boundary of the hand that writes, as in the crew
                why = traceback.format_exc(limit=TRACE_LINES_MAX)
                self.inbox.event(HandCrashed(action=action, why=why))
            self.log.debug("action.start", action=type(action).__name__)
