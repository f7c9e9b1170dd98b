"""Folding records of take-home images into the world: those of our own provider."""

from launcher.world import World
from remuda.model.ids import NodeId
from remuda.model.takehome import decode_take_home
from remuda.store.api import Dirty, Gone, Put, Stored


def take_home_record(world: World, node: NodeId, change: Put | Dirty | Gone) -> None:
    """Take in what became of one; its machine is judged again.

    Raises:
        CorruptRecordError: If it cannot be read: it counts as gone, and its machine stays.
    """
    if isinstance(change, Dirty):
        return
    world.take_homes.pop(node, None)
    view = world.nodes.views.get(node)
    if view is not None:
        world.touch_node(view)
    world.agenda.supply = True
    stored = change.stored if isinstance(change, Put) else None
    if stored is None:
        return
    value = decode_take_home(node, stored.value)
    if value.provider == world.policy.provider:
        world.take_homes[node] = Stored(path=stored.path, value=value, version=stored.version)
