"""Whether a machine will be kept for a person: asked for while its job has it, or found held. Pure.

A wish lies in the node's record, which requestors write, and authorises nothing: it is judged here.
"""

from dataclasses import replace
from typing import Final

from launcher.actions import Plan
from launcher.hold.actions import AnswerHold
from launcher.hold.limits import (
    being_counted,
    over_limit,
    too_long,
    wait_for_count,
)
from launcher.node.view import NodeView
from launcher.world import World
from remuda.model.hold import Hold, HoldSource
from remuda.model.holdowner import owner_of, source_of
from remuda.model.holdwish import FOR_S_MAX, HoldWish, wish_of
from remuda.model.imageask import labelled_image
from remuda.model.job import job_of_node
from remuda.model.launch import Step
from remuda.model.node import Node, hold_ends_s
from remuda.moments import lasting
from remuda.runtime.now import Now
from remuda.store.locks import holder

NOT_HELD: Final = "only who holds the lock of a node may have it kept"


def answer(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> AnswerHold | None:
    """Return the answer to a wish for a node that is in use and locked.

    None: there is none, or another one is to be counted first.
    """
    wish, launch = wish_of(node), view.launch
    if wish is None or wish.for_s is None or launch is None or launch.step is not Step.DONE:
        return None
    before = launch.hold
    if before is not None and (before.begun or before.asked_token == wish.token):
        return None
    if being_counted(world, plan):
        wait_for_count(view, now, plan)
        return None
    for_s = wish.for_s or min(
        world.policy.holds.default_for, world.policy.max_hold_age_s or FOR_S_MAX
    )
    job = job_of_node(node.doc)
    hold = Hold(
        owner=wish.owner,
        reason=wish.reason,
        source=HoldSource.ASKED,
        for_s=for_s,
        job=wish.job or (job.text if job is not None else None),
        asked_token=wish.token,
        refused=_refusal(world, view, wish, plan, for_s),
    )
    proof = wish.contender if hold.refused is None else None
    return AnswerHold(node=view.id, hold=hold, contender=proof)


def _refusal(world: World, view: NodeView, wish: HoldWish, plan: Plan, for_s: float) -> str | None:
    launch = view.launch
    capture = None if launch is None else launch.capture
    if holder(view.lock.contenders) != wish.contender or wish.contender is None:
        return NOT_HELD
    if labelled_image(view.key[1]) is not None:
        return "it is a builder's machine"
    if capture is not None and capture.refused is None:
        return "an image is made of it, by which its machine is stopped"
    return too_long(world, for_s) or over_limit(world, view, wish.owner, plan)


def begun(world: World, hold: Hold, now: Now) -> Hold:
    """Return a hold that begins now; a maximum that was set meanwhile bounds it."""
    most, since_s = world.policy.max_hold_age_s, round(now.wall_s, 3)
    for_s = hold.for_s if most is None else min(hold.for_s, most)
    return replace(
        hold,
        for_s=for_s,
        since_s=since_s,
        ends_s=since_s + for_s,
        latest_s=None if most is None else since_s + most,
        bounded=None if for_s == hold.for_s else too_long(world, hold.for_s),
    )


def found(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Hold:
    """Return the hold of a node that another program holds, seen for the first time.

    It ends as it is written, and sooner where that is too late: at the operator's maximum, and
    beyond a limit as soon as people on it were warned.
    """
    rules, most = world.policy.holds, world.policy.max_hold_age_s
    since_s = min(node.state_time_s or now.wall_s, now.wall_s)
    own_s = hold_ends_s(node)
    # One that has no end is counted from now: a new rule must not end at once what is there.
    ends_s = now.wall_s + rules.default_for if own_s is None else own_s
    bounded = None
    if own_s is None:
        bounded = f"it has no end of its own, and gets {lasting(rules.default_for)} (default-for)"
    # To the millisecond, as its end is: else more time could be granted for nothing.
    latest_s = None if most is None else round(since_s + most, 3)
    if latest_s is not None and ends_s > latest_s:
        if latest_s <= now.wall_s:
            # Its people are warned first: the maximum may be newer than the hold.
            latest_s = min(ends_s, now.wall_s + rules.warn_before)
        ends_s, bounded = latest_s, too_long(world, ends_s - since_s)
    owner = owner_of(node)
    crowded = over_limit(world, view, owner, plan, before_s=since_s)
    if crowded is not None and ends_s > now.wall_s + rules.warn_before:
        ends_s, bounded = now.wall_s + rules.warn_before, crowded
    if view.locked and ends_s <= now.wall_s:
        # Their lock will not count beyond the end: nobody is to lose both in one moment, for what
        # somebody has written of a machine that may be in use.
        ends_s = now.wall_s + rules.warn_before
    comment, job = node.doc.get("comment"), job_of_node(node.doc)
    ends_s = round(min(ends_s, now.wall_s + FOR_S_MAX), 3)
    return Hold(
        owner=owner,
        reason=comment if isinstance(comment, str) else "",
        source=source_of(node),
        for_s=min(max(0.0, ends_s - since_s), FOR_S_MAX),
        job=None if job is None else job.text,
        since_s=round(since_s, 3),
        ends_s=max(ends_s, 0.0),
        latest_s=latest_s,
        bounded=bounded,
    )
