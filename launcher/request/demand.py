"""Demand: which requests we take, and how many nodes of which label to start now."""

from launcher.actions import Plan
from launcher.claim.actions import Claim
from launcher.claim.view import ClaimView
from launcher.image.binding import bind
from launcher.node.budget import Budget
from launcher.node.scale_down import shrink
from launcher.node.scale_up import feed_claims, keep_ready
from launcher.node.shortage import Shortage
from launcher.provider.status import OwnStatus
from launcher.request.actions import Allocate, Decline, Normalise, Release
from launcher.request.bids import bids, for_builder, pinned_elsewhere
from launcher.request.demand_pass import DemandPass
from launcher.request.make_room import give_way, make_room, no_more
from launcher.request.overtaking import overtaken
from launcher.request.taken import stand_by
from launcher.request.verdicts import declined, gist, late_from_s, serving, waiting, yielding
from launcher.request.view import MayGet, RequestView
from launcher.world import Agenda, World
from remuda.model.request import RequestState
from remuda.model.status import Ruling
from remuda.runtime.now import Now

#: Claims written in one plan; the next plan goes on with the rest. Bounds one transaction burst.
CLAIMS_MAX = 50
#: Builders and launchers read a new configuration one after the other: for so long a request for an
#: image that we do not know is not declined, which would cost its build minutes.
CONFIG_READ_S = 30.0


def demand(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Add claims, intents, declines and verdicts for what ready nodes did not cover."""
    whole = agenda.everything or agenda.supply
    work = _begin(world, now, plan)
    work.whole, work.thorough = whole, agenda.everything
    if whole:
        views = list(world.queue.in_order())
    else:
        found = (world.queue.views.get(one) for one in agenda.requests)
        views = sorted((v for v in found if v is not None and v.waiting), key=lambda v: v.order)
    if whole:
        work.blocked.clear()
    feed_claims(work, start=whole and world.peers.assigned("demand"))
    for view in work.unsettled(views, agenda.requests):
        _judge(work, view)
    give_way(work)
    if world.peers.assigned("demand") and (whole or work.allocated):
        keep_ready(work)
    if world.peers.assigned("demand") and whole:
        shrink(work)
    plan.blocked = work.blocked


def _begin(world: World, now: Now, plan: Plan) -> DemandPass:
    allocations = [action for action in plan.actions if isinstance(action, Allocate)]
    return DemandPass(
        world=world,
        now=now,
        plan=plan,
        budget=Budget.of(world, now),
        status=OwnStatus(world, now),
        allocated=frozenset(action.request for action in allocations),
        given=frozenset(node for action in allocations for node in action.nodes),
        emptying=frozenset(
            pool
            for (pool, _, state), n in world.nodes.states.items()
            if n > 0 and state == "deleting"
        ),
        blocked=dict(world.blocked),
    )


def _judge(work: DemandPass, view: RequestView) -> None:
    world, request = work.world, view.request
    if view.id in work.allocated or view.busy or view.stale or work.now.mono_s < view.retry_s:
        return
    claim = world.queue.claims.get(view.id)
    unclaimed = claim is None and request.state is RequestState.REQUESTED
    if request.unfit is not None:
        _refuse(work, view, claim, request.unfit)
    elif unclaimed and not request.complete and world.peers.assigned(view.id):
        # Zuul's scheduler fails at records that lack a key, whoever wrote them: add it.
        work.plan.do(Normalise(request=view.id))
    elif claim is not None and not claim.contender:
        if world.peers.assigned(view.id) and work.now.mono_s >= claim.retry_s:
            work.plan.do(Release(request=view.id, cause="its claim cannot be read"))
    elif claim is not None:
        _judge_claimed(work, view, claim)
    elif unclaimed and for_builder(request) and not work.whole:
        # Whether users wait for the room, only a whole plan knows.
        work.plan.look_again("supply", "builders", work.now.mono_s)
    elif unclaimed:
        _judge_open(work, view)
    else:  # another provider has taken it
        _judge_taken(work, view)


def _refuse(work: DemandPass, view: RequestView, claim: ClaimView | None, why: str) -> None:
    """Decline a request that nobody can serve as it is written, so that its requestor hears why."""
    if claim is not None:
        if not work.world.stands(claim):
            return
    elif view.request.state is not RequestState.REQUESTED:
        return  # whoever has taken it declines it
    work.plan.verdicts[view.id] = declined(work.world, work.now, why)
    _decline(work, view, why)


def _decline(work: DemandPass, view: RequestView, reason: str) -> None:
    """Say for all our pools that they will not serve it, if that is news."""
    world, said = work.world, set(view.request.declined_by)
    # Even if all of ours have declined before: whoever had not may be gone by now, and then it
    # is this write that fails the request.
    settled = world.peers.our_ids() <= said
    nobody_left = world.peers.registered() <= said
    if world.peers.assigned(view.id) and (nobody_left or not settled):
        work.plan.do(Decline(request=view.id, cause=reason))


def _judge_claimed(work: DemandPass, view: RequestView, claim: ClaimView) -> None:
    """Go on with a request that we have taken, or give it back."""
    world = work.world
    if work.now.mono_s < claim.retry_s or not world.stands(claim):
        return
    if work.spent(view):
        failures, why = world.queue.charges.count(view.id), world.queue.charges.last(view.id)
        _give_up(work, view, f"{failures} launches for it failed; the last: {why}")
        return
    misplaced = _misplaced(work, view, claim)
    if misplaced is not None:
        if world.peers.assigned("demand"):
            work.plan.do(Release(request=view.id, cause=misplaced))
        return
    short = _unfed(work, view, claim)
    if short is None:
        work.plan.verdicts[view.id] = serving(world, work.now, view, claim)
        late_s = late_from_s(world, work.now, view, claim.pool)
        if late_s is not None and work.now.mono_s < late_s:
            work.plan.look_again("request", view.id, late_s)
    else:
        _starve(work, view, claim, short)


def _give_up(work: DemandPass, view: RequestView, reason: str) -> None:
    """Decline a request that we have taken."""
    work.plan.verdicts[view.id] = declined(work.world, work.now, reason)
    if work.world.peers.assigned("demand"):
        work.plan.do(Decline(request=view.id, cause=reason))


def _starve(work: DemandPass, view: RequestView, claim: ClaimView, short: Shortage) -> None:
    """Find what a claimed request lacks room for, or give it back."""
    world = work.world
    # Limits may have become lower since it was claimed.
    short = work.budget.never(claim.pool, view.request.labels) or short
    most = no_more(work, view, claim)
    if most is not None:
        _give_up(work, view, most.reason)
        return
    work.plan.verdicts[view.id] = waiting(world, work.now, view, short)
    if short.passing:
        return
    if short.final or _others_could(work, view):
        if world.peers.assigned("demand"):
            work.plan.do(Release(request=view.id, cause=short.reason))
    elif short.pools:
        make_room(work, view, claim.pool, short)
        work.starved.append((view, short))


def _misplaced(work: DemandPass, view: RequestView, claim: ClaimView) -> str | None:
    """Return why a claimed request is better given back, or None."""
    pool = work.world.policy.pools.get(claim.pool)
    if pool is None:
        return "its pool is no longer configured"
    if not pool.labels.issuperset(view.request.labels):
        return "its pool makes not all of its labels any more"
    if _stuck(work, view, claim):
        return "its machines let nobody in, and another provider could make them"
    return "another provider has its nodes ready" if overtaken(work, view, claim) else None


def _stuck(work: DemandPass, view: RequestView, claim: ClaimView) -> bool:
    """Whether its machines do not come, and it is time that somebody else tries.

    If nobody takes it, it comes back, and then it stays for as long as those machines may take.
    """
    world, now = work.world, work.now
    if now.mono_s - view.returned_s < world.policy.config.login_timeout:
        return False
    late = any((claim.pool, label) in work.status.late for label in view.request.labels)
    return late and _others_could(work, view)


def _unfed(work: DemandPass, view: RequestView, claim: ClaimView) -> Shortage | None:
    """Return why a claimed request cannot get all its nodes at present, or None."""
    for label in sorted(set(view.request.labels)):
        key = (claim.pool, label)
        if not view.may_get.own:
            lacking = work.supply(key) < 0
        else:
            wanted = view.request.labels.count(label)
            lacking = work.world.nodes.dedicated[view.id, label] < wanted
            lacking = lacking and not work.covers(view, claim.pool)
        if lacking:
            short = work.short.get(key)
            if short is not None:
                return short
    return None


def _others_could(work: DemandPass, view: RequestView) -> bool:
    found = bids(work.world, view, work.status.of(view.request.labels), work.known_bids)
    return any(bid.provider != work.world.policy.provider and bid.hopeful for bid in found)


def _judge_open(work: DemandPass, view: RequestView) -> None:
    """Decide about a request that nobody has taken."""
    world, request, plan, now = work.world, view.request, work.plan, work.now
    if pinned_elsewhere(world, view):
        plan.verdicts[view.id] = yielding(world, now, f"it prefers {request.provider}")
        return
    pools = _pools(work, view)
    if not pools:
        _cannot(work, view)
        return
    able, never = _able(work, view, pools)
    if never is not None:
        plan.verdicts[view.id] = declined(world, now, never.reason, never.numbers)
        if world.peers.assigned(view.id):
            plan.do(Decline(request=view.id, cause=never.reason))
    elif not _yields(work, view):
        _take(work, view, able)


def _judge_taken(work: DemandPass, view: RequestView) -> None:
    """Say why we do not serve a request that another provider has taken."""
    world, now = work.world, work.now
    if pinned_elsewhere(world, view):
        verdict = yielding(world, now, f"it prefers {view.request.provider}")
    elif pools := _pools(work, view):
        verdict = stand_by(work, view, *_able(work, view, pools))
    elif world.told_verdicts.get(view.id, "").startswith(Ruling.DECLINED):
        return  # the verdict that is written says why
    else:
        verdict = declined(world, now, _why_none(view))
    work.plan.verdicts[view.id] = verdict


def _pools(work: DemandPass, view: RequestView) -> list[str]:
    """Return our pools that have all labels of a request and have not declined it."""
    return [
        pool.name
        for pool in work.world.policy.pools_for(view.request.labels)
        if not work.world.peers.declined_here(pool.name, view.request.declined_by)
    ]


def _able(
    work: DemandPass, view: RequestView, pools: list[str]
) -> tuple[list[str], Shortage | None]:
    """Return which of *pools* could serve a request; if none, why not."""
    nevers = {pool: _never(work, view, pool) for pool in pools}
    able = [pool for pool, never in nevers.items() if never is None]
    return able, None if able else nevers[pools[0]]


def _never(work: DemandPass, view: RequestView, pool: str) -> Shortage | None:
    """Return why a pool of ours cannot serve an open request, now or ever, or None."""
    never = work.budget.never(pool, view.request.labels)
    if never is not None or not for_builder(view.request):
        return never
    bound = (bind(work.world, work.now, (pool, one), view) for one in view.request.labels)
    return next((one for one in bound if isinstance(one, Shortage) and one.final), None)


def _cannot(work: DemandPass, view: RequestView) -> None:
    """No pool of ours has all labels: leave it to those who do, or say that nobody does."""
    world, request = work.world, view.request
    read_s = view.seen_s + CONFIG_READ_S
    if for_builder(request) and not request.declined_by and work.now.mono_s < read_s:
        work.plan.look_again("request", view.id, read_s)
        unread = Shortage(reason="its image is not in our configuration yet", passing=True)
        work.plan.verdicts[view.id] = waiting(world, work.now, view, unread)
        return
    candidates = world.peers.candidates(frozenset(request.labels), frozenset(request.declined_by))
    if candidates and world.told_verdicts.get(view.id, "").startswith(Ruling.DECLINED):
        return  # the verdict that is written says why
    if candidates:
        work.plan.verdicts[view.id] = declined(world, work.now, _why_none(view))
        return
    missing = sorted(set(request.labels) - world.peers.known_labels())
    reason = f"no pool makes {', '.join(missing)}" if missing else "no single pool can serve it"
    if world.peers.candidates(frozenset(request.labels), frozenset()):
        reason = "every pool that makes its labels has declined"
    work.plan.verdicts[view.id] = declined(world, work.now, reason)
    _decline(work, view, reason)


def _why_none(view: RequestView) -> str:
    """Return why no pool of ours is for a request, though others' are."""
    return "it has declined" if view.request.declined_by else "it makes not all of its labels"


def _yields(work: DemandPass, view: RequestView) -> bool:
    """Whether better-placed providers still have their grace; sets the alarm."""
    world, now = work.world, work.now
    ranking = bids(world, view, work.status.of(view.request.labels), work.known_bids)
    ahead = []
    for bid in ranking:
        if bid.provider == world.policy.provider:
            break
        ahead.append(bid)
    if not ahead:
        return False
    due_s = view.seen_s + len(ahead) * world.policy.cold_grace_s
    if now.mono_s >= due_s:
        return False
    work.plan.look_again("request", view.id, due_s)
    work.plan.verdicts[view.id] = yielding(world, now, f"{ahead[0].provider} can serve it sooner")
    return True


def _lent_by_another(work: DemandPass, view: RequestView, pool: str) -> bool:
    """Whether a replica of ours is about to hand ready nodes out to the request; sets the alarm."""
    world, labels = work.world, view.request.labels
    due_s = view.seen_s + world.policy.warm_grace_s
    if world.peers.assigned(view.id) or view.may_get is MayGet.NEW or work.now.mono_s >= due_s:
        return False
    free = world.nodes.free
    if any(len(free.get((pool, label), ())) < labels.count(label) for label in set(labels)):
        return False
    work.plan.look_again("request", view.id, due_s)
    return True


def _held_back(work: DemandPass, view: RequestView, pool: str) -> Shortage | None:
    """Return who is to have the room of a pool first, or None."""
    if for_builder(view.request) and pool in work.crowded:
        return Shortage(reason="requests of users wait for the room", pools=(pool,))
    first = work.blocker(view, pool)
    if first is None:
        return None
    return Shortage(reason=f"{first} is older and needs the room first")


def _take(work: DemandPass, view: RequestView, pools: list[str]) -> None:
    """Claim the request for the first pool that has room for what is missing."""
    world = work.world
    shorts: dict[str, Shortage] = {}
    for pool in pools:
        held_back = _held_back(work, view, pool)
        if held_back is not None:
            shorts[pool] = held_back
            continue
        intents = work.missing(view, pool)
        if isinstance(intents, Shortage):
            shorts[pool] = intents
            continue
        if not intents and _lent_by_another(work, view, pool):
            pass  # what is there is his to give, not ours to claim
        elif world.peers.assigned("demand") and work.claims < CLAIMS_MAX:
            work.claims += 1
            work.plan.do(Claim(request=view.id, pool=pool, intents=intents, cause="demand"))
        work.book(view, pool, intents)
        return
    verdict = work.plan.verdicts[view.id] = waiting(world, work.now, view, shorts[pools[0]])
    work.crowded.update(full for short in shorts.values() for full in short.pools)
    patient = work.now.mono_s - view.seen_s <= world.policy.patience_s
    for pool, short in shorts.items():
        if not short.pools:
            continue
        make_room(work, view, pool, short)
        for full in () if patient else short.pools:
            # A large request must not starve: smaller ones behind it no longer overtake.
            work.blocked.setdefault(full, view.id)
    kind = work.kind(view)
    if kind is not None and gist(verdict) == world.told_verdicts.get(view.id):
        work.stuck[kind] = frozenset(pool for short in shorts.values() for pool in short.pools)
