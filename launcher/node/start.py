"""Starting actions on nodes: mark what is busy, then send the transaction."""

from dataclasses import dataclass, replace

from launcher.actions import Action
from launcher.lanes import machine
from launcher.node import writes as node_writes
from launcher.node.actions import (
    Adopt,
    Advance,
    Condemn,
    Free,
    Grow,
    MakeReady,
    Note,
    RemoveRecords,
)
from launcher.node.steps import failed_word, ready_node
from launcher.node.view import ADOPT, NodeView
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind, word
from remuda.model.ids import NodeId
from remuda.runtime.now import Now
from remuda.store.api import Op


def hold_node(world: World, node_id: NodeId, what: str) -> NodeView:
    """Return a node, busy with *what*."""
    view = world.nodes.views[node_id]
    view.busy = what
    world.nodes.reindex(view)
    return view


@dataclass(slots=True)
class NodeStarts:
    """Starts actions on nodes; none of its methods waits."""

    world: World
    writer: Writer

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            Grow: self._grow,
            Adopt: self._adopt,
            Advance: self._advance,
            Note: self._note,
            MakeReady: self._make_ready,
            Free: self._free,
            Condemn: self._condemn,
            RemoveRecords: self._remove_records,
        }

    def _grow(self, action: Grow, now: Now) -> None:
        if self.writer.has_ids(action):
            self.writer.grow(action, now)

    def _write_node(
        self, action: Action, view: NodeView, ops: list[Op], what: str | None = None
    ) -> None:
        view.busy = what or word(action)
        self.world.busy.give_up(machine(view.id))  # a hand that hangs, if there is one
        self.world.nodes.reindex(view)
        self.writer.send(action, ops)

    def _adopt(self, action: Adopt, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        # By us; what its owner did meanwhile we cannot know.
        view.address = replace(view.address, untried=False)
        self._write_node(action, view, list(self.writer.adopt(view)), ADOPT)

    def _advance(self, action: Advance, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        ops = node_writes.advance(self.world, view, action.launch)
        self._write_node(action, view, ops)

    def _note(self, action: Note, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        view.proof = replace(view.proof, noted_s=now.mono_s)
        self.writer.send(action, node_writes.advance(self.world, view, action.launch))

    def _make_ready(self, action: MakeReady, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        node = ready_node(view, self.world.policy)
        ops = node_writes.ready(self.world, view, node, now_s=now.wall_s)
        self._write_node(action, view, ops)

    def _free(self, action: Free, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self._write_node(action, view, node_writes.free(view, now_s=now.wall_s))

    def _condemn(self, action: Condemn, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        failed = failed_word(action)
        ops = node_writes.condemn(self.world, view, action.cause, failed=failed, now_s=now.wall_s)
        self._write_node(action, view, ops)

    def _remove_records(self, action: RemoveRecords, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        if action.server is not None:
            self.world.cloud.ended_servers.append(action.server)
        self._write_node(action, view, node_writes.remove_records(self.world, view))
