"""What must never happen with holds: the oracle's part of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from remuda.model.autohold import Autohold, decode_autohold
from remuda.model.hold import BY_LOGIN, Hold, HoldSource
from remuda.model.ids import NodeId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState
from remuda.store import paths
from remuda.store.locks import holder
from tests.simulation.history import History
from tests.simulation.records import Records
from tests.simulation.timetable import Timetable

#: A hold is gone so long after its end, whatever happens.
OVERDUE_S: Final = 60.0
#: And no lock keeps it for longer than this.
FORGOTTEN_S: Final = 30.0


@dataclass(slots=True)
class HoldRules:
    """Watches holds.

    Attributes:
        times: So often one is extended, by the configuration.
        most: So many may be kept by a provider; None: any.
        skew_s: Clocks of two launchers differ by at most this.
        wished: Node and contender by the token of each wish.
        waits: Whether a hold that is over waits for the image that is being made of its machine;
            *waited*: when it did last, by the wall clock.
        granted, kept, fired: Tokens that were granted; nodes that were held; those of autoholds.
        lapses: Nodes whose hold was over for longer than anybody's lock counts.
    """

    records: Records
    history: History
    timetable: Timetable
    times: int
    most: int | None
    skew_s: float
    wished: dict[str, tuple[NodeId, str]] = field(default_factory=dict)
    granted: set[str] = field(default_factory=set)
    kept: dict[NodeId, float] = field(default_factory=dict)
    fired: set[NodeId] = field(default_factory=set)
    lapses: set[NodeId] = field(default_factory=set)
    waits: Callable[[NodeId], bool] = lambda _node: False
    waited: dict[NodeId, float] = field(default_factory=dict)
    longest_s: float = 0.0

    def launch_changed(self, provider: str, old: Launch | None, new: Launch | None) -> None:
        """Judge what a launcher has written of a hold."""
        hold, before = None if new is None else new.hold, None if old is None else old.hold
        if new is None or hold is None or hold == before:
            return
        if hold.refused is None and hold.source is HoldSource.ASKED:
            self._judge_granted(provider, new, hold)
        if hold.begun:
            self._judge_begun(provider, new, hold, before)
        if new.step is Step.CONDEMNED:
            self.history.fail(f"hold: {new.id} is condemned and held on")

    def _judge_granted(self, provider: str, launch: Launch, hold: Hold) -> None:
        token = hold.asked_token or ""
        if token in self.granted:
            return
        self.granted.add(token)
        wished = self.wished.get(token)
        if wished is None or wished[0] != launch.id:
            self.history.fail(f"hold: {launch.id} is kept, and nobody has wished that")
            return
        if holder(self.records.names(paths.node_lock(launch.id))) != wished[1]:
            self.history.fail(f"hold: {launch.id} is kept for who has not its lock")
        self._judge_count(provider)

    def _judge_begun(self, provider: str, launch: Launch, hold: Hold, before: Hold | None) -> None:
        since_s, ends_s = hold.since_s or 0.0, hold.ends_s or 0.0
        if before is None or not before.begun:
            if launch.id in self.kept:
                self.history.fail(f"hold: {launch.id} is held a second time")
            self.kept[launch.id] = since_s
            self._judge_count(provider)
        elif ends_s < (before.ends_s or 0.0) and hold.bounded is None:
            self.history.fail(f"hold: {launch.id} ends sooner than was said, and nobody says why")
        if hold.autohold is not None and launch.id not in self.fired:
            self.fired.add(launch.id)
            self._judge_autohold(launch.id, hold.autohold)
        mine = [e for e in hold.extended if e.refused is None and e.token != BY_LOGIN]
        if len(mine) > self.times:
            self.history.fail(f"hold: {launch.id} was extended {len(mine)} times")
        node = self.records.node(launch.id)
        asked = None if node is None else node.doc.get("requestor")
        # Zuul and Jenkins name a job, which is nobody: there it is who had the node in use.
        jobs = hold.source in {HoldSource.ZUUL, HoldSource.JENKINS}
        people = {hold.owner, asked} if jobs or not hold.owner else {hold.owner}
        if any(one.by not in people for one in mine):
            self.history.fail(f"hold: {launch.id} was extended by a stranger")
        if hold.latest_s is not None and ends_s > hold.latest_s + 0.01:
            self.history.fail(f"hold: {launch.id} ends after the operator's maximum")

    def _judge_count(self, provider: str) -> None:
        there = self.records.names(paths.launches(provider))
        launches = [self.records.launch(provider, NodeId(name)) for name in there]
        # What clients hold without a word is bounded, not refused.
        ours = [
            one.id
            for one in launches
            if one is not None
            and one.step is Step.DONE
            and one.hold is not None
            and one.hold.refused is None
            and one.hold.source in {HoldSource.ASKED, HoldSource.AUTOHOLD}
        ]
        if self.most is not None and len(ours) > self.most:
            self.history.fail(f"hold: {provider} keeps {ours}, {self.most} at most may be")

    def _judge_autohold(self, node_id: NodeId, name: str) -> None:
        one = self.autohold(name)
        if one is not None and node_id not in {fired.node for fired in one.fired}:
            self.history.fail(f"hold: {node_id} is kept by {name}, which is not counted down")
        if one is not None and len(one.fired) > one.count:
            self.history.fail(f"hold: {name} has kept {len(one.fired)} of {one.count}")

    def lapsed(self, old: Node | None, new: Node | None, launch: Launch | None) -> bool:
        """Whether a hold is ended by its own record, so long after its end that no lock counts."""
        hold = None if launch is None else launch.hold
        if old is None or new is None or hold is None or not hold.begun:
            return False
        kept = {NodeState.HOLD, NodeState.USED}
        ended = old.state in kept and new.state is NodeState.DELETING
        over_s = self.timetable.clock.now_s() - (hold.ends_s or 0.0)
        if ended and over_s >= FORGOTTEN_S - self.skew_s:
            self.lapses.add(old.id)
            return True
        return False

    def autohold(self, name: str) -> Autohold | None:
        """Return an autohold as it is."""
        raw = self.records.read(paths.autohold(name))
        return None if not raw else decode_autohold(name, raw)

    def look(self) -> None:
        """See that nothing is held for long after its end, and nothing that was is handed out."""
        now_s = self.timetable.clock.now_s()
        for name in self.records.names(paths.NODES):
            node = self.records.node(NodeId(name))
            if node is None or node.id not in self.kept:
                continue
            if node.state is NodeState.READY:
                self.history.fail(f"hold: {node.id} is in the pool again")
            launch = self.records.launch(str(node.provider), node.id)
            hold = None if launch is None else launch.hold
            if hold is None or node.state is not NodeState.HOLD:
                continue
            if node.doc.get("host_keys") != list(launch.believed_keys) and launch.host_key:
                self.history.fail(f"hold: {node.id} tells its people other host keys than ours")
            if self.waits(node.id):
                self.waited[node.id] = now_s
            late_s = now_s - max(hold.ends_s or 0.0, self.waited.get(node.id, 0.0))
            self.longest_s = max(self.longest_s, late_s)
            if late_s > OVERDUE_S:
                self.history.fail(f"hold: {node.id} is held {late_s:.0f} s after its end")
