"""Giving a claimed request back because another provider has all of its nodes ready.

The other would hand them out at once. But what we know of it may be a second old, its nodes may go
to somebody else meanwhile, and what we give back comes back if nobody takes it: so each request is
given back early once at the most, and no more of them than the other has nodes for.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from launcher.claim.view import ClaimView
from launcher.request.bids import bids
from launcher.request.demand_pass import DemandPass
from launcher.request.view import RequestView
from remuda.model.request import RequestState
from remuda.model.status import ProviderStatus

#: A claim is kept for so long: whoever had the nodes ready before has had time to take it.
KEPT_S: Final = 3.0
#: What is ready here so soon is not worth the detour.
SOON_S: Final = 2.0
#: What was given back so recently may not show yet in what the other tells.
TOLD_S: Final = 2.0


def overtaken(work: DemandPass, view: RequestView, claim: ClaimView) -> bool:
    """Whether another provider has all nodes of a claimed request ready, and ours take longer."""
    world, labels = work.world, view.request.labels
    if view.may_get.own or not _somebody_ready(work, labels):
        return False
    boots = [world.cloud.boot_s.get((claim.pool, label), 0.0) for label in set(labels)]
    usual_s = world.policy.patience_s + 3 * max(boots, default=0.0)
    waited_s = work.now.mono_s - claim.since_s
    early = waited_s < usual_s
    if early and (view.returned_s > claim.since_s - usual_s or waited_s < KEPT_S):
        due_s = KEPT_S if waited_s < KEPT_S else usual_s
        work.plan.look_again("request", view.id, claim.since_s + due_s)
        return False
    if early and _soon(work, view, claim, waited_s):
        work.plan.look_again("request", view.id, work.now.mono_s + SOON_S)
        return False
    found = bids(world, view, work.status.of(labels), work.known_bids)
    better = next((b for b in found if b.provider != world.policy.provider and b.ready), None)
    return better is not None and _pass_on(work, better.provider, labels)


def _somebody_ready(work: DemandPass, labels: tuple[str, ...]) -> bool:
    """Whether another provider has nodes for *labels* ready; looked up once for each kind."""
    known = work.elsewhere.get(labels)
    if known is None:
        peers, wanted = work.world.peers, Counter(labels)
        told = (peers.status(provider) for provider in peers.statuses)
        known = any(one is not None and _enough(one, wanted) for one in told)
        work.elsewhere[labels] = known
    return known


def _enough(status: ProviderStatus, wanted: Mapping[str, int]) -> bool:
    labels = status.labels
    return all(name in labels and labels[name].ready >= n for name, n in wanted.items())


def _soon(work: DemandPass, view: RequestView, claim: ClaimView, waited_s: float) -> bool:
    """Whether its own launches are expected to be ready within a moment, or are hardly late."""
    world = work.world
    left_s = []
    for label in set(view.request.labels):
        boot_s = world.cloud.boot_s.get((claim.pool, label))
        if boot_s is None:
            return False
        own = world.nodes.own(view.id, label)
        ages = [work.now.wall_s - one.launch.planned_s for one in own if one.launch and one.coming]
        # Without launches of its own it waits for those of others.
        age_s = min(ages) if ages else waited_s
        left_s.append(boot_s - age_s if age_s <= 2 * boot_s else float("inf"))
    return max(left_s) <= SOON_S


def _pass_on(work: DemandPass, provider: str, labels: tuple[str, ...]) -> bool:
    """Whether *provider* has enough ready for this one, too; then count it."""
    if work.passed_on is None:
        since_s = work.now.mono_s - TOLD_S
        work.passed_on = Counter(
            label
            for one in work.world.queue.in_order()
            if one.returned_s > since_s and one.request.state is RequestState.REQUESTED
            for label in one.request.labels
        )
    status, wanted = work.world.peers.status(provider), Counter(labels)
    all_together = {name: work.passed_on[name] + n for name, n in wanted.items()}
    if status is None or not _enough(status, all_together):
        return False
    work.passed_on += wanted
    return True
