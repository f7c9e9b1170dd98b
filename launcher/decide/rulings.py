"""Verdicts: why a request is not served yet, in one sentence, with the number that decided it."""

from collections.abc import Mapping
from typing import Any

from launcher.decide.budget import Shortage
from launcher.views import ClaimView, RequestView
from launcher.world import Now, World
from remuda.model.status import Ruling, Verdict


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
    """We would serve it, but not now."""
    position = world.queue.position(view)
    return Verdict(
        provider=world.policy.provider,
        ruling=Ruling.WAITING,
        reason=short.reason,
        numbers={**short.numbers, "position": position},
        at_s=now.wall_s,
    )


def serving(world: World, now: Now, view: RequestView, claim: ClaimView) -> Verdict:
    """Its nodes are being made; says how far the slowest is."""
    labels = view.request.labels
    ready = sum(
        min(labels.count(label), len(world.herd.free.get((claim.pool, label), ())))
        for label in set(labels)
    )
    eta_s = _eta_s(world, now, view, claim.pool)
    expected = "" if eta_s is None else f", about {eta_s:.0f} s to go"
    failed = f", {claim.failures} launches failed ({claim.why})" if claim.failures else ""
    return Verdict(
        provider=world.policy.provider,
        ruling=Ruling.SERVING,
        reason=f"{ready} of {len(labels)} nodes are ready{expected}{failed}",
        numbers={"ready": ready, "wanted": len(labels), "failures": claim.failures},
        eta_s=eta_s,
        at_s=now.wall_s,
    )


def _eta_s(world: World, now: Now, view: RequestView, pool: str) -> float | None:
    """Return the expected seconds until the slowest of its nodes is ready, or None."""
    known = [world.cloud.boot_s.get((pool, label)) for label in set(view.request.labels)]
    boots = [boot_s for boot_s in known if boot_s is not None]
    if len(boots) < len(known):
        return None
    return max(0.0, max(boots, default=0.0) - (now.mono_s - view.seen_s))
