"""Verdicts: why a request is not served yet, in one sentence, with the number that decided it."""

from collections.abc import Mapping
from typing import Any, Final

from launcher.decide.budget import Shortage
from launcher.views import ClaimView, RequestView
from launcher.world import World
from remuda.model.status import Ruling, Verdict
from remuda.runtime.now import Now

#: A request is late when its nodes take longer than usual by this share: the usual time is a mean.
LATE_SHARE: Final = 0.25
#: It is told anew for each of these.
LATE_S: Final = 60.0


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
    usual_s = _usual_s(world, view, claim.pool)
    late_s = late_from_s(world, view, claim.pool)
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
        reason=f"{ready} of {len(labels)} nodes are ready{expected}{failed}",
        numbers={
            "ready": ready,
            "wanted": len(labels),
            "failures": failures,
            "late": int(late),
            "late_min": late_min,
        },
        eta_s=eta_s,
        at_s=now.wall_s,
    )


def late_from_s(world: World, view: RequestView, pool: str) -> float | None:
    """Return from when on its nodes take longer than usual (monotonic), or None."""
    usual_s = _usual_s(world, view, pool)
    return None if usual_s is None else view.seen_s + usual_s * (1.0 + LATE_SHARE)


def _usual_s(world: World, view: RequestView, pool: str) -> float | None:
    """Return in how many seconds its nodes are usually ready, or None: nobody knows."""
    known = [world.cloud.boot_s.get((pool, label)) for label in set(view.request.labels)]
    boots = [boot_s for boot_s in known if boot_s is not None]
    if len(boots) < len(known):
        return None
    return max(boots, default=0.0)
