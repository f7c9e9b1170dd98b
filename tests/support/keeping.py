"""A launcher that answers whoever wishes a hold, at once, by a rule of the test."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from remuda.model import launch as launches
from remuda.model.hold import Extension, Hold, HoldSource
from remuda.model.holdwish import wish_of
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.launch import Launch, Step
from remuda.model.node import NodeState
from remuda.model.takehome import SnapshotAnswer
from remuda.store import paths
from remuda.store.api import Set
from tests.fakes.store import FakeStore
from tests.support.standin import StandIn

NOW_S = 2_000_000_000.0


class Granting:
    """Answers in the launch record whenever somebody looks at it.

    Attributes:
        refused: The rule that every wish breaks, or None.
        silent: Nobody answers.
    """

    def __init__(self, launcher: StandIn) -> None:
        self.launcher, self.store = launcher, launcher.store
        self.refused: str | None = None
        self.silent = False

    def connected(self, connect: Callable[[], FakeStore]) -> Callable[[], FakeStore]:
        """Return what makes sessions whose reads are answered."""

        def watched() -> FakeStore:
            store = connect()
            read = store.read

            def looked(path: str) -> Any:
                if path.startswith(f"{paths.launches('alpha')}/") and not self.silent:
                    self._answer(NodeId(path.rpartition("/")[2]))
                return read(path)

            store.read = looked  # type: ignore[method-assign]
            return store

        return watched

    def put(
        self, node_id: NodeId, hold: Hold | None, take_home: SnapshotAnswer | None = None
    ) -> None:
        """Write the launch of a node."""
        launch = Launch(
            id=node_id,
            pool="main",
            label="small",
            step=Step.DONE,
            owner=ReplicaId("r1"),
            planned_s=1.0,
            asked_by_s=1.0,
            cores=2,
            ram_mib=4096,
            hold=hold,
            take_home=take_home,
        )
        path = paths.launch("alpha", node_id)
        self.store.ensure(path)
        self.store.commit([Set(path=path, data=launches.encode(launch), version=-1)])

    def hold(self, node_id: NodeId) -> Hold | None:
        """Return the hold of a node, as its launch has it."""
        stored = self.store.read(paths.launch("alpha", node_id))
        return None if stored is None else launches.decode(node_id, stored.value).hold

    def _answer(self, node_id: NodeId) -> None:
        node = self.launcher.read_node(node_id)
        wish, hold = wish_of(node), self.hold(node_id)
        if wish is None:
            return
        if node.state is NodeState.IN_USE:
            if wish.for_s is not None and (hold is None or hold.asked_token != wish.token):
                self.put(
                    node_id,
                    Hold(
                        owner=wish.owner,
                        reason=wish.reason,
                        source=HoldSource.ASKED,
                        for_s=wish.for_s or 7200.0,
                        asked_token=wish.token,
                        refused=self.refused,
                    ),
                )
            return
        answered = () if hold is None else hold.extended
        new = [e for e in wish.extend if e.token not in {one.token for one in answered}]
        if hold is None or not new:
            return
        ends_s = hold.ends_s or 0.0
        said = Extension(
            token=new[0].token,
            by=new[0].by,
            at_s=NOW_S,
            ends_s=ends_s + (new[0].for_s or 3600.0),
            refused=self.refused,
        )
        self.put(
            node_id,
            replace(
                hold,
                ends_s=ends_s if self.refused else said.ends_s,
                extended=(*answered, said),
            ),
        )
