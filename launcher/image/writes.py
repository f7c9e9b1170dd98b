"""What is written of images, as operations of one transaction; pure."""

from launcher.image.actions import NoteUse
from launcher.world import World
from remuda.model.lastuse import LastUse, encode_last_use
from remuda.store import paths
from remuda.store.api import Create, Op, Set


def note_use(world: World, action: NoteUse) -> list[Op]:
    """Write a last use over the one that is known: whoever else did meanwhile makes it fail."""
    found = world.policy.on_demand[action.image]
    use = LastUse(
        image=action.image,
        at_s=round(action.at_s, 3),
        provider=world.policy.provider,
        ttl_s=found.recipe.ttl_s,
    )
    stored, data = world.images.uses.get(action.image), encode_last_use(use)
    if stored is None:
        return [Create(path=paths.last_use(action.image), data=data)]
    return [Set(path=stored.path, data=data, version=stored.version)]
