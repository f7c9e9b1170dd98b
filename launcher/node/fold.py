"""Folding both records of nodes, and their locks, into the world."""

from collections.abc import Callable
from dataclasses import dataclass

from launcher.claim.fold import charge
from launcher.node.steps import take_launch
from launcher.node.view import ENDED_STATES, NodeView
from launcher.world import World
from remuda.model import launch, node
from remuda.model.codec import CorruptRecordError, UnknownSchemaError
from remuda.model.ids import NodeId
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put, Stored


@dataclass(slots=True)
class NodeFold:
    """Folds records of nodes into *world*.

    Attributes:
        mine: Ids of our nodes, shared with the mirror of ``/nodepool/nodes``, which reads the
            data of no other nodes. Only added to and removed from, so threads may look.
        read_node: Has a node's record read that the mirror passed over.
    """

    world: World
    mine: set[NodeId]
    read_node: Callable[[NodeId], None]

    def look_for_nodes(self) -> None:
        """Read the records that we have not heard of: that there is none, no mirror tells.

        Nor does it tell that one is open to us again: access control lists wake nobody.
        """
        for view in self.world.nodes.views.values():
            if view.unread:
                self.read_node(view.id)

    def node_closed(self, node_id: NodeId) -> None:
        """Know no more of a users' record than that it is there: nothing is done to it."""
        view = self.world.nodes.views.get(node_id)
        if view is None:
            return
        self.world.born(view.id)
        view.stale = False
        # What was condemned, with proof that nobody wants it, stays so.
        if not (view.dying and view.node is not None and view.node.state in ENDED_STATES):
            view.node, view.node_version, view.node_gone = None, -1, False
        self.world.touch_node(view)

    def launch_closed(self, node_id: NodeId) -> None:
        """Know no more of a launch than that it is there.

        Its machine is somebody's business, and what is known of it stays.
        """
        self.world.born(node_id)
        self.world.nodes.unreadable.add(node_id)

    def take_node(self, node_id: NodeId, change: Put | Dirty | Gone) -> None:
        """Take in what became of a users' record."""
        view = self.world.nodes.views.get(node_id)
        if view is None:
            if node_id in self.mine and isinstance(change, Put) and change.stored is not None:
                # Ours, after a lost reply: its launch is being read, too.
                self._node_put(node_id, change.stored)
            return
        if isinstance(change, Gone):
            view.node, view.stale, view.node_version, view.node_gone = None, False, -1, True
            self.world.born(node_id)
        elif isinstance(change, Dirty):
            view.stale = True
        elif change.stored is not None:
            self._node_put(node_id, change.stored)
            return
        self.world.touch_node(view)

    def _node_put(self, node_id: NodeId, stored: Stored[bytes]) -> None:
        view = self.world.nodes.view(node_id)
        view.stale, view.node, view.node_gone = False, None, False
        view.node_version = stored.version
        if view.launch is not None:
            self.world.born(node_id)
        try:
            view.node = node.decode(node_id, stored.value)
        finally:
            self.world.touch_node(view)

    def take_lock(self, change: Put | Dirty | Gone) -> None:
        """Take in what became of a node's lock, or of a contender in it."""
        # /nodepool/nodes/<id>/lock[/<contender>]
        parts = change.path[len(paths.NODES) + 1 :].split("/")
        if parts[1] != paths.LOCK_SUFFIX:
            return
        self._remember_lock(NodeId(parts[0]), *parts[2:3], there=not isinstance(change, Gone))
        view = self.world.nodes.views.get(NodeId(parts[0]))
        if view is not None:
            self.world.nodes.learn_lock(view)
            self.world.touch_node(view)

    def _remember_lock(self, node_id: NodeId, *contender: str, there: bool) -> None:
        """Note that a lock directory is there or gone, or one *contender* in it."""
        locks = self.world.nodes.locks
        if there:
            locks[node_id] = locks.get(node_id, frozenset()) | {*contender}
        elif not contender:
            locks.pop(node_id, None)
        elif node_id in locks:
            locks[node_id] -= {*contender}

    def take_launch(self, node_id: NodeId, change: Put | Dirty | Gone) -> None:
        """Take in what became of a launch record."""
        if isinstance(change, Dirty):
            if node_id not in self.world.nodes.views:
                self.world.unborn.add(node_id)
            return
        if isinstance(change, Gone):
            self.world.born(node_id)
            self.mine.discard(node_id)
            self.world.nodes.unreadable.discard(node_id)
            self.world.drop_node(node_id)
            return
        if not isinstance(change, Put) or change.stored is None:
            return
        try:
            record = launch.decode(node_id, change.stored.value)
        except CorruptRecordError as exc:
            self.world.born(node_id)
            self._launch_unreadable(node_id, change.stored.version, exc)
            raise
        self.world.nodes.unreadable.discard(node_id)
        view = self.world.nodes.view(node_id)
        first, view.launch_version = view.launch is None, change.stored.version
        take_launch(view, record, latest_listing=self.world.cloud.latest_listing())
        charge(self.world, record, made_s=change.stored.created_s)
        self._read_the_other(view, first=first)
        self.world.touch_node(view)

    def _read_the_other(self, view: NodeView, *, first: bool) -> None:
        """Have the users' record of a node read that we hear of for the *first* time."""
        if not view.unread:
            self.world.born(view.id)
        elif view.id not in self.mine:
            self.world.unborn.add(view.id)
        if view.id not in self.mine or (first and view.unread):
            self.mine.add(view.id)
            self.read_node(view.id)

    def _launch_unreadable(self, node_id: NodeId, version: int, exc: CorruptRecordError) -> None:
        # A newer version's, perhaps: its machine is somebody's business, only not ours.
        self.world.nodes.unreadable.add(node_id)
        known = self.world.nodes.views.get(node_id)
        if known is not None and not isinstance(exc, UnknownSchemaError):
            # Rubbish over what we know: our next write mends it.
            known.launch_version = version
