"""Making room: an idle node goes when a request can have no room otherwise.

Ready nodes that nobody wants would keep a pool full for ever, and the requests for other labels
out of it. One goes at a time, the most superfluous first; requests come before min-ready.
"""

from launcher.actions import Condemn
from launcher.decide.budget import Shortage
from launcher.decide.draft import Draft
from launcher.policy import Key
from launcher.views import RequestView
from remuda.model.ids import NodeId


def make_room(work: Draft, view: RequestView, short: Shortage) -> None:
    """Give up one idle node of the pools that are short of room, unless one is going already."""
    if work.making_room or not work.world.neighbours.duty("demand"):
        return
    going = not work.emptying.isdisjoint(short.pools)
    node = None if going else _most_idle(work, view, short.pools)
    if node is not None:
        work.plan.do(Condemn(node=node, cause=f"idle, to make room for {view.id}"))
    work.making_room = going or node is not None


def _most_idle(work: Draft, view: RequestView, pools: tuple[str, ...]) -> NodeId | None:
    """Return the node that nobody would miss most, or None if all are needed."""
    found: list[tuple[int, Key, NodeId]] = []
    for key, free in work.world.herd.free.items():
        if key[0] not in pools:
            continue
        left = [node for node in free if node not in work.given]
        spare = len(left) - work.world.queue.needed[key] - work.needed[key]
        if view.request.reuse and view.id not in work.world.queue.claims:
            spare -= view.request.labels.count(key[1])
        label = work.world.policy.labels.get(key[1])
        if spare > 0:
            found.append(((0 if label is None else label.min_ready) - spare, key, left[0]))
    return min(found)[2] if found else None
