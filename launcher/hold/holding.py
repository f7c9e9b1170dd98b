"""What is next for a node that is kept for a person: looked at, warned of, longer, ended. Pure.

The end in the launch record is the truth: nothing is deleted before it, and whatever ends a hold
sooner or later writes that end first.
"""

from dataclasses import replace
from typing import Final

from launcher.actions import Action, Plan
from launcher.hold.actions import LookIn, NoteHold
from launcher.hold.autoholding import fires
from launcher.hold.extending import by_login, extended, may_grow_by_itself
from launcher.hold.granting import begun, found
from launcher.hold.view import Visit
from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.world import World
from remuda.cloud.api import ServerStatus
from remuda.model.hold import Hold
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeState
from remuda.moments import lasting
from remuda.runtime.now import Now

#: Whether somebody is logged in is seen so long before the end.
END_LOOK_S: Final = 40.0
#: Of a short hold the warning and the last look come no sooner than after this part of it.
LATEST_PART: Final = 0.5
#: Whoever has the lock of a held machine beyond the end has so long to let go: it takes them
#: moments to give it back, and who works on it holds no lock (docs/adr/0039).
LOCK_GRACE_S: Final = 30.0
#: A look that did not come through is tried again after this.
LOOK_AGAIN_S: Final = 60.0
#: While idle machines end, they are looked at so often, or four times in that time.
IDLE_LOOK_S: Final = 900.0
#: A server that was listed and then is missing so often in a row is lost.
MISSED_LISTINGS_MAX: Final = 2
_DOWN: Final = frozenset({ServerStatus.STOPPED, ServerStatus.ERROR})


def hold(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    """Return the next step of a node in state *hold*, or None: there is an alarm for it."""
    before = None if view.launch is None else view.launch.hold
    if before is None or not before.begun:
        if before is not None and before.granted:
            return NoteHold(node=view.id, hold=begun(world, before, now), news=("hold.begun",))
        return _first(world, view, node, now, plan)
    return _go_on(world, view, before, node, now, plan=plan)


def only_answers(world: World, view: NodeView, node: Node, now: Now) -> NoteHold | None:
    """Return the answer to who wants more time of a machine whose image is being made.

    It is quiet by then, and stopped at last: a look would find nobody, and take it for lost.
    """
    before = None if view.launch is None else view.launch.hold
    if before is None or not before.begun:
        return None
    after = extended(world, before, node, now)
    return (
        None if after == before else NoteHold(node=view.id, hold=after, news=("hold.not_extended",))
    )


def given_back(view: NodeView, launch: Launch, node: Node, now: Now, plan: Plan) -> Condemn | None:
    """Return the end of a machine that was held and given back, while somebody has its lock.

    Whoever has that lets go as soon as it is given back, or never: then when the hold is over.
    """
    before = launch.hold
    if node.state is not NodeState.USED or before is None or not before.begun:
        return None
    return _over(view, before.ends_s or 0.0, now, plan)


def _go_on(
    world: World, view: NodeView, before: Hold, node: Node, now: Now, *, plan: Plan
) -> Action | None:
    """Return the next step of a hold that is on record."""
    after, news = _renewed(world, view, before, node, now)
    if after != before:
        return NoteHold(node=view.id, hold=after, news=news)
    ends_s = before.ends_s or 0.0
    if now.wall_s >= ends_s:
        return _over(view, ends_s, now, plan)
    looks = _looks(world, before, now)
    if any(at_s <= now.wall_s for at_s in looks):
        return LookIn(
            node=view.id, warning=_warning(before, now) if _warns(world, before, now) else None
        )
    next_s = min((ends_s, *looks))
    plan.look_again("node", view.id, now.mono_s + next_s - now.wall_s)
    return None


def _over(view: NodeView, ends_s: float, now: Now, plan: Plan) -> Condemn | None:
    """End a hold; whoever has the lock is waited for, but not for long."""
    if not view.locked:
        return Condemn(node=view.id, cause="its hold is over")
    let_go_s = ends_s + LOCK_GRACE_S
    if now.wall_s < let_go_s:
        plan.look_again("node", view.id, now.mono_s + let_go_s - now.wall_s)
        return None
    return Condemn(
        node=view.id,
        cause=f"its hold is over, and its lock was not let go for {LOCK_GRACE_S:g} s",
        lapsed=tuple(sorted(view.lock.contenders)),
    )


def _first(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    """Put a hold on record that another program has begun."""
    seen = found(world, view, node, now, plan)
    if now.wall_s >= (seen.ends_s or 0.0) and not view.locked:
        return Condemn(node=view.id, cause="its hold is over")
    # Of one that is locked our own record has to say first that it is a hold, and over.
    waiting = fires(world, view, node, now, plan)
    news = ("hold.begun",) if seen.bounded is None else ("hold.begun", "hold.bounded")
    if waiting is None:
        return NoteHold(node=view.id, hold=seen, news=news)
    kept = replace(seen, autohold=waiting.id)
    return NoteHold(node=view.id, hold=kept, news=(*news, "autohold.fired"), fires=waiting.id)


def _renewed(
    world: World, view: NodeView, before: Hold, node: Node, now: Now
) -> tuple[Hold, tuple[str, ...]]:
    """Return the hold with everything that is known by now, and what is new in it."""
    news: list[str] = []
    after = extended(world, before, node, now)
    if len(after.extended) != len(before.extended) or after.ends_s != before.ends_s:
        granted = after.ends_s != before.ends_s
        news.append("hold.extended" if granted else "hold.not_extended")
    # Told by its time, whichever is later: the reply to a write may be lost, and a clock set back.
    if view.visit is not None and view.visit.at_s != before.seen_s:
        seen = _visited(world, after, view.visit)
        if view.visit.warned:
            news.append("hold.ending")
        if seen.ends_s != after.ends_s:
            longer = (seen.ends_s or 0.0) > (after.ends_s or 0.0)
            news.append("hold.extended" if longer else "hold.idle")
        after = seen
    lost = _lost(view)
    if lost != after.lost:
        news.append("hold.lost" if lost is not None else "hold.back")
        after = replace(after, lost=lost)
    return after, tuple(news)


def _visited(world: World, before: Hold, visit: Visit) -> Hold:
    """Return a hold with what a look has found."""
    idle_since_s = None
    if visit.logins is not None and not visit.logins:
        # The clock may have been set back since.
        idle_since_s = min(before.idle_since_s or visit.at_s, visit.at_s)
    seen = replace(
        before,
        seen_s=visit.at_s,
        warned_s=visit.at_s if visit.warned else before.warned_s,
        logins=visit.logins or (),
        idle_since_s=idle_since_s,
    )
    if visit.logins and visit.at_s >= _end_look_s(before):
        return by_login(world, seen, visit.at_s)
    most_s = world.policy.holds.idle_end
    if most_s is None or idle_since_s is None or visit.at_s - idle_since_s < most_s:
        return seen
    why = f"nobody was logged in for {lasting(most_s)} (holds: idle-end)"
    return replace(seen, ends_s=min(visit.at_s, seen.ends_s or 0.0), bounded=why)


def _lost(view: NodeView) -> str | None:
    """Return what has become of the server, as far as listings tell; None: it runs."""
    if view.server.missed >= MISSED_LISTINGS_MAX:
        return "the cloud does not show its server any more"
    status = view.server.status
    return f"the cloud says of its server: {status}" if status in _DOWN else None


def _looks(world: World, before: Hold, now: Now) -> list[float]:
    """Return when the machine is to be looked at."""
    if before.lost is not None:
        return []  # it would not answer
    seen_s = before.seen_s or 0.0
    if seen_s > now.wall_s:
        seen_s = 0.0  # the clock was set back since: nobody knows how long ago that was
    looks: list[float] = []
    if _warns(world, before, now):
        warn_s = _warn_s(world, before)
        looks.append(warn_s if seen_s < warn_s else seen_s + LOOK_AGAIN_S)
    if may_grow_by_itself(world, before) and seen_s < _end_look_s(before):
        looks.append(_end_look_s(before))
    idle_s = world.policy.holds.idle_end
    if idle_s is not None:
        looks.append(max(seen_s, before.since_s or 0.0) + min(IDLE_LOOK_S, idle_s / 4))
    return looks


def _warns(world: World, before: Hold, now: Now) -> bool:
    """Whether people are still to be told of the end."""
    if not world.policy.holds.warn_before:
        return False
    # They were told by now at the latest, though the clock was set back since.
    return before.warned_s is None or min(before.warned_s, now.wall_s) < _warn_s(world, before)


def _warn_s(world: World, before: Hold) -> float:
    return _before_the_end(before, world.policy.holds.warn_before)


def _end_look_s(before: Hold) -> float:
    return _before_the_end(before, END_LOOK_S)


def _before_the_end(before: Hold, seconds: float) -> float:
    ends_s, since_s = before.ends_s or 0.0, before.since_s or 0.0
    return ends_s - min(seconds, LATEST_PART * (ends_s - since_s))


def _warning(before: Hold, now: Now) -> str:
    left = lasting(max(60.0, 60.0 * round(((before.ends_s or 0.0) - now.wall_s) / 60.0)))
    return f"This machine is held for {before.owner or 'somebody'} and is deleted in {left}."
