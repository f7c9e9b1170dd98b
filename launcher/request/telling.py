"""Which verdicts are written: on requests that wait, when the words change."""

from collections.abc import Iterator

from launcher.actions import Action, Plan
from launcher.request.actions import Decline, WriteVerdict
from launcher.request.taken import TAKEN_MAX, is_taken, says_more, taken_due_s
from launcher.request.verdicts import gist
from launcher.world import Agenda, World
from remuda.runtime.now import Now


def tell_verdicts(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Write verdicts on requests that wait for more than a moment, when the words change.

    They are written by the replica that decides about launches, for only it knows why. A decline
    is explained first: it may be the one that fails the request, and whoever waits for that reads
    the reason at once.
    """
    declining = {action.request for action in plan.actions if isinstance(action, Decline)}
    left = TAKEN_MAX
    for request_id, verdict in plan.verdicts.items():
        view = world.queue.views.get(request_id)
        if request_id in declining:
            continue
        if view is None or not world.peers.assigned("demand"):
            continue
        taken, known, words = (
            is_taken(world, view),
            world.told_verdicts.get(request_id),
            gist(verdict),
        )
        if known == words or (taken and not says_more(known, words)):
            continue
        due_s = view.seen_s + world.policy.verdict_after_s
        if taken:
            due_s = taken_due_s(world, view, now, left)
        if now.mono_s < due_s:
            plan.look_again("request", request_id, due_s)
        else:
            left -= taken
            plan.do(WriteVerdict(request=request_id, verdict=verdict, taken=taken))
    plan.actions = list(_reasons_first(plan))
    ended = (
        world.told_verdicts.keys()
        if agenda.everything
        else agenda.requests & world.told_verdicts.keys()
    )
    for request_id in sorted(ended):
        view = world.queue.views.get(request_id)
        if view is None or not (view.waiting or view.request.state == "failed"):
            plan.do(WriteVerdict(request=request_id, verdict=None))


def _reasons_first(plan: Plan) -> Iterator[Action]:
    """Yield the actions of a plan, before each decline the reason for it."""
    for action in plan.actions:
        if isinstance(action, Decline) and action.request in plan.verdicts:
            yield WriteVerdict(request=action.request, verdict=plan.verdicts[action.request])
        yield action
