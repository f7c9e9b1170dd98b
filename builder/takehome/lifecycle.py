"""What is the next step of each take-home image? Pure.

Every builder may carry on any of them: who is at one is in its record, and what is nobody's falls
to the builder that is assigned it (ADR 0002).
"""

from typing import Final

from builder.actions import Plan
from builder.takehome.actions import EndTakeHome, KeepTakeHome, MakeTakeHome, name_of
from builder.view import WorldView
from remuda.model.takehome import TakeHome, TakeHomeState

#: One that failed tells why for so long at most, whatever time was wished.
FAILED_S_MAX: Final = 7 * 86_400.0
#: An image that the cloud does not let go, that is in no cloud of ours any more, or that is not
#: what its record says: for each try the cloud is asked, and the record written.
END_AGAIN_S: Final = 10.0


def step(view: WorldView, plan: Plan) -> None:
    """Add what is to be done with each of them, and say what waits."""
    for _, one in sorted(view.take_homes.items()):
        _step(view, one, plan)


def _step(view: WorldView, one: TakeHome, plan: Plan) -> None:
    name = name_of(one.node)
    if name in view.busy:
        return
    if one.state is TakeHomeState.MAKING:
        # Ours, and no hand of ours is at it: it met an error, or we were born again.
        if one.owner == view.me or (view.dead(one.owner) and view.mine(name)):
            plan.do(MakeTakeHome(id=one.node))
        return
    if not view.mine(name):
        return
    if over(view, one):
        _end(view, one, plan)
        return
    if one.state is TakeHomeState.ASKED:
        why = _hindrance(view, one)
        if why is None:
            plan.do(MakeTakeHome(id=one.node))
        else:
            plan.wait(name, why)
        return
    if one.state is TakeHomeState.WHOLE and one.node in view.take_home_more:
        plan.do(KeepTakeHome(id=one.node))
    ends_s = end_of(one)
    if ends_s is not None:
        plan.wake(ends_s)


def _end(view: WorldView, one: TakeHome, plan: Plan) -> None:
    """Have one deleted, and again after a while: each try is on record before anything else."""
    tried = one.state is TakeHomeState.ENDING
    again_s = view.counted(one.since_s + END_AGAIN_S, END_AGAIN_S) if tried else 0.0
    if view.now_s < again_s:
        plan.wait(name_of(one.node), "its image does not go yet", again_s)
    else:
        plan.do(EndTakeHome(id=one.node))


def over(view: WorldView, one: TakeHome) -> bool:
    """Whether an image, or what tells that there is none, is to go."""
    if one.state is TakeHomeState.ENDING or one.node in view.take_home_ends:
        return True
    ends_s = end_of(one)
    return ends_s is not None and view.now_s >= ends_s


def end_of(one: TakeHome) -> float | None:
    """Return when one goes by itself; None: it is not made yet."""
    if one.state is TakeHomeState.FAILED:
        return one.since_s + min(one.wish.for_s, FAILED_S_MAX)
    return one.ends_s if one.state is TakeHomeState.WHOLE else None


def _hindrance(view: WorldView, one: TakeHome) -> str | None:
    facts = view.providers.get(one.provider)
    if facts is None:
        return f"{one.provider}: nobody knows yet where its images lie"
    return facts.trouble or facts.full
