"""Demand: which requests we take, and how many nodes of which label to start now."""

from collections import Counter
from dataclasses import dataclass, field

from launcher.actions import Claim, Decline, Grow, Intent, Lend, Normalise, Plan, Release
from launcher.decide.bids import bids, pinned_elsewhere
from launcher.decide.budget import Budget, Shortage
from launcher.decide.rulings import declined, serving, waiting, yielding
from launcher.decide.shares import Partner, shares
from launcher.decide.standing import Standing
from launcher.duty import weight
from launcher.policy import Key
from launcher.views import ClaimView, RequestView
from launcher.world import Agenda, Now, World
from remuda.model.ids import RequestId
from remuda.model.request import RequestState

#: Claims written in one plan; the next plan goes on with the rest. Bounds one transaction burst.
CLAIMS_MAX = 50
INTENTS_MAX = 200


@dataclass(slots=True)
class _Demand:
    """One pass over the waiting requests."""

    world: World
    now: Now
    plan: Plan
    budget: Budget
    standing: Standing
    lent: frozenset[RequestId]
    extra: Counter[Key] = field(default_factory=Counter)
    needed: Counter[Key] = field(default_factory=Counter)
    blocked: Shortage | None = None
    claims: int = 0
    intents: int = 0

    def supply(self, key: Key) -> int:
        """Return the nodes of *key* that are there or coming, less what claims need of them."""
        herd, queue = self.world.herd, self.world.queue
        have = len(herd.free.get(key, ())) + herd.coming[key] + self.extra[key]
        return have - queue.needed[key] - self.needed[key]


def demand(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Add claims, intents, declines and verdicts for what ready nodes did not cover."""
    lent = frozenset(action.request for action in plan.actions if isinstance(action, Lend))
    work = _Demand(world, now, plan, Budget.of(world, now), Standing(world, now), lent)
    whole = agenda.everything or agenda.supply
    if whole:
        views = list(world.queue.in_order())
    else:
        found = (world.queue.views.get(one) for one in agenda.requests)
        views = sorted((v for v in found if v is not None and v.waiting), key=lambda v: v.order)
    if whole:
        _feed_claims(work)
    for view in views:
        _judge(work, view)
    if world.neighbours.duty("demand") and (whole or lent):
        _keep_ready(work)


def _judge(work: _Demand, view: RequestView) -> None:
    world, request = work.world, view.request
    if view.id in work.lent or view.busy or view.stale or work.now.mono_s < view.retry_s:
        return
    if not request.complete and world.neighbours.duty(view.id):
        # Zuul's scheduler trips over foreign records that lack a key; mend it on sight.
        work.plan.do(Normalise(request=view.id))
        return
    claim = world.queue.claims.get(view.id)
    if claim is not None:
        _judge_claimed(work, view, claim)
    elif request.state is RequestState.REQUESTED:
        _judge_open(work, view)


def _judge_claimed(work: _Demand, view: RequestView, claim: ClaimView) -> None:
    """Go on with a request that we have taken, or give it back."""
    world = work.world
    if claim.busy or work.now.mono_s < claim.retry_s or not world.stands(claim):
        return
    if _spent(work, view, claim):
        work.plan.verdicts[view.id] = declined(
            world, work.now, f"{claim.failures} launches for it failed; the last: {claim.why}"
        )
        if world.neighbours.duty("demand"):
            work.plan.do(Decline(request=view.id, cause=claim.why))
        return
    if claim.pool not in world.policy.pools:
        if world.neighbours.duty("demand"):
            work.plan.do(Release(request=view.id, cause="its pool is no longer configured"))
        return
    short = _unfed(work, view, claim)
    if short is not None:
        work.plan.verdicts[view.id] = waiting(world, work.now, view, short)
        if world.neighbours.duty("demand") and _others_could(work, view):
            work.plan.do(Release(request=view.id, cause=short.reason))
        return
    work.plan.verdicts[view.id] = serving(world, work.now, view, claim)


def _spent(work: _Demand, view: RequestView, claim: ClaimView) -> bool:
    """Whether so many launches failed for a claimed request that it is given up."""
    attempts = work.world.policy.config.launch_attempts * len(view.request.labels)
    return claim.failures >= attempts


def _unfed(work: _Demand, view: RequestView, claim: ClaimView) -> Shortage | None:
    """Return why a claimed request cannot get all its nodes at present, or None."""
    for label in sorted(set(view.request.labels)):
        key = (claim.pool, label)
        if view.request.reuse:
            lacking = work.supply(key) < 0
        else:
            wanted = view.request.labels.count(label)
            lacking = work.world.herd.dedicated[view.id, label] < wanted
        if lacking:
            short = work.budget.shortage(key)
            if short is not None:
                return short
    return None


def _others_could(work: _Demand, view: RequestView) -> bool:
    found = bids(work.world, view.request, work.standing.of(view.request.labels))
    return any(bid.provider != work.world.policy.provider and bid.grade <= 1 for bid in found)


def _judge_open(work: _Demand, view: RequestView) -> None:
    """Decide about a request that nobody has taken."""
    world, request, plan, now = work.world, view.request, work.plan, work.now
    if pinned_elsewhere(world, request):
        plan.verdicts[view.id] = yielding(world, now, f"it prefers {request.provider}")
        return
    pools = [
        pool.name
        for pool in world.policy.pools_for(request.labels)
        if not world.neighbours.declined_here(pool.name, request.declined_by)
    ]
    if not pools:
        _cannot(work, view)
        return
    nevers = [work.budget.never(pool, request.labels) for pool in pools]
    if all(nevers):
        reason = next(short.reason for short in nevers if short is not None)
        plan.verdicts[view.id] = declined(world, now, reason)
        if world.neighbours.duty(view.id):
            plan.do(Decline(request=view.id, cause=reason))
        return
    if _yields(work, view):
        return
    able = [pool for pool, never in zip(pools, nevers, strict=True) if never is None]
    _take(work, view, able)


def _cannot(work: _Demand, view: RequestView) -> None:
    """No pool of ours has all labels: leave it to those who do, or say that nobody does."""
    world, request = work.world, view.request
    candidates = world.neighbours.candidates(
        frozenset(request.labels), frozenset(request.declined_by)
    )
    if candidates:
        reason = "it has declined" if request.declined_by else "it makes not all of its labels"
        work.plan.verdicts[view.id] = declined(world, work.now, reason)
        return
    missing = sorted(set(request.labels) - world.neighbours.known_labels())
    reason = f"no pool makes {', '.join(missing)}" if missing else "no single pool can serve it"
    work.plan.verdicts[view.id] = declined(world, work.now, reason)
    # Even if all of ours have declined before: whoever had not may be gone by now, and then it
    # is this write that fails the request.
    settled = world.neighbours.our_ids() <= set(request.declined_by)
    nobody_left = world.neighbours.registered() <= set(request.declined_by)
    if world.neighbours.duty(view.id) and (nobody_left or not settled):
        work.plan.do(Decline(request=view.id, cause=reason))


def _yields(work: _Demand, view: RequestView) -> bool:
    """Whether better-placed providers still have their grace; sets the alarm."""
    world, now = work.world, work.now
    ranking = bids(world, view.request, work.standing.of(view.request.labels))
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


def _take(work: _Demand, view: RequestView, pools: list[str]) -> None:
    """Claim the request for the first pool that has room for what is missing."""
    world, plan = work.world, work.plan
    short = work.blocked
    if short is None:
        for pool in pools:
            intents = _missing(work, view, pool)
            if isinstance(intents, Shortage):
                short = short or intents
                continue
            if world.neighbours.duty("demand") and work.claims < CLAIMS_MAX:
                work.claims += 1
                plan.do(Claim(request=view.id, pool=pool, intents=intents, cause="demand"))
            _book(work, view, pool, intents)
            return
    if short is None:
        return
    plan.verdicts[view.id] = waiting(world, work.now, view, short)
    waited_s = work.now.mono_s - view.seen_s
    if work.blocked is None and waited_s > world.policy.patience_s:
        # A large request must not starve: smaller ones behind it no longer overtake.
        work.blocked = Shortage(reason=f"{view.id} is older and needs the room first")


def _missing(work: _Demand, view: RequestView, pool: str) -> tuple[Intent, ...] | Shortage:
    """Return the intents that the request needs beyond what is there or coming."""
    intents: list[Intent] = []
    wanted = Counter(view.request.labels)
    taken: list[Key] = []
    for label, n in sorted(wanted.items()):
        key = (pool, label)
        more = n if not view.request.reuse else n - max(0, work.supply(key))
        for _ in range(more):
            short = work.budget.shortage(key)
            if short is not None:
                _give_back(work, taken)
                return short
            work.budget.take(key, work.world.cloud.recipes[key])
            taken.append(key)
            only = None if view.request.reuse else view.id
            intents.append(_intent(work, key, len(intents), only))
    return tuple(intents)


def _give_back(work: _Demand, taken: list[Key]) -> None:
    for key in taken:
        work.budget.take_back(key, work.world.cloud.recipes[key])


def _book(work: _Demand, view: RequestView, pool: str, intents: tuple[Intent, ...]) -> None:
    if not view.request.reuse:
        return
    for intent in intents:
        work.extra[pool, intent.label] += 1
    for label in view.request.labels:
        work.needed[pool, label] += 1


def _intent(work: _Demand, key: Key, salt: int, only: RequestId | None = None) -> Intent:
    recipe = work.world.cloud.recipes[key]
    pool = work.world.policy.pools[key[0]]
    zones = pool.config.availability_zones
    number = work.world.herd.usage[key[0]].instances + work.intents + salt
    return Intent(
        pool=key[0],
        label=key[1],
        cores=recipe.flavor.cores,
        ram_mib=recipe.flavor.ram_mib,
        volume_gib=recipe.volume_gib,
        az=zones[weight(f"{key}{number}", "az") % len(zones)] if zones else None,
        for_request=only,
    )


def _grow(work: _Demand, key: Key, n: int, only: RequestId | None = None) -> tuple[Intent, ...]:
    """Return up to *n* intents of *key*, as far as there is room."""
    intents = []
    for salt in range(n):
        if work.budget.shortage(key) is not None or work.intents >= INTENTS_MAX:
            break
        work.budget.take(key, work.world.cloud.recipes[key])
        work.intents += 1
        work.extra[key] += only is None
        intents.append(_intent(work, key, salt, only))
    return tuple(intents)


def _feed_claims(work: _Demand) -> None:
    """Replace what failed or vanished of the nodes that our claims wait for."""
    world = work.world
    if not world.neighbours.duty("demand"):
        return
    intents: list[Intent] = []
    alone: list[tuple[RequestView, ClaimView]] = []
    for request_id, claim in world.queue.claims.items():
        view = world.queue.views.get(request_id)
        if view is None or not view.waiting:
            continue
        if not view.request.reuse:
            alone += [] if _spent(work, view, claim) else [(view, claim)]
        elif _spent(work, view, claim):
            # It is being declined: no machine is made for it any more.
            work.needed.subtract((claim.pool, label) for label in view.request.labels)
    for key in sorted(key for key, n in world.queue.needed.items() if n > 0):
        intents += _grow(work, key, -work.supply(key))
    for view, claim in alone:
        request_id = view.id
        for label, n in sorted(Counter(view.request.labels).items()):
            have = world.herd.dedicated[request_id, label]
            intents += _grow(work, (claim.pool, label), n - have, request_id)
    if intents:
        work.plan.do(Grow(intents=tuple(intents), cause="claimed requests"))


def _keep_ready(work: _Demand) -> None:
    """Top up min-ready with what room the requests left."""
    world, now = work.world, work.now
    if work.blocked is not None:
        return
    settled_s = world.awake_since_s + world.policy.settle_s
    if now.mono_s < settled_s:
        work.plan.look_again("supply", "settle", settled_s)
        return
    intents: list[Intent] = []
    for name, label in sorted(world.policy.labels.items()):
        keys = [(p.name, name) for p in world.policy.pools.values() if name in p.labels]
        if label.min_ready == 0 or not keys:
            continue
        share = shares(label.min_ready, _partners(work, name)).get(world.policy.provider, 0)
        lacking = share - sum(work.supply(key) for key in keys)
        for key in sorted(keys, key=lambda k: (world.policy.pools[k[0]].priority, k)):
            grown = _grow(work, key, lacking)
            lacking -= len(grown)
            intents += grown
    if intents:
        work.plan.do(Grow(intents=tuple(intents), cause="min-ready"))


def _partners(work: _Demand, label: str) -> list[Partner]:
    world = work.world
    label_min = world.policy.labels[label].min_ready
    partners = []
    own = work.standing.of((label,))
    providers = {p.provider for p in world.neighbours.pools.values() if label in p.labels}
    for provider in providers | {world.policy.provider}:
        mine = provider == world.policy.provider
        status = own if mine else world.neighbours.status(provider)
        if status is None and world.neighbours.provider_alive(provider):
            # It has just started and will speak for itself in a moment.
            partners.append(Partner(world.policy.config.priority, provider, 0, label_min))
            continue
        if status is None or status.trouble is not None or label not in status.labels:
            continue
        one = status.labels[label]
        room = 0 if one.broken else one.room
        partners.append(Partner(status.priority, provider, one.ready + one.coming, room))
    return partners
