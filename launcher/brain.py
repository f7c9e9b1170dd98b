"""The brain: the one thread that owns the world.

drain the inbox → fold changes and results into the world → decide → start the actions → wait for
the next news or the next alarm. Nothing else waits, and nothing else changes the world.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from launcher.actions import Action, Plan
from launcher.decide.decide import decide
from launcher.events import Event
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


class ReRegister(Protocol):
    """Makes our ephemerals: they are gone with the session, or the policy has changed."""

    def __call__(self, *, doubtful: bool = False) -> None:
        """Start it; *doubtful*: some may be there, as the mirrors tell."""


@dataclass(slots=True)
class Brain:
    """One launcher's thread of thought."""

    world: World
    inbox: Inbox[Event]
    fold: Fold
    settle: Settle
    starter: Starter
    clock: Clock
    log: Log
    metrics: Metrics
    reregister: ReRegister
    lost: Callable[[], None]
    resync_s: float = field(default=0.0)

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
            self.world.agenda.everything = True
            self.resync_s = now.mono_s + RESYNC_S
            self.starter.writer.forget_keys()
        if now.mono_s >= self.world.register_due_s and self.world.informed:
            self.world.register_due_s = float("inf")
            self.reregister(doubtful=True)
        if not self.world.awake:
            return Plan()
        if self.world.awake_since_s == 0.0:
            self.world.awake_since_s = now.mono_s
        agenda = self.world.take_agenda()
        begun_s = self.clock.monotonic_s()
        plan = decide(self.world, agenda, now)
        self.metrics.observe_turn("decide", self.clock.monotonic_s() - begun_s)
        if plan.swept and plan.brake != self.world.cloud.brake:
            self.world.cloud.brake = plan.brake
            if plan.brake is not None:
                self.log.warning("sweep.stopped", why=plan.brake)
        for alarm in plan.alarms:
            self.world.alarm(alarm.kind, alarm.name, alarm.due_s)
        if plan.blocked is not None:
            self.world.blocked = plan.blocked
        for action in plan.actions:
            self._start(action, now)
        return plan

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""
        if not self.world.agenda.empty and self.world.awake:
            return 0.0
        due_s = [self.resync_s]
        alarm_s = self.world.next_alarm_s()
        if alarm_s is not None:
            due_s.append(alarm_s)
        return max(0.0, min(due_s) - self.clock.monotonic_s())

    def _take_in(self, news: "News[Event]", now: Now) -> None:
        for session in news.session:
            self._session(session)
        for change in news.changes:
            self.fold.fold(change, now_s=now.mono_s)
        for event in news.events:
            self.settle.settle(event, now)

    def _session(self, session: Session) -> None:
        self.log.info("session.changed", session=str(session))
        self.world.connected = session is Session.CONNECTED
        self.metrics.set_connected(connected=self.world.connected)
        # Until the mirrors have been read again we know nothing for sure.
        self.world.synced.clear()
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

    def _start(self, action: Action, now: Now) -> None:
        self.log.debug("action.start", action=type(action).__name__)
        self.starter.start(action, now)
