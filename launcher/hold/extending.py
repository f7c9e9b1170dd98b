"""Whether a hold becomes longer: as its owner wishes, or because somebody works on it. Pure."""

from dataclasses import replace
from typing import Final

from launcher.hold.limits import stranger
from launcher.takehome.taking import under_way
from launcher.world import World
from remuda.model.hold import BY_LOGIN, Extension, Hold
from remuda.model.holdwish import ExtendWish, wish_of
from remuda.model.node import Node
from remuda.moments import lasting
from remuda.runtime.now import Now

#: Against more time for a machine that is becoming an image.
IMAGE_MADE: Final = "its image is made, and the machine goes once that is whole"


def extended(world: World, hold: Hold, node: Node, now: Now) -> Hold:
    """Return the hold with every wish for more time answered, once."""
    wish = wish_of(node)
    if wish is None or not wish.extend:
        return hold
    there = {one.token for one in wish.extend}
    answered = {one.token for one in hold.extended}
    for one in wish.extend:
        if one.token in answered:
            continue
        said = _answer(world, hold, node, one, now)
        # What was granted counts for ever; a refusal is kept as long as its wish stands there.
        old = [e for e in hold.extended if e.refused is None or e.token in there]
        hold = replace(hold, ends_s=said.ends_s, extended=(*old, said))
        answered.add(one.token)
    return hold


def may_grow_by_itself(world: World, hold: Hold) -> bool:
    """Whether somebody who is logged in at the end gets more time: once."""
    if not world.policy.holds.extend.times:
        return False
    if any(one.token == BY_LOGIN for one in hold.extended):
        return False
    return hold.latest_s is None or hold.latest_s > (hold.ends_s or 0.0)


def by_login(world: World, hold: Hold, at_s: float) -> Hold:
    """Return the hold with more time, for somebody is logged in."""
    if not may_grow_by_itself(world, hold):
        return hold
    ends_s = _moved(hold, world.policy.holds.extend.by)
    more = Extension(token=BY_LOGIN, by=", ".join(hold.logins), at_s=at_s, ends_s=ends_s)
    return replace(hold, ends_s=ends_s, extended=(*hold.extended, more))


def _answer(world: World, hold: Hold, node: Node, wish: ExtendWish, now: Now) -> Extension:
    rules = world.policy.holds.extend
    for_s = wish.for_s or rules.by
    if under_way(world, node.id, now.wall_s) is not None:
        refused: str | None = IMAGE_MADE
    else:
        refused = _refusal(world, hold, node, wish, now, for_s=for_s)
    ends_s = hold.ends_s or 0.0
    return Extension(
        token=wish.token,
        by=wish.by,
        at_s=now.wall_s,
        ends_s=ends_s if refused else _moved(hold, for_s),
        refused=refused,
    )


def _refusal(
    world: World, hold: Hold, node: Node, wish: ExtendWish, now: Now, *, for_s: float
) -> str | None:
    rules = world.policy.holds
    if why := stranger(world.policy, hold, node, wish.by):
        return why
    mine = [one for one in hold.extended if one.refused is None and one.token != BY_LOGIN]
    if len(mine) >= rules.extend.times:
        most = "once" if rules.extend.times == 1 else f"{rules.extend.times} times"
        return f"a hold is extended {most} at most (holds: extend)"
    if for_s > rules.extend.by:
        return f"a hold is extended by {lasting(rules.extend.by)} at most (holds: extend)"
    if now.wall_s >= (hold.ends_s or 0.0):
        return "it is over"
    if hold.latest_s is not None and hold.latest_s <= (hold.ends_s or 0.0):
        return "it ends at the operator's maximum already (max-hold-age)"
    return None


def _moved(hold: Hold, seconds: float) -> float:
    ends_s = (hold.ends_s or 0.0) + seconds
    return ends_s if hold.latest_s is None else min(ends_s, hold.latest_s)
