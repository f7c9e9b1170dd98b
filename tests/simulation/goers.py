"""People who take the machines home that are kept for them, and want other ends of the images.

They write as `remuda hold --snapshot`, `extend` and `release` do, and sometimes give a machine back
while it becomes an image.
"""

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from remuda.model import node as nodes
from remuda.model.holdwish import HoldWish, SnapshotWish, wish_fields, wish_of
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.model.takehome import EndWish, TakeHomeState, encode_end_wish
from remuda.store import paths
from remuda.store.api import Create, Op, Set
from tests.simulation.homerules import HomeRules

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

TURN_S = 2.0
#: The maximum of images, and what people wish.
MOST_S = 120.0
WISHED_S = (20.0, 60.0, 500.0)


@dataclass(slots=True)
class Goers:
    """All of them.

    Attributes:
        always: Each held machine is taken home once, and its image kept once for longer.
    """

    simulation: "Simulation"
    rules: HomeRules
    always: bool = False
    wished: set[NodeId] = field(default_factory=set)
    rng: random.Random = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        """Take a source of chance of their own."""
        self.rng = self.simulation.random("goers")

    def begin(self) -> None:
        """Look around now and then, until all is calm."""
        for name in self.simulation.oracle.names(paths.NODES):
            node = self.simulation.oracle.node(NodeId(name))
            if node is not None and node.state is NodeState.HOLD:
                self._at_machine(node)
        for name in self.simulation.oracle.names(paths.TAKE_HOME):
            self._at_image(NodeId(name))
        self.simulation.timetable.after(TURN_S, self.begin)

    def _chance(self, part: float) -> bool:
        return not self.simulation.calm and self.rng.random() < part

    def _commit(self, *ops: Op) -> None:
        self.simulation.zookeeper.commit(ops, self.simulation.zookeeper.next_id())

    def _token(self) -> str:
        self._count += 1
        return f"goer-{self._count}"

    def _at_machine(self, node: Node) -> None:
        one = self.rules.record(node.id)
        again = one is not None and one.state is TakeHomeState.FAILED and self._chance(0.3)
        if (self.always and node.id not in self.wished) or self._chance(0.3) or again:
            self.wished.add(node.id)
            self._wish(node)
        elif self._chance(0.02):
            self._give_back(node)

    def _wish(self, node: Node) -> None:
        now_s = self.simulation.timetable.clock.now_s()
        before = wish_of(node) or HoldWish(token=self._token(), owner="ada", reason="", at_s=now_s)
        if before.snapshot is not None and not self._chance(0.3):
            return
        for_s = 60.0 if self.always else self.rng.choice(WISHED_S)
        snapshot = SnapshotWish(token=self._token(), share_with=None, public=False, for_s=for_s)
        self._put(node.with_fields(**wish_fields(replace(before, snapshot=snapshot))))
        self.simulation.history.note("goers", "wish an image", node=node.id)

    def _put(self, node: Node) -> None:
        where = paths.node(node.id)
        found = self.simulation.zookeeper.tree.get(where)
        if found is not None:
            self._commit(Set(path=where, data=nodes.encode(node), version=found.stat.version))

    def _give_back(self, node: Node) -> None:
        now_s = self.simulation.timetable.clock.now_s()
        self.simulation.history.note("goers", "give back", node=node.id)
        self._put(node.after(NodeEvent.RETURNED, now_s=now_s))

    def _at_image(self, node: NodeId) -> None:
        one = self.rules.record(node)
        if one is None or one.state is not TakeHomeState.WHOLE:
            return
        before = self.rules.wished.setdefault(node, [])
        if self._chance(0.15) or (self.always and not before):
            for_s = 30.0 if self.always else self.rng.choice((0.0, 30.0, 500.0))
            self._end(node, EndWish(by=one.by, at_s=1.0, token=self._token(), for_s=for_s))
        elif self._chance(0.05):
            self._end(node, EndWish(by=one.by, at_s=1.0))

    def _end(self, node: NodeId, wish: EndWish) -> None:
        if self.simulation.zookeeper.tree.get(paths.take_home_end(node)) is None:
            self.rules.wished.setdefault(node, []).append(wish)
            self._commit(Create(path=paths.take_home_end(node), data=encode_end_wish(wish)))
            self.simulation.history.note("goers", "wish another end", node=node, token=wish.token)
