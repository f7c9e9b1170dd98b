"""Starting actions: those that may begin now are marked as busy, and given to the right hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from builder import writes
from builder.actions import KINDS, Action
from builder.build import start as build_start
from builder.capacity import Capacity
from builder.contexts import Instead, NotStarted, Refused, StartContext
from builder.crashes import Crashes
from builder.delays import Delays, basis_of, key_of
from builder.image import start as image_start
from builder.lanes import Lane
from builder.place import start as place_start
from builder.recipe import start as recipe_start
from builder.status import start as status_start
from builder.takehome import start as takehome_start
from builder.upload import start as upload_start
from builder.view import WorldView
from remuda.frame.dispatch import Dispatch
from remuda.images.writes import NotBootableError
from remuda.runtime.now import Now

#: How each action begins; every other one is a transaction.
STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    **build_start.STARTERS,
    **upload_start.STARTERS,
    **place_start.STARTERS,
    **recipe_start.STARTERS,
    **image_start.STARTERS,
    **status_start.STARTERS,
    **takehome_start.STARTERS,
}


@dataclass(slots=True, kw_only=True)
class Starter:
    """Starts actions; none of its methods waits.

    Attributes:
        crashes: What hands of ours have crashed at.
        wake_s: When the first of the actions that have to wait may begin (monotonic).
    """

    context: StartContext
    dispatch: Dispatch[Action, Lane]
    delays: Delays
    capacity: Capacity
    crashes: Crashes = field(default_factory=Crashes)
    wake_s: float = float("inf")

    def start(self, view: WorldView, action: Action, now: Now) -> bool:
        """Start an action, unless its subject is busy, it has to wait, or there is no place.

        What a hand of ours has crashed at is given back instead. Return whether it was started.
        """
        loss = self.crashes.due(view, action)
        if loss is not None:
            self.start(view, loss, now)
            return False
        action = self.capacity.by_share(action)
        if self.dispatch.is_busy(action) or self._waits(action, now):
            return False
        self.delays.begin(key_of(action), basis_of(action))
        begun = self.dispatch.start(action, lambda: self._begin(view, action, now), now.mono_s)
        if begun is None:
            return False
        self.capacity.begun(action)
        return True

    def _begin(self, view: WorldView, action: Action, now: Now) -> bool:
        """Begin an action, or what is to be done instead; return whether it was begun."""
        start = STARTERS.get(type(action))
        outcome = self._write(view, action) if start is None else start(self.context, view, action)
        match outcome:
            case Refused():
                self.delays.end(key_of(action), now.mono_s, outcome.why)
                self._say_waiting(action, outcome.why)
            case Instead():
                self.start(view, outcome.action, now)
            case _:
                pass
        return outcome is None

    def _write(self, view: WorldView, action: Any) -> NotStarted | None:
        try:
            ops = writes.write(view, action)
        except (NotBootableError, KeyError) as error:
            return Refused(f"what it refers to has changed: {error}")
        self.delays.begin(key_of(action), [*basis_of(action), *(op.path for op in ops)])
        self.context.sender.send(action, ops)
        return None

    def _waits(self, action: Action, now: Now) -> bool:
        """Whether an action has to wait; say why."""
        delay = self.delays.holds(key_of(action), now.mono_s)
        if delay is not None:
            self.wake_s = min(self.wake_s, delay.until_s)
            self._say_waiting(action, delay.why)
            return True
        full = self.capacity.full(action, place=self.dispatch.has_place(action))
        if full is not None:
            self._say_waiting(action, full)
        return full is not None

    def _say_waiting(self, action: Action, why: str) -> None:
        self.context.world.plan.wait(KINDS[type(action)].subject(action), why)

    def freed(self, action: Action) -> None:
        """Note that an action that was under way has ended."""
        self.capacity.ended(action)
        self.context.stops.ended(action)
        self.context.world.dirty = True

    def stop(self) -> None:
        """Begin nothing more, tell all hands to end, and wait for what runs on this host."""
        self.context.workers.stop()
        self.context.stops.stop_all()
        self.context.hands.making.close()
