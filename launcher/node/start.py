"""Starting actions on nodes: mark what is busy, then give the work to the right hand."""

from dataclasses import dataclass, replace

from launcher.actions import Action
from launcher.events import Event
from launcher.lanes import Lane, machine
from launcher.node import writes as node_writes
from launcher.node.actions import (
    Adopt,
    Advance,
    CollectEvidence,
    Condemn,
    Free,
    Grow,
    MakeReady,
    Note,
    Probe,
    Prove,
    RemoveRecords,
)
from launcher.node.blame import says_something
from launcher.node.deadlines import attempt_ends_s, launch_ends_s, mono_s
from launcher.node.doors import door
from launcher.node.hand_proving import ProvingHands
from launcher.node.ready import ready_node
from launcher.node.view import ADOPT, EVIDENCE, PROBE, NodeView
from launcher.server.addressing import address
from launcher.server.hand_cloud import CloudHands
from launcher.server.specs import ServerSpecs
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.crew import Crew
from remuda.frame.work import ByKind, word
from remuda.model.ids import NodeId, RequestId
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
    """ByKind actions on nodes; none of its methods waits."""

    world: World
    writer: Writer
    workers: Crew[Action, Event, Lane]
    cloud: CloudHands
    proving: ProvingHands

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
            Prove: self._prove,
            Probe: self._probe,
            CollectEvidence: self._collect_evidence,
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
        failed = str(action.result) if says_something(action.result) else None
        ops = node_writes.condemn(self.world, view, action.cause, failed=failed, now_s=now.wall_s)
        self._write_node(action, view, ops)

    def _remove_records(self, action: RemoveRecords, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        if action.server is not None:
            self.world.cloud.ended_servers.append(action.server)
        self._write_node(action, view, node_writes.remove_records(self.world, view))

    def _prove(self, action: Prove, now: Now) -> None:
        view = hold_node(self.world, action.node, "prove")
        launch, where = view.launch, address(view)
        specs = ServerSpecs(policy=self.world.policy, owner=self.cloud.owner)
        assert launch is not None  # noqa: S101 - decided on a known launch
        assert where is not None  # noqa: S101 - decided on a known address
        until_s = mono_s(launch_ends_s(self.world, view, launch, now), now)
        login_by_s = mono_s(attempt_ends_s(self.world, view, launch, now), now)
        self.workers.submit(
            action,
            lambda: self.proving.prove(
                launch, specs, where, until_s=until_s, login_by_s=login_by_s
            ),
        )

    def _probe(self, action: Probe, now: Now) -> None:
        view, begun_s = hold_node(self.world, action.node, PROBE), now.mono_s
        view.look.wanted_by = action.request
        wanting = self.world.queue.views.get(action.request or RequestId(""))
        if wanting is not None:
            wanting.wanted_s = min(wanting.wanted_s, begun_s)
        where = door(view, self.world.policy)
        self.workers.submit(action, lambda: self.proving.probe(action.node, where, begun_s=begun_s))

    def _collect_evidence(self, action: CollectEvidence, _now: Now) -> None:
        view = hold_node(self.world, action.node, EVIDENCE)
        making = self.world.policy.making.get(view.key)
        console, provider = making is None or making.console_log, self.world.policy.provider
        self.workers.submit(
            action, lambda: self.cloud.collect_evidence(action, view, provider, console=console)
        )
