"""The oracle sees every write and every call, and knows what must never happen.

It judges each at the moment at which it takes effect; whatever is wrong stops the simulation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from launcher.policy import Limits, compile_policy
from remuda.cloud.api import Server
from remuda.config.model import Config
from remuda.model import tags
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState, hold_ends_s
from remuda.model.request import Request, RequestState
from remuda.store import paths
from remuda.store.api import Op, StoreError
from remuda.store.wire import OpDone
from tests.fakes.store import FakeZookeeper
from tests.simulation.accounts import Accounts
from tests.simulation.history import History
from tests.simulation.holdrules import HoldRules
from tests.simulation.homerules import HomeRules
from tests.simulation.imagerules import ImageRules
from tests.simulation.records import Records
from tests.simulation.setting import INSTALLATION
from tests.simulation.timetable import Timetable

if TYPE_CHECKING:
    from tests.simulation.sky import Sky

#: Nobody wants the machine of such a node any more.
_UNWANTED: Final = frozenset({NodeState.USED, NodeState.DELETING, NodeState.DELETED})
#: A launcher may go on under an older configuration for so long.
RELOAD_GRACE_S: Final = 30.0


@dataclass(slots=True)
class _Before:
    """What a transaction found."""

    nodes: dict[NodeId, Node | None] = field(default_factory=dict)
    locked: dict[NodeId, bool] = field(default_factory=dict)
    requests: dict[RequestId, Request | None] = field(default_factory=dict)
    launches: dict[tuple[str, NodeId], Launch | None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Oracle(Records):
    """Watches one installation.

    Attributes:
        limits: By provider and pool, the limits of late, newest last.
        taken: Nodes that a user has locked at least once, and for which request.
        forgotten: Nodes whose records an operator has removed: nobody counts their servers.
        images: What holds of images of ours, if there are any.
        holds: And of machines that are kept for people; *homes*: that they take home.
    """

    history: History
    timetable: Timetable
    skew_s: float = 0.0
    lies: bool = False
    limits: dict[tuple[str, str], list[tuple[float, Limits]]] = field(default_factory=dict)
    skies: "dict[str, Sky]" = field(default_factory=dict)
    ages: dict[str, bool] = field(default_factory=dict)
    taken: dict[NodeId, RequestId] = field(default_factory=dict)
    ends: dict[RequestId, str] = field(default_factory=dict)
    forgotten: set[NodeId] = field(default_factory=set)
    images: ImageRules | None = None
    holds: HoldRules | None = None
    homes: HomeRules | None = None
    accounts: Accounts = field(init=False)

    def __post_init__(self) -> None:
        """Open the accounts."""
        self.accounts = Accounts(self.history, self.request)

    def configured(self, config: Config) -> None:
        """Take note of the limits that are in force from now on."""
        self.accounts.configured(config)
        for provider in config.providers:
            policy = compile_policy(config, provider)
            for pool in policy.pools.values():
                known = self.limits.setdefault((provider, pool.name), [])
                known.append((self.timetable.now_s(), pool.limits))
        self.ages = {name: label.max_ready_age is not None for name, label in config.labels.items()}

    def not_heard_of_everywhere(self) -> None:
        """A process stands still and has the configuration before the newest: it counts as new."""
        for known in self.limits.values():
            known[-1] = (self.timetable.now_s(), known[-1][1])

    # Writes.

    def before(self, ops: Sequence[Op]) -> _Before:
        """Look at everything that *ops* are about to touch."""
        before = _Before()
        for op in ops:
            parts = op.path.split("/")
            if op.path.startswith(paths.NODES + "/"):
                node_id = NodeId(parts[3])
                if node_id not in before.nodes:
                    before.nodes[node_id] = self.node(node_id)
                    before.locked[node_id] = self.locked_by_user(node_id)
            elif op.path.startswith(paths.REQUESTS + "/"):
                before.requests[RequestId(parts[3])] = self.request(RequestId(parts[3]))
            elif op.path.startswith(paths.PROVIDERS + "/") and "/launches/" in op.path:
                key = (parts[3], NodeId(parts[5]))
                before.launches[key] = self.launch(*key)
        return before

    def after(self, before: _Before, session_id: int) -> None:
        """Judge what a transaction has done."""
        who = self.launchers.get(session_id)
        for node_id, node in before.nodes.items():
            if not self._lapsed(before, node_id):
                self._node_changed(
                    who, node_id, node, self.node(node_id), locked=before.locked[node_id]
                )
        for request_id, request in before.requests.items():
            self._request_changed(who, request_id, request, self.request(request_id))
        for (provider, node_id), launch in before.launches.items():
            self._launch_changed(provider, node_id, launch, self.launch(provider, node_id))

    def _lapsed(self, before: _Before, node_id: NodeId) -> bool:
        """Whether a hold was ended that its lock may not keep any longer, and nothing else."""
        launches = (one for key, one in before.launches.items() if key[1] == node_id)
        return self.holds is not None and any(
            self.holds.lapsed(before.nodes[node_id], self.node(node_id), one) for one in launches
        )

    def _node_changed(
        self, who: str | None, node_id: NodeId, old: Node | None, new: Node | None, *, locked: bool
    ) -> None:
        if who is None:
            if self.locked_by_user(node_id) and new is not None and new.allocated_to:
                self.taken[node_id] = new.allocated_to
            return
        if old is not None and (new is None or new != old) and locked:
            self.history.fail(f"I5: {who} changed node {node_id} under its user's lock")
        if old is None:
            return
        if new is None:
            self._buried(node_id, old)
            return
        self._promised(node_id, old, new)
        if new.state is NodeState.READY and old.state is not NodeState.READY:
            self._became_ready(node_id, old, new)
        if old.state is NodeState.HOLD and new.state is not NodeState.HOLD:
            end_s = hold_ends_s(old)
            early = end_s is None or self.timetable.clock.now_s() < end_s - self.skew_s
            if early and (self.homes is None or not self.homes.may_go(node_id)):
                self.history.fail(f"I5: held node {node_id} ended before its time")

    def _promised(self, node_id: NodeId, old: Node, new: Node) -> None:
        was, now = old.allocated_to, new.allocated_to
        if was == now:
            return
        if was and now:
            self.history.fail(f"I1: node {node_id} went from {was} straight to {now}")
        used = self.taken.get(node_id)
        if now and used is not None and self._was_used(old):
            self.history.fail(f"I1: node {node_id} was used for {used}, now promised to {now}")
        if was:
            holder = self.request(was)
            if holder is not None and node_id in holder.nodes:
                self.history.fail(f"I1: node {node_id} was taken from {was}, which still exists")

    def _was_used(self, node: Node) -> bool:
        return bool(node.doc.get("user_data"))

    def _became_ready(self, node_id: NodeId, old: Node, new: Node) -> None:
        if old.state is not NodeState.BUILDING:
            self.history.fail(f"I8: node {node_id} became ready from {old.state}")
        sky = self.skies[str(new.provider)]
        server = ServerId(str(new.external_id))
        if server not in sky.proven:
            self.history.fail(f"I8: node {node_id} is ready, but {server} never passed a proof")
        if list(new.doc["host_keys"]) != [sky.proven[server]]:
            self.history.fail(f"I8: node {node_id} tells another host key than was proven")
        launch = self.launch(sky.provider, node_id)
        if launch is None or launch.step is not Step.DONE or launch.server != server:
            self.history.fail(f"I8: node {node_id} is ready, its launch is {launch}")
        elif launch.host_key is not None and launch.host_key != sky.keys[server]:
            self.history.fail(f"I8: node {node_id} has not the key that it was given")
        if new.doc.get("interface_ip") != self._address(new):
            self.history.fail(f"I8: node {node_id} tells a wrong address")

    def _buried(self, node_id: NodeId, old: Node) -> None:
        sky = self.skies.get(str(old.provider))
        if sky is None or self.lies:
            return
        for server in sky.cloud.truth().values():
            node = made_by_us(server)
            if node is not None and node.node == node_id:
                launch = self.launch(sky.provider, node_id)
                if launch is None or launch.server in (None, server.id):
                    self.history.fail(f"I3: {node_id} was buried, but {server.id} exists")

    def _address(self, node: Node) -> str:
        """Return where the user of a node reaches its machine."""
        return self.skies[str(node.provider)].reached_at(ServerId(str(node.external_id)))

    def _request_changed(
        self, who: str | None, request_id: RequestId, old: Request | None, new: Request | None
    ) -> None:
        if who is None or old is None:
            return
        if new is None:
            self.history.fail(f"{who} deleted request {request_id}")
            return
        if old.state in (RequestState.FULFILLED, RequestState.FAILED) and old != new:
            self.history.fail(f"{who} wrote to {request_id} after its end")
        for key, value in old.doc.items():
            if key not in new.doc or (key.startswith("x-") and new.doc[key] != value):
                self.history.fail(f"I10: {who} lost {key!r} of request {request_id}")
        if new.state is not old.state:
            self.history.note("oracle", f"{request_id} is {new.state}", by=who)
        self.accounts.request_changed(who, old, new)
        if new.state is RequestState.FULFILLED and old.state is not RequestState.FULFILLED:
            self._fulfilled(request_id, new)
            if self.images is not None:
                self.images.fulfilled(who, new)

    def _fulfilled(self, request_id: RequestId, new: Request) -> None:
        found = [self.node(node_id) for node_id in new.nodes]
        complete = [node for node in found if node is not None]
        if len(complete) != len(new.labels) or len({n.id for n in complete}) != len(new.labels):
            self.history.fail(f"{request_id} is fulfilled with {new.nodes} for {new.labels}")
        for node, label in zip(complete, new.labels, strict=True):
            if node.state is not NodeState.READY or node.allocated_to != request_id:
                self.history.fail(f"I1: {request_id} got {node.id}: {node.state}")
            if node.labels != (label,):
                self.history.fail(f"{request_id} got {node.id} of {node.labels} for {label}")
            if self.locked_by_user(node.id):
                self.history.fail(f"I1: {request_id} got {node.id}, which is locked")
            if node.doc.get("interface_ip") != self._address(node):
                self.history.fail(f"{request_id} got {node.id}, which tells a wrong address")
            if not new.reuse:
                launch = self.launch(str(node.provider), node.id)
                if launch is None or launch.for_request != request_id:
                    self.history.fail(f"{request_id} wants a new node, got {node.id}")
        if len({node.provider for node in complete}) > 1:
            self.history.fail(f"{request_id} got nodes of several providers")

    def _launch_changed(
        self, provider: str, node_id: NodeId, old: Launch | None, new: Launch | None
    ) -> None:
        if new is not None and new != old:
            self.accounts.launch_changed(provider, old, new)
        if self.holds is not None:
            self.holds.launch_changed(provider, old, new)
            if new is not None and provider in self.skies:
                self.skies[provider].made_keys.judge(new)
        # A record that somebody had overwritten is written again by who knows it: no new intent.
        intent = old is None and new is not None and new.step is Step.PLANNED
        if intent and new is not None and self.images is not None:
            self.images.intended(new)
        if old is None or new is None or new.step is old.step or new.step is not Step.CONDEMNED:
            return
        node = self.node(node_id)
        if old.step is Step.DONE and node is not None:
            self._condemned(provider, node, old, str(new.why))

    def _condemned(self, provider: str, node: Node, launch: Launch, why: str) -> None:
        """A ready machine may be given up for its age, its silence or its configuration only.

        Or as one too many: that enough are left is for the rest to tell, when all know all.
        """
        if self.locked_by_user(node.id):
            self.history.fail(f"I5: {node.id} was condemned under its user's lock: {why}")
        aged = why.startswith("ready for") and self.ages.get(launch.label)
        free = node.doc.get("allocated_to") is None and not self._was_used(node)
        healthy = launch.server is not None and self.skies[provider].healthy(launch.server)
        told = any(word in why for word in ("make room", "no longer configured", "not needed for"))
        if self.images is not None:
            told = told or self.images.truly_told(provider, launch, why)
        if free and healthy and not aged and not told:
            self.history.fail(f"I9: {node.id} is well, but was condemned: {why}")

    # Calls to a cloud.

    def server_made(self, sky: "Sky", server: ServerId) -> None:
        """Judge a new server: is it ours, intended, and within the limits?"""
        order = sky.cloud.orders[server]
        ours = tags.read(order.tags)
        self.history.note(sky.provider, "made", server=server[-4:], node=ours and ours.node)
        if ours is None or ours.owner.installation != INSTALLATION:
            self.history.fail(f"I3: server {server} carries no tag of ours")
            return
        if self.launch(sky.provider, ours.node) is None:
            self.history.fail(f"I3: server {server} was made for {ours.node}, which has no record")
        if not self.lies:
            self._within_limits(sky, str(ours.pool))

    def _within_limits(self, sky: "Sky", pool: str) -> None:
        used = [
            sky.cloud.orders[server.id].flavor
            for server in sky.cloud.truth().values()
            if (found := made_by_us(server)) is not None
            if found.pool == pool and found.node not in self.forgotten
        ]
        known = self.limits[sky.provider, pool]
        since_s = self.timetable.now_s() - RELOAD_GRACE_S
        of_late = [
            limits
            for n, (_, limits) in enumerate(known)
            if n + 1 == len(known) or known[n + 1][0] >= since_s
        ]
        if not any(
            _fits(len(used), limits.instances)
            and _fits(sum(one.cores for one in used), limits.cores)
            for limits in of_late
        ):
            self.history.fail(f"I2: pool {pool} of {sky.provider} has {len(used)} servers")

    def server_deleted(self, sky: "Sky", server: ServerId) -> None:
        """Judge a delete call: nobody's machine dies."""
        order = sky.cloud.orders.get(server)
        ours = None if order is None else tags.read(order.tags)
        if ours is None or ours.owner.installation != INSTALLATION:
            self.history.fail(f"I9: {sky.provider} deleted a stranger's server {server}")
            return
        self.history.note(sky.provider, "delete", server=server[-4:], node=ours.node)
        if self.locked_by_user(ours.node):
            self.history.fail(f"I5: {server} of {ours.node} deleted under its user's lock")
        node = self.node(ours.node)
        if node is not None and node.state not in _UNWANTED:
            self.history.fail(f"I5: {server} of {ours.node} deleted while it is {node.state}")
        launch = self.launch(sky.provider, ours.node)
        if launch is not None and launch.step is not Step.CONDEMNED:
            self.history.fail(f"I5: {server} of {ours.node} deleted while {launch.step}")

    def address_given(self, sky: "Sky", server: ServerId) -> None:
        """Judge a new floating IP: its pool gives them, and a server never has two."""
        ours = tags.read(sky.cloud.orders[server].tags)
        if ours is None or ours.pool not in sky.floating_pools:
            self.history.fail(f"{server} got a floating IP that nobody wants")
        if list(sky.cloud.floating.given.values()).count(server) != 1:
            self.history.fail(f"I3: {server} has two floating IPs")

    def address_taken(self, sky: "Sky", server: ServerId, *, holder: ServerId) -> None:
        """Judge a release: only from the server that is to die, like its deletion."""
        if holder != server:
            self.history.fail(f"I5: {holder} lost its floating IP instead of {server}")
        if server in sky.cloud.truth():
            self.server_deleted(sky, server)


def made_by_us(server: Server) -> tags.ServerTags | None:
    """Return what the tags of a server say, if it is this installation's."""
    found = tags.read(server.tags)
    return found if found is not None and found.owner.installation == INSTALLATION else None


def _fits(used: int, limit: int | None) -> bool:
    return limit is None or used <= limit


class SimZookeeper(FakeZookeeper):
    """The fake ZooKeeper under the oracle's eyes.

    Attributes:
        told: Is called with each path that is written, at once.
    """

    def __init__(self, timetable: Timetable, oracle: Oracle) -> None:
        super().__init__(timetable.clock)
        self._oracle = oracle
        self.told: Callable[[str], None] | None = None
        oracle.zookeeper = self

    def commit(self, ops: Sequence[Op], session_id: int) -> tuple[OpDone, ...] | StoreError:
        """Do it, and have it judged."""
        before = self._oracle.before(ops)
        answer = super().commit(ops, session_id)
        if not isinstance(answer, StoreError):
            if self._oracle.images is not None:
                self._oracle.images.written(ops)
            self._oracle.after(before, session_id)
        return answer

    def _notify(self, events: Sequence[tuple[int, str]]) -> None:
        super()._notify(events)
        if self.told is not None:
            for _, path in events:
                self.told(path)
