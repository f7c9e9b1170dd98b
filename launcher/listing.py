"""Taking in a listing: which node has which server, what is missing, what has no record."""

from collections.abc import Sequence

from launcher.trials import is_forgotten
from launcher.views import NodeView
from launcher.world import World
from remuda.cloud.api import Server
from remuda.model import tags
from remuda.model.ids import ServerId
from remuda.model.launch import Step


def take_listing(
    world: World, number: int, servers: Sequence[Server], owner: tags.Owner, *, now_s: float
) -> None:
    """Match the servers of one complete listing with the nodes.

    A node is touched only if its server changed, so that an idle listing costs next to nothing.

    Args:
        world: Takes it in.
        number: Of the listing.
        servers: All that it showed.
        owner: Who we are.
        now_s: Wall clock.
    """
    timeout_s = world.policy.config.launch_timeout
    cloud = world.cloud
    ours: dict[ServerId, Server] = {}
    strays: dict[ServerId, int] = {}
    shown: set[str] = set()
    for server in servers:
        node_id = tags.owned_node(server.tags, owner)
        if node_id is None:
            if is_forgotten(server, owner.provider, launch_timeout_s=timeout_s, now_s=now_s):
                strays[server.id] = cloud.strays.get(server.id, 0) + 1
            continue
        ours[server.id] = server
        if node_id in world.herd.unreadable:
            continue
        view = world.herd.views.get(node_id)
        if view is None or not _accept(view, server):
            strays[server.id] = cloud.strays.get(server.id, 0) + 1
            continue
        shown.add(node_id)
        if view.server != server or view.missed:
            view.server, view.missed = server, 0
            world.touch_node(view)
        elif view.server is not None:
            ours[server.id] = view.server  # equal: the one that is kept anyway
    _miss(world, number, shown)
    for node_id in list(world.awaiting):
        world.agenda.nodes.add(node_id)
    cloud.listing = number
    cloud.servers, cloud.strays = ours, strays
    cloud.foreign = len(servers) - len(ours)
    if strays:
        world.agenda.supply = True


def _accept(view: NodeView, server: Server) -> bool:
    """Whether this is the node's server; a second one of the same node is a leak."""
    if view.server_id is None:
        view.server_id = server.id
    return view.server_id == server.id


def _miss(world: World, number: int, shown: set[str]) -> None:
    """Note the nodes whose server should be shown and is not.

    It may have vanished before this process ever saw it; but a server that was made after the
    listing had begun cannot be in it.
    """
    for view in world.herd.views.values():
        if view.id in shown or view.server_id is None:
            continue
        if view.dying:
            if view.server is not None:
                view.server = None
                world.touch_node(view)
        elif _has_server(view) and (view.server is not None or number > view.asked_in):
            view.missed += 1
            world.touch_node(view)


def _has_server(view: NodeView) -> bool:
    return view.launch is not None and view.launch.step is not Step.PLANNED
