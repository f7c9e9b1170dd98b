"""All nodes of the provider, indexed so that a change costs the same however many there are."""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from launcher.node.view import UNLOCKED, LockView, NodeView
from launcher.policy import Key
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.model.node import NodeState


@dataclass(slots=True)
class Usage:
    """What nodes of a pool cost of its limits; sums, updated by difference."""

    instances: int = 0
    cores: int = 0
    ram_mib: int = 0
    volumes: int = 0
    volume_gib: int = 0

    def add(self, other: "Usage") -> None:
        """Count what *other* costs, too."""
        self.instances += other.instances
        self.cores += other.cores
        self.ram_mib += other.ram_mib
        self.volumes += other.volumes
        self.volume_gib += other.volume_gib


@dataclass(frozen=True, slots=True)
class _Booking:
    """What one node adds to the indices; the same value is taken out again."""

    key: Key = ("", "")
    counted: bool = False
    free: bool = False
    coming: bool = False
    making: bool = False
    dedicated: RequestId | None = None
    account: RequestId | None = None
    allocated: RequestId | None = None
    cores: int = 0
    ram_mib: int = 0
    volume_gib: int = 0
    server: ServerId | None = None
    state: str = ""
    kept: bool = False


_NOTHING = _Booking()


def _booking(view: NodeView) -> _Booking:
    launch = view.launch
    if launch is None:
        return _NOTHING
    node, server = view.node, view.server
    allocated = node.allocated_to if node is not None else None
    dying, coming = view.dying, view.coming
    free = view.allocatable
    supply = (coming and allocated is None) or view.on_hand
    return _Booking(
        key=(launch.pool, launch.label),
        counted=True,
        free=free,
        coming=supply,
        making=coming,
        account=launch.on_account_of if free or supply else None,
        dedicated=launch.for_request if not dying else None,
        allocated=allocated,
        cores=launch.cores,
        ram_mib=launch.ram_mib,
        volume_gib=launch.volume_gib,
        server=server.id if server.surely_ours else None,
        kept=not dying and _kept(view),
        state="deleting" if dying else (node.state.value if node is not None else "init"),
    )


def _kept(view: NodeView) -> bool:
    """Whether a node is kept for a person, or will be once its job lets it go."""
    if view.node is not None and view.node.state is NodeState.HOLD:
        return True
    return view.launch is not None and view.launch.hold is not None and view.launch.hold.granted


@dataclass(slots=True)
class NodeIndex:
    """The nodes.

    Attributes:
        free: Lendable nodes by pool and label, longest free first.
        coming: Number of nodes promised to nobody that are being made, or looked after.
        unreadable: Nodes whose launch record we cannot read; their machines are not touched.
        locks: Contenders by node, for each lock directory that there is, of others' nodes, too: it
            may be told before we hear that a node is ours.
        dedicated: Living nodes made for one request alone, by request and label.
        on_account: Nodes that are free or coming, by the request on whose account they were
            started.
        allocated: Nodes by the request they are promised to.
        usage: Cost by pool: every node counts, from its intent until its records are gone.
        states: Number of nodes by (pool, label, state), for metrics.
        held: Nodes that somebody holds, by pool, in order: each request that waits names some.
        kept: All nodes that are kept for people, or are to be.
        being_made: All nodes being made.
        by_server: Nodes by their server, if the cloud itself said whose it is.
    """

    views: dict[NodeId, NodeView] = field(default_factory=dict)
    free: dict[Key, dict[NodeId, None]] = field(default_factory=lambda: defaultdict(dict))
    coming: Counter[Key] = field(default_factory=Counter)
    allocated: dict[RequestId, set[NodeId]] = field(default_factory=lambda: defaultdict(set))
    usage: dict[str, Usage] = field(default_factory=lambda: defaultdict(Usage))
    states: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    by_server: dict[ServerId, NodeId] = field(default_factory=dict)
    locks: dict[NodeId, frozenset[str]] = field(default_factory=dict)
    held: dict[str, list[NodeId]] = field(default_factory=lambda: defaultdict(list))
    kept: set[NodeId] = field(default_factory=set)
    being_made: set[NodeId] = field(default_factory=set)
    unreadable: set[NodeId] = field(default_factory=set)
    dedicated: Counter[tuple[RequestId, str]] = field(default_factory=Counter)
    on_account: dict[RequestId, set[NodeId]] = field(default_factory=lambda: defaultdict(set))
    _booked: dict[NodeId, _Booking] = field(default_factory=dict)

    @property
    def making(self) -> int:
        """Number of all nodes being made."""
        return len(self.being_made)

    def view(self, node_id: NodeId) -> NodeView:
        """Return the view of a node, made if it is new."""
        view = self.views.get(node_id)
        if view is None:
            view = self.views[node_id] = NodeView(id=node_id)
            self.learn_lock(view)
        return view

    def learn_lock(self, view: NodeView) -> None:
        """Have the view of a node say what is known of its lock."""
        found = self.locks.get(view.id)
        view.lock = UNLOCKED if found is None else LockView(exists=True, contenders=found)

    def reindex(self, view: NodeView) -> None:
        """Bring the indices up to date with *view*; call after every change of it."""
        old = self._booked.get(view.id, _NOTHING)
        new = _booking(view) if view.id in self.views else _NOTHING
        if old == new:
            return
        self._count(view.id, old, -1)
        self._count(view.id, new, +1)
        if new is _NOTHING:
            self._booked.pop(view.id, None)
        else:
            self._booked[view.id] = new

    def forget(self, node_id: NodeId) -> None:
        """Drop a node whose launch record is gone."""
        view = self.views.pop(node_id, None)
        if view is not None:
            self.reindex(view)

    def _count(self, node_id: NodeId, booking: _Booking, sign: int) -> None:
        if not booking.counted:
            return
        self._count_usage(booking, sign)
        if booking.coming:
            self.coming[booking.key] += sign
        if booking.dedicated:
            dedicated = (booking.dedicated, booking.key[1])
            self.dedicated[dedicated] += sign
            if not self.dedicated[dedicated]:
                del self.dedicated[dedicated]
        self.states[(*booking.key, booking.state)] += sign
        if sign > 0:
            self._enlist(node_id, booking)
        else:
            self._strike(node_id, booking)

    def _enlist(self, node_id: NodeId, booking: _Booking) -> None:
        if booking.making:
            self.being_made.add(node_id)
        if booking.state == NodeState.HOLD:
            insort(self.held[booking.key[0]], node_id)
        if booking.kept:
            self.kept.add(node_id)
        if booking.free:
            self.free[booking.key][node_id] = None
        if booking.allocated:
            self.allocated[booking.allocated].add(node_id)
        if booking.account:
            self.on_account[booking.account].add(node_id)
        if booking.server:
            self.by_server[booking.server] = node_id

    def _strike(self, node_id: NodeId, booking: _Booking) -> None:
        if booking.making:
            self.being_made.discard(node_id)
        if booking.state == NodeState.HOLD:
            held = self.held[booking.key[0]]
            del held[bisect_left(held, node_id)]
        if booking.kept:
            self.kept.discard(node_id)
        if booking.free:
            self.free[booking.key].pop(node_id, None)
        if booking.allocated:
            self.allocated[booking.allocated].discard(node_id)
            if not self.allocated[booking.allocated]:
                del self.allocated[booking.allocated]
        if booking.account:
            self.on_account[booking.account].discard(node_id)
            if not self.on_account[booking.account]:
                del self.on_account[booking.account]
        if booking.server and self.by_server.get(booking.server) == node_id:
            del self.by_server[booking.server]

    def _count_usage(self, booking: _Booking, sign: int) -> None:
        usage = self.usage[booking.key[0]]
        usage.instances += sign
        usage.cores += sign * booking.cores
        usage.ram_mib += sign * booking.ram_mib
        usage.volumes += sign * (booking.volume_gib > 0)
        usage.volume_gib += sign * booking.volume_gib

    def own(self, request_id: RequestId, label: str) -> list[NodeView]:
        """Return the nodes of *label*, free or coming, started on account of a request."""
        nodes = (self.views[node_id] for node_id in self.on_account.get(request_id, ()))
        return [view for view in nodes if view.key[1] == label]

    def total(self) -> Usage:
        """Return the cost of all pools together."""
        total = Usage()
        for usage in self.usage.values():
            total.add(usage)
        return total
