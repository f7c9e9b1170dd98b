"""Verdicts: why a request is not served yet, in one sentence, with the number that decided it."""

from collections.abc import Mapping
from typing import Any, Final

from launcher.claim.view import ClaimView
from launcher.image import first_use
from launcher.node.shortage import Shortage
from launcher.policy import Key
from launcher.request.view import RequestView
from launcher.world import World
from remuda.model.ids import NodeId
from remuda.model.status import Ruling, Verdict
from remuda.runtime.now import Now

#: A request is late when its nodes take longer than usual by this share: the usual time is a mean.
LATE_SHARE: Final = 0.25
#: It is told anew for each of these.
LATE_S: Final = 60.0
#: So many held nodes are named; `remuda nodes --state hold` lists them all.
HELD_MAX: Final = 3


def declined(
    world: World, now: Now, reason: str, numbers: Mapping[str, Any] | None = None
) -> Verdict:
    """We will not serve it."""
    return Verdict(
        provider=world.policy.provider,
        ruling=Ruling.DECLINED,
        reason=reason,
        numbers=numbers or {},
        at_s=now.wall_s,
    )


def yielding(world: World, now: Now, reason: str) -> Verdict:
    """Another provider goes first."""
    return Verdict(
        provider=world.policy.provider, ruling=Ruling.YIELDING, reason=reason, at_s=now.wall_s
    )


def waiting(world: World, now: Now, view: RequestView, short: Shortage) -> Verdict:
    """We would serve it, but not now; if for nodes that somebody holds, how to end that."""
    position, (held, first) = world.queue.position(view), _held(world, short)
    reason, numbers = short.reason, dict(short.numbers)
    if held:
        more = f" and {held - len(first)} more" if held > len(first) else ""
        reason += f"; held: {', '.join(first)}{more} (remuda release {first[0]} ends it)"
        numbers["held"] = held
    return Verdict(
        provider=world.policy.provider,
        ruling=Ruling.WAITING,
        reason=reason,
        numbers={**numbers, "position": position},
        at_s=now.wall_s,
    )


def _held(world: World, short: Shortage) -> tuple[int, list[NodeId]]:
    """Return how many nodes somebody holds in the pools that have no room, and the first few.

    A thousand requests may wait for the same pools: none looks at all that is held there.
    """
    pools = [world.nodes.held.get(pool, []) for pool in short.pools]
    first = sorted(node for held in pools for node in held[:HELD_MAX])
    return sum(map(len, pools)), first[:HELD_MAX]


def serving(world: World, now: Now, view: RequestView, claim: ClaimView) -> Verdict:
    """Its nodes are being made; says how far the slowest is."""
    labels, ready = view.request.labels, ready_for(world, view, claim.pool)
    usual_s = _usual_s(world, now, view, claim.pool)
    late_s = late_from_s(world, now, view, claim.pool)
    first, beside = first_use.said(world, now, _keys(view, claim.pool))
    over_s = None if usual_s is None else now.mono_s - view.seen_s - usual_s
    late = late_s is not None and now.mono_s >= late_s
    late_min = int(over_s // LATE_S) if late and over_s is not None else 0
    expected = "" if usual_s is None else f", which usually takes {usual_s:.0f} s"
    if late:
        more = f" by more than {late_min * LATE_S:.0f} s" if late_min else ""
        expected = f", later than the usual {usual_s:.0f} s{more}"
    eta_s = None if late or over_s is None else max(0.0, -over_s)
    failures = world.queue.charges.count(view.id)
    why = world.queue.charges.last(view.id)
    failed = f", {failures} launches failed ({why})" if failures else ""
    return Verdict(
        provider=world.policy.provider,
        ruling=Ruling.SERVING,
        reason=f"{ready} of {len(labels)} nodes are ready{expected}{failed}{first}",
        numbers={
            "ready": ready,
            "wanted": len(labels),
            "failures": failures,
            "late": int(late),
            "late_min": late_min,
            **beside,
        },
        eta_s=eta_s,
        at_s=now.wall_s,
    )


def ready_for(world: World, view: RequestView, pool: str) -> int:
    """Return how many of its nodes are ready: of those that it may get."""
    labels, index = view.request.labels, world.nodes
    if not view.may_get.own:
        return sum(
            min(labels.count(label), len(index.free.get((pool, label), ())))
            for label in set(labels)
        )
    own = (index.views[node_id] for node_id in index.allocated.get(view.id, ()))
    return sum(one.node is not None and one.node.state == "ready" and not one.dying for one in own)


def late_from_s(world: World, now: Now, view: RequestView, pool: str) -> float | None:
    """Return from when on its nodes take longer than usual (monotonic), or None."""
    usual_s = _usual_s(world, now, view, pool)
    return None if usual_s is None else view.seen_s + usual_s * (1.0 + LATE_SHARE)


def _keys(view: RequestView, pool: str) -> list[Key]:
    return [(pool, label) for label in sorted(set(view.request.labels))]


def _usual_s(world: World, now: Now, view: RequestView, pool: str) -> float | None:
    """Return in how many seconds its nodes are usually ready, or None: nobody knows."""
    if any(first_use.unmade(world, now, key) is not None for key in _keys(view, pool)):
        return None
    known = [world.cloud.boot_s.get((pool, label)) for label in set(view.request.labels)]
    boots = [boot_s for boot_s in known if boot_s is not None]
    if len(boots) < len(known):
        return None
    return max(boots, default=0.0)


def gist(verdict: Verdict) -> str:
    """Return what must change for a verdict to be written again: not the seconds to go."""
    numbers = {k: v for k, v in verdict.numbers.items() if k not in ("retry_in_s", "position")}
    reason = "serving" if verdict.ruling == "serving" else verdict.reason.partition("; next")[0]
    return f"{verdict.ruling}|{reason}|{sorted(numbers.items())}"
