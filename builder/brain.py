"""The brain: the one thread that knows and judges, in the turns of every process of ours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from builder.actions import Action
from builder.alarm.actions import RaiseAlarm
from builder.decide import decide
from builder.events import End, News
from builder.fold import Fold
from builder.periodic import Periodic, PeriodicAction
from builder.reporting import Reporter
from builder.results import Results
from builder.start import Starter
from builder.status.actions import Publish
from builder.view import WorldView
from builder.world import World
from remuda.frame.loop import Loop, start_all
from remuda.membership.membership import Membership
from remuda.runtime.ground import Ground
from remuda.runtime.now import Now
from remuda.store.api import Change, Session

#: A judgement takes this part of the time at most: while records change all the time, it waits
#: for more of them, but not longer than people do.
_SHARE: Final = 0.25
_GAP_S_MAX: Final = 5.0
#: What is due by the wall clock is looked at again this much later at the least: it and the other
#: clock do not agree to the last digit.
_AGAIN_S: Final = 0.05


@dataclass(slots=True)
class Brain:
    """The one thread that knows and judges for a builder.

    Attributes:
        judge_due_s: When there is something to judge though nothing comes (monotonic);
            *judge_from_s*: not before.
    """

    ground: Ground[News]
    world: World
    membership: Membership
    fold: Fold
    results: Results
    starter: Starter
    periodic: Periodic
    reporter: Reporter
    judge_due_s: float = 0.0
    judge_from_s: float = 0.0
    loop: Loop[End] = field(init=False)

    def __post_init__(self) -> None:
        """Make the loop that has us judge."""
        self.loop = Loop(self, self.ground, self.world.alarms, self.membership)

    def turn(self, *, wait_s_max: float | None = None) -> None:
        """Wait for news, judge once if there is a reason, and start what follows."""
        self.loop.turn(wait_s_max=wait_s_max)

    def session_changed(self, session: Session, now: Now) -> None:
        """Let hands end whose nodes went with the session, and ask everything anew."""
        del now
        if session is Session.LOST:
            self.starter.context.stops.stop_all()
        self.starter.delays.forget()
        self.world.dirty = True

    def take_change(self, change: Change, now: Now) -> None:
        """Fold a change into what is known."""
        del now
        self.fold.fold(change)

    def take_event(self, event: End, now: Now) -> None:
        """Take in what an action did."""
        self.results.take(event, now)

    def registered(self, *, there: bool) -> None:
        """Judge everything again, now that we may; nobody knows what our ephemeral says."""
        self.reporter.published(None)
        self.world.dirty |= there

    def ring(self, kind: str, name: str) -> None:
        """Judge again; nothing sets alarms of its own here."""
        del kind, name
        self.world.dirty = True

    def resync(self) -> None:
        """Judge everything again, and forget what has long not been asked for."""
        self.world.dirty = True
        self.starter.delays.tidy(self.ground.clock.monotonic_s())
        self.world.build_recipes.forget(self.world.records)

    def due_s(self) -> float:
        """Return when it wants to think though nothing comes."""
        if self.world.dirty:
            return self.judge_from_s
        return min(self.judge_due_s, self.periodic.next_s(), self.reporter.words_due_s())

    def think(self, now: Now) -> None:
        """Look around if it is time, and judge if there is a reason."""
        self.starter.context.stops.watch()
        view = self.world.view(now.wall_s)
        due = self.world.dirty or now.mono_s >= self.judge_due_s
        if due and now.mono_s >= self.judge_from_s:
            self._judge(view, now)
        self._look_around(view, now)
        words = self.reporter.words(now.mono_s)
        if words is not None:
            self._start(view, [Publish(words)], now)

    def _look_around(self, view: WorldView, now: Now) -> None:
        """Begin what is due from time to time; one that is refused stays due."""

        def begin(action: PeriodicAction) -> None:
            started = False
            try:
                started = self.starter.start(view, action, now)
            finally:
                self.periodic.begun(action, now.mono_s, started=started)

        start_all(self.periodic.due(now.mono_s), begin, self.ground)

    def _judge(self, view: WorldView, now: Now) -> None:
        self.world.dirty = False
        begun_s = self.ground.clock.monotonic_s()
        plan = self.world.plan = decide(view)
        ended_s = self.ground.clock.monotonic_s()
        self.ground.metrics.observe_turn("decide", ended_s - begun_s)
        gap_s = min((ended_s - begun_s) * (1 / _SHARE - 1), _GAP_S_MAX)
        self.judge_from_s = ended_s + gap_s
        self.starter.wake_s = float("inf")
        acts: list[Action] = [one for one in plan.actions if not isinstance(one, RaiseAlarm)]
        self._start(view, [*self.periodic.missing(), *acts], now)
        wake_s = float("inf") if plan.wake_at_s is None else plan.wake_at_s - now.wall_s
        due_s = min(now.mono_s + wake_s, self.starter.wake_s)
        self.judge_due_s = max(due_s, now.mono_s + _AGAIN_S)
        self.reporter.judged()

    def _start(self, view: WorldView, some: Sequence[Action], now: Now) -> None:
        def start(action: Action) -> None:
            self.starter.start(view, action, now)

        start_all(some, start, self.ground)
