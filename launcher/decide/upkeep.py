"""What has to be done for all nodes together: listing, survey, claims, verdicts."""

from collections.abc import Iterator

from launcher.actions import (
    Action,
    AdoptClaim,
    Decline,
    DropClaim,
    ListServers,
    Plan,
    Rescue,
    Rule,
    Survey,
    Tidy,
)
from launcher.decide.rulings import gist
from launcher.decide.taken import TAKEN_MAX, is_taken, says_more, taken_due_s
from launcher.lanes import LISTING, SURVEY, TIDYING
from launcher.world import Agenda, World
from remuda.runtime.now import Now


def poll_cloud(world: World, now: Now, plan: Plan) -> None:
    """Add the listing and the survey when they are due, and their alarms."""
    poll_servers(world, now, plan)
    cloud = world.cloud
    if SURVEY not in world.busy:
        doubted_due_s = cloud.doubted_due_s if cloud.doubted else float("inf")
        if now.mono_s >= cloud.survey_due_s:
            plan.do(Survey())
        elif now.mono_s >= doubted_due_s:
            plan.do(Survey(only=frozenset(cloud.doubted)))
        else:
            plan.look_again("cloud", "survey", min(cloud.survey_due_s, doubted_due_s))


def poll_servers(world: World, now: Now, plan: Plan) -> None:
    """Add the listing when it is due, and its alarm."""
    if LISTING in world.busy:
        return
    due_s = _list_due_s(world)
    if now.mono_s >= due_s:
        plan.do(ListServers(number=world.cloud.listing + 1))
    else:
        plan.look_again("cloud", "list", due_s)


def _list_due_s(world: World) -> float:
    """Return when the next listing is due: soon while our own nodes wait for the cloud."""
    cloud, config = world.cloud, world.policy.config
    if cloud.list_failures:
        return cloud.list_due_s
    if world.expecting():
        return cloud.listed_s + config.list_period
    return cloud.listed_s + config.idle_list_period


def tidy(world: World, now: Now, plan: Plan) -> None:
    """Add a round of tidying when it is due; one replica does it for all."""
    if world.halted is not None or TIDYING in world.busy or not world.neighbours.duty("tidy"):
        return
    if now.mono_s < world.cloud.tidy_due_s:
        plan.look_again("cloud", "tidy", world.cloud.tidy_due_s)
    else:
        plan.do(Tidy())


def claims(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Drop claims whose request is gone or settled; take over those of dead replicas."""
    queue = world.queue
    ids = queue.claims.keys() if agenda.everything else agenda.requests & queue.claims.keys()
    for request_id in sorted(ids):
        claim = queue.claims[request_id]
        view = queue.views.get(request_id)
        if claim.busy or request_id in queue.unread:
            continue
        if view is not None and (view.stale or view.busy):
            continue
        if now.mono_s < claim.retry_s:
            plan.look_again("request", request_id, claim.retry_s)
            continue
        # A claim of ours whose lock went with our session looks kept to everybody else.
        lost = claim.owner == world.neighbours.me and not world.stands(claim)
        if not lost and not world.neighbours.duty(request_id):
            continue
        if view is None or not view.waiting or view.request.state == "requested":
            plan.do(DropClaim(request=request_id))
        elif claim.contender and not world.stands(claim):
            plan.do(AdoptClaim(request=request_id))


def rescue(world: World, plan: Plan) -> None:
    """Give back what providers without a living launcher had claimed."""
    for provider in sorted(world.rescues):
        if not world.neighbours.provider_alive(provider):
            plan.do(Rescue(provider=provider))


def rule(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
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
        if view is None or not world.neighbours.duty("demand"):
            continue
        taken, known, words = is_taken(world, view), world.ruled.get(request_id), gist(verdict)
        if known == words or (taken and not says_more(known, words)):
            continue
        due_s = view.seen_s + world.policy.verdict_after_s
        if taken:
            due_s = taken_due_s(world, view, now, left)
        if now.mono_s < due_s:
            plan.look_again("request", request_id, due_s)
        else:
            left -= taken
            plan.do(Rule(request=request_id, verdict=verdict, taken=taken))
    plan.actions = list(_reasons_first(plan))
    ended = world.ruled.keys() if agenda.everything else agenda.requests & world.ruled.keys()
    for request_id in sorted(ended):
        view = world.queue.views.get(request_id)
        if view is None or not (view.waiting or view.request.state == "failed"):
            plan.do(Rule(request=request_id, verdict=None))


def _reasons_first(plan: Plan) -> Iterator[Action]:
    """Yield the actions of a plan, before each decline the reason for it."""
    for action in plan.actions:
        if isinstance(action, Decline) and action.request in plan.verdicts:
            yield Rule(request=action.request, verdict=plan.verdicts[action.request])
        yield action
