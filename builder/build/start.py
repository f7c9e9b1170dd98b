"""Begins what is done to builds: each task is made, and given to its hand."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.actions import Action
from builder.build.actions import ForgetBuild, KeepSnapshot, LoseBuild, Make
from builder.build.lifecycle import other_places
from builder.build.tasks import AdoptTask, MakeTask
from builder.build.writes import forget_build
from builder.contexts import Instead, NotStarted, Refused, StartContext
from builder.view import WorldView
from remuda.frame.work import Written
from remuda.model.build import Blame, Mishap
from remuda.model.image import UploadId
from remuda.store.api import StoreError

_CHANGED: Final = "its recipe has changed since it was taken"
_NOWHERE: Final = "no provider of the configuration lies there"


def make(context: StartContext, view: WorldView, action: Make) -> NotStarted | None:
    """Have a build made; one whose recipe is gone is given back."""
    task = _make_task(context, view, action)
    if task is None:
        mishap = Mishap(step="begin", blame=Blame.BUILDER, message=_CHANGED)
        return Instead(LoseBuild(id=action.id, mishap=mishap, last=False))
    context.workers.submit(action, lambda: context.hands.making.make(task))
    return None


def _make_task(context: StartContext, view: WorldView, action: Make) -> MakeTask | None:
    """Return the task for a build, or None if its recipe is not known any more."""
    world = context.world
    stored = world.records.builds[action.id]
    build = stored.value
    made_by = world.build_recipes.choose(build, world.configured)
    if made_by is None:
        return None
    parent = None
    if build.parent is not None:
        parent = world.records.uploads.get(UploadId(build.parent, build.place or ""))
        if parent is None:
            return None
    world.build_recipes.begun[action.id] = made_by
    return MakeTask(
        build=stored,
        recipe=made_by.recipe,
        policy=made_by.policy,
        parent=parent,
        also=other_places(view, build),
        places={one: view.providers[one].place for one in build.group if one in view.providers},
        stop=context.stops.begin(action),
    )


def adopt(context: StartContext, view: WorldView, action: KeepSnapshot) -> NotStarted | None:
    """Have the build of a dead builder finished."""
    task = _adopt_task(context, view, action)
    if task is None:
        return Refused(_NOWHERE)
    context.workers.submit(action, lambda: context.hands.adopting.adopt(task))
    return None


def _adopt_task(context: StartContext, view: WorldView, action: KeepSnapshot) -> AdoptTask | None:
    """Return the task for a snapshot, or None if nobody can look at it."""
    build = context.world.records.builds[action.id]
    provider = view.provider_at(build.value.place or "")
    if provider is None:
        return None
    policy = view.policies.get(action.id.image)
    return AdoptTask(action=action, build=build, policy=policy, provider=provider, me=view.me)


def forget(context: StartContext, view: WorldView, action: ForgetBuild) -> None:
    """Have the log of a build erased, and then its record."""
    ops, logs, store = forget_build(view, action), context.hands.logs, context.sender.ground.store

    def erase() -> Written[Action]:
        try:
            logs.erase(action.id)  # nobody would find it again
            return Written(action=action, result=store.commit(ops))
        except StoreError as error:
            return Written(action=action, result=error)

    context.workers.submit(action, erase)


STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    Make: make,
    KeepSnapshot: adopt,
    ForgetBuild: forget,
}
