"""Begins what is done to uploads: each task is made, and given to its hand."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.contexts import Instead, NotStarted, Refused, StartContext
from builder.crashes import given_back
from builder.upload.actions import CondemnUpload, Copy, EndTrial, EraseImage, RetireUpload, Validate
from builder.upload.tasks import CopyTask, EraseTask, TrialTask
from builder.view import WorldView
from remuda.config.recipes import ImageRecipe
from remuda.model.image import UploadId

_NOBODY: Final = "no provider of the configuration can make or read it"
_NOWHERE: Final = "no provider of the configuration lies there"


def copy(context: StartContext, view: WorldView, action: Copy) -> NotStarted | None:
    """Have a build brought to another place; what nobody can make just now is given back."""
    task = _copy_task(context, view, action)
    if task is None:
        return Instead(given_back(action.id, _NOBODY))
    context.workers.submit(action, lambda: context.hands.copying.copy(task))
    return None


def _copy_task(context: StartContext, view: WorldView, action: Copy) -> CopyTask | None:
    """Return the task for a copy, or None if nobody can make or read it."""
    records = context.world.records
    stored = records.uploads[action.id]
    source_id = UploadId(action.id.build, stored.value.source or "")
    source = records.uploads.get(source_id)
    here, there = view.provider_at(action.id.place), view.provider_at(source_id.place)
    build = records.builds.get(action.id.build)
    if source is None or here is None or there is None:
        return None
    return CopyTask(
        upload=stored,
        source=source,
        here=here,
        there=there,
        policy=view.policies.get(action.id.build.image),
        stop=context.stops.begin(action),
        statement=None if build is None else build.value.statement,
        carried_sha512=next(
            (
                one.carried_sha512
                for one in view.uploads(action.id.build)
                if one.carried_sha512 is not None and one.id != action.id
            ),
            None,
        ),
    )


def validate(context: StartContext, view: WorldView, action: Validate) -> NotStarted | None:
    """Have a candidate judged; the trial ends if its recipe is gone."""
    task = _trial_task(context, view, action)
    if task is None:
        return Instead(EndTrial(id=action.id))
    context.workers.submit(action, lambda: context.hands.validating.validate(task))
    return None


def _trial_task(context: StartContext, view: WorldView, action: Validate) -> TrialTask | None:
    """Return the task for a trial, or None if its recipe, or its build, is gone."""
    image, records = action.id.build.image, context.world.records
    recipe = _tried_by(context, action)
    policy, build = view.policies.get(image), records.builds.get(action.id.build)
    if recipe is None or policy is None or build is None:
        return None
    lying = {one.name for one in view.at(action.id.place)}
    return TrialTask(
        upload=records.uploads[action.id],
        build=build,
        provider=action.provider,
        recipe=recipe,
        policy=policy,
        checks=context.world.configured.checks.get((image, action.provider), ()),
        wanted=tuple(one for one in policy.providers if one in lying),
        avoid=action.avoid,
        stop=context.stops.begin(action),
    )


def _tried_by(context: StartContext, action: Validate) -> ImageRecipe | None:
    """Return the recipe that a build was made by, if we know it: its checks fit the build.

    Else, and for a provider that has only come since then, that of now.
    """
    known = context.world.build_recipes.begun.get(action.id.build)
    now = context.world.configured.recipes.get(action.id.build.image)
    recipes = (None if known is None else known.recipe, now)
    return next((one for one in recipes if one and action.provider in one.makings), None)


def retire(context: StartContext, _view: WorldView, action: RetireUpload) -> None:
    """Have an upload retire."""
    context.workers.submit(action, lambda: context.hands.retiring.retire(action))


def condemn(context: StartContext, _view: WorldView, action: CondemnUpload) -> None:
    """Have a retiring upload condemned."""
    context.workers.submit(action, lambda: context.hands.retiring.condemn(action))


def erase(context: StartContext, view: WorldView, action: EraseImage) -> NotStarted | None:
    """Have the image of a condemned upload deleted."""
    provider = view.provider_at(action.id.place)
    if provider is None:
        return Refused(_NOWHERE)
    upload = context.world.records.uploads[action.id]
    task = EraseTask(action=action, upload=upload, provider=provider)
    context.workers.submit(action, lambda: context.hands.retiring.erase(task))
    return None


STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    Copy: copy,
    Validate: validate,
    RetireUpload: retire,
    CondemnUpload: condemn,
    EraseImage: erase,
}
