"""Making room: an idle node goes when a request can have no room otherwise.

Ready nodes that nobody wants would keep a pool full for ever, and the requests for other labels
out of it. One goes at a time, the most superfluous first; requests come before min-ready.
"""

from collections.abc import Iterator
from typing import Final

from launcher.claim.view import ClaimView
from launcher.node.actions import Condemn
from launcher.node.shortage import Shortage
from launcher.node.view import NodeView
from launcher.policy import Key
from launcher.request.actions import Release
from launcher.request.bids import for_builder
from launcher.request.demand_pass import DemandPass
from launcher.request.verdicts import ready_for
from launcher.request.view import RequestView
from launcher.server.usage import total_usage
from remuda.model.ids import NodeId, RequestId

#: A cloud that has refused so many times in a row, with growing pauses, means it.
REFUSED_MIN: Final = 3


def make_room(work: DemandPass, view: RequestView, pool: str, short: Shortage) -> None:
    """Give up an idle node that keeps room from *pool*, unless one is going already.

    Builders take what room is left, and nobody's for it; a machine of theirs goes first.
    """
    if work.making_room or not work.world.peers.assigned("demand"):
        return
    if for_builder(view.request):
        return
    going = not work.emptying.isdisjoint(short.pools)
    if not going and _take_from_a_builder(work, view, short.pools):
        work.making_room = True
        return
    node = None if going else _idle(work, view, pool, short.pools)
    if node is not None:
        work.plan.do(Condemn(node=node, cause=f"idle, to make room for {view.id}"))
    work.making_room = going or node is not None


def _take_from_a_builder(work: DemandPass, view: RequestView, pools: tuple[str, ...]) -> bool:
    """Give up a machine that is being made for a builder, with the claim on its request.

    The request stays: it is in line again, behind everybody else's.
    """
    queue, index = work.world.queue, work.world.nodes
    for request_id in queue.claims:
        other = queue.views.get(request_id)
        if other is None or not for_builder(other.request) or not other.waiting:
            continue
        if other.busy or other.stale or other.order < view.order:
            continue
        for node in (index.views[one] for one in sorted(index.allocated.get(request_id, ()))):
            if node.coming and not node.busy and node.key[0] in pools:
                cause = f"{view.id} needs the room"
                work.plan.do(Condemn(node=node.id, cause=cause))
                work.plan.do(Release(request=request_id, cause=cause))
                return True
    return False


def give_way(work: DemandPass) -> None:
    """Give back the last of several claimed requests that keep the room from each other.

    There was room for all of them when they were claimed, but a limit is lower now: each holds
    nodes and waits for those of the others, for ever if none gave its own up.
    """
    if work.making_room or len(work.starved) < 2 or not work.world.peers.assigned("demand"):  # noqa: PLR2004 - one alone waits for nobody's
        return
    first, short = work.starved[0]
    if work.now.mono_s - first.seen_s <= work.world.policy.patience_s:
        return
    for view, other in reversed(work.starved[1:]):
        if not set(short.pools).isdisjoint(other.pools):
            work.plan.do(Release(request=view.id, cause=f"{first.id} needs the room first"))
            return


def no_more(work: DemandPass, view: RequestView, claim: ClaimView) -> Shortage | None:
    """Return why a claimed request gets no more machines from the cloud, ever; None: it may.

    The cloud refuses for lack of room again and again, and nobody but the request has any of it:
    what the account may have is less than is wanted, whatever it says of its quota, or we ignore.
    """
    world, pool = work.world, claim.pool
    if world.cloud.no_room_refusals[pool] < REFUSED_MIN or world.cloud.foreign:
        return None
    ready = ready_for(world, view, pool)
    patient = work.now.mono_s - claim.since_s <= world.policy.patience_s
    if patient or not ready or total_usage(world).instances != ready:
        return None
    return Shortage(
        reason=f"the cloud gives no more than {ready} of its {len(view.request.labels)} nodes, and "
        f"nothing else of ours is there; {world.cloud.no_room_why.get(pool)}",
        final=True,
    )


def _idle(work: DemandPass, view: RequestView, pool: str, pools: tuple[str, ...]) -> NodeId | None:
    """Return a node of *pools* that nobody would miss much, or None if all are needed."""
    return _most_idle(work, view, pool, pools) or _left_behind(work, view, pools)


def _most_idle(
    work: DemandPass, view: RequestView, pool: str, pools: tuple[str, ...]
) -> NodeId | None:
    """Return the free node of *pools* that nobody would miss most, or None if all are needed.

    An open request needs those of its labels in *pool*, which is to serve it. Those in other pools
    are of no use to it, but take up room in the cloud's quota.
    """
    found: list[tuple[int, Key, NodeId]] = []
    for key, free in work.world.nodes.free.items():
        if key[0] not in pools:
            continue
        left = [node for node in free if node not in work.given]
        spare = len(left) - work.world.queue.needed[key] - work.needed[key]
        if key[0] == pool and not view.may_get.own and view.id not in work.world.queue.claims:
            spare -= view.request.labels.count(key[1])
        label = work.world.policy.labels.get(key[1])
        loose = [node for node in left if node not in work.promised]
        if spare > 0 and loose:
            found.append(((0 if label is None else label.min_ready) - spare, key, loose[0]))
    return min(found)[2] if found else None


def _left_behind(work: DemandPass, view: RequestView, pools: tuple[str, ...]) -> NodeId | None:
    """Return a ready node that was made for another request alone, which we gave back since."""
    if work.left_behind is None:
        work.left_behind = tuple(_all_left_behind(work))
    for request_id, node in work.left_behind:
        if request_id != view.id and node.key[0] in pools:
            return node.id
    return None


def _all_left_behind(work: DemandPass) -> Iterator[tuple[RequestId, NodeView]]:
    """Yield the ready nodes that wait for somebody else to serve their request, by request.

    Most nodes in use belong to requests that are gone: those are not looked at one by one.
    """
    queue, index = work.world.queue, work.world.nodes
    for request_id in sorted(index.allocated.keys() & queue.views.keys()):
        other = queue.views[request_id]
        if not other.waiting or other.busy or other.stale:
            continue
        if request_id in queue.claims or request_id in work.allocated:
            continue
        for node in (index.views[node_id] for node_id in sorted(index.allocated[request_id])):
            ready = node.node is not None and node.node.state == "ready"
            if ready and not (node.busy or node.dying or node.locked):
                yield request_id, node
