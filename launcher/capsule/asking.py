"""Whether somebody wishes to see what is known of a machine that lives. Pure.

The node's record is a requestor's, and authorises nothing: nothing is done to the machine, nobody
logs in to it, and what is written down is for those who may read the evidence of failures.
"""

from typing import Final

from launcher.actions import Plan
from launcher.capsule.actions import TellCapsule
from launcher.lanes import capsule
from launcher.node.view import NodeView
from launcher.world import Agenda, World
from remuda.model.capsule import WISH_KEY, WISH_S, wish_of
from remuda.runtime.now import Now

#: So often at most is it told of one machine: each time the cloud is asked for its console.
AGAIN_S: Final = 3.0


def tell_capsules(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Add what answers wishes for capsules of nodes on the agenda."""
    views = world.nodes.views
    for node_id in views if agenda.everything else sorted(agenda.nodes):
        view = views.get(node_id)
        if view is None or view.node is None or WISH_KEY not in view.node.doc:
            continue  # as nearly all
        told = wished(world, view, now, plan)
        if told is not None:
            plan.do(told)


def wished(world: World, view: NodeView, now: Now, plan: Plan) -> TellCapsule | None:
    """Return what answers a wish for the capsule of a node of ours, or None."""
    wish = None if view.node is None else wish_of(view.node)
    if wish is None or wish.token == view.told.token or not _ours(world, view):
        return None
    if view.dying or abs(now.wall_s - wish.at_s) > WISH_S or capsule(view.id) in world.busy:
        return None
    due_s = view.told.at_s + AGAIN_S
    if now.mono_s < due_s:
        plan.look_again("node", view.id, due_s)
        return None
    return TellCapsule(node=view.id, token=wish.token)


def _ours(world: World, view: NodeView) -> bool:
    return view.launch is not None and view.launch.owner == world.peers.me
