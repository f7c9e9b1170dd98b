"""Supply: nodes started for requests that are claimed already, and for min-ready."""

from collections import Counter
from dataclasses import replace

from launcher.image.first_use import looked_up, unmade
from launcher.node.actions import Grow, Intent
from launcher.node.shares import Partner, shares
from launcher.policy import Key
from launcher.request.demand_pass import DemandPass
from launcher.request.view import RequestView


def feed_claims(work: DemandPass, *, start: bool) -> None:
    """Start what our claims still lack, or at least keep the room for it.

    Something failed or vanished, or not all could be started at once.
    """
    intents: list[Intent] = []
    for key, n, only in _lacking(work):
        grown = work.grow(key, n, only) if start else ()
        intents += grown if only is not None else _charged(work, key, grown)
        short = work.budget.shortage(key) if n > len(grown) else None
        if short is not None:
            work.short.setdefault(key, short)
        recipe = work.world.cloud.recipes.get(looked_up(work.world, work.now, key))
        if recipe is not None:
            work.budget.reserve(key, recipe, n - len(grown))
    if intents:
        work.plan.do(Grow(intents=tuple(intents), cause="claimed requests"))


def _lacking(work: DemandPass) -> list[tuple[Key, int, RequestView | None]]:
    """Return what claims lack: of which key, how many, and for whom alone."""
    world = work.world
    alone: list[tuple[Key, int, RequestView | None]] = []
    for request_id, claim in world.queue.claims.items():
        view = world.queue.views.get(request_id)
        if view is None or not view.waiting:
            continue
        spent = work.spent(view)
        if not view.may_get.own and spent:
            # It is being declined: no machine is made for it any more.
            work.needed.subtract((claim.pool, label) for label in view.request.labels)
        elif view.may_get.own and not spent:
            if work.covers(view, claim.pool):
                continue
            for label, n in sorted(Counter(view.request.labels).items()):
                have = world.nodes.dedicated[request_id, label]
                alone.append(((claim.pool, label), n - have, view))
    shared = [(key, -work.supply(key), None) for key, n in world.queue.needed.items() if n > 0]
    return [one for one in (*sorted(shared), *alone) if one[1] > 0]


def _charged(work: DemandPass, key: Key, intents: tuple[Intent, ...]) -> list[Intent]:
    """Return what is started for claimed requests, each on account of one that lacks a machine.

    That is one whose own launches, as far as they are under way or waiting, do not cover it; the
    first in service order. If others' machines cover it meanwhile, its launch is theirs to use.
    """
    world, left = work.world, list(intents)
    charged: list[Intent] = []
    for view in world.queue.wanting(key[1]) if intents else ():
        claim = world.queue.claims.get(view.id)
        if claim is None or claim.pool != key[0] or view.may_get.own or work.spent(view):
            continue
        own = world.nodes.own(view.id, key[1])
        for _ in range(max(0, view.request.labels.count(key[1]) - len(own))):
            if not left:
                return charged
            charged.append(replace(left.pop(0), on_account_of=view.id))
    return charged + left


def keep_ready(work: DemandPass) -> None:
    """Top up min-ready with what room the requests left."""
    world, now = work.world, work.now
    settled_s = world.awake_since_s + world.policy.settle_s
    if now.mono_s < settled_s:
        work.plan.look_again("supply", "settle", settled_s)
        return
    intents: list[Intent] = []
    for name, label in sorted(world.policy.labels.items()):
        # Nobody waits for a machine that is kept ready: none runs a recipe for that.
        keys = [
            (p.name, name)
            for p in world.policy.pools.values()
            if name in p.labels and unmade(world, now, (p.name, name)) is None
        ]
        if label.min_ready == 0 or not keys:
            continue
        share = shares(label.min_ready, partners(work, name)).get(world.policy.provider, 0)
        lacking = share - sum(work.supply(key) for key in keys)
        for key in sorted(keys, key=lambda k: (world.policy.pools[k[0]].priority, k)):
            # Room that an old request waits for is not ours to fill.
            grown = () if key[0] in work.blocked else work.grow(key, lacking)
            lacking -= len(grown)
            intents += grown
    if intents:
        work.plan.do(Grow(intents=tuple(intents), cause="min-ready"))


def partners(work: DemandPass, label: str) -> list[Partner]:
    """Return the providers that could hold ready nodes of a label: not those in trouble."""
    world = work.world
    label_min = world.policy.labels[label].min_ready
    found = []
    own = work.status.of((label,))
    providers = {p.provider for p in world.peers.pools.values() if label in p.labels}
    for provider in sorted(providers | {world.policy.provider}):
        mine = provider == world.policy.provider
        status = own if mine else world.peers.status(provider)
        if status is None and world.peers.provider_alive(provider):
            # It has just started and will speak for itself in a moment.
            found.append(Partner(world.policy.config.priority, provider, 0, label_min))
            continue
        if status is None or status.trouble is not None or label not in status.labels:
            continue
        one = status.labels[label]
        if not one.kept:
            continue  # its share falls to the others
        # A label that is held back has room again for the one try that may show it is well.
        have = one.ready + one.coming
        found.append(Partner(status.priority, provider, have, one.room, one.ready))
    return found
