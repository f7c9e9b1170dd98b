"""Starting actions on nodes: mark what is busy, then send the transaction."""

from dataclasses import dataclass, replace

from launcher.node import writes as node_writes
from launcher.node.actions import (
    Adopt,
    Advance,
    Condemn,
    Count,
    Free,
    Grow,
    MakeReady,
    Note,
    RemoveRecords,
)
from launcher.node.steps import ready_node
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


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
            Count: self._count,
            Condemn: self._condemn,
            RemoveRecords: self._remove_records,
        }

    def _grow(self, action: Grow, now: Now) -> bool:
        ready = self.writer.has_ids(action)
        if ready:
            self.writer.grow(action, now)
        return ready

    def _adopt(self, action: Adopt, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        # By us; what its owner did meanwhile we cannot know.
        view.address = replace(view.address, untried=False)
        self.writer.send(action, self.writer.adopt(view))

    def _advance(self, action: Advance, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        ops = node_writes.advance(self.world, view, action.launch)
        self.writer.send(action, ops)

    def _note(self, action: Note, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        view.proof = replace(view.proof, noted_s=now.mono_s)
        self.writer.send(action, node_writes.advance(self.world, view, action.launch))

    def _make_ready(self, action: MakeReady, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        node = ready_node(view, self.world.policy)
        ops = node_writes.ready(self.world, view, node, now_s=now.wall_s)
        self.writer.send(action, ops)

    def _free(self, action: Free, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, node_writes.free(view, now_s=now.wall_s))

    def _count(self, action: Count, _now: Now) -> None:
        self.writer.send(action, node_writes.count(self.world, action))

    def _condemn(self, action: Condemn, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, node_writes.condemn(self.world, view, action, now_s=now.wall_s))

    def _remove_records(self, action: RemoveRecords, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        if action.server is not None:
            self.world.cloud.ended_servers.append(action.server)
        self.writer.send(action, node_writes.remove_records(self.world, view))
