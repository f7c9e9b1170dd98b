"""Verdicts: why a request is not served yet, in one sentence, with the number that decided it."""

from collections.abc import Mapping
from typing import Any, Final

from launcher.decide.budget import Shortage
from launcher.views import ClaimView, RequestView
from launcher.world import World
from remuda.model.ids import NodeId
from remuda.model.status import Ruling, Verdict
from remuda.runtime.now import Now

#: A request is late when its nodes take so much longer than usual; told anew for each.
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
    position, held = world.queue.position(view), _held(world, short)
    reason, numbers = short.reason, dict(short.numbers)
    if held:
        more = f" and {len(held) - HELD_MAX} more" if len(held) > HELD_MAX else ""
        reason += f"; held: {', '.join(held[:HELD_MAX])}{more} (remuda release {held[0]} ends it)"
        numbers["held"] = len(held)
    return Verdict(
        provider=world.policy.provider,
        ruling=Ruling.WAITING,
        reason=reason,
        numbers={**numbers, "position": position},
        at_s=now.wall_s,
    )


def _held(world: World, short: Shortage) -> list[NodeId]:
    """Return the nodes that somebody holds in the pools that have no room."""
    return sorted(node for pool in short.pools for node in world.herd.held.get(pool, ()))


def serving(world: World, now: Now, view: RequestView, claim: ClaimView) -> Verdict:
    """Its nodes are being made; says how far the slowest is."""
    labels, ready = view.request.labels, ready_for(world, view, claim.pool)
    left_s = _left_s(world, now, view, claim.pool)
    late_min = 0 if left_s is None else int(max(0.0, -left_s) // LATE_S)
    expected = "" if left_s is None else f", about {max(0.0, left_s):.0f} s to go"
    if late_min:
        expected = f", more than {late_min * LATE_S:.0f} s later than usual"
    eta_s = None if late_min or left_s is None else max(0.0, left_s)
    failures = world.queue.charges.count(view.id)
    why = world.queue.charges.last(view.id)
    failed = f", {failures} launches failed ({why})" if failures else ""
    return Verdict(
        provider=world.policy.provider,
        ruling=Ruling.SERVING,
        reason=f"{ready} of {len(labels)} nodes are ready{expected}{failed}",
        numbers={
            "ready": ready,
            "wanted": len(labels),
            "failures": failures,
            "late_min": late_min,
        },
        eta_s=eta_s,
        at_s=now.wall_s,
    )


def ready_for(world: World, view: RequestView, pool: str) -> int:
    """Return how many of its nodes are ready: of those that it may get."""
    labels, herd = view.request.labels, world.herd
    if not view.may_get.own:
        return sum(
            min(labels.count(label), len(herd.free.get((pool, label), ()))) for label in set(labels)
        )
    own = (herd.views[node_id] for node_id in herd.allocated.get(view.id, ()))
    return sum(one.node is not None and one.node.state == "ready" and not one.dying for one in own)


def _left_s(world: World, now: Now, view: RequestView, pool: str) -> float | None:
    """Return the expected seconds until its nodes are ready; negative: late; None: unknown."""
    known = [world.cloud.boot_s.get((pool, label)) for label in set(view.request.labels)]
    boots = [boot_s for boot_s in known if boot_s is not None]
    if len(boots) < len(known):
        return None
    return max(boots, default=0.0) - (now.mono_s - view.seen_s)


def gist(verdict: Verdict) -> str:
    """Return what must change for a verdict to be written again: not the seconds to go."""
    numbers = {k: v for k, v in verdict.numbers.items() if k not in ("retry_in_s", "position")}
    reason = "serving" if verdict.ruling == "serving" else verdict.reason.partition("; next")[0]
    return f"{verdict.ruling}|{reason}|{sorted(numbers.items())}"
