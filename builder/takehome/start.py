"""Begins what is done with take-home images."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.contexts import NotStarted, StartContext
from builder.takehome.actions import EndTakeHome, KeepTakeHome, MakeTakeHome
from builder.takehome.tasks import TakeHomeTask
from builder.view import WorldView


def make(context: StartContext, view: WorldView, action: MakeTakeHome) -> NotStarted | None:
    """Have one made."""
    task = TakeHomeTask(
        record=context.world.records.take_homes[action.id],
        me=view.me,
        stop=context.stops.begin(action),
    )
    context.workers.submit(action, lambda: context.hands.taking_home.make(task))
    return None


def end(context: StartContext, view: WorldView, action: EndTakeHome) -> NotStarted | None:
    """Have one deleted."""
    task = TakeHomeTask(record=context.world.records.take_homes[action.id], me=view.me)
    context.workers.submit(action, lambda: context.hands.taking_home.end(task))
    return None


def keep(context: StartContext, view: WorldView, action: KeepTakeHome) -> NotStarted | None:
    """Have a wish that one be kept for longer answered."""
    task = TakeHomeTask(record=context.world.records.take_homes[action.id], me=view.me)
    context.workers.submit(action, lambda: context.hands.taking_home.keep(task))
    return None


STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    MakeTakeHome: make,
    EndTakeHome: end,
    KeepTakeHome: keep,
}
