"""When it is to be written that an image which is made on first use is used: seldom, for all.

It is used when a request for it is claimed, or served; what is kept ready for nobody is no use.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from launcher.actions import Plan
from launcher.claim.actions import Claim
from launcher.image.actions import NoteUse, using
from launcher.image.first_use import image_of
from launcher.policy import Key
from launcher.world import Agenda, World
from remuda.model.ids import RequestId
from remuda.runtime.now import Now

#: A use that is on record since then is not written again, so that requests cost no writes.
USE_PERIOD_S: Final = 300.0
#: Of a short time to live a part, so that it does not end between two writes.
_TTL_PART: Final = 0.25
#: After a write that did not happen, or of which no news came.
NOTE_AGAIN_S: Final = 30.0
#: So far clocks may differ; what lies further ahead tells nothing.
SKEW_S: Final = 600.0


def remember_served(world: World, keys: Iterable[Key], at: Now) -> None:
    """Remember that the images of machines with these *keys* are used: they were handed out.

    The plan that did so is over by then: the next one has it written.
    """
    for key in keys:
        found = image_of(world, key)
        if found is not None:
            world.images.unnoted[found.recipe.name] = at.wall_s


def note_uses(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Add that images are used, if that is not on record already.

    Of the requests that are claimed only those are looked at that are on the agenda: each has
    itself put there again when its use is to be written anew.
    """
    if not world.policy.on_demand:
        return
    used = _unnoted(world, now)
    for request, image in _claimed(world, agenda):
        used[image] = now.wall_s
        plan.look_again("request", request, now.mono_s + _left_s(world, image, now))
    used |= dict.fromkeys(_being_claimed(world, plan), now.wall_s)
    for image, at_s in sorted(used.items()):
        due_s = world.images.noted_s.get(image, float("-inf")) + NOTE_AGAIN_S
        if using(image) in world.busy or not _is_news(world, image, now):
            continue
        if now.mono_s < due_s:
            plan.look_again("supply", f"use of {image}", due_s)
        else:
            plan.do(NoteUse(image=image, at_s=at_s))


def _unnoted(world: World, now: Now) -> dict[str, float]:
    """Return uses that were not written when they were made, as far as they still count."""
    on_demand = world.policy.on_demand
    return {
        image: at_s
        for image, at_s in world.images.unnoted.items()
        if image in on_demand and now.wall_s < at_s + on_demand[image].ttl_s
    }


def _claimed(world: World, agenda: Agenda) -> Iterator[tuple[RequestId, str]]:
    """Yield the requests on the agenda that are claimed, each with every image that it uses."""
    claims = world.queue.claims
    ids = claims.keys() if agenda.everything else agenda.requests & claims.keys()
    for request in ids:
        for image in _images_of(world, request, claims[request].pool):
            yield request, image


def _being_claimed(world: World, plan: Plan) -> Iterator[str]:
    """Yield the images that requests use which are claimed by this very plan."""
    for one in plan.actions:
        if isinstance(one, Claim):
            yield from _images_of(world, one.request, one.pool)


def _images_of(world: World, request: RequestId, pool: str) -> Iterator[str]:
    """Yield the images of first use that a waiting request uses in a pool."""
    view = world.queue.views.get(request)
    for label in view.request.labels if view is not None and view.waiting else ():
        found = image_of(world, (pool, label))
        if found is not None:
            yield found.recipe.name


def _period_s(world: World, image: str) -> float:
    """Return how old a use on record may be before it is written again."""
    return min(USE_PERIOD_S, _TTL_PART * world.policy.on_demand[image].ttl_s)


def _left_s(world: World, image: str, now: Now) -> float:
    """Return in how many seconds a use that goes on is to be written again.

    If that is now, the write that follows may fail, or be held back: then in a moment.
    """
    period_s = _period_s(world, image)
    if _is_news(world, image, now):
        return min(NOTE_AGAIN_S, period_s)
    stored = world.images.uses[image]
    assert stored.value.at_s is not None  # noqa: S101 - else it were news
    return min(period_s, stored.value.at_s + period_s - now.wall_s)


def _is_news(world: World, image: str, now: Now) -> bool:
    stored = world.images.uses.get(image)
    if stored is None or stored.value.at_s is None:
        return True
    period_s = _period_s(world, image)
    return not now.wall_s - period_s < stored.value.at_s <= now.wall_s + SKEW_S
