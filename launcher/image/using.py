"""When it is to be written that an image which is made on first use is used: seldom, for all.

It is used when a request for it is claimed, or served; what is kept ready for nobody is no use.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from launcher.actions import Plan
from launcher.claim.actions import Claim
from launcher.image.actions import NoteUse, using
from launcher.image.first_use import image_of
from launcher.node.view import NodeView
from launcher.world import World
from remuda.runtime.now import Now

#: A use that is on record since then is not written again, so that requests cost no writes.
USE_PERIOD_S: Final = 300.0
#: Of a short time to live a part, so that it does not end between two writes.
_TTL_PART: Final = 0.25
#: After a write that did not happen, or of which no news came.
NOTE_AGAIN_S: Final = 30.0
#: So far clocks may differ; what lies further ahead tells nothing.
SKEW_S: Final = 600.0


def remember_served(world: World, nodes: Iterable[NodeView], now: Now) -> None:
    """Remember that the images of *nodes* are used, which are about to be handed out.

    The plan that does so is often over by then: the next one has it written.
    """
    for node in nodes:
        found = image_of(world, node.key)
        if found is not None:
            world.images.unnoted[found.recipe.name] = now.wall_s


def note_uses(world: World, now: Now, plan: Plan) -> None:
    """Add that images are used, if that is not on record already."""
    if not world.policy.on_demand:
        return
    used = dict.fromkeys(_used(world, plan), now.wall_s)
    for image, at_s in sorted({**_unnoted(world, now), **used}.items()):
        due_s = world.images.noted_s.get(image, float("-inf")) + NOTE_AGAIN_S
        if using(image) in world.busy or not _is_news(world, image, now):
            continue
        if now.mono_s < due_s:
            plan.look_again("supply", f"use of {image}", due_s)
        else:
            plan.do(NoteUse(image=image, at_s=at_s))


def _unnoted(world: World, now: Now) -> dict[str, float]:
    """Return uses that were not written when they were made, as far as they still count."""
    ttls_s = {image: found.ttl_s for image, found in world.policy.on_demand.items()}
    return {
        image: at_s
        for image, at_s in world.images.unnoted.items()
        if now.wall_s < at_s + ttls_s.get(image, 0.0)
    }


def _used(world: World, plan: Plan) -> Iterator[str]:
    """Yield the images that requests use which are claimed, by now or before."""
    claims = [(one.request, one.pool) for one in plan.actions if isinstance(one, Claim)]
    claims += [(request, claim.pool) for request, claim in world.queue.claims.items()]
    keys = [
        (pool, label)
        for request, pool in claims
        if (view := world.queue.views.get(request)) is not None and view.waiting
        for label in view.request.labels
    ]
    for key in keys:
        found = image_of(world, key)
        if found is not None:
            yield found.recipe.name


def _is_news(world: World, image: str, now: Now) -> bool:
    stored = world.images.uses.get(image)
    if stored is None or stored.value.at_s is None:
        return True
    period_s = min(USE_PERIOD_S, _TTL_PART * world.policy.on_demand[image].ttl_s)
    return not now.wall_s - period_s < stored.value.at_s <= now.wall_s + SKEW_S
