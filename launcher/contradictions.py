"""What contradicts itself in a world: its indices are recounted from its views, and compared.

Nothing in production asks. The simulation does, after every turn of a launcher: so a wrong index is
found where it went wrong, and not where a judgement believed it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from copy import copy
from typing import Any, Final

from launcher.actions import KINDS, LANES, node_of
from launcher.lanes import Lane, machine, request
from launcher.node.index import NodeIndex, Usage
from launcher.node.view import ALLOCATE_CLAIMED, NodeView
from launcher.policy import Key
from launcher.world import World, awaits_listing, is_slow, lacks_port, may_get_of
from remuda.model.ids import NodeId

_LENT: Final = frozenset({"allocate", ALLOCATE_CLAIMED})
_UNUSED: Final = Usage()

#: By name, each with what it says of each of its keys.
_Indices = dict[str, Mapping[Any, object]]


def contradictions(world: World, mine: Collection[NodeId] | None = None) -> list[str]:
    """Return all contradictions as sentences; none if all is well.

    Args:
        world: Between two turns; it is not changed.
        mine: The nodes whose records the mirror reads, if they are to be compared, too.
    """
    return [
        *_of_indices(world),
        *_of_free(world),
        *(
            f"node {view.id}: {why}"
            for view in world.nodes.views.values()
            for why in _of_node(view)
        ),
        *_of_locks(world),
        *_of_requests(world),
        *_of_lending(world),
        *_of_hands(world),
        *_of_lanes(world),
        *(() if mine is None else _of_mine(world, mine)),
    ]


def _of_indices(world: World) -> Iterator[str]:
    """Compare every index with a recount from scratch."""
    kept, counted = _kept(world), _recount(world)
    for name, index in kept.items():
        if index == counted[name]:
            continue
        for key in {**index, **counted[name]}:
            said, is_so = index.get(key), counted[name].get(key)
            if said != is_so:
                yield (
                    f"{name}{_of(key)}: the index says {_words(said)}, the records say"
                    f" {_words(is_so)}"
                )


def _kept(world: World) -> _Indices:
    """Return what the indices say."""
    queue = world.queue
    return {
        **_indices_of_nodes(world.nodes),
        "awaiting": {None: world.awaiting},
        "portless": {None: world.portless},
        "slow": {None: world.slow},
        "spoiled": {None: {view.id for view in world.nodes.views.values() if view.spoiled}},
        "waiting": _orders({None: queue.waiting}),
        "by_label": _orders(queue.by_label),
        "needed": _counts(queue.needed),
        "may_get": {view.id: view.may_get for view in queue.views.values()},
    }


def _recount(world: World) -> _Indices:
    """Return what the indices should say: made of the views and of nothing else."""
    return {**_recount_nodes(world), **_recount_requests(world)}


def _recount_nodes(world: World) -> _Indices:
    index, me, policy = NodeIndex(), world.peers.me, world.policy
    views = world.nodes.views.values()
    spoiled = {view.id for view in views if world.is_spoiled(view)}
    for view in views:
        as_is = view
        if view.spoiled != (view.id in spoiled):
            as_is = copy(view)  # nothing may be changed by a look
            as_is.spoiled = not view.spoiled
        index.views[view.id] = as_is
        index.reindex(as_is)
    return {
        **_indices_of_nodes(index),
        "awaiting": {None: {view.id for view in views if awaits_listing(view, me)}},
        "portless": {None: {view.id for view in views if lacks_port(view, me, policy)}},
        "slow": {None: {view.id for view in views if is_slow(view)}},
        "spoiled": {None: spoiled},
    }


def _recount_requests(world: World) -> _Indices:
    views = world.queue.views
    may_get = {view.id: may_get_of(view.request, world.policy) for view in views.values()}
    waiting = sorted((*view.order, view.id) for view in views.values() if view.waiting)
    by_label: defaultdict[str, list[object]] = defaultdict(list)
    needed: Counter[Key] = Counter()
    for place in waiting:
        view = views[place[-1]]
        for label in set(view.request.labels):
            by_label[label].append((place, view.id))
        claim = world.queue.claims.get(view.id)
        if claim is not None and not may_get[view.id].own:
            needed.update((claim.pool, label) for label in view.request.labels)
    return {
        "waiting": {None: [(place, place[-1]) for place in waiting]} if waiting else {},
        "by_label": by_label,
        "needed": needed,
        "may_get": may_get,
    }


def _indices_of_nodes(index: NodeIndex) -> _Indices:
    return {
        "free": {key: free.keys() for key, free in index.free.items() if free},
        "coming": _counts(index.coming),
        "allocated": _filled(index.allocated),
        "usage": {pool: one for pool, one in index.usage.items() if one != _UNUSED},
        "states": _counts(index.states),
        "by_server": index.by_server,
        # Sorted: one that is in it twice is one too many.
        "held": {pool: sorted(those) for pool, those in index.held.items() if those},
        "kept": {None: index.kept},
        "being_made": {None: index.being_made},
        "dedicated": _counts(index.dedicated),
        "on_account": _filled(index.on_account),
    }


def _filled(index: Mapping[Any, Collection[Hashable]]) -> Mapping[Any, object]:
    return {key: those for key, those in index.items() if those}


def _counts(index: Counter[Any]) -> Mapping[Any, object]:
    return {key: count for key, count in index.items() if count}


def _orders(index: Mapping[Any, Mapping[Any, Any]]) -> Mapping[Any, object]:
    return {
        key: [(place, view.id) for place, view in queue.items()]
        for key, queue in index.items()
        if queue
    }


def _words(said: object) -> object:
    """Return what an index says in an order that repeats."""
    return sorted(map(str, said)) if isinstance(said, AbstractSet) else said


def _of(key: object) -> str:
    if key is None:
        return ""
    return f" of {'/'.join(map(str, key)) if isinstance(key, tuple) else key}"


def _of_free(world: World) -> Iterator[str]:
    """Say which nodes might be handed out that must not be, whatever the rules of the index are."""
    for node_id in (one for free in world.nodes.free.values() for one in free):
        view = world.nodes.views.get(node_id)
        if view is None:
            yield f"node {node_id}: free, but nothing is known of it"
        elif view.dying or view.busy or view.lock.contenders:
            yield f"node {node_id}: free, but dying, in somebody's hands or locked"
        elif view.node is None or view.node.allocated_to is not None:
            yield f"node {node_id}: free, but promised to a request or without a record"


def _of_node(view: NodeView) -> Iterator[str]:
    """Say what one view says of a node that cannot all be true."""
    if view.node is not None and (view.node_version < 0 or view.node_gone):
        yield "there is a record, and there is none"
    if view.node_gone and view.node_version >= 0:
        yield f"its record is gone, and in version {view.node_version}"
    if view.launch is not None and view.launch_version < 0:
        yield "its launch record has no version"


def _of_locks(world: World) -> Iterator[str]:
    for view in world.nodes.views.values():
        told = world.nodes.locks.get(view.id, frozenset())
        seen = view.lock.contenders
        if seen != told:
            yield (
                f"node {view.id}: locked by {sorted(seen)}, and the mirror has told of"
                f" {sorted(told)}"
            )


def _of_requests(world: World) -> Iterator[str]:
    for request_id in world.queue.unread & world.queue.views.keys():
        yield f"request {request_id}: read, and not read yet"
    for node_id in world.unborn & world.nodes.views.keys():
        view = world.nodes.views[node_id]
        if view.launch is not None and not view.unread:
            yield f"node {node_id}: both its records are known, and not read yet"
    if world.growing < 0:
        yield f"{world.growing} transactions that bump the ledger are under way"


def _of_lending(world: World) -> Iterator[str]:
    for view in world.queue.views.values():
        if (view.busy == "allocate") != (view.id in world.allocating):
            yield (
                f"request {view.id}: busy with {view.busy}, and the transaction that hands nodes"
                f" out {'is' if view.id in world.allocating else 'is not'} under way"
            )
    for node in world.nodes.views.values():
        if node.busy in _LENT and not world.allocating:
            yield f"node {node.id}: handed out, and no transaction that does so is under way"


def _of_hands(world: World) -> Iterator[str]:
    """Compare what views are busy with and what is under way."""
    for subject, action in world.busy.under_way().items():
        if subject not in KINDS[type(action)].subjects(action):
            yield f"{type(action).__name__} keeps {subject} busy, which it does not work on"
        node_id = node_of(action)
        if node_id is not None and node_id not in world.nodes.views:
            yield f"node {node_id}: {type(action).__name__} is under way, and it is not known"
    for view in world.nodes.views.values():
        is_so = world.busy_with(machine(view.id))
        if (view.busy is None) != (is_so is None):
            yield f"node {view.id}: busy with {view.busy}, and under way is {is_so}"
    for wanting in world.queue.views.values():
        is_so = world.busy_with(request(wanting.id))
        if (wanting.busy is None) != (is_so is None):
            yield f"request {wanting.id}: busy with {wanting.busy}, and under way is {is_so}"


def _of_lanes(world: World) -> Iterator[str]:
    """Compare the lanes with what is under way; a hand that was given up keeps its place."""
    lanes, kinds = world.lanes, (type(one) for one in world.busy.under_way().values())
    at_work = Counter(LANES[kind] for kind in kinds if kind in LANES)
    for lane in Lane:
        if lanes.running[lane] < at_work[lane]:
            yield f"lane {lane}: {lanes.running[lane]} are in it, and {at_work[lane]} at work"
    for lane in lanes.waited_for:
        for node_id in lanes.waiting[lane].keys() & lanes.offered[lane]:
            yield f"lane {lane}: node {node_id} waits for a place, and has been offered one"
    queued = set().union(*lanes.waiting.values(), *lanes.offered.values())
    for node_id in lanes.since.keys() - queued:
        yield f"node {node_id}: it has waited for a place in a lane, and waits in none"


def _of_mine(world: World, mine: Collection[NodeId]) -> Iterator[str]:
    for node_id in sorted(world.fresh.difference(mine)):
        yield f"node {node_id}: made by this process, and not among our nodes"
    for view in world.nodes.views.values():
        if view.launch is not None and view.id not in mine:
            yield f"node {view.id}: its launch record is ours, and it is not among our nodes"
