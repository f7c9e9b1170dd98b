"""Taking in a listing: which node has which server, what is missing, what has no record."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from launcher.node.stages import shown
from launcher.node.view import NodeView
from launcher.server.left_by_checks import is_forgotten
from launcher.server.strays import Stray
from launcher.world import World
from remuda.cloud.api import Server, ServerStatus
from remuda.model import tags
from remuda.model.ids import NodeId, ServerId
from remuda.model.launch import Step
from remuda.runtime.now import Now

#: From these no boot will come: nobody starts a server that does not run before it was ours.
LIFELESS: Final = frozenset({ServerStatus.STOPPED, ServerStatus.DELETING})


def take_listing(
    world: World, number: int, servers: Sequence[Server], owner: tags.Owner, now: Now
) -> None:
    """Match the servers of one complete listing with the nodes.

    A node is touched only if its server changed, so that an idle listing costs next to nothing.

    Args:
        world: Takes it in.
        number: Of the listing.
        servers: All that it showed.
        owner: Who we are.
        now: The present.
    """
    taking = _Taking(world=world, number=number, owner=owner, now=now)
    for server in servers:
        taking.take(server)
    taking.settle_doubts()
    _miss(world, number, taking.shown)
    for node_id in list(world.awaiting):
        world.agenda.nodes.add(node_id)
    cloud = world.cloud
    cloud.listing = number
    cloud.servers, cloud.strays, cloud.unread = taking.ours, taking.strays, taking.unread
    cloud.foreign = len(servers) - len(taking.ours)
    if taking.strays:
        world.agenda.supply = True


@dataclass(slots=True, kw_only=True)
class _Taking:
    """One listing while it is taken in.

    Attributes:
        ours: Servers that carry our tag.
        strays: Those of them, and of our checks, that belong to no record.
        unread: Those whose record cannot be read, with their nodes.
        shown: Nodes whose server was shown.
        doubts: Servers that carry the tags of a node whose record names another.
    """

    world: World
    number: int
    owner: tags.Owner
    now: Now
    ours: dict[ServerId, Server] = field(default_factory=dict)
    strays: dict[ServerId, Stray] = field(default_factory=dict)
    unread: list[tuple[NodeId, Server]] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    doubts: list[tuple[NodeView, Server]] = field(default_factory=list)

    def take(self, server: Server) -> None:
        """Take in one server."""
        node_id = tags.owned_node(server.tags, self.owner)
        if node_id is None:
            timeout_s = self.world.policy.config.launch_timeout
            provider, now_s = self.owner.provider, self.now.wall_s
            if is_forgotten(server, provider, launch_timeout_s=timeout_s, now_s=now_s):
                self._stray(server, None)
            return
        self.ours[server.id] = server
        view = self.world.nodes.views.get(node_id)
        if view is None and node_id in self.world.nodes.unreadable:
            self.unread.append((node_id, server))
        elif view is None:
            self._stray(server, node_id)
        elif view.server.id in (None, server.id):
            self._show(view, server)
        else:
            self.doubts.append((view, server))

    def settle_doubts(self) -> None:
        """Believe the cloud: a record's server that was never seen is none if another is shown.

        Of two that are, the second is a leak; but no server is swept while its node has a record.
        """
        for view, server in self.doubts:
            if view.server.surely_ours:
                self._stray(server, view.id)
            else:
                self._show(view, server)

    def _show(self, view: NodeView, server: Server) -> None:
        self.shown.add(view.id)
        known = view.server
        known.shown_in = self.number
        if known.shown == server and not known.missed:
            self.ours[server.id] = known.shown  # equal: the one that is kept anyway
        else:
            known.show(server)
            shown(view, self.now)
            self.world.touch_node(view)
        if server.status not in LIFELESS:
            known.lifeless = 0
        elif self.number > known.asked_in:
            known.lifeless += 1

    def _stray(self, server: Server, node_id: NodeId | None) -> None:
        known = self.world.cloud.strays.get(server.id)
        self.strays[server.id] = Stray(
            server=server,
            node=node_id,
            sightings=1 if known is None else known.sightings + 1,
            since_s=self.now.mono_s if known is None else known.since_s,
        )


def _miss(world: World, number: int, shown: set[str]) -> None:
    """Note the nodes whose server should be shown and is not.

    It may have vanished before this process ever saw it; but a server that was made after the
    listing had begun cannot be in it.
    """
    for view in world.nodes.views.values():
        known = view.server
        if view.id in shown or known.id is None:
            continue
        if view.dying:
            if known.shown is not None:
                known.shown = None
                world.touch_node(view)
        elif _has_server(view) and (known.shown is not None or number > known.asked_in):
            known.missed += 1
            world.touch_node(view)


def _has_server(view: NodeView) -> bool:
    return view.launch is not None and view.launch.step is not Step.PLANNED
