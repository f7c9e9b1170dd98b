"""What nodes and strays cost of the limits: a server without a record takes up room like any node.

Else what is leaked would be replaced, again and again. So does one whose record we cannot read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from launcher.node.index import Usage
from launcher.world import World
from remuda.cloud.api import Server
from remuda.model import tags


def pool_usage(world: World) -> dict[str, Usage]:
    """Return the cost by pool."""
    usage = {pool: replace(one) for pool, one in world.nodes.usage.items()}
    for pool, one in stray_usage(world).items():
        usage.setdefault(pool, Usage()).add(one)
    return usage


def total_usage(world: World) -> Usage:
    """Return the cost of all pools together."""
    total = world.nodes.total()
    for one in stray_usage(world).values():
        total.add(one)
    return total


def stray_usage(world: World) -> Mapping[str, Usage]:
    """Return the cost of strays alone, by pool; cores and RAM as far as their flavor is known."""
    if not world.cloud.strays and not world.cloud.unread:
        return {}
    usage: dict[str, Usage] = {}
    sizes = {recipe.flavor.id: recipe.flavor for recipe in world.cloud.recipes.values()}
    for server in _counted(world):
        one = usage.setdefault(server.tags[tags.POOL], Usage())
        flavor = sizes.get(server.flavor_id or "")
        one.instances += 1
        if flavor is not None:
            one.cores += flavor.cores
            one.ram_mib += flavor.ram_mib
    return usage


def _counted(world: World) -> Iterator[Server]:
    """Yield those that are not counted as the node whose tags they carry."""
    strays = ((stray.node, stray.server) for stray in world.cloud.strays.values())
    for node, server in (*strays, *world.cloud.unread):
        if node is None:
            continue
        view = world.nodes.views.get(node)
        if view is None or view.server.id not in (None, server.id):
            yield server
