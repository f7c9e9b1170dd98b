"""What is written of holds, as operations of one transaction; pure."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from launcher.hold.actions import AnswerHold, DropAutohold, KeepNode, NoteHold
from launcher.hold.limits import limited
from launcher.node.view import NodeView
from launcher.node.writes import advance
from launcher.world import World
from remuda.model import node as nodes
from remuda.model.autohold import Autohold, Fired, encode_autohold
from remuda.model.hold import Hold
from remuda.model.holdwish import HoldWish, KeyWish, wish_fields
from remuda.model.node import EPOCH_MS_FLOOR, Node, NodeEvent, NodeState, hold_ends_s
from remuda.store import paths
from remuda.store.api import Check, Delete, Op, Set
from remuda.store.locks import prove_unlocked_ops


def answer_hold(world: World, view: NodeView, action: AnswerHold) -> list[Op]:
    """Write the answer to what was read, under proof that who wished it holds the lock still."""
    ops: list[Op] = [Check(path=paths.node(view.id), version=view.node_version)]
    if action.contender is not None:
        ops.append(Check(path=f"{paths.node_lock(view.id)}/{action.contender}"))
    return [*ops, *_launch(world, view, action.hold), *_counted(world, action)]


def _counted(world: World, action: AnswerHold | KeepNode) -> list[Op]:
    """Fail if anybody has kept a machine since we counted them; nothing where nobody counts.

    It comes last: whoever has seen the new version has seen the hold, too.
    """
    if not action.counts or not limited(world.policy):
        return []
    where = paths.hold_ledger(world.policy.provider)
    assert world.holds_version >= 0  # noqa: S101 - any version would do then
    return [Set(path=where, data=b"", version=world.holds_version)]


def keep_node(world: World, view: NodeView, action: KeepNode, *, now_s: float) -> list[Op]:
    """Set a node held, in both records, under proof that nobody has locked it meanwhile."""
    node, hold = view.node, action.hold
    assert node is not None  # noqa: S101 - judged only with a record
    fields: dict[str, Any] = {"hold_job": hold.owner, "comment": hold.reason}
    fired = [] if action.fires is None else _fire(world, view, action.fires, now_s=now_s)
    if action.fires is not None:
        fields |= _keys(world.autoholds.stored[action.fires].value, now_s=now_s)
    held = _ending(node.after(NodeEvent.HELD, now_s=now_s, fields=fields), hold)
    return [
        *prove_unlocked_ops(paths.node_lock(view.id), exists=view.lock.exists),
        _node(view, held),
        *_launch(world, view, hold),
        *fired,
        *_counted(world, action),
    ]


def note_hold(world: World, view: NodeView, action: NoteHold, *, now_s: float) -> list[Op]:
    """Write what has become of a hold; the users' record says its end as everybody reads it.

    Whoever has the lock may be writing that record: it is told with what is written next.
    """
    node = view.node
    ops: list[Op] = []
    told = None if node is None or view.locked else _ending(node, action.hold)
    if told is not None and told is not node and told.state is NodeState.HOLD:
        ops.append(_node(view, told))
    else:
        ops.append(Check(path=paths.node(view.id), version=view.node_version))
    fired = [] if action.fires is None else _fire(world, view, action.fires, now_s=now_s)
    return [*ops, *_launch(world, view, action.hold), *fired]


def drop_autohold(action: DropAutohold) -> list[Op]:
    """Remove an autohold that nobody has changed since."""
    return [Delete(path=paths.autohold(action.autohold), version=action.version)]


def _launch(world: World, view: NodeView, hold: Hold) -> list[Op]:
    assert view.launch is not None  # noqa: S101 - judged only with a launch record
    return advance(world, view, replace(view.launch, hold=hold))


def _node(view: NodeView, node: Node) -> Op:
    return Set(path=paths.node(view.id), data=nodes.encode(node), version=view.node_version)


def _ending(node: Node, hold: Hold) -> Node:
    """Return a node's record with the end of its hold, in the unit in which it was written.

    One that says so already stays as its writer has written it.
    """
    ends_s, said_s = hold.ends_s or 0.0, hold_ends_s(node)
    if said_s is not None and abs(said_s - ends_s) < 1.0:
        return node
    if (node.hold_expiration or 0.0) > EPOCH_MS_FLOOR:
        said = round(ends_s * 1000.0)
    else:  # whole seconds from the last change of state; 0 would mean never
        said = max(1, math.floor(ends_s - node.state_time_s))
    changed = node.with_fields(hold_expiration=said)
    return replace(changed, hold_expiration=float(said))


def _fire(world: World, view: NodeView, autohold: str, *, now_s: float) -> Sequence[Op]:
    """Count an autohold down, at the version that was judged."""
    stored = world.autoholds.stored[autohold]
    fired = Fired(node=view.id, provider=world.policy.provider, at_s=now_s)
    after = replace(stored.value, fired=(*stored.value.fired, fired))
    return [Set(path=stored.path, data=encode_autohold(after), version=stored.version)]


def _keys(autohold: Autohold, *, now_s: float) -> dict[str, Any]:
    """Return the wish for the keys of an autohold's people."""
    if not autohold.keys:
        return {}
    wishes = tuple(
        KeyWish(
            token=f"{autohold.id}-{place}",
            by=autohold.owner,
            at_s=now_s,
            line=one if " " in one else None,
            developer=None if " " in one else one,
        )
        for place, one in enumerate(autohold.keys)
    )
    wish = HoldWish(
        token=autohold.id, owner=autohold.owner, reason=autohold.reason, at_s=now_s, keys=wishes
    )
    return wish_fields(wish)
