"""Servers that carry our tag but belong to no record that we know of: leaks, perhaps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from launcher.herd import Usage
from remuda.cloud.api import Server, ServerStatus
from remuda.model import tags
from remuda.model.ids import FIRST_NODE_NUMBER, NODE_ID_BLOCK, NodeId, is_node_id

if TYPE_CHECKING:
    from launcher.world import World

#: The clocks of ZooKeeper and of the cloud may differ by this.
CLOUD_SKEW_S: Final = 60.0
#: Nobody works on these: the machine never came up, or goes away.
_UNUSED: Final = frozenset({ServerStatus.BUILDING, ServerStatus.ERROR, ServerStatus.DELETING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """One of them.

    Attributes:
        node: The node that its tags name; None: a check of our provider has left it.
        sightings: How many listings in a row showed it as one.
        since_s: When the first of them came (monotonic).
    """

    server: Server
    node: NodeId | None
    sightings: int
    since_s: float

    @property
    def may_be_in_use(self) -> bool:
        """Whether somebody may work on it: also on one that is stopped, or that is doubtful."""
        return self.server.status not in _UNUSED


def made_here(world: "World", stray: Stray) -> bool:
    """Whether this store can have known the server: else it is another installation's, perhaps.

    Its number was drawn from our counter, and it is no older than the id that it carries: after
    a restore of older data, or a change of the id, that is not so.
    """
    if stray.node is None:
        return True
    first_undrawn = FIRST_NODE_NUMBER + (world.drawn + 1) * NODE_ID_BLOCK
    drawn = is_node_id(stray.node) and int(stray.node) < first_undrawn
    return drawn and stray.server.created_s + CLOUD_SKEW_S >= world.installation_s


def pool_usage(world: "World") -> dict[str, Usage]:
    """Return what nodes and strays cost of the limits, by pool."""
    usage = {pool: replace(one) for pool, one in world.herd.usage.items()}
    for pool, one in stray_usage(world).items():
        usage.setdefault(pool, Usage()).add(one)
    return usage


def total_usage(world: "World") -> Usage:
    """Return the same for all pools together."""
    total = world.herd.total()
    for one in stray_usage(world).values():
        total.add(one)
    return total


def stray_usage(world: "World") -> Mapping[str, Usage]:
    """Return what strays cost, by pool: they take up room like any node."""
    if not world.cloud.strays:
        return {}
    usage: dict[str, Usage] = {}
    sizes = {recipe.flavor.id: recipe.flavor for recipe in world.cloud.recipes.values()}
    for stray in _counted(world):
        one = usage.setdefault(stray.server.tags[tags.POOL], Usage())
        flavor = sizes.get(stray.server.flavor_id or "")
        one.instances += 1
        if flavor is not None:
            one.cores += flavor.cores
            one.ram_mib += flavor.ram_mib
    return usage


def _counted(world: "World") -> Iterator[Stray]:
    """Yield those that are not counted as the node whose tags they carry."""
    for stray in world.cloud.strays.values():
        if stray.node is None:
            continue
        view = world.herd.views.get(stray.node)
        if view is None or view.server_id not in (None, stray.server.id):
            yield stray
