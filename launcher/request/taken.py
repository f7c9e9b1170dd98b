"""Requests that another provider has taken: what we say of them, and how often.

Whoever waits asks why the others do not help, above all when the one that has taken a request is
slow. But most are served within a minute, and nobody asks: so it is said late, in few words that
change seldom, and of a few requests each second at the most.
"""

import re
from dataclasses import replace
from typing import Final

from launcher.node.shortage import Shortage
from launcher.request.demand_pass import DemandPass
from launcher.request.verdicts import declined, waiting, yielding
from launcher.request.view import RequestView
from launcher.world import World
from remuda.model.status import Verdict
from remuda.runtime.now import Now

#: A request is spoken of when it has waited for so long.
TAKEN_AFTER_S: Final = 5.0
#: So many verdicts on such requests are written at once, and after that none for so long: ZooKeeper
#: is there for those that hand nodes out.
TAKEN_MAX: Final = 20
TAKEN_PERIOD_S: Final = 1.0

_NUMBER: Final = re.compile(r"[0-9]+")


def stand_by(
    work: DemandPass, view: RequestView, able: list[str], never: Shortage | None
) -> Verdict:
    """Return why we do not serve a request that another provider has taken.

    Args:
        work: The pass over demand.
        view: The request.
        able: Our pools that could serve it.
        never: If there are none: why not.
    """
    world, now = work.world, work.now
    if never is not None:
        return declined(world, now, never.reason, never.numbers)
    shorts = [_short(work, view, pool) for pool in able]
    short = None if None in shorts else shorts[0]
    if short is None or short.passing:
        return yielding(world, now, "another provider has taken it")
    reason = f"another provider has taken it, and here {short.reason}"
    return waiting(world, now, view, replace(short, reason=reason))


def _short(work: DemandPass, view: RequestView, pool: str) -> Shortage | None:
    shorts = (work.budget.shortage((pool, label)) for label in sorted(set(view.request.labels)))
    return next((short for short in shorts if short is not None), None)


def is_taken(world: World, view: RequestView) -> bool:
    """Whether another provider has taken a request."""
    return view.request.state == "pending" and view.id not in world.queue.claims


def taken_due_s(world: World, view: RequestView, now: Now, left: int) -> float:
    """Return when a verdict may be written on a request that another provider has taken.

    *left* is how many more of them this plan may write.
    """
    again_s = 0.0 if left > 0 else now.mono_s + TAKEN_PERIOD_S
    return max(view.seen_s + TAKEN_AFTER_S, world.rule_taken_s, again_s)


def says_more(known: str | None, words: str) -> bool:
    """Whether *words* of such a request tell more than what is *known*: not by numbers alone."""
    return known is None or _NUMBER.sub("", known) != _NUMBER.sub("", words)
