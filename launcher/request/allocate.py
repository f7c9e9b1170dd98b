"""Allocation: a request whose labels are all covered by ready nodes is fulfilled at once."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from launcher.actions import Plan
from launcher.claim.view import ClaimView
from launcher.image.binding import choose, fitting
from launcher.node.actions import Probe
from launcher.policy import Key
from launcher.request.actions import Allocate
from launcher.request.bids import pinned_elsewhere, priorities, ready_there
from launcher.request.view import MayGet, RequestView
from launcher.world import Agenda, World
from remuda.membership.rendezvous import weight
from remuda.model.ids import NodeId
from remuda.model.request import Request, RequestState
from remuda.runtime.now import Now


@dataclass(slots=True)
class ReadyNodes:
    """The ready nodes, less what this plan has given away or set aside."""

    world: World
    _pools: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    _aside: dict[Key, int] = field(default_factory=dict)
    _gone: dict[Key, int] = field(default_factory=dict)
    _given: set[NodeId] = field(default_factory=set)

    def pools_for(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the pools that make all of *labels*, preferred first."""
        found = self._pools.get(labels)
        if found is None:
            found = tuple(pool.name for pool in self.world.policy.pools_for(labels))
            self._pools[labels] = found
        return found

    def left(self, key: Key) -> int:
        """Return how many nodes of *key* nobody has a claim on yet."""
        free = len(self.world.nodes.free.get(key, ()))
        return free and free - self._gone.get(key, 0) - self._aside.get(key, 0)

    def covers(self, pool: str, labels: tuple[str, ...], *, matching: bool = False) -> bool:
        """Whether the pool has a node for each of *labels*; *matching*: with one build of each."""
        if matching:
            return self._matching(pool, labels) is not None
        if len(labels) == 1:
            return self.left((pool, labels[0])) > 0
        return all(self.left((pool, label)) >= labels.count(label) for label in set(labels))

    def _matching(self, pool: str, labels: tuple[str, ...]) -> tuple[NodeId, ...] | None:
        free = self.world.nodes.free
        ready = {
            label: [node for node in free.get((pool, label), ()) if node not in self._given]
            for label in set(labels)
        }
        spoken_for = {label: self._aside.get((pool, label), 0) for label in ready}
        return fitting(self.world, labels, ready, spoken_for)

    def set_aside(self, pool: str, labels: tuple[str, ...]) -> None:
        """Keep what is there for a request that waits for the rest of its nodes."""
        for label in labels:
            if self.left((pool, label)) > 0:
                self._aside[pool, label] = self._aside.get((pool, label), 0) + 1

    def give(
        self, pool: str, labels: tuple[str, ...], *, matching: bool = False
    ) -> tuple[NodeId, ...]:
        """Return the nodes for *labels*, which it covers, in that order, longest ready first."""
        chosen = self._matching(pool, labels) if matching else None
        nodes = []
        for at, label in enumerate(labels):
            key = (pool, label)
            free = self.world.nodes.free[key]
            node = (
                next(node for node in free if node not in self._given)
                if chosen is None
                else chosen[at]
            )
            self._given.add(node)
            self._gone[key] = self._gone.get(key, 0) + 1
            nodes.append(node)
        return tuple(nodes)


def allocate(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Add an Allocate for every request that ready nodes cover, in service order."""
    ready = ReadyNodes(world)
    for view in _candidates(world, agenda):
        if view.stale or view.busy or not view.waiting or view.request.unfit is not None:
            continue
        if now.mono_s < view.retry_s:
            plan.look_again("request", view.id, view.retry_s)
            continue
        _consider(world, view, ready, now, plan)


def _candidates(world: World, agenda: Agenda) -> Iterator[RequestView]:
    """Yield requests that may be lendable now, in service order, each once."""
    if agenda.everything:
        yield from list(world.queue.in_order())
        return
    views = (world.queue.views.get(request_id) for request_id in agenda.requests)
    touched = sorted((v for v in views if v is not None and v.waiting), key=_place)
    contested = set(agenda.labels)
    for view in touched:
        contested.update(label for label in view.request.labels if _claimed(world, label))
    if not contested:  # most often: a request has come, and nobody waits before it
        yield from touched
        return
    sources = [list(world.queue.wanting(label)) for label in sorted(contested)]
    seen: set[str] = set()
    for view in heapq.merge(touched, *sources, key=_place):
        if view.id not in seen:
            seen.add(view.id)
            yield view


def _claimed(world: World, label: str) -> bool:
    return any(world.queue.needed[pool, label] for pool in world.policy.pools)


def _place(view: RequestView) -> tuple[str, int, str]:
    return view.order


def _consider(world: World, view: RequestView, ready: ReadyNodes, now: Now, plan: Plan) -> None:
    request = view.request
    claim = world.queue.claims.get(view.id)
    if not _may_end(world, request, claim):
        return
    if _gets_its_own(world, view, claim, now, plan):
        return
    matching = view.may_get is MayGet.MATCHING
    pool = _covering_pool(world, view, claim, ready)
    if pool is None:
        if claim is not None and not view.may_get.own:
            ready.set_aside(claim.pool, request.labels)
        return
    if not _ours_to_hand_out(world, view, claim, now):
        ready.give(pool, request.labels, matching=matching)  # a replica of ours hands these out
        return
    if claim is None:
        wait_s = _courtesy_s(world, view) - (now.mono_s - view.seen_s)
        if wait_s > 0:
            if wait_s != float("inf"):
                plan.look_again("request", view.id, now.mono_s + wait_s)
            return
    nodes = ready.give(pool, request.labels, matching=matching)
    _hand_over(world, view, nodes, now, plan)


def _gets_its_own(
    world: World, view: RequestView, claim: ClaimView | None, now: Now, plan: Plan
) -> bool:
    """Hand out what was made for a request alone, if all is there; say if it gets no other."""
    match view.may_get:
        case MayGet.ANY:
            return False
        case MayGet.MATCHING:
            return _lend_its_own(world, view, claim, now, plan)
        case MayGet.NEW:
            _lend_its_own(world, view, claim, now, plan)
            return True
        case _:
            assert_never(view.may_get)


def _lend_its_own(
    world: World, view: RequestView, claim: ClaimView | None, now: Now, plan: Plan
) -> bool:
    """Hand out the nodes that were made for a request alone; return whether all are ready."""
    nodes = _dedicated(world, view.request)
    if nodes is not None and _ours_to_hand_out(world, view, claim, now):
        plan.do(Allocate(request=view.id, nodes=nodes))
    return nodes is not None


def _ours_to_hand_out(world: World, view: RequestView, claim: ClaimView | None, now: Now) -> bool:
    """Whether it is for this replica to hand its nodes over.

    That is the one on duty; but if it has not done so for long (it may know the nodes otherwise,
    or not have heard of a new configuration yet), whoever has claimed the request does as well.
    """
    if world.peers.assigned(view.id):
        return True
    if claim is None or claim.owner != world.peers.me:
        return False
    return now.mono_s - view.seen_s > world.policy.patience_s


def _hand_over(
    world: World, view: RequestView, nodes: tuple[NodeId, ...], now: Now, plan: Plan
) -> None:
    """Hand out the nodes, unless some were last looked at too long ago: then look at those first.

    Meanwhile they count as supply, so that the request is claimed and nobody makes others for it.
    Each is looked at once: a look that began since this was first wanted will do, for else the
    first ones would be too old again when the last one has answered.
    """
    unseen = [node for node in nodes if _unseen(world, view, node, now)]
    for node in unseen:
        plan.do(Probe(node=node, request=view.id))
    if not unseen:
        plan.do(Allocate(request=view.id, nodes=nodes))


def _unseen(world: World, wanting: RequestView, node: NodeId, now: Now) -> bool:
    view = world.nodes.views[node]
    label = world.policy.labels.get(view.key[1])
    if label is None or label.max_check_age is None or view.look.checked_s >= wanting.wanted_s:
        return False
    return now.mono_s - view.look.checked_s > label.max_check_age


def _may_end(world: World, request: Request, claim: ClaimView | None) -> bool:
    """Whether it is for us to fulfil: a pending request is for the provider that claimed it.

    If the lock of our claim went with a session, the claim is to be taken over first.
    """
    if claim is None:
        return request.state is not RequestState.PENDING
    return world.stands(claim)


def _covering_pool(
    world: World, view: RequestView, claim: ClaimView | None, ready: ReadyNodes
) -> str | None:
    """Return a pool of ours that has all its nodes, or None.

    A claim counts for more than an earlier decline: a replica that had declined, and was not seen
    when the request was claimed, may be back, and nobody else would serve it.
    """
    claimed, request = None if claim is None else claim.pool, view.request
    matching = view.may_get is MayGet.MATCHING
    for pool in ready.pools_for(request.labels):
        if ready.covers(pool, request.labels, matching=matching) and (
            pool == claimed or not world.peers.declined_here(pool, request.declined_by)
        ):
            return pool
    return None


def _courtesy_s(world: World, view: RequestView) -> float:
    """Return how long we let better-placed providers with ready nodes go first, seconds."""
    if pinned_elsewhere(world, view):
        return float("inf")
    if len(world.peers.statuses) == 0:
        return 0.0
    own, there = world.policy.provider, ready_there(world, view)
    ranks = {
        provider: (priority, -weight(view.id, provider))
        for provider, priority in priorities(world, view).items()
    }
    better = sum(
        provider in there and (own not in ranks or rank < ranks[own])
        for provider, rank in ranks.items()
    )
    return better * world.policy.warm_grace_s


def _dedicated(world: World, request: Request) -> tuple[NodeId, ...] | None:
    """Return the nodes that were made for this request alone, in order, once all are ready."""
    ready: dict[str, list[NodeId]] = {}
    for node_id in sorted(world.nodes.allocated.get(request.id, ())):
        view = world.nodes.views[node_id]
        if view.node is None or view.launch is None or view.busy or view.dying or view.spoiled:
            continue
        if view.node.state == "ready" and not view.locked and not view.stale:
            ready.setdefault(view.launch.label, []).append(node_id)
    return choose(world, request.labels, ready)
