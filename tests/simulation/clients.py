"""Users of the installation: they request, accept, use, release, hold, cancel and die at any time.

They write as real clients do: some everything in one transaction, some step by step, some leave
keys out of their records.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from remuda.model import node as nodes
from remuda.model import request as requests
from remuda.model.ids import NodeId, RequestId
from remuda.model.jobreport import REPORT_KEY, job_report, report_fields
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.model.request import REQUIRED_KEYS, RequestState
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, Set, StoreError
from remuda.store.locks import contender_stem, contenders
from remuda.store.wire import OpDone
from tests.simulation.captors import Captor
from tests.simulation.holders import Holder

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


PRIORITIES: Final = ("100", "200", "200", "300")


@dataclass(slots=True)
class Client:
    """One requestor with one request, and what becomes of it.

    Attributes:
        wants: Fields of its request that are not left to chance.
        priority: Of its request; None: by chance.
    """

    simulation: "Simulation"
    name: str
    rng: random.Random
    wants: dict[str, Any] = field(default_factory=dict)
    session: int = 0
    request: RequestId | None = None
    locks: dict[NodeId, str] = field(default_factory=dict)
    ended: bool = False
    outcome: str = ""
    priority: str | None = None
    captor: Captor = field(init=False)
    holder: Holder = field(init=False)

    def __post_init__(self) -> None:
        """Open a session."""
        self.session = self.simulation.zookeeper.next_id()
        self.captor, self.holder = Captor(self), Holder(self)

    # What it does with ZooKeeper: at once, in its own session.

    def _commit(self, *ops: Op) -> tuple[OpDone, ...] | None:
        answer = self.simulation.zookeeper.commit(ops, self.session)
        return None if isinstance(answer, StoreError) else answer

    def _version(self, path: str) -> int:
        found = self.simulation.zookeeper.tree.get(path)
        return -1 if found is None else found.stat.version

    def _later(self, least_s: float, most_s: float, call: Any) -> None:
        def still_there() -> None:
            if not self.ended:
                call()

        self.simulation.timetable.after(self.rng.uniform(least_s, most_s), still_there)

    def _chance(self, part: float) -> bool:
        return not self.simulation.calm and self.rng.random() < part

    def _note(self, event: str, **fields: Any) -> None:
        self.simulation.history.note(self.name, event, request=self.request, **fields)

    # Its life.

    def submit(self) -> None:
        """Ask for nodes."""
        rng, now_s = self.rng, self.simulation.timetable.clock.now_s()
        labels = [rng.choice(self.simulation.labels) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        doc: dict[str, Any] = {
            "node_types": labels,
            "state": "requested",
            "state_time": now_s,
            "requestor": self.name,
            "requestor_data": {"span_id": 2**127 + rng.randrange(2**60)},
            "provider": rng.choice((None,) * 6 + ("alpha", "beta", "elsewhere")),
            "relative_priority": rng.choice((0, 0, 1, 5)),
            "event_id": None,
            "created_time": now_s,
            "reuse": rng.random() < 0.85,
            "x-foreign": rng.random(),
            **self.wants,
        }
        if self.priority is None and rng.random() < 0.2:
            for key in rng.sample(REQUIRED_KEYS[:5], 2):
                doc.pop(key, None)
        done = self._commit(
            Create(
                path=f"{paths.REQUESTS}/{self.priority or rng.choice(PRIORITIES)}-",
                data=json.dumps(doc).encode(),
                ephemeral=rng.random() < 0.4,
                sequence=True,
            )
        )
        assert done is not None
        self.request = RequestId(done[0].path.rpartition("/")[2])
        labels = doc["node_types"]
        self._note("submits", labels=",".join(labels), reuse=doc["reuse"], pin=doc.get("provider"))
        if self._chance(0.15):
            self._later(0.0, 40.0, self._cancel)
        if self._chance(0.1):
            self._later(0.0, 60.0, self.die)
        if self._chance(0.15):
            self._later(0.0, 10.0, self._revise)
        self._later(0.01, 1.0, self._look)

    def _look(self) -> None:
        assert self.request is not None
        found = self.simulation.oracle.request(self.request)
        if found is None:
            self._end("request gone")
        elif found.state is RequestState.FAILED:
            self._commit(Delete(path=paths.request(self.request)))
            self._end("failed")
        elif found.state is RequestState.FULFILLED:
            self._later(0.0, 8.0, self._accept)
        else:
            self._later(0.2, 2.0, self._look)

    def _revise(self) -> None:
        """Change the relative priority under the request's lock, as Zuul does."""
        assert self.request is not None
        lock = paths.request_lock(self.request)
        self._commit(Create(path=lock))
        if self.simulation.oracle.names(lock):
            return
        mine = f"{lock}/{contender_stem()}"
        done = self._commit(Create(path=mine, ephemeral=True, sequence=True))
        if done is None:
            return
        path, after = done[0].path, self.simulation.timetable.after

        def write() -> None:
            assert self.request is not None
            found = self.simulation.oracle.request(self.request)
            if found is not None and found.state is RequestState.REQUESTED:
                raw = self.simulation.oracle.read(paths.request(self.request))
                doc = {**json.loads(raw or b"{}"), "relative_priority": self.rng.randrange(9)}
                where = paths.request(self.request)
                version = self._version(where)
                self._commit(Set(path=where, data=json.dumps(doc).encode(), version=version))
            after(self.rng.uniform(0.0, 0.3), lambda: self._commit(Delete(path=path)) and None)

        after(self.rng.uniform(0.0, 0.5), write)

    def _accept(self) -> None:
        assert self.request is not None
        found = self.simulation.oracle.request(self.request)
        if found is None:
            self._end("request gone")
            return
        if self._chance(0.1):
            self._cancel()
            return
        if self.rng.random() < 0.5:
            self._accept_whole(found.nodes)
        else:
            self._accept_slowly(list(found.nodes))

    def _accept_whole(self, wanted: Sequence[NodeId]) -> None:
        """Lock, use and delete the request, all at once."""
        assert self.request is not None
        ops: list[Op] = []
        for node_id in wanted:
            ops += self._lock_ops(node_id)
            ops.append(self._use_op(node_id))
        ops.append(Delete(path=paths.request(self.request)))
        done = self._commit(*ops)
        if done is None:
            self._broken("cannot accept")
            return
        places = [one.path for one in done if "__lock__" in one.path]
        self.locks = dict(zip(wanted, places, strict=True))
        self._accepted()

    def _accept_slowly(self, wanted: list[NodeId]) -> None:
        """Lock one node after the other, then delete the request, as Zuul does."""
        assert self.request is not None
        if not wanted:
            if self._commit(Delete(path=paths.request(self.request))) is None:
                self._end("request gone")
                return
            self._accepted()
            return
        node_id = wanted.pop(0)
        node = self.simulation.oracle.node(node_id)
        if node is None or node.allocated_to != self.request:
            self._broken(f"{node_id} is not ours")
            return
        done = self._commit(*self._lock_ops(node_id))
        if done is None:
            self._broken(f"cannot lock {node_id}")
            return
        self.locks[node_id] = done[-1].path
        holder = contenders(self.simulation.oracle.names(paths.node_lock(node_id)))[0]
        if not done[-1].path.endswith(holder):
            self._broken(f"{node_id} is locked by {holder}")
            return
        self._later(0.0, 0.4, lambda: self._accept_slowly(wanted))

    def _lock_ops(self, node_id: NodeId) -> list[Op]:
        lock = paths.node_lock(node_id)
        ops: list[Op] = []
        if self.simulation.zookeeper.tree.get(lock) is None:
            ops.append(Create(path=lock))
        mine = f"{lock}/{contender_stem()}"
        return [*ops, Create(path=mine, ephemeral=True, sequence=True)]

    def _use_op(self, node_id: NodeId) -> Set:
        node = self.simulation.oracle.node(node_id)
        assert node is not None
        if node.allocated_to != self.request or node.state is not NodeState.READY:
            self.simulation.history.fail(
                f"I1: {self.request} still names {node_id}, which is {node.state} and promised"
                f" to {node.allocated_to}"
            )
        used = node.after(NodeEvent.TAKEN, now_s=self._now_s()).with_fields(
            user_data={"used-by": self.name}
        )
        return self._set(used)

    def _now_s(self) -> float:
        return self.simulation.timetable.clock.now_s()

    def _set(self, node: Node) -> Set:
        where = paths.node(node.id)
        return Set(path=where, data=nodes.encode(node), version=self._version(where))

    def _broken(self, why: str) -> None:
        """A promise was not kept: only possible if our request has gone meanwhile."""
        assert self.request is not None
        if self.simulation.oracle.request(self.request) is not None:
            self.simulation.history.fail(f"{self.name} cannot take what it was promised: {why}")
        self._let_go()
        self._end("request gone")

    def _accepted(self) -> None:
        self._note("accepts", nodes=",".join(self.locks))
        if self._chance(0.1):
            self._let_go()  # accepted, never used
            self._end("not used")
            return
        self._later(0.0, 0.5, self._begin)

    def _begin(self) -> None:
        for node_id in self.locks:
            node = self._mine(node_id)
            if node.state is NodeState.READY:
                self._commit(self._use_op(node_id))
        self.captor.begin()
        self.holder.begin()
        self._later(0.5, 30.0, self._finish)

    def _mine(self, node_id: NodeId) -> Node:
        node = self.simulation.oracle.node(node_id)
        if node is None or node.allocated_to != self.request:
            self.simulation.history.fail(f"I5: {self.name} lost {node_id} while it had its lock")
        assert node is not None
        return node

    def _finish(self) -> None:
        self.check_machines()
        if self.captor.waits:
            self._later(0.5, 3.0, self._finish)
            return
        if self._chance(0.15):
            self._hold()
            return
        for node_id in self.locks:
            said = self._said()
            used = self._mine(node_id).after(NodeEvent.RETURNED, now_s=self._now_s(), fields=said)
            self._commit(self._set(used))
        self._let_go()
        self._end("used")

    def _said(self) -> dict[str, Any]:
        """Return what is reported of the work on a node: something, nothing, or rubbish."""
        if self._chance(0.5):
            return {}
        if self._chance(0.1):
            return {REPORT_KEY: self.rng.choice([7, [], {"ok": "no"}, {"why": {}}])}
        ok = self._chance(0.7)
        return report_fields(job_report(ok=ok, why="" if ok else "exit code 1", at_s=self._now_s()))

    def check_machines(self) -> None:
        """See that the machines in our hands are still there, unless the cloud lost them."""
        for node_id in self.locks:
            node = self._mine(node_id)
            self.simulation.machine_in_use(node)

    def _hold(self) -> None:
        """Keep the nodes for a person, who comes back later or does not."""
        kind = self.rng.choice(("seconds", "milliseconds", "for ever"))
        for node_id in self.locks:
            node = self._mine(node_id)
            fields: dict[str, Any] = {"comment": "look at this", "hold_job": self.name}
            if kind == "seconds":
                fields["hold_expiration"] = 20
            elif kind == "milliseconds":
                fields["hold_expiration"] = int((self._now_s() + 25.0) * 1000)
            held = node.after(NodeEvent.HELD, now_s=self._now_s()).with_fields(**fields)
            self._commit(self._set(held))
        self._note("holds", kind=kind, nodes=",".join(self.locks))
        held_nodes = list(self.locks)
        if self.holder.forgets:
            self.locks = {}
            self._end("held and forgotten, under its locks")
            return
        self._let_go()
        # Whatever becomes of the client, a person comes and looks.
        self.simulation.timetable.after(
            self.rng.uniform(10.0, 90.0), lambda: self._come_back(held_nodes)
        )

    def _come_back(self, held: Sequence[NodeId]) -> None:
        for node_id in held:
            node = self.simulation.oracle.node(node_id)
            if node is not None and node.state is NodeState.HOLD:
                self._commit(self._set(node.after(NodeEvent.RETURNED, now_s=self._now_s())))
        self._end("held and used")

    def _let_go(self) -> None:
        for path in self.locks.values():
            self._commit(Delete(path=path))
        self.locks = {}

    def _cancel(self) -> None:
        if self.locks or self.request is None:
            return
        self._note("cancels")
        self._commit(Delete(path=paths.request(self.request)))
        self._end("cancelled")

    def die(self) -> None:
        """End the session; a request that is not ephemeral stays until somebody cleans up."""
        self._note("dies")
        self.simulation.zookeeper.end_session(self.session)
        self.locks = {}
        request = self.request
        if request is not None:
            self.simulation.timetable.after(
                self.rng.uniform(5.0, 60.0), lambda: self._sweep_up(request)
            )
        self._end("died")

    def _sweep_up(self, request: RequestId) -> None:
        self._commit(Delete(path=paths.request(request)))

    def _end(self, how: str) -> None:
        self.ended, self.outcome = True, how
        self._note("ends", how=how)


def service_order(found: Sequence[requests.Request]) -> list[requests.Request]:
    """Return requests in the order in which they are to be served."""
    return sorted(found, key=lambda one: (one.priority, one.relative_priority, one.sequence))
