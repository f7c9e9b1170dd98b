"""Surplus: ready nodes beyond min-ready that nobody has needed for long are given up.

They are left when a cloud that was away comes back, when min-ready is lowered, or when a request
goes away before its nodes come. They stay until none has become ready for ``max-surplus-age``: as
long as there are too many, none is made for min-ready, and requests take the longest ready first.
So a provider whose neighbour comes and goes makes and gives up each node once in that time at most.

Never does it take what keep_ready would make again: a provider gives up only what is beyond its own
share of min-ready, and only while all providers together have more ready than that. They take
turns, for what one knows of the others may be some seconds old.
"""

from typing import Final

from launcher.node.actions import Condemn
from launcher.node.deadlines import mono_s
from launcher.node.scale_up import partners
from launcher.node.shares import Partner, shares
from launcher.node.view import NodeView
from launcher.request.demand_pass import DemandPass
from remuda.config.model import Label

#: Whoever has less to give up waits so much longer for each that goes before it: many times as long
#: as the others need to tell that they have begun.
TURN_S: Final = 30.0


def shrink(work: DemandPass) -> None:
    """Give up one node of each label that has had too many ready for long; set the alarms."""
    world = work.world
    if work.now.mono_s < world.awake_since_s + world.policy.settle_s:
        return
    for name, label in sorted(world.policy.labels.items()):
        if label.max_surplus_age is None or any(True for _ in world.queue.wanting(name)):
            continue
        # So none of these nodes is handed out by this plan, or promised to anybody.
        keys = [(p.name, name) for p in world.policy.pools.values() if name in p.labels]
        idle = [world.nodes.views[one] for key in keys for one in world.nodes.free.get(key, ())]
        if idle and work.emptying.isdisjoint(pool for pool, _ in keys):
            _shrink(work, name, label, idle)


def _shrink(work: DemandPass, name: str, label: Label, idle: list[NodeView]) -> None:
    now, me = work.now, work.world.policy.provider
    ready = sorted((one.node.state_time_s, one.id) for one in idle if one.node is not None)
    since_s, node = ready[0]
    assert label.max_surplus_age is not None  # noqa: S101 - looked at before
    due_s = ready[-1][0] + label.max_surplus_age
    if now.wall_s >= due_s:  # else it does not matter yet how many there are
        turn = _turn(me, len(idle), label.min_ready, partners(work, name))
        if turn is None:
            return
        due_s += turn * TURN_S
    if now.wall_s < due_s:
        work.plan.look_again("supply", f"surplus {name}", mono_s(due_s, now))
        return
    cause = f"not needed for {now.wall_s - since_s:.0f} s, and more are ready than min-ready asks"
    work.plan.do(Condemn(node=node, cause=cause))


def _turn(me: str, ready: int, min_ready: int, found: list[Partner]) -> int | None:
    """Return how many other providers give up a node before us; None: we have none too many.

    Whoever has the most beyond its share goes first; of equals the one that is preferred least.
    """
    ours = [one for one in found if one.provider == me]
    if not ours or ready + sum(o.ready for o in found if o.provider != me) <= min_ready:
        return None
    mine = shares(min_ready, found)
    over = {one.provider: one.ready - mine[one.provider] for one in found}
    over[me] = min(over[me], ready - mine[me])
    if over[me] <= 0:
        return None
    order = sorted(found, key=lambda one: (-over[one.provider], -one.priority, one.provider))
    return [one.provider for one in order].index(me)
