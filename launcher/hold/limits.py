"""How many machines may be kept for people, and for how long. Pure.

Each replica counts what it sees, and names the version of the ledger of holds that it has seen: of
two that grant at the same moment one looks again.
"""

from typing import Final

from launcher.actions import Plan
from launcher.hold.actions import AnswerHold, KeepNode, NoteHold
from launcher.node.view import NodeView
from launcher.policy import Policy
from launcher.world import World
from remuda.config.patterns import means
from remuda.model.hold import Hold
from remuda.model.holdowner import held_for, owner_of
from remuda.model.ids import NodeId
from remuda.model.node import Node
from remuda.moments import lasting
from remuda.runtime.now import Now

#: Whoever waits to be counted is judged as soon as the count before is answered, and after this if
#: a bug of ours left that without an answer.
COUNT_AGAIN_S: Final = 1.0


def over_limit(
    world: World, view: NodeView, owner: str, plan: Plan, *, before_s: float | None = None
) -> str | None:
    """Return the limit that one more machine for *owner* breaks, or None.

    Args:
        world: As it is.
        view: Of the machine.
        owner: For whom it would be kept.
        plan: What is kept by this plan counts, too.
        before_s: Only what is kept since before counts: of many that are there already the oldest
            stay.
    """
    rules, label = world.policy.holds, view.key[1]
    if not limited(world.policy):
        return None
    there = [(node, one) for node, one in _kept(world, plan).items() if node != view.id]
    if before_s is not None:
        place = (before_s, view.id)
        there = [(node, one) for node, one in there if (one[2], node) < place]
    told = (
        (rules.max, len(there), f"{world.policy.provider} keeps", "max"),
        (
            rules.max_per_owner,
            sum(one[0] == owner for _, one in there),
            f"{owner or 'nobody'} has",
            "max-per-owner",
        ),
        (
            rules.max_per_label,
            sum(one[1] == label for _, one in there),
            f"of label {label} there are",
            "max-per-label",
        ),
    )
    for most, count, who, key in told:
        if most is not None and count >= most:
            return f"{who} {count} held machines already, the limit is {most} (holds: {key})"
    return None


def limited(policy: Policy) -> bool:
    """Whether it matters how many machines are kept."""
    rules = policy.holds
    return not rules.max is rules.max_per_owner is rules.max_per_label is None


def being_counted(world: World, plan: Plan) -> bool:
    """Whether one more machine is being kept at this moment: they are counted one at a time."""
    if not limited(world.policy):
        return False
    actions = (*plan.actions, *world.busy.under_way().values())
    return any(isinstance(one, AnswerHold | KeepNode) and one.counts for one in actions)


def wait_for_count(view: NodeView, now: Now, plan: Plan) -> None:
    """Have a machine judged again once what is being counted is answered."""
    plan.uncounted.add(view.id)
    plan.look_again("node", view.id, now.mono_s + COUNT_AGAIN_S)


def too_long(world: World, for_s: float) -> str | None:
    """Return the rule that a hold of so many seconds breaks, or None."""
    most = world.policy.max_hold_age_s
    if most is None or for_s <= most:
        return None
    return f"no hold is longer than {lasting(most)} (max-hold-age)"


def stranger(policy: Policy, hold: Hold, node: Node, by: str) -> str | None:
    """Return why a hold is none of the business of who wishes something of it, or None."""
    if held_for(node, hold).is_of(by):
        return None
    if any(means(one, by) for one in policy.holds.operators):
        return None
    return f"it is held for {hold.owner or 'nobody'}: only they, or an operator, may change it"


def _kept(world: World, plan: Plan) -> dict[NodeId, tuple[str, str, float]]:
    """Return owner, label and beginning of what is kept, or will be."""
    found: dict[NodeId, tuple[str, str, float]] = {}
    for node_id in world.nodes.kept:
        view = world.nodes.views[node_id]
        hold = None if view.launch is None else view.launch.hold
        if hold is not None and hold.refused is None:
            found[node_id] = (hold.owner, view.key[1], hold.since_s or 0.0)
        elif view.node is not None:
            found[node_id] = (owner_of(view.node), view.key[1], view.node.state_time_s)
    for action in (*plan.actions, *world.busy.under_way().values()):
        if isinstance(action, AnswerHold | KeepNode | NoteHold) and action.hold.refused is None:
            found[action.node] = _of(world, action.node, action.hold)
    return found


def _of(world: World, node_id: NodeId, hold: Hold) -> tuple[str, str, float]:
    view = world.nodes.views.get(node_id)
    return hold.owner, "" if view is None else view.key[1], hold.since_s or 0.0
